"""Every trial of every loss, and the finalists beside them: one row a loss."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, panel_title, points, score_axis, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import MUTED, RULE
from sweeps.report.wording import count, say, say_metric, short
from sweeps.verdict.contenders import finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

NAME = "trials"
TITLE = "All trials, and the finalists"
MOST_TALL_ROWS = 16


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    losses = [loss for loss in overview.losses if any(overview.score(trial) is not None for trial in (*loss.search, *loss.finalists))]
    if not losses:
        raise NothingToShow("no trial has a score yet.")
    low, high = _limits(overview)
    row, top, between = 52.0 if layout.narrow else 46.0 if len(losses) <= MOST_TALL_ROWS else 30.0, 52.0, 96.0
    body = row * len(losses)
    margin = 14.0 + 7.4 * max(len(loss.label) for loss in losses) if not layout.narrow else 8.0
    titles = ("Search: every trial", "Finalists: fresh seeds") if any(loss.finalists for loss in losses) else ("Search: every trial",)
    across, down = (1, len(titles)) if layout.narrow else (len(titles), 1)
    figure = new_figure(layout, top + body + 58 + (down - 1) * (between + body))
    width = (layout.width_px - margin - 24 - 36 * (across - 1)) / across
    panels = []
    for number, title in enumerate(titles):
        left, above = (margin, top + number * (body + between)) if layout.narrow else (margin + number * (width + 36), top)
        axes = axes_at(figure, left=left, top=above, width=width, height=body)
        _ground(axes, losses, layout, named=layout.narrow or number == 0)
        axes.set_xlim(low, high)
        score_axis(axes.xaxis)
        panel_title(axes, title, rise=18)
        name_axes(axes, x=say_metric(overview.metric), grid="x")
        panels.append(axes)
    for slot, loss in enumerate(losses):
        _trials(panels[0], loss, slot, overview)
        if len(panels) > 1:
            _finalists(panels[1], loss, slot, overview)
    _sanity(panels, overview, low)
    return figure


def _limits(overview: Overview) -> tuple[float, float]:
    """The range of the scores, without letting one bad trial squeeze the rest: it is drawn at the edge as an arrow."""
    scored = [(score, trial.state) for trial in overview.record.trials if (score := overview.score(trial)) is not None]
    scores = sorted(score for score, _ in scored)
    whole = sorted(score for score, state in scored if state == "complete") or scores
    lower, upper = whole[len(whole) // 4], whole[(3 * len(whole)) // 4]
    fence = lower - 2.5 * max(upper - lower, 0.005)
    low = min(score for score in scores if score >= fence)
    estimates = [loss.estimate(overview.metric) for loss in overview.losses]
    ends = [low, scores[-1], *(end for e in estimates for end in (e.low, e.high) if end is not None)]
    margin = 0.06 * (max(ends) - min(ends)) or 0.01
    return min(ends) - margin, max(ends) + margin


def _ground(axes: Axes, losses: list[LossView], layout: Layout, *, named: bool) -> None:
    axes.set_ylim(len(losses) - 0.5, -0.5)
    axes.set_yticks([])
    for slot, loss in enumerate(losses):
        if slot:
            axes.axhline(slot - 0.5, color=RULE.stand_in, linewidth=1)
        if not named:
            continue
        colour = loss.look.text
        if layout.narrow:
            write(axes, loss.label, (0, slot - 0.5), (4, -4), where="row", level="top", colour=colour, bold=True)
        else:
            write(axes, loss.label, (0, slot), (-12, 0), where="row", align="right", colour=colour, size=14, bold=True)


def _heights(trials: tuple[TrialRecord, ...], slot: int) -> list[float]:
    """Rows of points keep the order in which the trials were asked for, first on top: nothing is jittered at random."""
    steps = max(len(trials) - 1, 1)
    return [slot + 0.3 * (2 * number / steps - 1) if len(trials) > 1 else float(slot) for number in range(len(trials))]


def _trials(axes: Axes, loss: LossView, slot: int, overview: Overview) -> None:
    low = axes.get_xlim()[0]
    for trial, y in zip(loss.search, _heights(loss.search, slot), strict=True):
        score = overview.score(trial)
        if score is not None and score >= low:
            points(axes, [score], [y], loss.look, filled=trial.state == "complete")
    _off_scale(axes, loss.search, slot, overview)


def _finalists(axes: Axes, loss: LossView, slot: int, overview: Overview) -> None:
    look, estimate = loss.look, loss.estimate(overview.metric)
    low = axes.get_xlim()[0]
    if estimate.low is not None and estimate.high is not None:
        axes.plot([estimate.low, estimate.high], [slot, slot], color=look.mark, linewidth=9, alpha=0.28, solid_capstyle="butt")
    for trial, y in zip(loss.finalists, _heights(loss.finalists, slot), strict=True):
        score = overview.score(trial)
        if score is not None and score >= low:
            points(axes, [score], [y], look, size=7, alpha=0.85)
    _off_scale(axes, loss.finalists, slot, overview)
    if estimate.mean is not None:
        axes.plot([estimate.mean] * 2, [slot - 0.36, slot + 0.36], color=look.text, linewidth=2.6, solid_capstyle="butt")


def _off_scale(axes: Axes, trials: tuple[TrialRecord, ...], slot: int, overview: Overview) -> None:
    """Name, at the left edge, the trials that have no place on the scale."""
    low = axes.get_xlim()[0]
    below = sorted(score for trial in trials if (score := overview.score(trial)) is not None and score < low)
    without = [trial.state for trial in trials if overview.score(trial) is None]
    words = [say(score) for score in below] if len(below) <= 2 else [f"{len(below)} below"]
    words += [f"{number} {state}" if number > 1 else state for state, number in Counter(without).items()]
    if words:
        write(axes, f"\u25c2 {', '.join(words)}", (0, slot), (2, 0), where="row", size=12)


def _sanity(panels: list[Axes], overview: Overview, low: float) -> None:
    """Name the best prediction that needs no network, which is usually far off the scale."""
    known = [(score, str(row.get("name", ""))) for row in overview.sanity if (score := finite(row.get(overview.metric))) is not None]
    if not known:
        return
    score, name = max(known) if overview.maximise else min(known)
    for axes in panels:
        if score >= low:
            axes.axvline(score, color=MUTED.stand_in, linewidth=1.2, dashes=(4, 3))
    arrow = "" if score >= low else "\u25c2 "
    of = f" ({overview.sanity_sections})" if overview.sanity_sections else ""
    write(panels[0], f"{arrow}{short(name)} {say(score)}{of}", (0, 0), (0, -38), where="axes", size=12)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    search = (
        "The search is scored on its own block of sections at the best threshold; within a row the first trial is on top, hollow markers "
        "were pruned, and an arrow at the left edge names trials off the scale or without a score."
    )
    if not any(loss.finalists for loss in overview.losses):
        return f"{search} There are no finalists, so nothing is ranked."
    return (
        f"{search} The finalists are the best configuration of each loss, trained again with fresh seeds and scored on sections that "
        "nothing was chosen by; the upright line is the mean, the bar its 95% interval. Only they rank."
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    parts = []
    for loss in overview.losses:
        scores = [score for trial in loss.search if (score := overview.score(trial)) is not None]
        if scores:
            mean = loss.estimate(overview.metric).mean
            finalists = f", finalists' mean {say(mean)}" if mean is not None else ""
            parts.append(f"{loss.label}: {count(len(scores), 'trial')} from {say(min(scores))} to {say(max(scores))}{finalists}")
    return "Strip plot of all scores, one row a loss. " + "; ".join(parts) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a trial."""
    keys = sorted({key for trial in overview.record.trials for key in trial.suggestion})
    rows = [
        (
            t.trial_id,
            t.stage,
            t.loss,
            t.function,
            t.state,
            t.seed,
            t.fold,
            overview.score(t),
            t.attempts,
            *(t.suggestion.get(key) for key in keys),
        )
        for loss in overview.losses
        for t in (*loss.search, *loss.finalists)
    ]
    columns = ("trial", "stage", "loss", "function", "state", "seed", "fold", overview.metric, "attempts", *keys)
    return CsvTable(columns=columns, rows=tuple(rows))
