"""The verdict: which loss is best, which is fastest, which tie. Statistics only, from a sweep's record.

Only finalists rank: fresh seeds and test sections, on which nothing was chosen. Where a sweep has none, the verdict says that it is a
search's result. Whatever the sweep lacks is said, in `missing`, `gaps` and the sentence, and is never an exception. The form of the
result is docs/verdict.schema.json.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sweeps.repeats import first_names
from sweeps.speed.answers import speed_of
from sweeps.verdict.blocks import adjusted_means
from sweeps.verdict.contenders import SCORES, TUNED, Contender, Field, calibration_of, gather, maximises, objective_of, section
from sweeps.verdict.paired import Estimate, estimate
from sweeps.verdict.ranks import critical_difference
from sweeps.verdict.sanity import against_no_network
from sweeps.verdict.sentence import write_sentence
from sweeps.verdict.ties import (
    GROUPS_RULE,
    judge,
    noise_floor,
    paired_losses,
    seed_spread,
    settled,
    smallest_findable,
    tie_groups,
    told_test,
)
from sweeps.verdict.time_to_target import choose_target, clocks_of, quality_time_front, typical_run

if TYPE_CHECKING:
    from sweeps.record import SweepRecord, TrialRecord


def compute_verdict(record: "SweepRecord") -> dict[str, Any]:
    """Return the content of verdict.json: plain data without NaN or infinity (null instead)."""
    objective = objective_of(record)
    maximise = maximises(objective)
    field = gather(record, objective)
    by_fold = len({trial.fold for contender in field.contenders for trial in contender.trials}) > 1
    scores = {contender.loss: _scores(contender, objective, by_fold) for contender in field.contenders}
    means = adjusted_means({contender.loss: contender.values(objective) for contender in field.contenders}, by_fold=by_fold)
    order, compared = _compared(record, field.contenders, means, objective, maximise=maximise, by_fold=by_fold)
    target = choose_target(record.recipe, record.sanity, order)
    rows = [_row(record, contender, scores[contender.loss], compared["groups"], target["value"]) for contender in order]
    for row in rows:
        row["adjusted_mean"] = means[row["loss"]]
    speed = speed_of(record, order, target, by_fold=by_fold)
    verdict = {
        "schema": 1,
        "sentence": "",
        "stage": field.stage,
        "objective": {"metric": objective, "goal": "maximise" if maximise else "minimise"},
        "best": _best(order, rows, compared["groups"], objective),
        **_fastest(order, rows, target, speed),
        "ranking": rows,
        **compared,
        "target": target,
        **_front(rows, objective, maximise=maximise),
        "speed": speed,
        "sanity": [dict(row) for row in record.sanity],
        "missing": list(field.missing),
        "gaps": _gaps(field, rows, compared["pairs"], objective),
        **against_no_network(record, order, rows, objective, maximise=maximise),
        "runs": _runs(record),
    }
    verdict["sentence"] = write_sentence(verdict)
    return _plain(verdict)


def _compared(
    record: "SweepRecord", contenders: Sequence[Contender], means: Mapping[str, float], objective: str, *, maximise: bool, by_fold: bool
) -> tuple[list[Contender], dict[str, Any]]:
    """Return the losses in their order, and the verdict's parts that compare them with each other."""
    losses, named = section(record.recipe, "losses"), {contender.loss: contender for contender in contenders}
    ranked = sorted(named, key=lambda name: ((-1.0 if maximise else 1.0) * means[name], name))
    pairs, spread = paired_losses([named[name] for name in ranked], objective, maximise=maximise, by_fold=by_fold)
    floor = noise_floor(losses, contenders, pairs)
    judge(pairs, floor, maximise=maximise)
    if (better := settled(ranked, pairs)) != ranked:  # the same pairs, told the other way round
        ranked = better
        pairs, spread = paired_losses([named[name] for name in ranked], objective, maximise=maximise, by_fold=by_fold)
        judge(pairs, floor, maximise=maximise)
    order = [named[name] for name in ranked]
    return order, {
        "pairs": pairs,
        "test": told_test(pairs, spread),
        "critical_difference": critical_difference(order, objective, maximise=maximise, by_fold=by_fold),
        "groups": tie_groups(ranked, pairs, first_names(losses)),
        "groups_rule": GROUPS_RULE,
        "smallest_difference": smallest_findable(pairs, floor),
        "seed_spread": seed_spread(order, objective),
        "noise_floor": floor,
    }


def _scores(contender: Contender, objective: str, by_fold: bool) -> dict[str, Estimate]:
    from unet.metrics import METRICS

    told = dict.fromkeys((objective, *SCORES)) | {metric: None for metric in METRICS if contender.values(metric)}
    return {metric: estimate(contender.values(metric), by_fold=by_fold) for metric in told}


