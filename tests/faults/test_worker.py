"""A worker is killed with -9 in the middle of a trial: Tune starts another, and the trial goes on from its own checkpoint.

Faults row 6.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sweeps.ledger import FINISHED, read_events
from sweeps.record import load_results

EPOCHS = 60
RECIPE = f"""
name: orphaned
data: {{source: "synthetic:sections=10,size_px=64,seed=0", crop_px: 64, crops_per_section: 2}}
model: {{width: 8, depth: 3}}
train: {{epochs: {EPOCHS}, lr: {{low: 1e-4, high: 1e-2, log: true}}}}
losses: {{bce: {{}}, tversky: {{}}}}
search: {{trials_per_loss: 1, early_stop: null}}
finalists: {{seeds: 1, folds: 1}}
wandb: {{mode: disabled}}
"""


def worker_of_a_running_trial(ledger: Path, epochs: int) -> tuple[str, int] | None:
    """Return a trial that has measured some epochs and has not ended, and the process that runs it."""
    events, _ = read_events(ledger)
    ended = {event.trial for event in events if event.event in FINISHED}
    measured = [event for event in events if event.event == "epoch" and event.trial not in ended and event.data["epoch"] >= epochs]
    return (str(measured[-1].trial), int(measured[-1].data["worker"].rpartition(":")[2])) if measured else None


@pytest.mark.slow
@pytest.mark.faults
def test_a_killed_workers_trial_goes_on_elsewhere_and_ends_once(tmp_path: Path) -> None:
    (tmp_path / "orphaned.yaml").write_text(RECIPE)
    words = [sys.executable, "-m", "sweeps.cli", "launch", str(tmp_path / "orphaned.yaml"), "--results", str(tmp_path / "results")]
    environment = os.environ | {"SWEEPS_CHECKPOINT_SECONDS": "0.2", "OMP_NUM_THREADS": "1"}
    folder = tmp_path / "results" / "orphaned-001"
    with subprocess.Popen(words, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as driver:
        try:
            deadline = time.monotonic() + 120
            while (found := worker_of_a_running_trial(folder / "ledger", epochs=10)) is None and time.monotonic() < deadline:
                time.sleep(0.05)
            assert found is not None, "no trial had begun after two minutes"
            victim, worker = found
            os.kill(worker, signal.SIGKILL)
            said, _ = driver.communicate(timeout=200)
        finally:
            if driver.poll() is None:
                driver.kill()
    assert driver.returncode == 0, said
    record = load_results(folder)
    assert {trial.state for trial in record.trials} == {"complete"} and len(record.trials) == 4
    events, _ = read_events(folder / "ledger")
    assert [event.trial for event in events if event.event == "retried"] == [victim]
    (cut,) = [trial for trial in record.trials if trial.trial_id == victim]
    assert cut.attempts == 2 and [row["epoch"] for row in cut.curve] == list(range(1, EPOCHS + 1))
    assert "goes on from epoch" in (cut.folder / "log.txt").read_text()
