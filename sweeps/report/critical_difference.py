"""Critical-difference diagram: mean ranks of the losses over independent blocks, bars over those that cannot be told apart.

The diagram of Demsar 2006 (JMLR 7:1-30, figure 1). Ranks, critical difference and cliques are the verdict's; few losses or few blocks have
none, since Nemenyi's test then finds next to nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, NothingToShow, axes_at, new_figure, points, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import INK, MUTED
from sweeps.report.wording import clean, count, dig, listed, say, short
from sweeps.verdict.contenders import finite

NAME = "critical_difference"
TITLE = "Mean ranks and the critical difference"
FEWEST_LOSSES, FEWEST_BLOCKS = 5, 10

_BAR_PX, _ROW_PX, _ABOVE_PX = 10.0, 24.0, 84.0


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """The verdict's entry, checked."""

    ranks: tuple[tuple[LossView, float], ...]
    """Each loss with its mean rank, the best first."""
    cliques: tuple[tuple[float, float], ...]
    """Lowest and highest rank of each group that cannot be told apart."""
    members: tuple[tuple[str, ...], ...]
    """Labels of the losses of each, the best first."""
    distance: float
    """The critical difference."""
    blocks: int
    unit: str
    p: float | None
    """Friedman's."""


def ranks_of(overview: Overview) -> Ranks:
    """Return the ranks; NothingToShow, with the reason, where the verdict has none."""
    entry = dig(overview.verdict, "critical_difference", {})
    losses = [(loss, rank) for loss in overview.losses if (rank := finite(dig(entry, "ranks", {}).get(loss.name))) is not None]
    distance, blocks = finite(dig(entry, "critical_difference")), finite(dig(entry, "blocks"))
    if len(losses) < 2 or distance is None or blocks is None:
        raise NothingToShow(_why_none(overview))
    ordered = sorted(losses, key=lambda pair: pair[1])
    groups = [_among(ordered, clique) for clique in dig(entry, "cliques", ()) if isinstance(clique, list | tuple)]
    kept = [group for group in groups if len(group) > 1]
    return Ranks(
        ranks=tuple(ordered),
        cliques=tuple((group[0][1], group[-1][1]) for group in kept),
        members=tuple(tuple(loss.label for loss, _ in group) for group in kept),
        distance=distance,
        blocks=int(blocks),
        unit=clean(dig(entry, "unit", "block"), 20),
        p=finite(dig(entry, "friedman_p")),
    )


def _among(ordered: Sequence[tuple[LossView, float]], clique: Sequence[Any]) -> list[tuple[LossView, float]]:
    return [pair for pair in ordered if pair[0].name in clique]


