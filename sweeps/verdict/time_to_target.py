"""How fast: train seconds and steps until a fixed quality is first reached. A miss is infinite and takes part in the median.

The quality is membrane Dice on the calibration sections, the one score that is measured after every epoch.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.verdict.contenders import Contender, curve_of, finite, section
from sweeps.verdict.paired import ALPHA, Replicate, differences, estimate, holm

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

METRIC = "membrane_dice"
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


def as_fast(fastest: Contender, others: Sequence[Contender], target: float, *, by_fold: bool) -> list[str]:
    """Return the losses that may be as fast: in the median they reach the target, and their time is not significantly longer.

    Test: paired t on the logarithm of the seconds over the replicates in which both reach it, Holm-corrected. Too few for a test is a tie.
    """
    logs = {contender.loss: _log_seconds(contender, target) for contender in (fastest, *others)}
    reaching = [other for other in others if math.isfinite(_median([reach(trial, target)[0] for trial in other.trials]) or math.inf)]
    tests = [estimate(differences(logs[other.loss], logs[fastest.loss]), by_fold=by_fold) for other in reaching]
    corrected = holm([test.p for test in tests])
    return [
        other.loss
        for other, test, p in zip(reaching, tests, corrected, strict=True)
        if p is None or p >= ALPHA or (test.mean is not None and test.mean <= 0)
    ]


def _log_seconds(contender: Contender, target: float) -> dict[Replicate, float]:
    seconds = {(trial.seed, trial.fold): reach(trial, target)[0] for trial in contender.trials}
    return {replicate: math.log(max(value, 1e-9)) for replicate, value in seconds.items() if math.isfinite(value)}


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
