"""Run a recorded trial again, here or on a cluster, and write what came out beside its record."""

import dataclasses
import datetime
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from sweeps.folder import write_json
from sweeps.plan import TrialPlan
from sweeps.record import SweepRecord, TrialRecord, load_results
from sweeps.rerun.chosen import find_trial, recorded_plan, runs_of
from sweeps.rerun.circumstances import circumstances_now, differences, recorded_circumstances, unknown
from sweeps.rerun.curves import compare
from sweeps.rerun.ground import Ground, ground_for
from sweeps.rerun.judging import judge_once, judge_seeds, reasons
from sweeps.rerun.noise import beside, compared, in_range, noise_of, over_seeds, scores_of
from sweeps.rerun.running import Ran, Row, run_once

OnRow = Callable[[str, Row], None]


def rerun(
    folder: Path,
    name: str = "best",
    *,
    seeds: int | None = None,
    data: str | None = None,
    address: str | None = None,
    on_row: OnRow = lambda trial_id, row: None,
) -> dict[str, Any]:
    """Run a recorded trial again, write `reruns/<trial>-NN/rerun.json`, and return its content.

    Without `seeds` it is the same trial, with the recorded seed and threads, compared number by number with its record. With `seeds` the
    same configuration trains with that many fresh seeds, and their means stand beside those of the recorded runs. `data` names other data:
    a known set, a folder, or the results folder of a sweep on them; then scores stand side by side and nothing is judged. `address` runs it
    on that Ray cluster. A pruned trial is run as far as it was recorded.
    """
    record = load_results(folder)
    trial = find_trial(record, name)
    ground = ground_for(recorded_plan(trial), data)
    target = _target(record, trial.trial_id)
    plans = _plans(record, ground.plan, target, seeds)
    epochs = len(trial.curve) or None if seeds is None and trial.state in ("pruned", "running") else None
    runs = _run(plans, ground, address, epochs, on_row)
    answer = _about(record, trial, ground, target, runs)
    answer |= _of_one(record, trial, ground, runs[0]) if seeds is None else _of_seeds(record, trial, ground, plans, runs)
    answer |= _reasons(record, trial, ground, runs[0], answer["verdict"], fresh=seeds is not None)
    write_json(target / "rerun.json", answer)
    return answer


def _target(record: SweepRecord, trial_id: str) -> Path:
    """Make and return the next free folder."""
    parent, number = record.folder / "reruns", 1
    parent.mkdir(exist_ok=True)
    while True:
        target = parent / f"{trial_id}-{number:02d}"
        try:
            target.mkdir()
            return target
        except FileExistsError:  # an earlier rerun, or one beside this
            number += 1


def _plans(record: SweepRecord, plan: TrialPlan, target: Path, seeds: int | None) -> list[TrialPlan]:
    if seeds is None:
        return [dataclasses.replace(plan, folder=str(target.resolve()))]
    first = 1 + max((trial.seed for trial in record.trials), default=0)  # seeds that the sweep has not used
    return [dataclasses.replace(plan, seed=seed, folder=str((target / f"s{seed}").resolve())) for seed in range(first, first + seeds)]


def _run(plans: Sequence[TrialPlan], ground: Ground, address: str | None, epochs: int | None, on_row: OnRow) -> list[Ran]:
    def name(plan: TrialPlan) -> str:
        return plan.trial_id if plan.seed == ground.plan.seed else f"{plan.trial_id} seed {plan.seed}"

    if address is not None:
        from sweeps.rerun.remote import run_on_cluster

        return run_on_cluster(plans, address, epochs=epochs, on_row=lambda plan, row: on_row(name(plan), row))
    return [run_once(plan, ground.stack, epochs=epochs, on_row=lambda row, plan=plan: on_row(name(plan), row)) for plan in plans]


def _about(record: SweepRecord, trial: TrialRecord, ground: Ground, target: Path, runs: Sequence[Ran]) -> dict[str, Any]:
    """Return what rerun.json says whatever was asked: which configuration ran, and on what data."""
    return {
        "schema": 2,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "sweep": {"name": record.name, "uuid": record.uuid},
        "trial": trial.trial_id,
        "loss": trial.loss,
        "function": trial.function,
        "suggestion": trial.suggestion,
        "stage": trial.stage,
        "fold": ground.plan.fold,
        "folder": str(target),
        "threads": ground.plan.threads,
        "data": ground.described(),
        "elsewhere": any(ran.around.get("elsewhere", False) for ran in runs),
    }


def _of_one(record: SweepRecord, trial: TrialRecord, ground: Ground, ran: Ran) -> dict[str, Any]:
    """Return what came of the recorded seed."""
    noise, both = noise_of(record), ([scores_of(trial)], [ran.scores])
    scores = beside(*both, noise) if ground.other else compared(*both, noise)
    answer = {"seed": ground.plan.seed, "recorded": trial.score, "scores": ran.scores or None, **ran.ending()}
    answer |= {"compared": [score.as_dict() for score in scores]}
    if ground.other:
        return answer | {"comparison": None, "verdict": None, "why": None}
    curves = compare(trial, ran.curve)
    return answer | {"comparison": dataclasses.asdict(curves)} | dataclasses.asdict(judge_once(trial, ran, curves, scores))


def _of_seeds(record: SweepRecord, trial: TrialRecord, ground: Ground, plans: Sequence[TrialPlan], runs: Sequence[Ran]) -> dict[str, Any]:
    """Return what came of fresh seeds: each, and their mean beside that of the recorded runs on the same fold."""
    fellows, now = runs_of(record, trial) or [trial], [ran.scores for ran in runs]
    dice = over_seeds(now, "membrane_dice")
    noise, both = noise_of(record), ([scores_of(each) for each in fellows], now)
    scores = beside(*both, noise) if ground.other else compared(*both, noise, fresh=True)
    told = [{"seed": plan.seed, **ran.ending(), "membrane_dice": None, **ran.scores} for plan, ran in zip(plans, runs, strict=True)]
    mean = in_range("membrane_dice", dice)
    answer: dict[str, Any] = {"seeds": told, **mean, "standard_deviation": mean.pop("sd")}
    answer |= {"recorded_runs": [each.trial_id for each in fellows], "compared": [score.as_dict() for score in scores]}
    if ground.other or not scores:
        return answer | {"verdict": None, "why": None}
    return answer | dataclasses.asdict(judge_seeds(scores))


def _reasons(record: SweepRecord, trial: TrialRecord, ground: Ground, ran: Ran, verdict: str | None, *, fresh: bool) -> dict[str, Any]:
    """Return what differs between then and now, and, where something was judged, what of it may be the reason."""
    then, now = recorded_circumstances(record, trial), circumstances_now(ran, ground.stack.sha256())
    differ, blank = differences(then, now), unknown(then, now)
    told = {"differences": [dataclasses.asdict(each) for each in differ], "unknown": blank}
    if verdict is None:
        return told | {"reasons": [], "rule": None}
    why = reasons(differ, blank, verdict, fresh=fresh, device=ran.environment.get("device"))
    return told | {"reasons": why, "rule": noise_of(record).rule()}
