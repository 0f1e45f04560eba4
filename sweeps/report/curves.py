"""Learning curves of the best configuration of each loss, over epochs and over train seconds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sweeps.report.canvas import (
    Layout,
    NothingToShow,
    axes_at,
    name_axes,
    name_ends,
    new_figure,
    num_named,
    points,
    score_axis,
    unnamed_note,
    write,
)
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview, curve_of
from sweeps.report.palette import MUTED, PAPER
from sweeps.report.wording import count, say, say_metric

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

NAME = "curves"
TITLE = "Learning curves"

# More bands than these hide each other.
MOST_BANDS = 7
# Of losses that share a hue the best has a whole line; on, off, in px.
_DASHES = ((None, None), (7, 3), (2, 2))

Dashes = tuple[float | None, float | None]


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """The curves of one loss: x, and the lowest, mean and highest score there over the runs."""

    loss: LossView
    runs: int
    x: tuple[float, ...]
    low: tuple[float, ...]
    mean: tuple[float, ...]
    high: tuple[float, ...]


def runs_of(loss: LossView, overview: Overview) -> tuple[TrialRecord, ...]:
    """Return the runs whose curves are shown: the finalists, or the search's best trial where there are none."""
    finalists = tuple(trial for trial in loss.runs if curve_of(trial, "epoch", overview.metric))
    best = overview.best_of(loss.search)
    return finalists or ((best,) if best is not None and curve_of(best, "epoch", overview.metric) else ())


def bundle(loss: LossView, overview: Overview, x: str) -> Bundle | None:
    """Return the curves of a loss over `epoch` or `train_seconds`, epoch by epoch over its runs; None without a finite point."""
    runs = runs_of(loss, overview)
    points: dict[float, list[tuple[float, float]]] = {}
    for trial in runs:
        values = dict(curve_of(trial, "epoch", overview.metric))
        for epoch, place in curve_of(trial, "epoch", x):
            if epoch in values:
                points.setdefault(epoch, []).append((place, values[epoch]))
    # A mean over fewer runs than there are would jump where one ends.
    whole = [points[epoch] for epoch in sorted(points) if len(points[epoch]) == len(runs)]
    if not whole:
        return None
    return Bundle(
        loss=loss,
        runs=len(runs),
        x=tuple(sum(place for place, _ in group) / len(group) for group in whole),
        low=tuple(min(value for _, value in group) for group in whole),
        mean=tuple(sum(value for _, value in group) / len(group) for group in whole),
        high=tuple(max(value for _, value in group) for group in whole),
    )


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    panels = _panels(overview)
    if not panels["epoch"]:
        raise NothingToShow("no trial that did not fail has a learning curve with a finite score.")
    margin = 20.0 + max(text_width(made.loss.label, 13) for made in panels["epoch"])
    left, top, height = (48.0, 44.0, 330.0) if not layout.narrow else (42.0, 40.0, 260.0)
    figure = new_figure(layout, top + height + 58 + (height + 92 if layout.narrow else 0))
    width = layout.width_px - left - margin if layout.narrow else (layout.width_px - 2 * (left + margin)) / 2
    low, high = _limits(panels, overview)
    for number, (x, label) in enumerate((("epoch", "epoch"), ("train_seconds", "train seconds"))):
        across, down = (0.0, number * (height + 92)) if layout.narrow else (number * layout.width_px / 2, 0.0)
        axes = axes_at(figure, left=left + across, top=top + down, width=width, height=height)
        axes.set_ylim(low, high)
        score_axis(axes.yaxis)
        axes.set_xlim(0, max((made.x[-1] for made in panels[x]), default=1.0) or 1.0)
        axes.xaxis.set_major_locator(MaxNLocator(8, steps=(1, 2, 2.5, 5, 10), integer=x == "epoch"))
        name_axes(axes, x=label, y=say_metric(overview.metric), grid="y")
        _target(axes, overview)
        named = panels[x][: num_named(len(panels[x]))]
        for made in reversed(panels[x]):  # the best is drawn last, on top
            dashes = _dashes(made, named) if made in named else None
            _curve(axes, made, band=len(panels[x]) <= MOST_BANDS, dashes=dashes)
        ends = [(made.x[-1], made.mean[-1]) for made in named]
        name_ends(axes, ends, [(made.loss.label, made.loss.look) for made in named], height)
    return figure


