"""The driver is killed with -9 at random moments, ten times; what had finished stays finished, and the planned trials exist once.

Faults row 1. Each kill is followed by `sweeps resume`; a sweep that ends before the tenth kill is checked, and another is begun.
"""

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from sweeps.ledger import FINISHED, read_events
from sweeps.record import SweepRecord, load_results

KILLS = 10
EPOCHS = 60
RECIPE = f"""
name: killed
data: {{source: "synthetic:sections=10,size_px=64,seed=0", crop_px: 64, crops_per_section: 2}}
model: {{width: 8, depth: 3}}
train: {{epochs: {EPOCHS}, lr: {{low: 1e-4, high: 1e-2, log: true}}}}
losses: {{bce: {{}}, tversky: search}}
search: {{trials_per_loss: 3, early_stop: null}}
finalists: {{seeds: 2, folds: 1}}
wandb: {{mode: disabled}}
"""


def sweeps(*words: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"SWEEPS_CHECKPOINT_SECONDS": "0.5", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "sweeps.cli", *words],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def wait_for_a_trial(process: subprocess.Popen[bytes], results: Path, started: int) -> None:
    """Wait until a trial has started in this attempt, so that kills do not all fall into Ray's start."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        found = [event for path in results.glob("*/ledger") for event in read_events(path)[0] if event.event == "started"]
        if len(found) > started:
            return
        time.sleep(0.1)


def kill(process: subprocess.Popen[bytes]) -> list[psutil.Process]:
    """Kill the driver alone, and see that nothing of it trains or schedules on. Return what of Ray is still about to end.

    Ray's two agents notice only after about a minute that their node is gone; they do nothing by then.
    """
    children = psutil.Process(process.pid).children(recursive=True)
    agents = [child for child in children if "Agent" in child.name()]
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    _, others = psutil.wait_procs([child for child in children if child not in agents], timeout=30)
    assert not others, f"outlived the driver: {others}"
    return agents


def finish(process: subprocess.Popen[bytes]) -> None:
    """See that the sweep ends well by itself; whatever happens, it does not outlive the test."""
    try:
        _, errors = process.communicate(timeout=600)
        assert process.returncode == 0, errors.decode()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)


def check_once(record: SweepRecord) -> None:
    events, _ = read_events(record.folder / "ledger")
    ends = Counter(event.trial for event in events if event.event in FINISHED)
    assert len(record.of(stage="search")) == 6 and len(record.of(stage="finalist")) == 4
    assert set(ends) == {trial.trial_id for trial in record.trials} and set(ends.values()) == {1}
    ended: set[str | None] = set()
    for event in events:
        if event.event in FINISHED:
            ended.add(event.trial)
        assert not (event.event in ("started", "epoch") and event.trial in ended), f"{event.trial} ran again after its end"
    for trial in record.trials:
        assert trial.state == "complete"
        assert [row["epoch"] for row in trial.curve] == list(range(1, EPOCHS + 1))
        clocks = [row["train_seconds"] for row in trial.curve]
        assert clocks == sorted(clocks)


def redone(record: SweepRecord) -> list[float]:
    """Seconds of training that each cut threw away, from the trials' logs: it went on from an epoch, more had been measured."""
    lost = []
    for trial in record.trials:
        for line in (trial.folder / "log.txt").read_text().splitlines():
            if "goes on from epoch" in line:
                words = line.replace("(", "").split()
                kept, measured = int(words[words.index("epoch") + 1]), int(words[words.index("epoch") + 2])
                seconds = [0.0, *(row["wall_seconds"] for row in trial.curve)]
                lost.append(seconds[measured] - seconds[kept])
    return lost


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(1500)
def test_ten_kills_of_the_driver_lose_nothing_and_repeat_nothing(tmp_path: Path) -> None:
    (tmp_path / "killed.yaml").write_text(RECIPE)
    results, chance = tmp_path / "results", random.Random(20261124)
    folder: Path | None = None
    kills, started, cuts = 0, 0, []
    ending: list[psutil.Process] = []
    while kills < KILLS or folder is not None:
        words = ("launch", str(tmp_path / "killed.yaml"), "--results", str(results)) if folder is None else ("resume", str(folder))
        process = sweeps(*words)
        if kills < KILLS:
            wait_for_a_trial(process, results, started)
            time.sleep(chance.uniform(0.0, 4.0))
        if kills < KILLS and process.poll() is None:
            ending += kill(process)
            kills += 1
            folder = max(results.iterdir())
            started = sum(event.event == "started" for path in results.glob("*/ledger") for event in read_events(path)[0])
            continue
        finish(process)
        record = load_results(max(results.iterdir()))
        check_once(record)
        assert json.loads((record.folder / "verdict.json").read_text())["stage"] == "finalist"
        cuts += redone(record)
        folder = None
    assert cuts and max(cuts) < 30.0
    _, alive = psutil.wait_procs(ending, timeout=120)
    assert not alive, f"outlived the driver: {alive}"
