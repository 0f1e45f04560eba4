"""The third of the three: train seconds, and steps, until a fixed quality is first reached."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.speed.noise import run_to_run
from sweeps.speed.standing import Entry, answer, exp, no_answer
from sweeps.verdict.contenders import Contender
from sweeps.verdict.paired import Replicate
from sweeps.verdict.time_to_target import SECONDS, STEPS, median_reach, reach, times_apart

UNITS = {SECONDS: "s", STEPS: "steps"}


def to_target(order: Sequence[Contender], target: Mapping[str, Any], *, by_fold: bool) -> dict[str, Any]:
    """Return the answer by each clock, as {seconds, steps, target, reached}; `reason` of a clock says why it has none."""
    value = target["value"]
    runs = {contender.loss: len(contender.trials) for contender in order}
    hits = {c.loss: sum(math.isfinite(reach(trial, value)[0]) for trial in c.trials) for c in order}
    told = {clock: _by(clock, order, target, by_fold=by_fold) for clock in (SECONDS, STEPS)}
    return told | {"target": dict(target), "reached": {loss: {"reached": hits[loss], "runs": runs[loss]} for loss in runs}}


def _by(clock: str, order: Sequence[Contender], target: Mapping[str, Any], *, by_fold: bool) -> dict[str, Any]:
    if not order or target["value"] is None:
        return no_answer(UNITS[clock], "no loss has a score" if not order else str(target["rule"]))
    value = float(target["value"])
    medians = {contender.loss: median_reach(contender, value, clock) for contender in order}
    first = min(order, key=lambda contender: (medians[contender.loss], contender.loss))
    times = {contender.loss: _times(contender, value, clock) for contender in order}
    if not math.isfinite(medians[first.loss]):
        why = f"no loss reaches membrane Dice {value:.4f} on its calibration sections in the median of its runs"
        entries = [_missing(loss, list(runs.values())) for loss, runs in times.items()]
        return answer(UNITS[clock], entries, noise=None, margin=0.0, note="") | {"reason": why}
    entries = []
    for contender in order:
        apart = None if contender is first else times_apart(contender, first, value, by_fold=by_fold, clock=clock)
        low, high = (None, None) if apart is None else (exp(apart.low), exp(apart.high))
        ratio = medians[contender.loss] / medians[first.loss] if medians[first.loss] > 0 else None
        entries.append(
            Entry(
                loss=contender.loss,
                value=medians[contender.loss],
                ratio=ratio,
                low=low,
                high=high,
                n=len(contender.trials) if apart is None else apart.n,
                values=tuple(times[contender.loss].values()),
                apart=apart,
            )
        )
    finite = [{key: math.log(time) for key, time in runs.items() if 0 < time < math.inf} for runs in times.values()]
    units = min((entry.n for entry in entries if entry.apart), default=0)
    return answer(UNITS[clock], entries, noise=run_to_run(finite, units), margin=0.0, note=_note(entries, by_fold=by_fold)) | {
        "against": first.loss
    }


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