def _panels(overview: Overview) -> dict[str, list[Bundle]]:
    return {x: [made for loss in overview.losses if (made := bundle(loss, overview, x))] for x in ("epoch", "train_seconds")}


def _limits(panels: dict[str, list[Bundle]], overview: Overview) -> tuple[float, float]:
    """The upper part, where losses differ: from where the slowest of the named is after a third of its epochs."""
    bundles = [made for group in panels.values() for made in group[: num_named(len(group))]]
    third = min(made.mean[len(made.mean) // 3] for made in bundles)
    top = max(max(made.high) for made in bundles)
    bottom = min(third, overview.target or third)
    margin = 0.08 * (top - bottom) or 0.01
    return bottom - margin, top + margin


def _dashes(made: Bundle, named: list[Bundle]) -> Dashes:
    """Return how the line of a named loss is drawn: those before it that have its hue set it apart."""
    alike = [other for other in named if other.loss.look.hue == made.loss.look.hue]
    return _DASHES[alike.index(made) % len(_DASHES)]


def _curve(axes: Axes, made: Bundle, *, band: bool, dashes: Dashes | None) -> None:
    """`dashes` is None for a loss that is not named."""
    if dashes is None:
        axes.plot(made.x, made.mean, color=MUTED.stand_in, linewidth=1.0, alpha=0.4)
        return
    colour = made.loss.look.mark
    if band and made.runs > 1:
        axes.fill_between(made.x, made.low, made.high, color=colour, alpha=0.11, linewidth=0)
    axes.plot(made.x, made.mean, color=PAPER.stand_in, linewidth=4.0)
    axes.plot(made.x, made.mean, color=colour, linewidth=2.2, dashes=dashes)
    points(axes, [made.x[-1]], [made.mean[-1]], made.loss.look, size=7)


def _target(axes: Axes, overview: Overview) -> None:
    low, high = axes.get_ylim()
    if overview.target is None or not low <= overview.target <= high:
        return
    axes.axhline(overview.target, color=MUTED.stand_in, linewidth=1.2, dashes=(4, 3))
    write(axes, f"target {say(overview.target)}", (0, overview.target), (6, 5), where="row", level="baseline", size=12)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    runs = max((len(runs_of(loss, overview)) for loss in overview.losses), default=0)
    if any(loss.runs for loss in overview.losses):
        band = ", the band runs from the lowest to the highest" if len(overview.losses) <= MOST_BANDS else ""
        what = f"The best configuration of each loss, up to {count(runs, 'run')} each: the line is the mean{band}."
    else:
        what = "The best trial of each loss in the search."
    panels = _panels(overview)
    below = panels["epoch"] and any(made.mean[0] < _limits(panels, overview)[0] for made in panels["epoch"])
    first = " The first epochs lie below the axis." if below else ""
    named = panels["epoch"][: num_named(len(panels["epoch"]))]
    shared = len({made.loss.look.hue for made in named}) < len(named)
    first += " Losses of one colour differ in their dashes, and in the marker at the end." if shared else ""
    return (
        f"{what} Scores while training are at the best threshold, on the sections that decisions may look at."
        f"{first}{unnamed_note(sum(bool(runs_of(loss, overview)) for loss in overview.losses))}"
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    made = [bundle(loss, overview, "train_seconds") for loss in overview.losses]
    ends = [f"{b.loss.label} ends at {say(b.mean[-1])} after {say(b.x[-1], 0)} train seconds" for b in made if b]
    return "Line chart of score by epoch and by train seconds. " + "; ".join(ends) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row an epoch of each shown run."""
    keys = ("epoch", "step", "train_loss", overview.metric, "threshold", "membrane_dice_at_half", "train_seconds", "eval_seconds")
    rows = [
        (trial.trial_id, loss.name, trial.seed, trial.fold, *(row.get(key) for key in keys))
        for loss in overview.losses
        for trial in runs_of(loss, overview)
        for row in trial.curve
    ]
    return CsvTable(columns=("trial", "loss", "seed", "fold", *keys), rows=tuple(rows))