def _row(
    record: "SweepRecord", contender: Contender, scores: Mapping[str, Estimate], groups: Sequence[Sequence[str]], target: float | None
) -> dict[str, Any]:
    trials = [trial for trial in record.trials if trial.loss == contender.loss]
    first = first_names(section(record.recipe, "losses")).get(contender.loss, contender.loss)
    told = {metric: {key: getattr(found, key) for key in ("mean", "low", "high", "n", "unit", "sd")} for metric, found in scores.items()}
    for metric, found in told.items():
        found["low"], found["high"] = _within(metric, found["low"]), _within(metric, found["high"])
        found["replicates"] = len(contender.values(metric))
    return {
        "loss": contender.loss,
        "function": contender.function,
        "repeat_of": None if first == contender.loss else first,
        "params": contender.parameters,
        "trials": sum(trial.stage == "search" for trial in trials),
        "failed": sum(trial.state == "failed" for trial in trials),
        "configurations": contender.configurations,
        "seeds": len({trial.seed for trial in contender.trials}),
        "folds": len({trial.fold for trial in contender.trials}),
        "group": next(number for number, group in enumerate(groups, start=1) if contender.loss in group),
        "scores": told,
        "tuned": {trial.trial_id: {name: section(trial.result, "calibration").get(name) for name in TUNED} for trial in contender.trials},
    } | clocks_of(contender, target)


def _within(metric: str, bound: float | None) -> float | None:
    """Keep an interval's end inside the metric's range: what lies outside is impossible."""
    from unet.metrics import METRICS

    if bound is None or metric not in METRICS:
        return bound
    return min(max(bound, METRICS[metric].low), METRICS[metric].high)


_TOLD = ("loss", "function", "params", "scores", "tuned", "seconds", "steps", "group")


def _others(names: Sequence[str], loss: str, rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names without the loss itself and its repeats: that a loss ties with itself is no doubt about it."""
    first = {row["loss"]: row["repeat_of"] or row["loss"] for row in rows}
    return [name for name in names if first[name] != first[loss]]


def _best(
    order: Sequence[Contender], rows: Sequence[Mapping[str, Any]], groups: Sequence[Sequence[str]], objective: str
) -> dict[str, Any] | None:
    if not order:
        return None
    sign = 1.0 if maximises(objective) else -1.0

    def calibrated(trial: "TrialRecord") -> float:
        score = calibration_of(trial, objective)
        return -math.inf if score is None else sign * score

    # the run whose weights stand for the loss is chosen on calibration sections: by its test score it would be the luckiest
    run = max(order[0].trials, key=calibrated)
    return {key: rows[0][key] for key in _TOLD} | {"trial": run.trial_id, "ties": _others(groups[0], order[0].loss, rows)}


def _fastest(
    order: Sequence[Contender], rows: Sequence[Mapping[str, Any]], target: Mapping[str, Any], speed: Mapping[str, Any]
) -> dict[str, Any]:
    """Return `fastest`, the loss that is soonest at the target by train seconds, and where there is none, `fastest_reason`."""
    found = speed["to_target"]["seconds"]
    if not order or target["value"] is None or found["fastest"] is None:
        return {"fastest": None, "fastest_reason": found["reason"] if order else "nothing has been measured"}
    row = next(row for row in rows if row["loss"] == found["fastest"])
    contender = next(contender for contender in order if contender.loss == found["fastest"])
    trial = typical_run(contender, target["value"]).trial_id
    return {"fastest": {key: row[key] for key in _TOLD} | {"trial": trial, "ties": _others(found["ties"], row["loss"], rows)}} | {
        "fastest_reason": None
    }


def _front(rows: Sequence[Mapping[str, Any]], objective: str, *, maximise: bool) -> dict[str, Any]:
    """Return `front`, of quality against seconds to the target, or against those of the whole training when no loss reaches it."""
    for clock in ("to_target", "train"):
        points = []
        for row in rows:
            seconds = row["seconds"][clock]["median"] if clock == "to_target" else row["seconds"][clock]
            points.append((row["loss"], row["scores"][objective]["mean"], math.inf if seconds is None else seconds))
        if front := quality_time_front(points, maximise=maximise):
            return {"front": front, "front_clock": clock}
    return {"front": [], "front_clock": None}


def _gaps(field: Field, rows: Sequence[Mapping[str, Any]], pairs: Sequence[Mapping[str, Any]], objective: str) -> list[str]:
    gaps = list(field.gaps)
    if len(rows) == 1:
        gaps.append("only one loss has a result: there is nothing to compare it with")
    if field.stage == "finalist" and any(pair["p"] is None for pair in pairs):
        gaps.append("some pairs have fewer than two common independent runs: no interval and no test, so they count as ties")
    if field.stage == "finalist" and len({trial.fold for contender in field.contenders for trial in contender.trials}) == 1:
        gaps.append("all finalists share one test fold: intervals and tests tell the spread over seeds, and nothing of other sections")
    moved = [row for row in rows if not math.isclose(row["adjusted_mean"], row["scores"][objective]["mean"], abs_tol=5e-7)]
    if moved:
        told = ", ".join(f"{row['loss']} {row['adjusted_mean']:.4f}" for row in moved)
        gaps.append(f"runs are missing: losses rank by means adjusted for which seeds and folds ran ({told}), and pairs by common runs")
    return gaps


def _runs(record: "SweepRecord") -> dict[str, dict[str, int]]:
    return {
        stage: dict(Counter(trial.state for trial in record.trials if trial.stage == stage))
        for stage in dict.fromkeys(trial.stage for trial in record.trials)
    }


def _plain(value: Any) -> Any:
    """Return JSON's types only; what is not finite becomes None."""
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)
