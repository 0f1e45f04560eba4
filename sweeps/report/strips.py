"""Every trial of every loss, and the finalists beside them: one row a loss."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, panel_title, score_axis, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import MUTED, RULE
from sweeps.report.trial_marks import mark_trial, say_marks
from sweeps.report.wording import count, say, say_metric, short
from sweeps.verdict.contenders import finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

NAME = "trials"
TITLE = "All trials, and the finalists"
MOST_TALL_ROWS = 16
_SEARCH, _FINALISTS = "Search: every trial", "Finalists: fresh seeds"
_TOP, _BETWEEN, _GAP, _WORDS_PX = 52.0, 96.0, 36.0, 12.0

Limits = tuple[float, float]


def _shown(overview: Overview) -> list[LossView]:
    losses = [loss for loss in overview.losses if any(overview.score(trial) is not None for trial in (*loss.search, *loss.finalists))]
    if not losses:
        raise NothingToShow("no trial has a score yet.")
    return losses


def _panels(losses: list[LossView], overview: Overview) -> dict[str, Limits]:
    """The panels with the range of each: those of the finalists lie close together, on sections of their own."""
    panels = {_SEARCH: _limits([trial for loss in losses for trial in loss.search], [], overview)}
    if any(loss.finalists for loss in losses):
        estimates = [loss.estimate(overview.metric) for loss in losses]
        ends = [end for e in estimates for end in (e.low, e.high) if end is not None]
        panels[_FINALISTS] = _limits([trial for loss in losses for trial in loss.finalists], ends, overview)
    return panels


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    losses = _shown(overview)
    row = 52.0 if layout.narrow else 46.0 if len(losses) <= MOST_TALL_ROWS else 30.0
    body = row * len(losses)
    margin = 14.0 + 7.4 * max(len(loss.label) for loss in losses) if not layout.narrow else 8.0
    panels = _panels(losses, overview)
    across, down = (1, len(panels)) if layout.narrow else (len(panels), 1)
    figure = new_figure(layout, _TOP + body + 58 + (down - 1) * (_BETWEEN + body))
    width = (layout.width_px - margin - 24 - _GAP * (across - 1)) / across
    for number, (title, limits) in enumerate(panels.items()):
        left, above = (margin, _TOP + number * (body + _BETWEEN)) if layout.narrow else (margin + number * (width + _GAP), _TOP)
        words = {slot: said for slot, loss in enumerate(losses) if (said := _off_scale(_trials_of(loss, title), limits, overview))}
        gutter = max((20.0 + text_width(said, _WORDS_PX) for said in words.values()), default=0.0)
        axes = axes_at(figure, left=left + gutter, top=above, width=width - gutter, height=body)
        _ground(axes, losses, layout, named=layout.narrow or number == 0, gutter=gutter)
        axes.set_xlim(*limits)
        score_axis(axes.xaxis)
        panel_title(axes, title, rise=18)
        name_axes(axes, x=say_metric(overview.metric), grid="x")
        for slot, loss in enumerate(losses):
            (_finalists if title == _FINALISTS else _search)(axes, loss, slot, overview)
            if slot in words:
                write(axes, words[slot], (0, slot), (-14, 0), where="row", align="right", size=_WORDS_PX)
        if title == list(panels)[-1]:  # the sections are the finalists', where there are any
            _sanity(axes, overview)
    return figure


def _trials_of(loss: LossView, title: str) -> tuple[TrialRecord, ...]:
    return loss.finalists if title == _FINALISTS else loss.search


def _limits(trials: list[TrialRecord], ends: list[float], overview: Overview) -> Limits:
    """The range of the scores, without letting one bad trial or one that failed squeeze the rest: they are told beside the axis."""
    scored = [(score, trial.state) for trial in trials if (score := overview.score(trial)) is not None]
    scores = sorted(score for score, state in scored if state != "failed") or sorted(score for score, _ in scored)
    whole = sorted(score for score, state in scored if state == "complete") or scores
    if not whole:
        return 0.0, 1.0
    lower, upper = whole[len(whole) // 4], whole[(3 * len(whole)) // 4]
    room = 2.5 * max(upper - lower, 0.005)
    low, high = min(score for score in scores if score >= lower - room), max(score for score in scores if score <= upper + room)
    if overview.maximise:
        high = scores[-1]
    else:
        low = scores[0]
    reach = high - low or 0.005  # an interval of two runs may be hundreds of times as long as they lie apart
    ends = [*ends, low, high]
    low, high = max(min(ends), low - 3 * reach), min(max(ends), high + 3 * reach)
    margin = 0.06 * (high - low) or 0.01
    return low - margin, high + margin


def _ground(axes: Axes, losses: list[LossView], layout: Layout, *, named: bool, gutter: float) -> None:
    axes.set_ylim(len(losses) - 0.5, -0.5)
    axes.set_yticks([])
    for slot, loss in enumerate(losses):
        if slot:
            axes.axhline(slot - 0.5, color=RULE.stand_in, linewidth=1)
        if not named:
            continue
        colour = loss.look.text
        if layout.narrow:
            write(axes, loss.label, (0, slot - 0.5), (4 - gutter, -4), where="row", level="top", colour=colour, bold=True)
        else:
            write(axes, loss.label, (0, slot), (-12 - gutter, 0), where="row", align="right", colour=colour, size=14, bold=True)


def _heights(trials: tuple[TrialRecord, ...], slot: int) -> list[float]:
    """Rows of points keep the order in which the trials were asked for, first on top: nothing is jittered at random."""
    steps = max(len(trials) - 1, 1)
    return [slot + 0.3 * (2 * number / steps - 1) if len(trials) > 1 else float(slot) for number in range(len(trials))]


def _search(axes: Axes, loss: LossView, slot: int, overview: Overview) -> None:
    _points(axes, loss, loss.search, slot, overview, size=8.0, alpha=1.0)


def _finalists(axes: Axes, loss: LossView, slot: int, overview: Overview) -> None:
    look, estimate = loss.look, loss.estimate(overview.metric)
    low, high = axes.get_xlim()
    if estimate.low is not None and estimate.high is not None:
        ends = [min(max(end, low), high) for end in (estimate.low, estimate.high)]
        axes.plot(ends, [slot, slot], color=look.mark, linewidth=9, alpha=0.28, solid_capstyle="butt")
    _points(axes, loss, loss.finalists, slot, overview, size=7.0, alpha=0.85)
    if estimate.mean is not None:
        axes.plot([estimate.mean] * 2, [slot - 0.36, slot + 0.36], color=look.text, linewidth=2.6, solid_capstyle="butt")


def _points(
    axes: Axes, loss: LossView, trials: tuple[TrialRecord, ...], slot: int, overview: Overview, *, size: float, alpha: float
) -> None:
    low, high = axes.get_xlim()
    for trial, y in zip(trials, _heights(trials, slot), strict=True):
        score = overview.score(trial)
        if score is not None and low <= score <= high:
            mark_trial(axes, (score, y), loss.look, trial.state, size=size, alpha=alpha)


def _off_scale(trials: tuple[TrialRecord, ...], limits: Limits, overview: Overview) -> str:
    """Name, left of the axis, the trials that have no place on the scale."""
    scores = {trial.trial_id: overview.score(trial) for trial in trials}
    below = sorted(score for score in scores.values() if score is not None and score < limits[0])
    above = sorted(score for score in scores.values() if score is not None and score > limits[1])
    without = Counter(trial.state for trial in trials if scores[trial.trial_id] is None)
    words = []
    for group, where in ((below, "below"), (above, "above")):
        words += [f"{say(score)} {where}" for score in group] if len(group) == 1 else [f"{len(group)} {where}"] if group else []
    words += [f"{number} {state}" if number > 1 else state for state, number in without.items()]
    return ", ".join(words)


def _sanity(axes: Axes, overview: Overview) -> None:
    """Name the best prediction that needs no network, which is usually far off the scale."""
    known = [(score, str(row.get("name", ""))) for row in overview.sanity if (score := finite(row.get(overview.metric))) is not None]
    if not known:
        return
    score, name = max(known) if overview.maximise else min(known)
    low, high = axes.get_xlim()
    if low <= score <= high:
        axes.axvline(score, color=MUTED.stand_in, linewidth=1.2, dashes=(4, 3))
    before, after = "\u25c2 " if score < low else "", " \u25b8" if score > high else ""
    of = f" ({overview.sanity_sections})" if overview.sanity_sections else ""
    write(axes, f"{before}{short(name)} {say(score)}{of}{after}", (0, 0), (0, -38), where="axes", size=12)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    losses = _shown(overview)
    marks = say_marks(trial.state for loss in losses for trial in (*loss.search, *loss.finalists))
    panels = _panels(losses, overview)
    told = any(_off_scale(_trials_of(loss, title), limits, overview) for title, limits in panels.items() for loss in losses)
    search = (
        "The search is scored on its own block of sections at the best threshold; within a row the first trial is on top"
        f"{f'; {marks}' if marks else ''}.{' Words beside the axis tell trials off the scale or without a score.' if told else ''}"
    )
    if not any(loss.finalists for loss in overview.losses):
        return f"{search} There are no finalists, so nothing is ranked."
    return (
        f"{search} The finalists are the best configuration of each loss, trained again with fresh seeds and scored on sections that "
        "nothing was chosen by; their axis is their own, the upright line is the mean, the bar its 95% interval. Only they rank."
        f"{_cut(losses, panels[_FINALISTS], overview)}"
    )


def _cut(losses: list[LossView], limits: Limits, overview: Overview) -> str:
    estimates = [loss.estimate(overview.metric) for loss in losses]
    ends = [end for e in estimates for end in (e.low, e.high) if end is not None]
    return " Bars that reach the edge are longer." if any(not limits[0] <= end <= limits[1] for end in ends) else ""


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
