"""Trials as W&B sees them: settings, rows and a result to send, and ways to look at what arrived."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from sweeps.plan import TrialPlan
from sweeps.tracking.settings import TrackingSettings, run_id

ROOT = Path(__file__).parents[3]
RESULT = {
    "schema": 1,
    "state": "complete",
    "reason": None,
    "best_epoch": 2,
    "scores": {"membrane_dice": 0.79, "v_rand": 0.95},
    "seconds": {"train": 1.5, "wall": 2.0},
    "peak_memory_mib": 300.0,
}


def settings(folder: Path, mode: str = "offline", **changes: Any) -> TrackingSettings:
    folder.mkdir(parents=True, exist_ok=True)
    config = {"loss": {"name": "focal", "params": {"alpha": 0.25, "gamma": 2.0}}, "train": {"lr": 0.001}}
    identity = {"run_id": run_id("uuid", folder.name), "name": folder.name, "group": "demo-001", "job_type": "trial", "tags": ("focal",)}
    return TrackingSettings(**identity | {"mode": mode, "project": "unet-losses", "config": config, "folder": folder} | changes)


def row(epoch: int) -> dict[str, Any]:
    scores = {"membrane_dice": [0.5, 0.8, 0.7, 0.6, 0.55][epoch - 1], "threshold": 0.4}
    seconds = {"train_seconds": 0.5 * epoch, "eval_seconds": 0.1 * epoch}
    return {"epoch": epoch, "step": 23 * epoch, "train_loss": 1 / epoch, **scores, **seconds}


def append(folder: Path, *epochs: int) -> None:
    with (folder / "metrics.jsonl").open("a") as file:
        file.writelines(json.dumps(row(epoch)) + "\n" for epoch in epochs)


def run_directory(folder: Path) -> Path:
    (directory,) = (folder / "wandb").glob("*run-*")
    return directory


def inspect(folder: Path) -> str:
    command = [sys.executable, "-m", "wandb", "leet", "inspect", "--summary", "--json", str(run_directory(folder))]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=60).stdout


def is_in_state(folder: Path, state: str) -> bool:
    return json.loads((folder / "wandb" / "record.json").read_text())["state"] == state


def restart_service() -> None:
    """W&B's service process keeps the environment that it was started with."""
    import wandb

    wandb.teardown()


def plan_of(folder: Path) -> TrialPlan:
    from sweeps.recipe.schema import read_recipe  # not above: processes that tests start do without torch

    recipe = read_recipe("demo")
    return TrialPlan(
        trial_id=folder.name,
        stage="search",
        loss="focal",
        function="focal",
        suggestion=recipe.defaults("focal"),
        seed=0,
        fold=None,
        sweep="demo-001",
        uuid="uuid",
        recipe=recipe.resolved(),
        data_sha256="ab",
        folder=str(folder),
        tracking="offline",
    )


SCRIPT = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from tests.sweeps.tracking.wandb_runs import RESULT, append, settings
from sweeps.tracking.tracker import Tracker
if __name__ == "__main__":
    folder = Path({folder!r})
    tracker = Tracker(settings(folder))
    tracker.start()
    append(folder, 1, 2)
    while not list(folder.glob("wandb/*run-*/*.wandb")):
        time.sleep(0.05)
    time.sleep(0.5)  # the run is open
    {then}
"""


def in_a_process(folder: Path, then: str) -> int:
    script = SCRIPT.format(root=str(ROOT), folder=str(folder), then=then)
    return subprocess.run([sys.executable, "-c", script], timeout=120, check=False, stderr=subprocess.DEVNULL).returncode
