"""The first screen: the verdict's sentence, the cards beside it, the sweep in numbers, and what to keep in mind."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sweeps.report.overview import LossView, Overview
from sweeps.report.timeline import bars_of
from sweeps.report.wording import (
    ABSENT,
    clean,
    count,
    dig,
    listed,
    say,
    say_metric,
    say_parameters,
    say_range,
    say_seconds,
    several,
    with_scores,
)
from sweeps.verdict.contenders import finite

_ONE_REASON = re.compile(r"(\d+) failed \((\w+) \1\)")
_REASONS, _COUNTED = re.compile(r"(\d failed \()(\w+ \d+(?:, \w+ \d+)+)\)"), re.compile(r"(\w+) (\d+)")
_METRIC = re.compile(r"has a [a-z]\w*_\w+")


@dataclass(frozen=True, kw_only=True)
class Card:
    """One answer: a loss, a large number, and what belongs to it."""

    heading: str
    loss: LossView | None
    """None when the answer is that there is none."""
    number: str
    unit: str
    lines: tuple[str, ...]


def sentence(overview: Overview) -> tuple[str, tuple[str, ...]]:
    """Return the verdict as its answer and its reservations: what comes before the sentence's first semicolon, and the clauses after it.

    Without a verdict the answer says why there is none.
    """
    said = clean(overview.verdict.get("sentence") or "", 1500).strip()
    if not said:
        return _why_none(overview), ()
    answer, *rest = said.split("; ")
    return answer.rstrip(".") + ".", tuple(_begun(clause.rstrip("."), overview) for clause in rest)


def _begun(text: str, overview: Overview) -> str:
    """With a capital, unless it begins with a loss, which is called what it is called."""
    return text if any(text.startswith(loss.name) for loss in overview.losses) else text[:1].upper() + text[1:]


def _why_none(overview: Overview) -> str:
    trials = overview.record.trials
    if not trials:
        return "No verdict: no trial has been started."
    if not any(trial.state in ("complete", "pruned") for trial in trials):
        every = all(trial.state == "failed" for trial in trials)
        return "No verdict: every trial failed." if every else "No verdict: no trial has finished yet."
    return "No verdict: the finalists have not been run and compared yet."


def best_card(overview: Overview) -> Card | None:
    """Return the card of the best loss; None without a verdict."""
    entry = dig(overview.verdict, "best", {})
    loss = overview.loss(entry.get("loss"))
    if loss is None:
        return None
    score = loss.estimate(overview.metric)
    runs = count(score.n, str(dig(loss.row, f"scores.{overview.metric}.unit", "run"))) if score.n else ""
    interval = say_range(score.low, score.high)
    others = ((name, loss.estimate(name).mean) for name in ("v_rand", "v_info"))
    lines = (
        f"95% interval {interval}{', ' + runs if runs else ''}" if interval != ABSENT else "No interval: too few runs",
        "" if overview.search_only else _ties(overview, loss.name),
        ", ".join(f"{say_metric(name)} {say(value)}" for name, value in others if value is not None),
        _parameters(loss, overview),
    )
    heading = "Best single trial" if overview.search_only else "Best"
    return Card(heading=heading, loss=loss, number=say(score.mean), unit=say_metric(overview.metric), lines=_said(lines))


def fastest_card(overview: Overview) -> Card | None:
    """Return the card of the fastest loss, or of the reason why there is none; None without a verdict."""
    entry = dig(overview.verdict, "fastest", {})
    loss = overview.loss(entry.get("loss"))
    if loss is None:
        reason = overview.verdict.get("fastest_reason") if overview.verdict.get("ranking") else None
        said = with_scores(clean(reason, 300), overview.target)
        return Card(heading="Fastest", loss=None, number="None", unit=said, lines=()) if reason else None
    timing = dig(entry, "seconds.to_target", {})
    known = sorted(value for value in map(finite, timing.get("values") or ()) if value is not None)
    missed = len(timing.get("values") or ()) - len(known)
    per_epoch, score = finite(dig(loss.row, "seconds.per_epoch")), loss.estimate(overview.metric)
    ties = [clean(name, 40) for name in entry.get("ties") or ()]
    never = f", {missed} never" if missed else ""
    lines = (
        f"Runs from {say_seconds(known[0])} to {say_seconds(known[-1])}{never}" if len(known) > 1 else "",
        f"May be as fast: {several(ties)}" if ties else "",
        f"{say_metric(overview.metric)} {say(score.mean)}, {say_seconds(per_epoch)} an epoch" if per_epoch is not None else "",
        _parameters(loss, overview),
    )
    unit = f"train time to {say_metric(dig(overview.verdict, 'target.metric', overview.metric))} {say(overview.target)}, median"
    heading = "Fastest single trial" if overview.search_only else "Fastest"
    return Card(heading=heading, loss=loss, number=say_seconds(timing.get("median")), unit=unit, lines=_said(lines))


def _parameters(loss: LossView, overview: Overview) -> str:
    said = say_parameters(overview.tuned(loss))
    return "" if said == ABSENT else f"With {said}"


def _said(lines: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(line for line in lines if line)


def _ties(overview: Overview, name: str) -> str:
    """Say with which losses the best one ties, from the groups that hold it."""
    groups = [group for group in dig(overview.verdict, "groups", ()) if isinstance(group, list | tuple) and name in group]
    others = list(dict.fromkeys(clean(other, 40) for group in groups for other in group if other != name))
    if others:
        return f"Tied with {several(others)}"
    return "No other loss ties with it" if groups and sum(loss.rank is not None for loss in overview.losses) > 1 else ""


def facts(overview: Overview) -> list[tuple[str, str]]:
    """Return the sweep in numbers: (number, what it counts)."""
    trials = overview.record.trials
    search = sum(trial.stage == "search" for trial in trials)
    found = [
        (str(len(overview.losses)), "loss" if len(overview.losses) == 1 else "losses"),
        (f"{search:,}", "trial in the search" if search == 1 else "trials in the search"),
        (f"{len(trials) - search:,}", "finalists' runs"),
    ]
    for state, words in (("pruned", "pruned early"), ("failed", "failed")):
        if number := sum(trial.state == state for trial in trials):
            found.append((f"{number:,}", words))
    if bars := bars_of(overview):
        found.append((say_seconds(max(bar.end for bar in bars)), "from the first start to the last end"))
    return found


def gaps(overview: Overview) -> list[str]:
    """Return what is missing or weak, so that nobody has to find out: from the verdict, the data and the trials themselves."""
    trials, verdict = overview.record.trials, overview.verdict
    said = [clean(_words(entry), 400) for key in ("missing", "gaps") for entry in dig(verdict, key, ())]
    beaten = [clean(name, 60) for name in dig(verdict, "not_beaten", ())]
    if beaten and not verdict.get("sentence"):  # which begins with it
        said.append(f"Predictions that need no network do as well or better: {listed(beaten)}.")
    said += [f"Data: {clean(note, 300)}" for note in overview.record.data.get("notes") or ()]
    if waiting := sum(trial.state in ("waiting", "running") for trial in trials):
        said.append(f"{count(waiting, 'trial has', 'trials have')} not ended: this report shows the sweep as it stands.")
    failed = sum(trial.state == "failed" for trial in trials)
    if failed and "runs" not in verdict:  # a verdict that counts the runs has said so in its sentence
        said.append(f"{failed} of {count(len(trials), 'trial')} failed; see Failures and retries.")
    if blank := sum(trial.state in ("complete", "pruned") and overview.score(trial) is None for trial in trials):
        said.append(f"{count(blank, 'trial')} ended without a finite score.")
    if trials and not any(trial.stage == "finalist" for trial in trials) and not dig(verdict, "gaps"):
        said.append("There are no finalists: one run a configuration ranks nothing, because seeds alone move the scores.")
    return list(dict.fromkeys(line[:1].upper() + line[1:] for line in said if line.strip()))


def _words(entry: Any) -> str:
    if isinstance(entry, Mapping):
        return f"Without a place in the ranking: {entry.get('loss')} ({_reasons(str(entry.get('reason')))})"
    return _reasons(str(entry))


def _reasons(text: str) -> str:
    """Say `1 failed (nan)` for the verdict's `1 failed (nan 1)`, of several `3 failed (2 nan, 1 memory)`, and `score` for its metric."""
    text = _ONE_REASON.sub(r"\1 failed (\2)", text)
    text = _REASONS.sub(lambda found: found[1] + _COUNTED.sub(r"\2 \1", found[2]) + ")", text)
    return _METRIC.sub("has a score", text)


def masthead(overview: Overview) -> list[str]:
    """Return the small line above the verdict: the sweep's name, its data, when it was launched."""
    record = overview.record
    data = record.data.get("name") or dig(record.recipe, "data.source")
    line = [clean(record.name, 80)]
    line += [f"data {clean(data, 80)}"] if data else []
    if created := record.provenance.get("created"):
        return [*line, clean(created, 40)[:10]]
    starts = [start for trial in record.trials if (start := finite(trial.started_at)) is not None]
    # A damaged record may hold anything, and a date after the year 9999 is an error.
    return [*line, datetime.fromtimestamp(min(starts), UTC).strftime("%Y-%m-%d")] if starts and 0 < min(starts) < 2e11 else line
