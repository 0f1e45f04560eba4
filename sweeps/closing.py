"""The end of a sweep: verdict, report, and the winners as folders of their own. All of it can be made again from the ledger."""

import json
import logging
import shutil
from pathlib import Path
from typing import Any

from sweeps.folder import write_json
from sweeps.late_scores import settle_all
from sweeps.parameters import parameters_or_why
from sweeps.pinned import pinned_recipe
from sweeps.recipe.file import dump_yaml
from sweeps.recipe.schema import Recipe
from sweeps.record import SweepRecord, TrialRecord, load_results
from sweeps.report import write_report
from sweeps.speed.loss_times import measure_at_the_end
from sweeps.verdict.compose import compute_verdict

logger = logging.getLogger(__name__)

LONGEST_NAME = 63


def close_sweep(folder: Path) -> tuple[dict[str, Any], Path]:
    """Settle late scores, measure what the losses cost, write verdict.json, report/, best/ and fastest/; return verdict and report."""
    settle_all(folder)
    record = load_results(folder)
    measure_at_the_end(record)
    verdict = compute_verdict(record)
    verdict["parameters"] = parameters_or_why(record, verdict)
    write_json(folder / "verdict.json", verdict)
    for which in ("best", "fastest"):
        write_winner(record, verdict, which)
    return verdict, write_report(record, verdict, folder)


def winner(record: SweepRecord, verdict: dict[str, Any], which: str) -> TrialRecord | None:
    """Return the trial that stands for `best` or `fastest`, or None when the verdict names none."""
    named = verdict.get(which)
    if not named:
        return None
    return next((trial for trial in record.trials if trial.trial_id == named["trial"]), None)


def winning_recipe(record: SweepRecord, trial: TrialRecord) -> dict[str, Any]:
    """Return the recipe of one trial's configuration alone, as plain data."""
    recipe = Recipe.from_resolved(record.recipe)
    # a name of its own, so that what is launched with it is not numbered among the sweeps that it came from
    name = f"{recipe.name[: LONGEST_NAME - len(trial.loss) - 1]}-{trial.loss}" if len(trial.loss) < LONGEST_NAME - 1 else trial.loss
    return pinned_recipe(recipe, trial.loss, trial.suggestion).resolved() | {"name": name}


def write_winner(record: SweepRecord, verdict: dict[str, Any], which: str) -> None:
    """Write `best/` or `fastest/`: recipe.yaml, model.safetensors, metrics.json."""
    trial = winner(record, verdict, which)
    target = record.folder / which
    # anew each time: another winner may have no weights, and the last one's must not stand beside its recipe
    shutil.rmtree(target, ignore_errors=True)
    if trial is None:
        return
    target.mkdir(exist_ok=True)
    (target / "recipe.yaml").write_text(dump_yaml(winning_recipe(record, trial)))
    weights = trial.folder / "best.safetensors"
    if weights.exists():
        shutil.copyfile(weights, target / "model.safetensors")
    (target / "metrics.json").write_text(json.dumps({"trial": trial.trial_id, "verdict": verdict[which], "result": trial.result}, indent=1))
