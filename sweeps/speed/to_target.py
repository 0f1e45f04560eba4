"""The third of the three: train seconds, and steps, until a fixed quality is first reached."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.speed.noise import run_to_run
from sweeps.speed.standing import Entry, answer, exp, no_answer
from sweeps.verdict.blocks import usual_runs
from sweeps.verdict.contenders import Contender
from sweeps.verdict.paired import Replicate
from sweeps.verdict.time_to_target import SECONDS, STEPS, reach, times_apart

UNITS = {SECONDS: "s", STEPS: "steps"}


def to_target(order: Sequence[Contender], target: Mapping[str, Any], *, by_fold: bool) -> dict[str, Any]:
    """Return the answer by each clock, as {seconds, steps, target, reached}; `reason` of a clock says why it has none."""
    value = target["value"]
    runs = {contender.loss: len(contender.trials) for contender in order}
    hits = {c.loss: sum(math.isfinite(reach(trial, value)[0]) for trial in c.trials) for c in order}
    told = {clock: _by(clock, order, target, by_fold=by_fold) for clock in (SECONDS, STEPS)}
    return told | {"target": dict(target), "reached": {loss: {"reached": hits[loss], "runs": runs[loss]} for loss in runs}}


def _by(clock: str, order: Sequence[Contender], target: Mapping[str, Any], *, by_fold: bool) -> dict[str, Any]:
    """Return the answer by one clock. The soonest has the smallest median (`_medians`); a ratio to it is told run by run."""
    if not order or target["value"] is None:
        return no_answer(UNITS[clock], "no loss has a score" if not order else str(target["rule"]))
    value = float(target["value"])
    times = {contender.loss: _times(contender, value, clock) for contender in order}
    medians, whole = _medians(times, by_fold=by_fold)
    first = min(order, key=lambda contender: (medians[contender.loss], contender.loss))
    if not math.isfinite(medians[first.loss]):
        why = f"no loss reaches membrane Dice {value:.4f} on its calibration sections in the median of its runs"
        entries = [_missing(loss, list(runs.values())) for loss, runs in times.items()]
        return answer(UNITS[clock], entries, noise=None, margin=0.0, note="") | {"reason": why}
    entries = []
    for contender in order:
        apart = None if contender is first else times_apart(contender, first, value, by_fold=by_fold, clock=clock)
        ratio, low, high = (1.0, None, None) if apart is None else (exp(apart.mean), exp(apart.low), exp(apart.high))
        n, runs = len(contender.trials) if apart is None else apart.n, tuple(times[contender.loss].values())
        told = {"loss": contender.loss, "value": medians[contender.loss], "ratio": ratio, "low": low, "high": high, "n": n, "values": runs}
        entries.append(Entry(**told, apart=apart))
    finite = [{key: math.log(time) for key, time in runs.items() if 0 < time < math.inf} for runs in times.values()]
    common = min((len(times[c.loss].keys() & times[first.loss].keys()) for c in order if c is not first), default=0)
    note = _note(entries, by_fold=by_fold) + ("" if whole else "; runs are missing: medians are over runs that the losses share")
    return answer(UNITS[clock], entries, noise=run_to_run(finite, common), margin=0.0, note=note) | {"against": first.loss}


def _medians(times: Mapping[str, Mapping[Replicate, float]], *, by_fold: bool) -> tuple[dict[str, float], bool]:
    """Return the medians by which losses stand, and whether they are over all runs.

    Where runs are missing, they are over those that all losses have which ran at least half as often as most: a loss that ran on the
    quick folds alone is not the quicker for it. One with none of these keeps its own median.
    """
    usual = sum(usual_runs([dict(runs) for runs in times.values()], by_fold=by_fold).values())
    shared = set.intersection(*(set(runs) for runs in times.values() if 2 * len(runs) >= usual))
    kept = {loss: [time for key, time in runs.items() if key in shared] or list(runs.values()) for loss, runs in times.items()}
    whole = all(len(kept[loss]) == len(runs) for loss, runs in times.items())
    return {loss: float(statistics.median(values)) for loss, values in kept.items()}, whole


def _missing(loss: str, times: Sequence[float]) -> Entry:
    value = statistics.median(times)
    return Entry(loss=loss, value=value, ratio=None, low=None, high=None, n=len(times), values=tuple(times), apart=None)


def _times(contender: Contender, target: float, clock: str) -> dict[Replicate, float]:
    which = 0 if clock == SECONDS else 1
    return {key: reach(trial, target)[which] for key, trial in zip(contender.replicates, contender.trials, strict=True)}


def _note(entries: Sequence[Entry], *, by_fold: bool) -> str:
    parts = ["a miss is infinite in the median; a curve is measured once an epoch, so no time is known better than that"]
    if missing := [entry.loss for entry in entries if not math.isfinite(entry.value)]:
        parts.append(f"not reached in the median run: {', '.join(missing)}")
    if all(entry.n < 2 for entry in entries):
        parts.append(f"one {'fold' if by_fold else 'run'} a loss tells no two apart")
    return "; ".join(parts)
