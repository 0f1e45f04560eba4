"""Results folders as they should not be: whole but for one thing."""

import dataclasses
from pathlib import Path
from typing import Any

from sweeps.folder import write_json
from tests.sweeps.small import plan_for, small_recipe


def bare_sweep(folder: Path) -> Path:
    """Write a sweep that was launched and started nothing."""
    folder.mkdir(parents=True)
    told: dict[str, Any] = {"recipe.resolved.yaml": small_recipe().resolved(), "provenance.json": {"name": folder.name, "uuid": "0"}}
    for name, content in (told | {"data.json": {"name": "small", "sha256": "0" * 64}}).items():
        write_json(folder / name, content)
    return folder


def lost_ledger(folder: Path) -> Path:
    """Write a sweep whose one trial is complete and whose ledger is gone."""
    plan = plan_for(bare_sweep(folder) / "trials" / "bce-0001", "bce", {"train.lr": 1e-3})
    plan.path.mkdir(parents=True)
    write_json(plan.path / "plan.json", dataclasses.asdict(plan))
    result = {"state": "complete", "suggestion": plan.suggestion, "scores": {"membrane_dice": 0.8}}
    write_json(plan.path / "result.json", result)
    return folder
