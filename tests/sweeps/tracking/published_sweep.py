"""A results folder of a small sweep that is over, as publishing it needs: ledger, plans, rows, results, pictures and verdict."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.ledger import FORMAT, Ledger
from sweeps.plan import TrialPlan
from sweeps.record import SweepRecord, TrialRecord, load_results
from sweeps.tracking.settings import run_id
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import DATA, PROVENANCE, make_record
from tests.sweeps.small import small_recipe

LOSSES: dict[str, Any] = {"dice": {}, "focal": {"alpha": {"low": 0.05, "high": 0.95}, "gamma": {"low": 0.1, "high": 5.0, "log": True}}}
UUID = "f" * 32
#: the data's place and file; neither may leave the machine
SECRET = "secret-place-of-anna"


def write_sweep(folder: Path) -> SweepRecord:
    """Write the sweep and return its record; its recipe turns W&B off, which publishing by name overrules."""
    recipe = small_recipe(losses=LOSSES, data={"source": f"/home/{SECRET}"}).resolved()
    made = make_record(folder, losses=tuple(LOSSES), trials=2, seeds=2, epochs=3)
    folder.mkdir(exist_ok=True)
    notes = [f"{SECRET}.tif has 16 bits"]
    files = {"recipe.resolved.yaml": recipe, "data.json": DATA | {"source": f"/home/{SECRET}", "name": SECRET, "notes": notes}}
    files["provenance.json"] = PROVENANCE | {"name": folder.name, "uuid": UUID}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))
    ledger = Ledger(folder / "ledger")
    ledger.append("sweep", format=FORMAT)
    for trial in made.trials:
        _write_trial(trial, recipe, ledger)
    ledger.close()
    record = load_results(folder)
    (folder / "verdict.json").write_text(json.dumps(compute_verdict(record)))
    (folder / "report").mkdir()
    (folder / "report" / "index.html").write_text("the local report")
    return record


def _write_trial(trial: TrialRecord, recipe: dict[str, Any], ledger: Ledger) -> None:
    told = {key: getattr(trial, key) for key in ("trial_id", "stage", "loss", "function", "suggestion", "seed", "fold")}
    identity = {"sweep": trial.folder.parents[1].name, "uuid": UUID, "recipe": recipe, "data_sha256": "ab", "folder": str(trial.folder)}
    plan = TrialPlan(**told, **identity)
    trial.folder.mkdir(parents=True, exist_ok=True)
    (trial.folder / "plan.json").write_text(json.dumps(plan.as_dict()))
    (trial.folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in trial.curve))
    if trial.stage == "finalist":
        _keep_what_was_found(trial.folder / "sections.npz")
    result = (trial.result or {}) | {"stage": trial.stage, "suggestion": trial.suggestion, "reason": None}
    result |= {"configuration": {"seed": trial.seed, "fold": trial.fold}}
    (trial.folder / "result.json").write_text(json.dumps(result))
    ledger.append("asked", trial=trial.trial_id, **plan.asked())
    ledger.append("started", trial=trial.trial_id)
    ledger.append("complete", trial=trial.trial_id)


def _keep_what_was_found(path: Path) -> None:
    with np.load(path) as stored:
        arrays = dict(stored)
    found = arrays["probability"] >= 107
    np.savez(path, **arrays, found=found, cell=~found)  # type: ignore[arg-type]


def ids(record: SweepRecord, stage: str, loss: str | None = None) -> set[str]:
    """W&B's ids of a stage's runs."""
    return {run_id(record.uuid, trial.trial_id) for trial in record.of(loss, stage)}


def mark_as_sent(record: SweepRecord, mode: str = "online") -> None:
    """Note in every trial's folder that its run was sent, as a tracker does."""
    for trial in record.trials:
        (trial.folder / "wandb").mkdir(exist_ok=True)
        note = {"run_id": run_id(record.uuid, trial.trial_id), "mode": mode, "attempts": 1, "state": trial.state}
        (trial.folder / "wandb" / "record.json").write_text(json.dumps(note))
