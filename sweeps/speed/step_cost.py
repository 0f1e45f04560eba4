"""The second of the three: what a training step costs with each loss, from the finalists' own clocks."""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.speed.noise import margin, run_to_run, twins, widest
from sweeps.speed.standing import Entry, answer, exp, no_answer
from sweeps.verdict.blocks import adjusted_means
from sweeps.verdict.contenders import Contender, curve_of, finite, section
from sweeps.verdict.paired import Estimate, Replicate, differences, estimate

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

UNIT = "ms"
Hardware = tuple[tuple[str, Any], ...]
"""What two runs must share for their clocks to be comparable."""


def seconds_per_step(trial: "TrialRecord") -> float | None:
    """Return a run's train seconds a step: the median over its epochs after the first, which warms up; None where no clock tells it."""
    rows = [(step, seconds) for row, seconds in curve_of(trial, "train_seconds") if (step := finite(row.get("step"))) is not None]
    begun = [(0.0, 0.0), *rows[:-1]]
    paces = [(t - t0) / (n - n0) for (n0, t0), (n, t) in zip(begun, rows, strict=True) if n > n0 and t > t0] if rows else []
    return statistics.median(paces[1:] or paces) if paces else None


def hardware_of(trial: "TrialRecord") -> Hardware:
    """Return what a run was trained on: device, threads, precision, and on a CPU the host, since `cpu` is no model."""
    place = section(trial.result, "environment")
    keys = ("device", "threads", "precision", *(("host",) if place.get("device") == "cpu" else ()))
    return tuple((key, place[key]) for key in keys if place.get(key) is not None)


def step_cost(losses: Mapping[str, Any], order: Sequence[Contender], *, by_fold: bool) -> dict[str, Any]:
    """Return the answer; `reason` says why there is none.

    A loss's value is the median over its runs of their milliseconds a step. The fastest has the smallest mean logarithm, adjusted for runs
    that are missing; a ratio to it is the geometric mean over common seeds and folds, with its interval. Only runs on like hardware count:
    of several kinds, the one on which most losses ran, and most runs. It ties with the fastest unless the paired t test of the
    logarithms, corrected by `corrected_for_choice`, says otherwise and the two lie further apart than two means of one loss's own runs do
    (`run_to_run`; where one configuration ran under two names, at least as far as those).

    Args:
        losses: the recipe's losses, which tell two names of one configuration.
        order: the ranked losses with their runs.
        by_fold: whether the folds are the independent units.
    """
    if not order:
        return no_answer(UNIT, "no loss has a score")
    if any(trial.stage != "finalist" for contender in order for trial in contender.trials):
        return no_answer(UNIT, "steps are compared between finalists, on common seeds and folds, and there are none")
    clocks = {contender.loss: _clocks(contender) for contender in order}
    places = Counter(place for runs in clocks.values() for place, _ in runs.values())
    if not places:
        return no_answer(UNIT, "no finalist's curve tells its train seconds and steps")
    like = max(places, key=lambda place: (sum(any(p == place for p, _ in runs.values()) for runs in clocks.values()), places[place]))
    logs = {loss: {key: math.log(pace) for key, (place, pace) in runs.items() if place == like} for loss, runs in clocks.items()}
    logs = {loss: runs for loss, runs in logs.items() if runs}
    means = adjusted_means(logs, by_fold=by_fold)
    first = min(logs, key=lambda loss: (means[loss], loss))
    apart = {loss: None if loss == first else estimate(differences(runs, logs[first]), by_fold=by_fold) for loss, runs in logs.items()}
    common = min((len(differences(runs, logs[first])) for loss, runs in logs.items() if loss != first), default=0)
    noise = widest(run_to_run(list(logs.values()), common), twins(losses, order, logs))
    entries = [_entry(loss, runs, apart[loss]) for loss, runs in logs.items()]
    found = answer(UNIT, entries, noise=noise, margin=margin(noise), note=_note(like, places, logs, order))
    memory = {contender.loss: _peak_memory(contender) for contender in order}
    for row in found["rows"]:
        row["peak_memory_mib"] = memory[row["loss"]]
    return found | {"against": first, "hardware": dict(like), "runs": places[like], "left_out": sum(places.values()) - places[like]}


def _clocks(contender: Contender) -> dict[Replicate, tuple[Hardware, float]]:
    found = {key: (hardware_of(trial), seconds_per_step(trial)) for key, trial in zip(contender.replicates, contender.trials, strict=True)}
    return {key: (place, pace) for key, (place, pace) in found.items() if pace is not None}


def _entry(loss: str, logs: Mapping[Replicate, float], apart: Estimate | None) -> Entry:
    times = tuple(1000 * math.exp(value) for value in logs.values())
    ratio, low, high = (1.0, None, None) if apart is None else (exp(apart.mean), exp(apart.low), exp(apart.high))
    n = len(times) if apart is None else apart.n
    return Entry(loss=loss, value=statistics.median(times), ratio=ratio, low=low, high=high, n=n, values=times, apart=apart)


def _peak_memory(contender: Contender) -> float | None:
    found = [value for trial in contender.trials if (value := finite(section(trial.result).get("peak_memory_mib"))) is not None]
    return statistics.median(found) if found else None


def _note(like: Hardware, places: Mapping[Hardware, int], logs: Mapping[str, Any], order: Sequence[Contender]) -> str:
    named = ", ".join(f"{key} {value}" for key, value in like) or "hardware that no run names"
    parts = [f"train seconds a step of {places[like]} finalist runs on {named}; the first epoch of a run is left out"]
    if others := sum(places.values()) - places[like]:
        parts.append(f"{others} {'run' if others == 1 else 'runs'} on other hardware left out")
    if gone := [contender.loss for contender in order if contender.loss not in logs]:
        parts.append(f"no comparable run: {', '.join(gone)}")
    if dict(like).get("device") == "cpu":
        parts.append("memory is the worker process's peak, which its trials share")
    return "; ".join(parts)
