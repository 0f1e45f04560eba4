"""The verdict of a rerun: same, within noise, or different, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sweeps.record import TrialRecord
from sweeps.rerun.circumstances import Difference
from sweeps.rerun.curves import Comparison
from sweeps.rerun.noise import Score
from sweeps.rerun.running import Ran

SAME, WITHIN, DIFFERENT = "same", "within noise", "different"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """What came of the comparison."""

    verdict: str
    """same, within noise or different."""
    why: str
    """What the verdict rests on, in a clause or two."""
    exact: int = 0
    """Numbers of the result (scores and what was tuned) that were compared bit for bit."""
    unequal: dict[str, tuple[Any, Any]] = field(default_factory=dict)
    """Those that are another one now: recorded, now."""
    gone: tuple[str, ...] = ()
    """Recorded scores that this version does not compute."""


def judge_once(trial: TrialRecord, ran: Ran, curves: Comparison, scores: Sequence[Score]) -> Judged:
    """Judge one run of the recorded seed: bit for bit first, then by what seeds alone do."""
    then, now = _numbers(trial.result), _numbers(ran.last)
    shared = [key for key in then if key in now]
    unequal = {key: (then[key], now[key]) for key in shared if then[key] != now[key]}
    gone = tuple(sorted(key for key in then if key not in now)) if now else ()
    told = {"exact": len(shared), "unequal": unequal, "gone": gone}
    if trial.state in ("complete", "failed") and ran.state != trial.state:
        return Judged(verdict=DIFFERENT, why=f"the recorded run is {trial.state}, this one {ran.state}", **told)
    if curves.identical and not unequal:
        return Judged(verdict=SAME, why=_all_came_out(curves, len(shared)), **told)
    verdict, why = _by_noise(scores)
    if curves.identical:
        first = next(iter(unequal))
        words = f"{first} was {unequal[first][0]!r}, is {unequal[first][1]!r}"
        return Judged(verdict=verdict, why=f"the curve came out again, but scores are computed to others ({words}); {why}", **told)
    return Judged(verdict=verdict, why=f"not bit for bit the same ({curves.first_difference or 'scores differ'}); {why}", **told)


def judge_seeds(scores: Sequence[Score]) -> Judged:
    """Judge the mean over fresh seeds against the mean of the recorded runs; other seeds are never the same."""
    verdict, why = _by_noise(scores)
    return Judged(verdict=verdict, why=why)


def _all_came_out(curves: Comparison, numbers: int) -> str:
    scores = f" and {numbers} number{'s'[: numbers != 1]} of its result" if numbers else ""
    return f"all {curves.epochs} epochs{scores} came out again, bit for bit"


def _by_noise(scores: Sequence[Score]) -> tuple[str, str]:
    judged = [score for score in scores if score.judged]
    if not judged:
        return DIFFERENT, "there is no score on both sides to compare"
    outside = [score for score in judged if score.within is False]
    unsaid = [score for score in judged if score.within is None]
    if outside:
        worst = max(outside, key=_share)
        return DIFFERENT, f"{len(outside)} of {len(judged)} judged scores differ by more than seeds do, most of all {_said(worst)}"
    if unsaid:
        return DIFFERENT, f"{_said(unsaid[0])}, and how far seeds spread is not known: no two finalists differ by their seed alone"
    return WITHIN, f"no judged score differs by more than seeds do, most of all {_said(max(judged, key=_share))}"


def _share(score: Score) -> float:
    return abs(score.difference) / score.margin if score.margin else 0.0


def signed(difference: float) -> str:
    """Return a difference with its sign, one too small for four decimals as a power of ten."""
    return f"{difference:+.4f}" if abs(difference) >= 5e-5 or difference == 0 else f"{difference:+.1e}"


def _said(score: Score) -> str:
    if score.margin is None:
        return f"{score.metric} differs by {signed(score.difference)}"
    spread = "the noise floor" if score.spread is None else f"s {score.spread:.4f} with {score.freedom} degrees of freedom"
    return f"{score.metric} by {signed(score.difference)}, where seeds alone make up to {score.margin:.4f} ({spread})"


def reasons(differ: Sequence[Difference], blank: Sequence[str], verdict: str, *, fresh: bool, device: str | None) -> list[str]:
    """Return what may have made the difference, in sentences; for a run that is the same, what differs all the same.

    `fresh` says that the seeds are others, which is reason enough where nothing else differs.
    """
    decide = [str(each) for each in differ if each.decides]
    if verdict == SAME:
        return [f"this differs from the record, and changed no number: {'; '.join(decide)}"] if decide else []
    if decide:
        return [f"this differs from the record: {'; '.join(decide)}"]
    if fresh and verdict == WITHIN:
        return []
    said = ["nothing that the record tells is another one now"]
    if blank:
        said.append(f"not known: {', '.join(blank)}")
    if device not in (None, "cpu"):
        said.append("a GPU adds in another order from run to run")
    return said


def _numbers(result: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the numbers of a result that must come out again, by their place in it."""
    found: dict[str, Any] = {}
    if not isinstance(result, Mapping) or result.get("state") != "complete":
        return found
    for part in ("scores", "calibration"):
        values = result.get(part)
        if isinstance(values, Mapping):
            found |= {f"{part}.{key}": value for key, value in values.items() if isinstance(value, int | float)}
    return found | {key: result[key] for key in ("best_epoch", "steps") if key in result}
