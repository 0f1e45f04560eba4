"""A recorded trial, run again and compared: bit for bit on the same machine's CPU, or over new seeds for mean and spread.

It runs the very code that the sweep's worker runs, from the plan that the worker wrote, with the same number of threads.
"""

import dataclasses
import logging
import math
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from data_utils import Stack
from sweeps.closing import winner
from sweeps.folder import write_json
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.record import SweepRecord, TrialRecord, load_results, read_json
from sweeps.stacks import load_stack
from sweeps.trial import Trial

logger = logging.getLogger(__name__)

#: what must come out again; the clocks never do
COMPARED = ("epoch", "step", "train_loss", "membrane_dice", "threshold", "membrane_dice_at_half")


class NoSuchTrial(ValueError):
    """The sweep has no such trial; the CLI exits with 2."""


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A trial's recorded curve against the one it gave again."""

    trial_id: str
    """The trial."""
    epochs: int
    """Epochs compared."""
    identical: bool
    """Whether every compared number is the same bit for bit."""
    first_difference: str | None
    """The first number that differs, with both values."""
    largest_difference: float
    """Largest absolute difference of membrane Dice."""


def find_trial(record: SweepRecord, name: str) -> TrialRecord:
    """Return the trial `name`: best, fastest, or an id such as focal-0007. Raises NoSuchTrial with what there is."""
    if name in ("best", "fastest"):
        found = winner(record, read_json(record.folder / "verdict.json") or {}, name)
        if found is None:
            raise NoSuchTrial(
                f"the sweep {record.name} has no {name!r} yet: its verdict names none. `sweeps report {record.folder}` makes it"
            )
        return found
    found = next((trial for trial in record.trials if trial.trial_id == name), None)
    if found is None:
        known = ", ".join(trial.trial_id for trial in record.trials[:12])
        raise NoSuchTrial(
            f"no trial {name!r} in {record.folder}; allowed: best, fastest, {known}{', ...' if len(record.trials) > 12 else ''}"
        )
    return found


def recorded_plan(trial: TrialRecord) -> TrialPlan:
    """Return the plan that the trial's worker wrote. Raises NoSuchTrial when none did."""
    plan = read_json(trial.folder / "plan.json")
    if plan is None:
        raise NoSuchTrial(
            f"the trial {trial.trial_id} has not started ({trial.state}): there is no {trial.folder / 'plan.json'}, so nothing can be "
            "run again. `sweeps resume` runs the trials that are left."
        )
    return TrialPlan(**plan)


def compare(recorded: TrialRecord, rows: list[dict[str, Any]]) -> Comparison:
    """Compare a recorded curve with rows that were measured again."""
    first, largest = None, 0.0
    for old, new in zip(recorded.curve, rows, strict=False):
        largest = max(largest, abs(old["membrane_dice"] - new["membrane_dice"]))
        for key in COMPARED:
            if first is None and old[key] != new[key]:
                first = f"epoch {old['epoch']}: {key} was {old[key]!r}, is {new[key]!r}"
    epochs = min(len(recorded.curve), len(rows))
    if first is None and epochs < len(recorded.curve):
        first = f"{len(recorded.curve)} epochs were recorded, {len(rows)} were run"
    return Comparison(
        trial_id=recorded.trial_id, epochs=epochs, identical=first is None, first_difference=first, largest_difference=largest
    )


def _target(record: SweepRecord, trial_id: str) -> Path:
    parent = record.folder / "reruns"
    number = 1
    while (parent / f"{trial_id}-{number:02d}").exists():
        number += 1
    return parent / f"{trial_id}-{number:02d}"


def _run(plan: TrialPlan, stack: Stack, epochs: int | None, on_row: Callable[[dict[str, Any]], None]) -> Iterator[dict[str, Any]]:
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for row in Trial(plan, stack, device=device).rows():
        if row["state"] == "running":
            on_row(row)
        yield row
        if row["state"] == "running" and epochs is not None and row["epoch"] >= epochs:
            return


def rerun(
    folder: Path,
    name: str = "best",
    *,
    seeds: int | None = None,
    data: str | None = None,
    on_row: Callable[[str, dict[str, Any]], None] = lambda trial_id, row: None,
) -> dict[str, Any]:
    """Run a recorded trial again and write what came out under `reruns/`.

    Without `seeds` it is the same trial, with the recorded seed and threads, compared number by number with its record. With `seeds` the
    same configuration trains with that many fresh seeds, for mean and spread. `data` names other data (a known set or a folder); then
    nothing is compared. A pruned trial is run as far as it was recorded.
    """
    record = load_results(folder)
    trial = find_trial(record, name)
    plan = recorded_plan(trial)
    recipe = plan.recipe
    if data is not None:
        recipe = recipe | {"data": recipe["data"] | {"source": data, "images": None, "labels": None}}
    stack = load_stack(Recipe.from_resolved(recipe))
    plan = dataclasses.replace(plan, recipe=recipe, data_sha256=stack.sha256(), tracking="disabled")
    target = _target(record, trial.trial_id)
    answer: dict[str, Any] = {"schema": 1, "trial": trial.trial_id, "folder": str(target), "threads": plan.threads}
    if seeds is None:
        rows = list(
            _run(
                dataclasses.replace(plan, folder=str(target.resolve())),
                stack,
                len(trial.curve) if trial.state == "pruned" else None,
                lambda row: on_row(trial.trial_id, row),
            )
        )
        measured = [row for row in rows if row["state"] == "running"]
        answer["comparison"] = dataclasses.asdict(compare(trial, measured)) if data is None else None
        answer["recorded"], answer["scores"] = trial.score, rows[-1].get("scores")
        answer |= _ending(rows[-1])
    else:
        answer["seeds"] = [_one_seed(plan, stack, target, seed, on_row) for seed in _fresh_seeds(record, seeds)]
        answer |= _spread([entry["membrane_dice"] for entry in answer["seeds"]])
    target.mkdir(parents=True, exist_ok=True)
    write_json(target / "rerun.json", answer)
    return answer


def _fresh_seeds(record: SweepRecord, count: int) -> list[int]:
    first = 1 + max((trial.seed for trial in record.trials), default=0)
    return list(range(first, first + count))


def _one_seed(plan: TrialPlan, stack: Stack, target: Path, seed: int, on_row: Callable[[str, dict[str, Any]], None]) -> dict[str, Any]:
    name = f"{plan.trial_id} seed {seed}"
    again = dataclasses.replace(plan, seed=seed, folder=str((target / f"s{seed}").resolve()))
    last = list(_run(again, stack, None, lambda row: on_row(name, row)))[-1]
    return {"seed": seed, **_ending(last), **(last.get("scores") or {"membrane_dice": None})}


def _ending(last: dict[str, Any]) -> dict[str, Any]:
    """Return how a run ended, and of a failure its reason and error, from its last row."""
    # a run that was cut where its record was pruned never says by itself that it is over
    state = "pruned" if last["state"] == "running" else last["state"]
    return {"state": state} | {key: last[key] for key in ("reason", "error") if key in last}


def _spread(scores: list[float | None]) -> dict[str, Any]:
    valid = [score for score in scores if score is not None and math.isfinite(score)]
    return {
        "n": len(valid),
        "mean": statistics.fmean(valid) if valid else None,
        "standard_deviation": statistics.stdev(valid) if len(valid) > 1 else None,
    }