def _why_none(overview: Overview) -> str:
    """Say what a diagram of mean ranks would need, and what there is."""
    compared = [loss for loss in overview.losses if loss.rank is not None]
    estimates = [loss.estimate(overview.metric) for loss in compared]
    blocks = min((estimate.n or 0 for estimate in estimates), default=0)
    unit = clean(dig(compared[0].row, f"scores.{overview.metric}.unit", "block"), 20) if compared and not overview.search_only else "block"
    have = f"{count(len(compared), 'loss', 'losses')} and {count(0 if overview.search_only else blocks, unit)}"
    return (
        f"a critical-difference diagram needs at least {FEWEST_LOSSES} losses compared on at least {FEWEST_BLOCKS} independent blocks "
        f"(test folds, or seeds where there is one fold); here there are {have}."
    )


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    found = ranks_of(overview)
    names = [short(loss.label, 13 if layout.narrow else 22) for loss, _ in found.ranks]
    levels = _levels(found.cliques)
    body = _BAR_PX * (max(levels, default=-1) + 1) + 14
    half = (len(names) + 1) // 2
    figure = new_figure(layout, _ABOVE_PX + body + _ROW_PX * half + 10)
    side = 26.0 + max(text_width(name, 13) for name in names)
    axes = axes_at(figure, left=side, top=_ABOVE_PX, width=layout.width_px - 2 * side, height=body + _ROW_PX * half)
    axes.set_ylim(body + _ROW_PX * half, 0)
    axes.set_xlim(1, len(names))
    axes.set_yticks([])
    axes.xaxis.tick_top()
    axes.set_xticks(range(1, len(names) + 1, -(-len(names) // 12)))
    axes.spines["bottom"].set_visible(False)
    axes.spines["top"].set_visible(True)
    axes.spines["top"].set_color(MUTED.stand_in)
    write(axes, "mean rank, 1 is the best", (0, 1), (0, 30), where="axes", level="baseline")
    _ruler(axes, found)
    for (low, high), level in zip(found.cliques, levels, strict=True):
        y = 10 + _BAR_PX * level
        axes.plot([low, high], [y, y], color=INK.stand_in, linewidth=4, solid_capstyle="round", clip_on=False, zorder=4)
    for number, ((loss, rank), name) in enumerate(zip(found.ranks, names, strict=True)):
        _name(axes, loss, rank, name, row=number if number < half else len(names) - 1 - number, left=number < half, body=body)
    return figure


def _levels(cliques: Sequence[tuple[float, float]]) -> list[int]:
    """Return on which line each bar lies: the first on which it touches no other."""
    ends: list[float] = []
    levels = []
    for low, high in cliques:
        level = next((number for number, end in enumerate(ends) if end < low), len(ends))
        ends[level:] = [high, *ends[level + 1 :]]
        levels.append(level)
    return levels


def _ruler(axes: Axes, found: Ranks) -> None:
    """The critical difference as a length above the axis, whose vertical unit is the pixel; what would go beyond it is cut."""
    low, high = axes.get_xlim()
    end, y = min(low + found.distance, high), -58.0
    for x in (low, end):
        axes.plot([x, x], [y - 4, y + 4], color=MUTED.stand_in, linewidth=2, clip_on=False)
    axes.plot([low, end], [y, y], color=MUTED.stand_in, linewidth=2, clip_on=False)
    write(axes, f"critical difference {say(found.distance, 2)}", (low, y), (0, 9), level="baseline")


def _name(axes: Axes, loss: LossView, rank: float, name: str, *, row: int, left: bool, body: float) -> None:
    """A line from the axis down to the loss's row, and along it to its name at the nearer side."""
    y, edge = body + _ROW_PX * (row + 0.5), axes.get_xlim()[0 if left else 1]
    axes.plot([rank, rank, edge], [0, y, y], color=loss.look.mark, linewidth=1.4, clip_on=False)
    points(axes, [rank], [0], loss.look, size=8)
    write(axes, name, (edge, y), (-8 if left else 8, 0), align="right" if left else "left", colour=loss.look.text, bold=True)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    found = ranks_of(overview)
    said = f" Friedman's test of all ranks being equal has p = {say(found.p, 4)}." if found.p is not None else ""
    bars = (
        " A bar joins losses whose ranks are nearer to each other than that."
        if found.cliques
        else " No two losses are nearer to each other than that, so there is no bar."
    )
    return (
        f"In each of {count(found.blocks, found.unit)} the losses are ranked, 1 the best, and the ranks averaged (Demsar 2006). Mean ranks "
        f"that differ by less than {say(found.distance, 2)} cannot be told apart (Nemenyi).{bars}{said} This looks at order alone; what "
        "decides about ties above are the paired differences, which know by how much."
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    found = ranks_of(overview)
    ranks = ", ".join(f"{loss.label} {say(rank, 2)}" for loss, rank in found.ranks)
    joined = "; ".join(listed(list(group)) for group in found.members)
    tail = f" Not told apart: {joined}." if joined else ""
    return f"Critical-difference diagram. Mean ranks: {ranks}. Critical difference {say(found.distance, 2)}.{tail}"


def table(overview: Overview) -> CsvTable:
    """Return one row a loss."""
    found = ranks_of(overview)
    cliques = [
        " ".join(str(number) for number, group in enumerate(found.members, start=1) if loss.label in group) for loss, _ in found.ranks
    ]
    rows = [
        (loss.name, rank, joined, found.distance, found.blocks, found.unit, found.p)
        for (loss, rank), joined in zip(found.ranks, cliques, strict=True)
    ]
    return CsvTable(columns=("loss", "mean_rank", "cliques", "critical_difference", "blocks", "unit", "friedman_p"), rows=tuple(rows))
