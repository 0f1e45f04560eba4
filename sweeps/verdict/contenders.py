"""Who is compared: each loss's best configuration with its replicates, and what is missing. Reads a sweep's record, decides no winner."""

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.record import is_pending
from sweeps.repeats import seed_number
from sweeps.verdict.paired import Replicate

if TYPE_CHECKING:
    from sweeps.record import SweepRecord, TrialRecord

SCORES = ("membrane_dice", "membrane_dice_at_half", "v_rand", "v_info")
"""What is told of every loss, and stands first; the objective as well, where it is another."""
TUNED = ("threshold", "v_rand_threshold", "smallest_cell_px", "v_info_threshold", "v_info_smallest_cell_px")
"""What each run chose on its calibration sections: thresholds on the membrane probability, and the smallest cell for V_rand and V_info."""
ENDED = ("complete", "pruned")


@dataclass(frozen=True, kw_only=True)
class Contender:
    """One loss of the recipe, with the runs that speak for it."""

    loss: str
    """Its name in the recipe."""
    function: str
    """Its name in the registry."""
    trials: tuple["TrialRecord", ...]
    """One run a replicate, all of one configuration: complete finalists, or the single best trial of a search."""
    replicates: tuple[Replicate, ...]
    """What pairs each run with those of other losses: the number of its seed (of a repeat: within its own seeds), and its fold."""
    configurations: int
    """How many of its configurations ran as finalists."""

    def values(self, metric: str) -> dict[Replicate, float]:
        """Return the metric of each replicate that has it."""
        found = {replicate: score_of(trial, metric) for replicate, trial in zip(self.replicates, self.trials, strict=True)}
        return {replicate: value for replicate, value in found.items() if value is not None}

    @property
    def parameters(self) -> dict[str, Any]:
        """The loss's own parameters as built, by dotted name, and what else was proposed, such as train.lr."""
        built = section(self.trials[0].result, "loss", "parameters")
        return {f"loss.{name}": value for name, value in built.items()} | dict(self.trials[0].suggestion)


@dataclass(frozen=True, kw_only=True)
class Field:
    """All that can be compared, and all that cannot."""

    stage: str | None
    """finalist; search when no finalist has a score; None when nothing has."""
    contenders: tuple[Contender, ...]
    missing: tuple[dict[str, Any], ...]
    """Losses without a place in the ranking: loss, reason, failed."""
    gaps: tuple[str, ...]
    """What weakens the comparison, in words."""


def finite(value: Any) -> float | None:
    """Return a finite number as float, anything else as None."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return float(value)


def section(tree: Any, *keys: str) -> Mapping[str, Any]:
    """Return the mapping under the keys; an empty one where there is none."""
    for key in keys:
        tree = tree.get(key) if isinstance(tree, Mapping) else None
    return tree if isinstance(tree, Mapping) else {}


def curve_of(trial: "TrialRecord", metric: str) -> list[tuple[dict[str, Any], float]]:
    """Return the epochs that have a finite value of the metric, with it."""
    return [(row, value) for row in trial.curve if (value := finite(row.get(metric))) is not None]


def score_of(trial: "TrialRecord", metric: str) -> float | None:
    """Return the result's score; in the search, where a pruned trial has no result, the best of its curve."""
    score = finite(section(trial.result, "scores").get(metric))
    if score is None and trial.stage == "search":
        score = best_of((value for _, value in curve_of(trial, metric)), maximises(metric))
    return score


def calibration_of(trial: "TrialRecord", metric: str) -> float | None:
    """Return the score on the calibration sections, on which choices may be made."""
    score = finite(section(trial.result, "calibration").get(metric))
    return score if score is not None else best_of((value for _, value in curve_of(trial, metric)), maximises(metric))


def best_of(values: Iterable[float], maximise: bool) -> float | None:
    """Return the best value, None of nothing."""
    return max(values, default=None) if maximise else min(values, default=None)


def maximises(metric: str) -> bool:
    """Whether more of the metric is better, as its registry says."""
    from unet.metrics import METRICS

    return metric not in METRICS or METRICS[metric].goal == "maximise"


def objective_of(record: "SweepRecord") -> str:
    """Return the score that the sweep optimises."""
    return str(section(record.recipe, "objective").get("metric", "membrane_dice"))


def gather(record: "SweepRecord", objective: str) -> Field:
    """Return what a sweep lets be compared: its finalists; without a scored one, the best search trial of each loss."""
    names = list(dict.fromkeys([*section(record.recipe, "losses"), *(trial.loss for trial in record.trials)]))
    by_loss = {name: [trial for trial in record.trials if trial.loss == name] for name in names}
    stage: str | None = "finalist"
    found = {name: _finalist(name, trials, objective, record.recipe) for name, trials in by_loss.items()}
    if not any(found.values()):
        stage = "search"
        found = {name: _best_of_search(name, trials, objective) for name, trials in by_loss.items()}
    contenders = [contender for contender in found.values() if contender]
    missing = [
        {"loss": name, "reason": _why_missing(trials, stage, objective), "failed": sum(trial.state == "failed" for trial in trials)}
        for name, trials in by_loss.items()
        if not found[name]
    ]
    gaps = _gaps(contenders, by_loss, stage, objective)
    return Field(stage=stage if contenders else None, contenders=tuple(contenders), missing=tuple(missing), gaps=tuple(gaps))


