"""W&B runs as W&B's own reader sees them: made offline in this process, and online against a server on loopback."""

import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from sweeps.tracking import fallback
from sweeps.tracking import tracker as tracking
from sweeps.tracking.folder import is_recorded
from sweeps.tracking.repair import record_missing
from sweeps.tracking.settings import run_id
from sweeps.tracking.tracker import Tracker
from tests.sweeps.tracking.wandb_runs import (
    RESULT,
    ROOT,
    append,
    in_a_process,
    inspect,
    is_in_state,
    plan_of,
    restart_service,
    row,
    run_directory,
    settings,
)
from tests.sweeps.tracking.wandb_server import wandb_server


@pytest.fixture
def server_not_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fallback, "server_lost", threading.Event())


def test_an_offline_run_answers_with_loss_parameters_scores_and_state(tmp_path: Path) -> None:
    tracker = Tracker(settings(tmp_path / "focal-0007"))
    tracker.start()
    append(tmp_path / "focal-0007", 1, 2)
    time.sleep(0.7)  # a poll in between: rows come in two portions
    append(tmp_path / "focal-0007", 3)
    tracker.finish("complete", RESULT)
    assert tracker.wait(60)
    seen = json.loads(inspect(tmp_path / "focal-0007"))
    assert seen["state"] == "finished" and seen["exit_code"] == 0
    assert seen["config"]["loss"] == {"name": "focal", "params": {"alpha": 0.25, "gamma": 2}}
    assert seen["run_id"] == run_id("uuid", "focal-0007") and seen["name"] == "focal-0007"
    expected = {"best/membrane_dice": 0.79, "best/v_rand": 0.95, "best/epoch": 2, "time/wall_s": 2.0, "status": "complete", "attempts": 1}
    assert expected.items() <= seen["summary"].items()
    assert seen["summary"]["val/membrane_dice"] == {"max": 0.8}
    assert seen["step"] == 2, "three rows, once each"


def test_a_failed_run_says_failed_and_why(tmp_path: Path) -> None:
    folder = tmp_path / "focal-0001"
    tracker = Tracker(settings(folder))
    tracker.start()
    append(folder, 1)
    tracker.finish("failed", {"reason": "nan"})
    assert tracker.wait(60)
    seen = json.loads(inspect(folder))
    assert seen["state"] == "failed" and seen["exit_code"] == 1
    assert seen["summary"]["status"] == "failed" and seen["summary"]["reason"] == "nan"
    assert "failed:nan" in seen["tags"] and "focal" in seen["tags"]


def test_a_result_that_the_driver_writes_ends_the_run_as_pruned(tmp_path: Path) -> None:
    folder = tmp_path / "focal-0002"
    tracker = Tracker(settings(folder))
    tracker.start()
    append(folder, 1, 2)
    tracker.finish("interrupted")  # all that a worker knows of a trial that the pruner stops
    (folder / "result.json").write_text(json.dumps(RESULT | {"state": "pruned"}))
    assert tracker.wait(60)
    seen = json.loads(inspect(folder))
    assert seen["state"] == "finished" and seen["summary"]["status"] == "pruned"
    assert is_recorded(folder)


def test_another_attempt_replays_the_whole_history_into_one_fresh_run(tmp_path: Path) -> None:
    folder = tmp_path / "focal-0003"
    first = Tracker(settings(folder))
    first.start()
    append(folder, 1, 2, 3)
    (folder / "result.json").write_text(json.dumps({"state": "failed", "reason": "io"}))
    assert first.wait(60)
    second = Tracker(settings(folder))
    second.start()
    assert not second.wait(1.0), "the earlier attempt's result.json ended the new run"
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row(epoch)) + "\n" for epoch in (1, 2)))  # back to a checkpoint
    append(folder, 3, 4)
    second.finish("complete", RESULT)
    assert second.wait(60)
    seen = json.loads(inspect(folder))
    assert seen["step"] == 3, "four rows, once each"
    assert seen["summary"]["epoch"] == 4 and seen["summary"]["attempts"] == 2
    assert seen["summary"]["status"] == "complete" and seen["summary"].get("reason") is None


