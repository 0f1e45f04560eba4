"""How fast: train seconds and steps until a fixed quality is first reached. A miss is infinite and takes part in the median.

The quality is membrane Dice on the calibration sections, the one score that is measured after every epoch.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sweeps.verdict.contenders import Contender, curve_of, finite, section
from sweeps.verdict.paired import Estimate, Replicate, estimate, holm, tested

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

METRIC = "membrane_dice"
SECONDS, STEPS = "seconds", "steps"
"""The two clocks that time to target is told by: of training, evaluation excluded, and of the optimizer."""
GAIN = 0.95
"""Share of the gain over the intensity threshold that an automatic target asks for."""
FLOOR_ROW = "best intensity threshold"


def choose_target(recipe: Mapping[str, Any], sanity: Sequence[Mapping[str, Any]], contenders: Sequence[Contender]) -> dict[str, Any]:
    """Return the target as {metric, value, rule}; value is None where nothing tells what can be reached.

    A number in the recipe is taken as it is. auto: b + 0.95 (m - b), where b is the membrane Dice of the best intensity threshold and m the
    median over the losses of their mean best calibration membrane Dice; without the sanity row, b is 0.
    """
    asked = finite(section(recipe, "speed").get("target"))
    if asked is not None:
        return {"metric": METRIC, "value": asked, "rule": f"membrane Dice {asked:.4g} on the calibration sections, given in the recipe"}
    means = [mean for contender in contenders if (mean := _mean_best(contender)) is not None]
    if not means:
        return {"metric": METRIC, "value": None, "rule": "auto: no learning curve holds a membrane Dice, so there is no target"}
    median = statistics.median(means)
    rows = [finite(row.get(METRIC)) for row in sanity if row.get("name") == FLOOR_ROW]
    floor = rows[0] if rows and rows[0] is not None else None
    value = (floor or 0.0) + GAIN * (median - (floor or 0.0))
    reach = f"{median:.4f} is the median over {len(means)} losses of the mean best calibration membrane Dice of their runs"
    if floor is None:
        rule = f"auto: {GAIN} x {median:.4f} = {value:.4f}, where {reach}; the sanity row of the best intensity threshold is missing"
    else:
        sum_ = f"{floor:.4f} + {GAIN} x ({median:.4f} - {floor:.4f}) = {value:.4f}"
        rule = f"auto: {sum_}, where {floor:.4f} is the {FLOOR_ROW}'s and {reach}"
        rule += "" if median > floor else ", which does not beat it: no network has learnt enough for a time to mean much"
    return {"metric": METRIC, "value": value, "rule": rule}


def _mean_best(contender: Contender) -> float | None:
    """Return the mean over a loss's runs of the best membrane Dice of their curves."""
    bests = [max(value for _, value in curve) for trial in contender.trials if (curve := curve_of(trial, METRIC))]
    return math.fsum(bests) / len(bests) if bests else None


def reach(trial: "TrialRecord", target: float | None) -> tuple[float, float]:
    """Return train seconds and steps at the first epoch that reaches the target; infinities for a miss."""
    for row, value in curve_of(trial, METRIC):
        if target is not None and value >= target:
            seconds, steps = finite(row.get("train_seconds")), finite(row.get("step"))
            return (math.inf if seconds is None else seconds), (math.inf if steps is None else steps)
    return math.inf, math.inf


def clocks_of(contender: Contender, target: float | None) -> dict[str, Any]:
    """Return a loss's `seconds`, `steps` and `peak_memory_mib`, medians over its runs; infinities as such."""
    reached = [reach(trial, target) for trial in contender.trials] if target is not None else []
    train = [_train_seconds(trial) for trial in contender.trials]
    epochs = [_epochs(trial) for trial in contender.trials]
    per_epoch = [seconds / count for seconds, count in zip(train, epochs, strict=True) if seconds is not None and count]
    memory = [value for trial in contender.trials if (value := finite(section(trial.result).get("peak_memory_mib"))) is not None]
    return {
        "seconds": {
            "to_target": {"median": _median([seconds for seconds, _ in reached]), "values": [seconds for seconds, _ in reached]},
            "per_epoch": _median(per_epoch),
            "train": _median([seconds for seconds in train if seconds is not None]),
        },
        "steps": {"to_target": {"median": _median([steps for _, steps in reached]), "values": [steps for _, steps in reached]}},
        "peak_memory_mib": _median(memory),
    }


def _median(values: Sequence[float]) -> float | None:
    return float(statistics.median(values)) if values else None


def _train_seconds(trial: "TrialRecord") -> float | None:
    total = finite(section(trial.result, "seconds").get("train"))
    return total if total is not None else max((value for _, value in curve_of(trial, "train_seconds")), default=None)