def _finalist(name: str, trials: Sequence["TrialRecord"], objective: str, recipe: Mapping[str, Any]) -> Contender | None:
    """Return the configuration with the best mean on the calibration sections: test scores choose nothing, so they stay unbiased."""
    configurations: dict[str, dict[Replicate, TrialRecord]] = {}
    for trial in trials:
        if trial.stage == "finalist" and trial.state == "complete" and score_of(trial, objective) is not None:
            key = json.dumps(trial.suggestion, sort_keys=True, default=str)
            configurations.setdefault(key, {})[trial.seed, trial.fold] = trial
    if not configurations:
        return None
    sign = 1.0 if maximises(objective) else -1.0

    def calibrated(chosen: dict[Replicate, "TrialRecord"]) -> float:
        scores = [score for trial in chosen.values() if (score := calibration_of(trial, objective)) is not None]
        return sign * math.fsum(scores) / len(scores) if scores else -math.inf

    most = max(len(chosen) for chosen in configurations.values())
    complete = [chosen for chosen in configurations.values() if len(chosen) == most]
    chosen = max(complete, key=calibrated)
    runs = tuple(chosen[key] for key in sorted(chosen, key=lambda key: (-1 if key[1] is None else key[1], key[0])))
    replicates = tuple(_replicate(trial, recipe) for trial in runs)
    return Contender(loss=name, function=runs[0].function, trials=runs, replicates=replicates, configurations=len(configurations))


def _replicate(trial: "TrialRecord", recipe: Mapping[str, Any]) -> Replicate:
    first, seeds = section(recipe, "search").get("seed", 0) + 1, section(recipe, "finalists").get("seeds")
    return (trial.seed if seeds is None else seed_number(trial.seed, first=first, seeds=seeds)), trial.fold


def _best_of_search(name: str, trials: Sequence["TrialRecord"], objective: str) -> Contender | None:
    scored = [(score, trial) for trial in trials if trial.state in ENDED and (score := score_of(trial, objective)) is not None]
    if not scored:
        return None
    pick = max if maximises(objective) else min
    best = pick(scored, key=lambda item: item[0])[1]
    return Contender(loss=name, function=best.function, trials=(best,), replicates=((best.seed, best.fold),), configurations=0)


def _why_missing(trials: Sequence["TrialRecord"], stage: str | None, objective: str) -> str:
    finalists = [trial for trial in trials if trial.stage == "finalist"]
    if not trials:
        return "no trial was started"
    if stage == "finalist" and not finalists:
        return f"no finalist was run; of its search trials {_standing(trials)}"
    runs, words = (finalists, "finalist runs") if stage == "finalist" else (trials, "trials")
    blank = sum(trial.state in ENDED for trial in runs)
    return f"none of its {words} has a {objective}: {_standing(runs)}" + (", without a finite score" if blank == len(runs) else "")


def _standing(trials: Sequence["TrialRecord"]) -> str:
    """Return how many trials ended how: `3 failed (nan 2, memory 1), 1 complete`."""
    states = Counter(trial.state for trial in trials)
    reasons = Counter(trial.reason or "unknown" for trial in trials if trial.state == "failed")
    why = ", ".join(f"{reason} {number}" for reason, number in reasons.most_common())
    return ", ".join(f"{number} {state}" + (f" ({why})" if state == "failed" else "") for state, number in states.most_common())


def _gaps(contenders: Sequence[Contender], by_loss: Mapping[str, Sequence["TrialRecord"]], stage: str | None, objective: str) -> list[str]:
    gaps = []
    if stage == "search" and contenders:
        finalists = [trial for trials in by_loss.values() for trial in trials if trial.stage == "finalist"]
        why = f"none of the finalists has a score ({_standing(finalists)})" if finalists else "no finalists were run"
        gaps.append(f"{why}: this is the search's result only, one lucky run a loss, and it ranks nothing")
    if stage == "finalist":
        gaps += [gap for contender in contenders if (gap := _lost_runs(contender, by_loss[contender.loss], objective))]
    unscored = [trial.trial_id for contender in contenders for trial in contender.trials if _lacks_scores(trial)]
    if unscored:
        gaps.append(
            f"membrane Dice alone is known of {', '.join(unscored)}: the predictions are lost, or not scored yet (result.json says why)"
        )
    return gaps


def _lacks_scores(trial: "TrialRecord") -> bool:
    return trial.result is not None and (is_pending(trial.result) or "scores_missing" in trial.result)


def _lost_runs(contender: Contender, trials: Sequence["TrialRecord"], objective: str) -> str:
    """Say which runs of a contender's configuration do not count; the mean of the others may flatter it."""
    suggestion, counted = contender.trials[0].suggestion, {trial.trial_id for trial in contender.trials}
    runs = [trial for trial in trials if trial.stage == "finalist" and trial.suggestion == suggestion]
    rest = [trial for trial in runs if trial.trial_id not in counted]
    if not rest:
        return ""
    return f"{contender.loss}: {len(counted)} of {len(runs)} finalist runs have a {objective}; the rest: {_standing(rest)}"