def test_the_next_trial_lets_a_run_end_that_nobody_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "RESULT_GRACE_S", 0.2)
    left, following = Tracker(settings(tmp_path / "a")), Tracker(settings(tmp_path / "b"))
    left.start()
    assert not left.wait(0.3)
    following.start()
    following.finish("complete", RESULT)
    assert left.wait(60) and following.wait(60)
    assert is_in_state(tmp_path / "a", "interrupted") and is_in_state(tmp_path / "b", "complete")


@pytest.mark.parametrize(("then", "state"), [("tracker.finish('complete', RESULT)", "complete"), ("sys.exit(3)", "interrupted")])
def test_the_end_of_the_interpreter_closes_the_run(tmp_path: Path, then: str, state: str) -> None:
    in_a_process(tmp_path / "t", then)
    assert is_in_state(tmp_path / "t", state)


ENDS_EARLY = """
import sys, time
from pathlib import Path
sys.path.insert(0, {root!r})
from sweeps.tracking import tracker as tracking
from tests.sweeps.tracking.wandb_runs import append, settings
opened = []
def slowly(*told, open_run=tracking.open_run):
    run = open_run(*told)
    opened.append(run)
    time.sleep(1.0)
    return run
tracking.open_run = slowly
folder = Path({folder!r})
tracking.Tracker(settings(folder)).start()
append(folder, 1, 2)
while not opened:
    time.sleep(0.05)
"""


def test_an_interpreter_that_ends_while_the_run_is_being_opened_closes_it(tmp_path: Path) -> None:
    """By then W&B has its exit hook, which ends the service."""
    script = ENDS_EARLY.format(root=str(ROOT), folder=str(tmp_path / "t"))
    ended = subprocess.run([sys.executable, "-c", script], timeout=120, check=True, capture_output=True, text=True)
    assert is_in_state(tmp_path / "t", "interrupted") and "begins again" not in ended.stderr
    assert json.loads(inspect(tmp_path / "t"))["step"] == 1, "two rows"


@pytest.mark.faults
def test_runs_that_a_killed_process_left_open_are_replayed(tmp_path: Path) -> None:
    folder = tmp_path / "trials" / "focal-0000"
    assert in_a_process(folder, "os.kill(os.getpid(), 9)") == -signal.SIGKILL
    plan = plan_of(folder)
    (folder / "plan.json").write_text(json.dumps(plan.as_dict()))
    assert record_missing(tmp_path, tracking="offline") == [], "the trial is not over"
    (folder / "result.json").write_text(json.dumps(RESULT))
    assert record_missing(tmp_path, tracking="offline") == ["focal-0000"]
    assert record_missing(tmp_path, tracking="offline") == []
    assert is_recorded(folder)
    seen = json.loads((folder / "wandb" / "record.json").read_text())
    assert seen["attempts"] == 1 and seen["state"] == "complete"


def test_a_run_that_cannot_wait_for_late_scores_is_replayed_with_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracking, "LATE_SCORES_S", 1.0)
    folder = tmp_path / "trials" / "focal-0000"
    tracker = Tracker(settings(folder))
    append(folder, 1, 2)
    (folder / "plan.json").write_text(json.dumps(plan_of(folder).as_dict()))
    tracker.start()
    early = RESULT | {"scores_pending": True, "scores": {"membrane_dice": 0.8}}
    (folder / "result.json").write_text(json.dumps(early))
    assert tracker.wait(60)
    assert not is_recorded(folder) and "v_rand" not in inspect(folder)
    (folder / "result.json").write_text(json.dumps(RESULT | {"scores": {"membrane_dice": 0.8, "v_rand": 0.987654}}))
    assert record_missing(tmp_path, tracking="offline") == ["focal-0000"]
    assert "0.987654" in inspect(folder) and is_recorded(folder)


def test_late_scores_that_come_in_time_are_in_the_run(tmp_path: Path) -> None:
    folder = tmp_path / "focal-0000"
    tracker = Tracker(settings(folder))
    append(folder, 1)
    tracker.start()
    (folder / "result.json").write_text(json.dumps(RESULT | {"scores_pending": True, "scores": {"membrane_dice": 0.8}}))
    assert not tracker.wait(3.0), "it waits for them"
    (folder / "result.json").write_text(json.dumps(RESULT | {"scores": {"membrane_dice": 0.8, "v_rand": 0.987654}}))
    assert tracker.wait(60) and "0.987654" in inspect(folder)


