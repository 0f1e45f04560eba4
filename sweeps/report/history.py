"""Optimisation history: the trials of each loss in the order they were asked for, and the best score so far; one small panel a loss."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sweeps.report.canvas import TEXT_PX, Layout, NothingToShow, axes_at, new_figure, score_axis, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import MUTED
from sweeps.report.trial_marks import cross, mark_trial, say_marks
from sweeps.report.wording import count, listed, say, say_metric, short
from sweeps.verdict.contenders import finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

NAME = "history"
TITLE = "The search of each loss"
MOST_PANELS = 12
"""More small panels are a wallpaper; the best losses are drawn, and all are in the data."""

_ACROSS, _HEIGHT_PX, _BETWEEN_PX, _TOP_PX = 3, 132.0, 62.0, 46.0
_HEIGHT_NARROW_PX = 96.0


def best_so_far(loss: LossView, overview: Overview) -> list[tuple[int, float]]:
    """Return the best score so far after each trial of the search from its first score on, counted from 1; failures have none."""
    best: float | None = None
    steps = []
    for number, trial in enumerate(loss.search, start=1):
        score = overview.score(trial) if trial.state != "failed" else None
        if score is not None and (best is None or (score > best) == overview.maximise):
            best = score
        if best is not None:
            steps.append((number, best))
    return steps


def _shown(overview: Overview) -> list[LossView]:
    """The losses with a history: those that had a second trial to be better with."""
    found = [loss for loss in overview.losses if len(loss.search) > 1 and best_so_far(loss, overview)]
    if not found:
        most = max((len(loss.search) for loss in overview.losses), default=0)
        raise NothingToShow(
            "each loss had one trial, so there is no search to follow."
            if most == 1
            else "no trial of the search has a score, or each that has one failed."
            if most
            else "nothing was searched."
        )
    return found


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    losses = _shown(overview)[:MOST_PANELS]
    across = 1 if layout.narrow else min(_ACROSS, len(losses))
    height = _HEIGHT_NARROW_PX if layout.narrow else _HEIGHT_PX
    down = -(-len(losses) // across)
    figure = new_figure(layout, _TOP_PX + down * height + (down - 1) * _BETWEEN_PX + 52)
    left, gap = 46.0, 56.0
    width = (layout.width_px - left - 12 - gap * (across - 1)) / across
    low, high = _limits(losses, overview)
    most = max(len(loss.search) for loss in losses)
    for number, loss in enumerate(losses):
        row, column = divmod(number, across)
        axes = axes_at(figure, left=left + column * (width + gap), top=_TOP_PX + row * (height + _BETWEEN_PX), width=width, height=height)
        axes.set_ylim(low, high)
        axes.set_xlim(0.5, most + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
        axes.grid(axis="y")
        score_axis(axes.yaxis)
        if number + across >= len(losses):
            axes.set_xlabel("trial of the loss", loc="right", labelpad=6)
        if number == 0:
            write(axes, say_metric(overview.metric), (0, 1), (-36, 30), where="axes", level="baseline")
        _panel(axes, loss, overview)
    return figure


def _limits(losses: list[LossView], overview: Overview) -> tuple[float, float]:
    """One range for all panels: the best so far, from the first on, and the better two thirds of the trials; bad ones flatten nothing."""
    bests = [best for loss in losses for _, best in best_so_far(loss, overview)]
    ended = [trial for loss in losses for trial in loss.search if trial.state != "failed"]
    scores = sorted(score for trial in ended if (score := overview.score(trial)) is not None)
    ends = [*bests, scores[len(scores) // 3 if overview.maximise else (2 * len(scores)) // 3]]
    margin = 0.1 * (max(ends) - min(ends)) or 0.01
    return min(ends) - margin, max(ends) + margin


def _panel(axes: Axes, loss: LossView, overview: Overview) -> None:
    look, steps = loss.look, best_so_far(loss, overview)
    low, high = axes.get_ylim()
    end = len(loss.search) + 0.5
    axes.step([*(n for n, _ in steps), end], [*(best for _, best in steps), steps[-1][1]], where="post", color=look.mark, linewidth=2)
    found = next(number for number, best in steps if best == steps[-1][1])
    edge = low + 0.06 * (high - low) if overview.maximise else high - 0.06 * (high - low)
    for number, trial in enumerate(loss.search, start=1):
        score = overview.score(trial)
        size, alpha = (6.5, 0.9) if len(loss.search) <= 40 else (4.5, 0.7)
        if score is not None and low <= score <= high:
            mark_trial(axes, (number, score), look, trial.state, size=size, alpha=alpha)
        elif trial.state == "failed":
            cross(axes, (number, edge), MUTED.stand_in, size=size)
        else:
            axes.plot([number], [edge], marker="|", markersize=9, color=MUTED.stand_in, zorder=4)
    said = f"{say(steps[-1][1])}, trial {found} of {len(loss.search)}"
    write(axes, loss.label, (0, 1), (0, 10), where="axes", level="baseline", colour=look.text, bold=True)
    write(axes, said, (1, 1), (0, 10), where="axes", align="right", level="baseline", size=TEXT_PX - 1)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    shown = _shown(overview)
    rest = len(shown) - MOST_PANELS
    more = f" Drawn are the {MOST_PANELS} best losses; the other {rest} are in the data." if rest > 0 else ""
    once = [loss.label for loss in overview.losses if len(loss.search) == 1]
    alone = f" {count(len(once), 'loss', 'losses')} with one trial {'has' if len(once) == 1 else 'have'} no history." if once else ""
    blank = [loss.label for loss in overview.losses if len(loss.search) > 1 and not best_so_far(loss, overview)]
    alone += f" No trial of {listed(blank)} has a score without having failed." if blank else ""
    marks = say_marks(trial.state for loss in shown for trial in loss.search)
    return (
        f"Trials in the order they were asked for{f'; {marks}' if marks else ''}.{_at_the_edge(shown, overview)} "
        "The line is the best so far: where it still rises at the end, more trials may pay. All panels have one scale. Scores of the "
        f"search are at the best threshold on its own sections, and rank nothing.{more}{alone}"
    )


def _at_the_edge(shown: list[LossView], overview: Overview) -> str:
    """Say what the marks at the edge are, where there are any."""
    low, high = _limits(shown[:MOST_PANELS], overview)
    far = [
        trial
        for loss in shown[:MOST_PANELS]
        for trial in loss.search
        if (score := overview.score(trial)) is None or not low <= score <= high
    ]
    return " Marks at the edge are off the scale or without a score." if far else ""


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    parts = []
    for loss in _shown(overview):
        steps = best_so_far(loss, overview)
        found = next(number for number, best in steps if best == steps[-1][1])
        parts.append(f"{loss.label} began with {say(steps[0][1])} and found {say(steps[-1][1])} in trial {found} of {len(loss.search)}")
    return "Small panels of score by trial, one a loss. " + "; ".join(parts) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a trial of the search."""
    rows = []
    for loss in overview.losses:
        best = dict(best_so_far(loss, overview))
        rows += [_row(loss, number, trial, best.get(number), overview) for number, trial in enumerate(loss.search, start=1)]
    return CsvTable(columns=("trial", "loss", "number", "state", overview.metric, "best_so_far", "epochs"), rows=tuple(rows))


def _row(loss: LossView, number: int, trial: TrialRecord, best: float | None, overview: Overview) -> tuple[object, ...]:
    epochs = finite(trial.curve[-1].get("epoch")) if trial.curve else None
    return (short(trial.trial_id, 80), loss.name, number, trial.state, overview.score(trial), best, epochs)
