"""A real trial in a real process that is killed and resumed: what W&B has of it in the end, through `wandb sync` as a user calls it."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sweeps.record import read_rows
from sweeps.tracking.settings import run_id
from tests.sweeps.tracking.wandb_runs import ROOT
from tests.sweeps.tracking.wandb_server import Received, wandb_server

EPOCHS = [1, 2, 3, 4]
RUN = run_id("0" * 32, "bce-0001")
pytestmark = pytest.mark.faults

ATTEMPT = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from sweeps.tracking import run
from sweeps.tracking.tracker import tracker_for
from sweeps.trial import Trial
from tests.sweeps.small import plan_for, small_recipe, small_stack
folder, mode, saved, killed = Path({folder!r}), {mode!r}, {saved}, {killed}
run.QUIET["x_file_stream_transmit_interval"] = 1
recipe = small_recipe(train={{"epochs": 4}})
plan = plan_for(folder, "bce", recipe.defaults("bce"), recipe, tracking=mode, checkpoint_seconds=3600)
trial, tracker = Trial(plan, small_stack(), device="cpu"), tracker_for(plan)
tracker.start()
for row in trial.rows():
    if row.get("epoch") == saved:
        trial.save()
    if row.get("epoch") == killed:
        time.sleep(120)  # and is killed
assert row["state"] == "complete", row
tracker.finish(row["state"], row)
tracker.close(60)
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    with wandb_server() as (address, received):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        yield received


def attempt(folder: Path, mode: str, server: Received, *, saved: int = 0, killed: int = 0) -> int:
    """Run the trial from where it is, write a checkpoint at one epoch and kill the process at another; 0 is never."""
    before = set(folder.glob("wandb/*run-*"))
    script = ATTEMPT.format(root=str(ROOT), folder=str(folder), mode=mode, saved=saved, killed=killed)
    with subprocess.Popen([sys.executable, "-c", script]) as process:
        while (
            killed and process.poll() is None and not (len(read_rows(folder / "metrics.jsonl")) == killed and holds(folder, before, server))
        ):
            time.sleep(0.05)
        if killed:
            time.sleep(0.8)  # a poll of the tracker: the last rows are on their way too
            process.kill()
        return process.wait(120)


def holds(folder: Path, before: set[Path], server: Received) -> bool:
    """Whether W&B has something of this attempt's run: at the server, or in a file."""
    return bool(server.epochs(RUN)) or any(
        file.stat().st_size for run in set(folder.glob("wandb/offline-run-*")) - before for file in run.glob("*.wandb")
    )


def run_of(folder: Path) -> Path:
    (found,) = folder.glob("wandb/*run-*")
    return found


@pytest.mark.parametrize(
    "kills",
    [
        [{"saved": 1, "killed": 2}, {"killed": 4}],  # the checkpoint is behind what W&B was told; and once more, at the last row
        [{"killed": 3}],  # no checkpoint: all epochs again
    ],
    ids=["twice", "from-the-start"],
)
def test_a_trial_killed_and_resumed_offline_is_synced_with_every_epoch_once(
    kills: list[dict[str, int]], tmp_path: Path, server: Received
) -> None:
    folder = tmp_path / "trials" / "bce-0001"
    for kill in kills:
        assert attempt(folder, "offline", server, **kill) == -signal.SIGKILL
        assert [row["epoch"] for row in read_rows(folder / "metrics.jsonl")] == EPOCHS[: kill["killed"]]
    assert attempt(folder, "offline", server) == 0
    assert not server.bodies, "offline nothing is sent"
    command = [sys.executable, "-m", "wandb", "sync", str(run_of(folder))]
    subprocess.run(command, check=True, timeout=120, capture_output=True)
    rows = read_rows(folder / "metrics.jsonl")
    told = [row for row in server.history[RUN] if "epoch" in row]
    assert [row["epoch"] for row in told] == [row["epoch"] for row in rows] == EPOCHS
    assert [row["val/membrane_dice"] for row in told] == pytest.approx([row["membrane_dice"] for row in rows])
    assert server.summary[RUN]["status"] == "complete" and server.summary[RUN]["attempts"] == len(kills) + 1
    assert server.exit_code[RUN] == 0 and set(server.history) == {RUN}


def test_a_trial_killed_and_resumed_online_has_every_epoch_once(tmp_path: Path, server: Received) -> None:
    folder = tmp_path / "trials" / "bce-0001"
    assert attempt(folder, "online", server, saved=2, killed=3) == -signal.SIGKILL
    assert server.epochs(RUN) and attempt(folder, "online", server) == 0
    assert server.epochs(RUN) == EPOCHS and server.summary[RUN]["status"] == "complete"
    assert json.loads((folder / "wandb" / "record.json").read_text())["mode"] == "online"
    assert run_of(folder).name.startswith("run-")
