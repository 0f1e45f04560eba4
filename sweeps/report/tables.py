"""The report's tables: leaderboard, pairs, failures."""

from collections.abc import Mapping
from typing import Any

from sweeps.report.canvas import NothingToShow
from sweeps.report.differences import pairs_of
from sweeps.report.grid import Cell, Column, Grid, bars, estimated, figure, words
from sweeps.report.methods_comparison import differs
from sweeps.report.overview import LossView, Overview
from sweeps.report.wording import (
    ABSENT,
    NEVER,
    clean,
    dig,
    say,
    say_chance,
    say_metric,
    say_parameters,
    say_range,
    say_seconds,
    say_signed,
    say_value,
    short,
)
from sweeps.verdict.contenders import finite

_SCORES = ("v_rand", "v_info")


def leaderboard(overview: Overview) -> Grid:
    """Return one row a loss, best first, and the sanity rows below."""
    metric = overview.metric
    memory = "Memory, GiB" if any(finite(loss.row.get("peak_memory_mib")) is not None for loss in overview.losses) else ""
    columns = (
        Column(key="rank", title="#", numeric=True, lower_is_better=True),
        Column(key="loss", title="Loss", lower_is_better=True),
        Column(key=metric, title=say_metric(metric), numeric=True, hint="mean over the finalists' seeds and folds, and its 95% interval"),
        _adjusted_column(overview),
        Column(key="", title="Interval"),
        Column(key="tie_group", title="Group", lower_is_better=True, hint="losses with the same letter cannot be told apart"),
        Column(key="membrane_dice_at_half", title="Dice at .5", numeric=True, hint="at threshold 0.5 instead of the calibrated one"),
        *(Column(key=name, title=say_metric(name), numeric=True) for name in _SCORES),
        Column(key="seconds_to_target", title="To target", numeric=True, lower_is_better=True, hint="median train seconds to the target"),
        Column(key="seconds_per_epoch", title="s/epoch", numeric=True, lower_is_better=True),
        Column(key="finalists", title="Runs", numeric=True, hint="finalists with a score"),
        Column(key="trials", title="Trials", numeric=True, hint="of the search"),
        Column(key="pruned", title="Pruned", numeric=True, lower_is_better=True, hint="trials stopped early as weak"),
        Column(key="failed", title="Failed", numeric=True, lower_is_better=True),
        Column(
            key="peak_memory_mib",
            title=memory,
            numeric=True,
            lower_is_better=True,
            hint="highest memory in GiB, median over the runs",
        ),
        Column(key="parameters", title=""),
    )
    letters = _letters(overview)
    intervals = bars([loss.estimate(metric) for loss in overview.losses])
    rows = tuple(_row(loss, overview, bar, letters) for loss, bar in zip(overview.losses, intervals, strict=True))
    return Grid(
        name="leaderboard",
        caption=f"Losses by {say_metric(metric)}; activate a heading to sort by it.",
        columns=columns,
        rows=rows,
        scale_rows=tuple(_sanity_row(row, overview) for row in overview.sanity),
        scale_title=", ".join(part for part in ("For scale: no network", overview.sanity_sections) if part),
        sortable=True,
    )


def _adjusted_column(overview: Overview) -> Column:
    """The mean that ranks; in the page only where it differs from the plain one."""
    title = "Adjusted" if any(differs(overview, loss) for loss in overview.losses) else ""
    return Column(key="adjusted_mean", title=title, numeric=True, hint="the mean as if every loss had run wherever any has; ranks")


def _row(loss: LossView, overview: Overview, bar: Any, letters: dict[str, str]) -> tuple[Cell, ...]:
    estimate = loss.estimate(overview.metric)
    letter = letters.get(loss.name)
    tuned = overview.tuned(loss)
    return (
        Cell(text=str(loss.rank or ABSENT), value=loss.rank),
        Cell(text=short(loss.name, 40), value=loss.name, loss=loss, second=_configuration(loss, say_parameters(tuned))),
        estimated(estimate),
        figure(loss.row.get("adjusted_mean")),
        Cell(text="" if bar else ABSENT, bar=bar),
        Cell(text=letter or ABSENT, value=letter),
        figure(loss.estimate("membrane_dice_at_half").mean),
        *(figure(loss.estimate(name).mean) for name in _SCORES),
        _to_target(loss),
        figure(dig(loss.row, "seconds.per_epoch"), text=_per_epoch(loss)),
        figure(sum(overview.score(trial) is not None for trial in loss.runs), digits=0),
        figure(len(loss.search), digits=0),
        figure(loss.counted("pruned"), digits=0),
        figure(loss.counted("failed"), digits=0),
        figure(loss.row.get("peak_memory_mib"), text=_gib(loss.row.get("peak_memory_mib"))),
        words(say_parameters(loss.row.get("params") or tuned)),
    )


def _configuration(loss: LossView, parameters: str) -> str:
    function = "" if loss.function == loss.name else short(loss.function, 40)
    again = loss.row.get("repeat_of")
    repeat = f"(repeat of {short(again, 40)})" if again else ""
    said = ", ".join(part for part in (function, parameters if parameters != ABSENT else "") if part)
    return f"{repeat} {said}".strip()