def _epochs(trial: "TrialRecord") -> float | None:
    total = finite(section(trial.result).get("epochs"))
    return total if total is not None else max((value for _, value in curve_of(trial, "epoch")), default=None)


def typical_run(contender: Contender, target: float) -> "TrialRecord":
    """Return the run in the middle by seconds to the target: neither the luckiest nor a miss where most reach it."""
    ordered = sorted(contender.trials, key=lambda trial: reach(trial, target))
    return ordered[(len(ordered) - 1) // 2]


def corrected_for_choice(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p-values of all others against the fastest, corrected by Holm's rule, its first step for every pair.

    The fastest of k equal losses was picked for its luck, so its k - 1 comparisons stand for the k (k - 1) / 2 among which it was found;
    each further step stands for k / 2 fewer.
    """
    k = 1 + sum(p is not None for p in p_values)
    return holm([None if p is None else min(1.0, p * k / 2) for p in p_values])


def times_apart(later: Contender, sooner: Contender, target: float, *, by_fold: bool, clock: str = SECONDS) -> Estimate:
    """Return the mean logarithm of one loss's time over another's, run by run on common seeds and folds, with its t interval and test.

    A miss has no time but is later than any: where one of two runs misses, it is given the length of its whole training, or the other's
    time where that is longer, which is the least that it can have taken (a restricted time, Royston and Parmar 2013, BMC Med. Res.
    Methodol. 13:152). Where both miss, neither was sooner. So a loss gains nothing by missing, as it would if the test were of the runs
    that reach it, and infinity keeps its order. A rank or permutation test would take infinity as it is, but over the 3 to 5 seeds or
    folds of a sweep its smallest two-sided p is 2 / 2^n, .25 to .06, so that it could never find anything.

    A curve is measured once an epoch, so a time is known to one epoch only. Runs that reach the target in the same epoch by chance have
    no spread; the standard deviation is therefore at least that of this rounding, h / sqrt(12) for each time, h the length of an epoch.
    """
    a, b = (dict(zip(contender.replicates, contender.trials, strict=True)) for contender in (later, sooner))
    logs: dict[Replicate, float] = {}
    rounding: list[float] = []
    for replicate in [replicate for replicate in a if replicate in b]:
        times = [_reached(runs[replicate], target, clock) for runs in (a, b)]
        known = [time for time in times if math.isfinite(time)]
        lengths = [_length(runs[replicate], clock) for runs in (a, b)]
        held = (
            [time if math.isfinite(time) else max(length, *known) for time, length in zip(times, lengths, strict=True)] if known else [1, 1]
        )
        logs[replicate] = math.log(max(held[0], 1e-9)) - math.log(max(held[1], 1e-9))
        epochs = [length / (_epochs(runs[replicate]) or 1.0) for length, runs in zip(lengths, (a, b), strict=True)]
        if known:
            rounding.append(sum((epoch / max(time, 1e-9)) ** 2 for epoch, time in zip(epochs, held, strict=True)) / 12)
    return _with_rounding(estimate(logs, by_fold=by_fold), rounding, runs=len(logs))


def _with_rounding(found: Estimate, rounding: Sequence[float], *, runs: int) -> Estimate:
    """Return the estimate with a standard deviation of at least the rounding's, whose variances are given run by run."""
    if found.n < 2 or found.sd is None or found.mean is None or not rounding:
        return found
    least = math.sqrt(math.fsum(rounding) / len(rounding) * found.n / runs)  # a fold's value is the mean of its runs
    if found.sd >= least:
        return found
    low, high, p = tested(found.mean, least / math.sqrt(found.n), found.n - 1)
    return replace(found, sd=least, low=low, high=high, p=p)


def _reached(trial: "TrialRecord", target: float, clock: str) -> float:
    return reach(trial, target)[0 if clock == SECONDS else 1]


def _length(trial: "TrialRecord", clock: str) -> float:
    """Return the seconds or steps of a run's whole training; 0 where they are unknown."""
    if clock == SECONDS:
        return _train_seconds(trial) or 0.0
    return max((value for _, value in curve_of(trial, "step")), default=0.0)


def quality_time_front(points: Sequence[tuple[str, float, float]], *, maximise: bool) -> list[str]:
    """Return the names that no other beats in quality without being slower, or in time without being worse; the fastest first.

    `points` are (name, quality, seconds); infinite seconds are never on the front.
    """
    sign = 1.0 if maximise else -1.0
    kept = [(seconds, -sign * quality, name) for name, quality, seconds in points if math.isfinite(seconds)]
    return [
        name
        for seconds, cost, name in sorted(kept)
        if not any((other <= seconds and worse <= cost) and (other < seconds or worse < cost) for other, worse, _ in kept)
    ]
