"""Where each loss stands by its own value and by the scores: one line a loss, so that a change of order is a crossing."""

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, NothingToShow, axes_at, new_figure, points, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import INK, PANEL
from sweeps.report.published import SCORES, score_places
from sweeps.report.published_rows import places, printed_in, turned, values
from sweeps.report.wording import bare, count, dig, say, say_metric, several, short

NAME = "published"
TITLE = "By its own value, and by the scores"
_NARROW_NAME = 12


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """One upright scale of the figure."""

    key: str
    """Its name in the CSV."""
    title: tuple[str, ...]
    """Its heading, line by line."""
    score: bool
    """Whether it compares losses, as scores do; loss values do not."""
    found: dict[str, tuple[float, int]]
    """Loss -> value and place."""

    @property
    def order(self) -> dict[str, int]:
        """A level of its own for each loss, 0 on top; equal values keep the order in which they came."""
        return {loss: level for level, loss in enumerate(sorted(self.found, key=lambda loss: self.found[loss][1]))}


def ladders(overview: Overview) -> tuple[list[LossView], list[Ladder]]:
    """Return the losses with a published value, smallest first, and the scales on which at least two of them have a place."""
    printed = printed_in(overview)
    rows = values(overview, printed) if printed else []
    losses = [row.loss for row in rows]
    made = [
        _ladder("published_own_loss", ("Loss value,", "published"), {row.loss.name: row.printed for row in rows}),
        _ladder("own_loss", ("Loss value,", "ours"), {row.loss.name: row.ours for row in rows}),
        *(_score_ladder(losses, metric) for metric in SCORES),
    ]
    return losses, [ladder for ladder in made if len(ladder.found) > 1]


def _ladder(key: str, title: tuple[str, ...], found: dict[str, float | None]) -> Ladder:
    ranks = places(found, lower_is_better=True)
    return Ladder(key=key, title=title, score=False, found={n: (v, ranks[n]) for n, v in found.items() if v is not None})


def _score_ladder(losses: list[LossView], metric: str) -> Ladder:
    ranks = score_places(losses, metric)
    found = {loss.name: (mean, ranks[loss.name]) for loss in losses if (mean := loss.estimate(metric).mean) is not None}
    return Ladder(key=metric, title=tuple(say_metric(metric).split(" ")), score=True, found=found)


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    losses, scales = ladders(overview)
    if len(scales) < 2:
        raise NothingToShow("there are no two orders to set beside each other: own loss values, published or ours, and scores.")
    names = [loss.label if not layout.narrow else short(loss.name, _NARROW_NAME) for loss in losses]
    margin = 30.0 + max(text_width(name, 13) for name in names)
    left, top, row = (34.0 if layout.narrow else margin), 66.0, 46.0
    body = row * len(losses)
    figure = new_figure(layout, top + body + 14)
    axes = axes_at(figure, left=left, top=top, width=layout.width_px - left - margin, height=body)
    axes.set_xlim(0, len(scales) - 1)
    axes.set_ylim(len(losses) - 0.4, -0.5)  # under the last marker stands its value
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines["bottom"].set_visible(False)
    _ground(axes, scales)
    for loss, name in zip(losses, names, strict=True):
        _line(axes, loss, name, scales, layout)
    return figure


def _ground(axes: Axes, scales: list[Ladder]) -> None:
    """Headings, and a shade behind the scores: only there does a higher place mean a better network."""
    first = next((slot for slot, ladder in enumerate(scales) if ladder.score), None)
    if first is not None:
        reach = 0.3 * bool(first)
        axes.axvspan(first - reach, len(scales) - 1 + 0.3 * (len(scales) > 1), color=PANEL.stand_in, linewidth=0, zorder=0, clip_on=False)
    for slot, ladder in enumerate(scales):
        for number, line in enumerate(reversed(ladder.title)):
            write(axes, line, (slot, -0.5), (0, 10 + 16 * number), align="center", level="baseline", colour=INK.stand_in, bold=ladder.score)


def _line(axes: Axes, loss: LossView, name: str, scales: list[Ladder], layout: Layout) -> None:
    spots = [(slot, ladder.order[loss.name]) for slot, ladder in enumerate(scales) if loss.name in ladder.found]
    for (x, y), (to_x, to_y) in pairwise(spots):
        step = np.linspace(0, 1, 25)
        axes.plot(x + (to_x - x) * step, y + (to_y - y) * (1 - np.cos(np.pi * step)) / 2, color=loss.look.mark, linewidth=2.6, zorder=2)
    points(axes, [x for x, _ in spots], [y for _, y in spots], loss.look, size=13)
    for x, y in spots:
        value = scales[x].found[loss.name][0]
        write(axes, _say(scales[x], value), (x, y), (0, -17), align="center", colour=INK.stand_in, size=12)
    end = spots[-1]
    write(axes, name, end, (26, 0), colour=loss.look.text, bold=True)
    if not layout.narrow:
        write(axes, name, spots[0], (-26, 0), align="right", colour=loss.look.text, bold=True)


def _say(ladder: Ladder, value: float) -> str:
    return say(value) if ladder.score else bare(f"{value:.4f}")


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    _, scales = ladders(overview)
    own = next((ladder for ladder in reversed(scales) if not ladder.score), None)
    parts = ["Places from the best value on top to the worst; on the left the smallest loss value, on the shaded side the highest score."]
    for ladder in scales:
        if ladder.score and own is not None:
            swapped, pairs = turned({k: p for k, (_, p) in own.found.items()}, {k: p for k, (_, p) in ladder.found.items()})
            whose = "our" if own.key == "own_loss" else "the published"
            parts.append(f"From {whose} loss values to {' '.join(ladder.title)}, {swapped} of {count(pairs, 'pair')} change places.")
    return " ".join([*parts, *_tied(overview)])


def _tied(overview: Overview) -> list[str]:
    """Places by score inside a tie are chance."""
    groups = [group for group in dig(overview.verdict, "groups", ()) if isinstance(group, list | tuple) and len(group) > 1]
    tied = "; ".join(several([short(name, 18) for name in group]) for group in groups)
    return [f"By {say_metric(overview.metric)} these cannot be told apart, and their order may be chance: {tied}."] if tied else []


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    losses, scales = ladders(overview)
    parts = []
    for loss in losses:
        stands = [f"{ladder.found[loss.name][1]} by {' '.join(ladder.title)}" for ladder in scales if loss.name in ladder.found]
        parts.append(f"{loss.label} {', '.join(stands)}")
    return f"Bump chart of the places of {count(len(losses), 'loss', 'losses')}: {'; '.join(parts)}."


def table(overview: Overview) -> CsvTable:
    """Return one row a loss and scale."""
    losses, scales = ladders(overview)
    rows = [(loss.name, ladder.key, *ladder.found[loss.name]) for loss in losses for ladder in scales if loss.name in ladder.found]
    return CsvTable(columns=("loss", "by", "value", "place"), rows=tuple(rows))