def _letters(overview: Overview) -> dict[str, str]:
    groups = [group for group in dig(overview.verdict, "groups", ()) if isinstance(group, list | tuple)]
    letters: dict[str, str] = {}
    for number, group in enumerate(groups):
        for name in group:  # a loss may tie with two groups that do not tie with each other
            letters[str(name)] = letters.get(str(name), "") + (chr(ord("A") + number) if number < 26 else f" {number + 1}")
    return letters


def _to_target(loss: LossView) -> Cell:
    entry = dig(loss.row, "seconds.to_target", {})
    median = finite(entry.get("median")) if isinstance(entry, Mapping) else finite(entry)
    tried = isinstance(entry, Mapping) and bool(entry.get("values"))
    if median is None:
        return Cell(text=NEVER if tried else ABSENT, value=float("inf") if tried else None)
    return Cell(text=say_seconds(median), value=median)


def _per_epoch(loss: LossView) -> str:
    seconds = finite(dig(loss.row, "seconds.per_epoch"))
    return ABSENT if seconds is None else f"{seconds:.2f}" if seconds < 10 else f"{seconds:.1f}"


def _gib(mib: Any) -> str:
    known = finite(mib)
    return ABSENT if known is None else say(known / 1024, 2 if known < 10 * 1024 else 1)


def _sanity_row(row: Mapping[str, Any], overview: Overview) -> tuple[Cell, ...]:
    threshold = finite(row.get("threshold"))
    name = clean(row.get("name", ""), 60)
    note = f"threshold {say_value(threshold)}" if threshold is not None else ""
    empty = Cell(text="")
    return (
        empty,
        Cell(text=name, value=row.get("name"), second=note),
        figure(row.get(overview.metric)),
        *([empty] * 4),
        *(figure(row.get(score)) for score in _SCORES),
        *([empty] * 8),
    )


def pairs(overview: Overview) -> Grid:
    """Return one row a pair of losses, the better one first; NothingToShow without pairs."""
    found = pairs_of(overview)
    if not found:
        raise NothingToShow("there is no pair of losses with finalists to compare.")
    rows = tuple(
        (
            Cell(text=short(pair.a, 40), value=pair.a, loss=overview.loss(pair.a)),
            Cell(text=short(pair.b, 40), value=pair.b, loss=overview.loss(pair.b)),
            figure(pair.difference, text=say_signed(pair.difference)),
            words(say_range(pair.low, pair.high, 4)),
            figure(pair.p, digits=4),
            figure(pair.p_holm, digits=4),
            figure(pair.a_better, text=say_chance(pair.a_better)),
            words(pair.words),
        )
        for pair in found
    )
    better = "Better" if any(pair.a_better is not None for pair in found) else ""
    columns = (
        Column(key="a", title="Loss", lower_is_better=True),
        Column(key="b", title="against", lower_is_better=True),
        Column(key="difference", title="Difference", numeric=True),
        Column(key="interval", title="95% interval", numeric=True),
        Column(key="p", title="p", numeric=True, lower_is_better=True),
        Column(key="p_holm", title="p, Holm", numeric=True, lower_is_better=True, hint="corrected for the number of pairs"),
        Column(key="a_better", title=better, numeric=True, hint="probability that the first is truly better, this pair alone"),
        Column(key="outcome", title="Outcome", lower_is_better=True),
    )
    test = clean(dig(overview.verdict, "test.name", ""), 80)
    caption = f"Paired differences in {say_metric(overview.metric)}, the better loss first{f'; test: {test}' if test else ''}."
    return Grid(name="pairs", caption=caption, columns=columns, rows=rows, sortable=True)


def failures(overview: Overview) -> Grid:
    """Return the trials that failed, were started more than once, or have no finite score though they ended."""
    rows = []
    for trial in overview.record.trials:
        blank = trial.state in ("complete", "pruned") and overview.score(trial) is None
        if trial.state != "failed" and trial.attempts < 2 and not blank:
            continue
        error = clean(trial.error or ("ended without a finite score" if blank else ""), 600).strip()
        rows.append(
            (
                words(short(trial.trial_id, 40), trial.trial_id),
                Cell(text=short(trial.loss, 40), value=trial.loss, loss=overview.loss(trial.loss)),
                words(trial.state),
                figure(trial.attempts, digits=0),
                words(clean(trial.reason or ABSENT, 60), trial.reason or ""),
                words(error.splitlines()[-1] if error else ABSENT, error),
            )
        )
    columns = (
        Column(key="trial", title="Trial", lower_is_better=True),
        Column(key="loss", title="Loss", lower_is_better=True),
        Column(key="state", title="State", lower_is_better=True),
        Column(key="attempts", title="Starts", numeric=True),
        Column(key="reason", title="Reason", lower_is_better=True),
        Column(key="error", title="What it said", lower_is_better=True),
    )
    caption = "Trials that failed, or were started more than once."
    return Grid(name="failures", caption=caption, columns=columns, rows=tuple(rows), sortable=True)