SERVICE_DIES = """
    import psutil
    for process in psutil.Process().children():
        process.kill() if process.name() == "wandb-core" else None
    tracker.finish("complete", RESULT)
    tracker.wait(60)
    following = Tracker(settings(folder.with_name("following")))
    following.start()
    following.finish("complete", RESULT)
    following.wait(60)
"""


@pytest.mark.faults
def test_the_service_of_wandb_may_die(tmp_path: Path) -> None:
    in_a_process(tmp_path / "t", SERVICE_DIES.strip())
    assert is_in_state(tmp_path / "t", "complete") and is_in_state(tmp_path / "following", "complete")


def test_whatever_wandb_raises_reaches_the_log_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("no service to be had")

    monkeypatch.setattr(tracking, "open_run", broken)
    monkeypatch.setattr(fallback, "drop_service", lambda: None)
    tracker = Tracker(settings(tmp_path / "t"))
    tracker.start()
    tracker.finish("complete", RESULT)
    assert tracker.wait(10)
    assert "has no record of t; the trial is unaffected (RuntimeError: no service to be had)" in caplog.text


def test_a_trial_pays_next_to_nothing(tmp_path: Path) -> None:
    trackers, costs = [], []
    for number in range(11):
        folder = tmp_path / f"focal-{number:04d}"
        tracker = Tracker(settings(folder))
        append(folder, 1, 2, 3)
        begin = time.perf_counter()
        tracker.start()
        started = time.perf_counter()
        time.sleep(0.05)
        ending = time.perf_counter()
        tracker.finish("complete", RESULT)
        costs.append(started - begin + time.perf_counter() - ending)
        trackers.append(tracker)
    assert all(tracker.wait(60) for tracker in trackers)
    assert statistics.median(costs[1:]) < 0.1, costs


def test_disabled_leaves_no_trace(tmp_path: Path) -> None:
    tracker = Tracker(settings(tmp_path / "t", mode="disabled"))
    tracker.start()
    tracker.finish("complete", RESULT)
    assert tracker.wait(0) and not (tmp_path / "t" / "wandb").exists()


def test_online_arrives_and_a_resumed_run_sends_only_what_is_new(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_not_lost: None
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    folder = tmp_path / "focal-0007"
    with wandb_server() as (address, received):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        restart_service()
        for epochs, state in (((1, 2), "failed"), ((3,), "complete")):
            tracker = Tracker(settings(folder, mode="online", finish_timeout_s=20.0, init_timeout_s=10.0))
            append(folder, *epochs)
            tracker.start()
            tracker.finish(state, RESULT | {"reason": "io" if state == "failed" else None})
            assert tracker.wait(60)
        run = run_id("uuid", "focal-0007")
        assert received.epochs(run) == [1, 2, 3]
        assert received.exit_code[run] == 0 and received.summary[run]["status"] == "complete" and received.summary[run]["attempts"] == 2
        assert received.buckets[run]["groupName"] == "demo-001" and received.buckets[run]["jobType"] == "trial"
        assert "focal" in received.buckets[run]["config"]
        everything = b"".join(received.bodies).decode()
    restart_service()
    assert str(tmp_path) not in everything and str(ROOT) not in everything and "c" * 40 not in everything
    assert os.uname().nodename not in everything


def test_a_server_that_is_away_is_said_once_and_costs_the_trial_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server_not_lost: None, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    monkeypatch.setenv("WANDB_BASE_URL", "http://127.0.0.1:9")
    restart_service()
    begin = time.perf_counter()
    trackers = [Tracker(settings(tmp_path / name, mode="online", init_timeout_s=1.0)) for name in ("a", "b")]
    for tracker in trackers:
        append(tracker.settings.folder, 1, 2)
        tracker.start()
        tracker.finish("complete", RESULT)
    assert time.perf_counter() - begin < 0.5
    assert all(tracker.wait(60) for tracker in trackers)
    restart_service()
    assert is_in_state(tmp_path / "a", "complete") and is_in_state(tmp_path / "b", "complete")
    assert run_directory(tmp_path / "a").name.startswith("offline-run-"), "the attempt at an online run left its directory"
    assert caplog.text.count("kept offline") == 1
    assert "c" * 40 not in "".join(path.read_text(errors="replace") for path in tmp_path.rglob("*") if path.is_file())
