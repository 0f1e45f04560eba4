"""Servers that refuse, fail, hang or break off: the trial's thread never waits, and what is kept offline is whole when it is sent later."""

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeps.tracking import fallback, run
from sweeps.tracking import tracker as tracking
from sweeps.tracking.folder import mode_after_a_loss, note
from sweeps.tracking.settings import run_id
from sweeps.tracking.tracker import Tracker
from tests.sweeps.tracking.wandb_runs import RESULT, append, in_a_process, is_in_state, restart_service, row, settings
from tests.sweeps.tracking.wandb_server import Fault, Received, wandb_server

FAULTS = (401, 403, 500, "hang", "cut")
pytestmark = [
    pytest.mark.faults,
    # 2026-11: a thread of a run that was given up finds W&B's service gone
    pytest.mark.filterwarnings("ignore:Exception in thread NetStatThr:pytest.PytestUnhandledThreadExceptionWarning"),
]


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A server that runs of this process are sent to, every second."""
    monkeypatch.setattr(fallback, "server_lost", threading.Event())
    monkeypatch.setitem(run.QUIET, "x_file_stream_transmit_interval", 1)
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")
    with wandb_server() as (address, received):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        restart_service()
        yield received
    restart_service()


def offline_run(folder: Path) -> Path:
    """The only directory that W&B has in a trial's folder."""
    (found,) = (folder / "wandb").glob("*run-*")
    assert found.name.startswith("offline-run-")
    return found


def sync(received: Received, *folders: Path) -> None:
    """Send offline runs to the server, as a user does."""
    command = [sys.executable, "-m", "wandb", "sync", *(str(offline_run(folder)) for folder in folders)]
    subprocess.run(command, check=True, timeout=120, capture_output=True, env=os.environ | {"WANDB_BASE_URL": received.address})


def sent_as(folder: Path) -> str:
    """The id under which a trial's offline run is sent."""
    return offline_run(folder).name.rsplit("-", 1)[1]


def arrived(received: Received, name: str, count: int) -> bool:
    """Wait until so many rows are there, or half a minute."""
    for _ in range(300):
        if len(received.history.get(run_id("uuid", name), ())) >= count:
            return True
        threading.Event().wait(0.1)
    return False


@pytest.fixture
def threads(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the threads in which W&B is opened or closed."""
    seen: set[str] = set()

    def noting(function: Any) -> Any:
        def call(*args: Any, **options: Any) -> Any:
            seen.add(threading.current_thread().name)
            return function(*args, **options)

        return call

    for name in ("open_run", "close_run"):
        monkeypatch.setattr(tracking, name, noting(getattr(tracking, name)))
    return seen


@pytest.mark.parametrize("kind", FAULTS)
def test_a_server_that_fails_in_the_middle_costs_no_record(
    kind: int | str, tmp_path: Path, server: Received, threads: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    first, second = (Tracker(settings(tmp_path / name, mode="online", init_timeout_s=30.0, finish_timeout_s=2.0)) for name in ("a", "b"))
    server.fault = Fault(kind=kind, after_rows=2)
    append(tmp_path / "a", 1, 2)
    first.start()
    assert arrived(server, "a", 2)
    append(tmp_path / "a", 3, 4)
    first.finish("complete", RESULT)
    assert first.wait(60)
    second.start()  # later ones are offline from the start
    append(tmp_path / "b", 1, 2)
    second.finish("complete", RESULT)
    assert second.wait(60)
    assert caplog.text.count("kept offline") == 1 and server.failed
    assert threads == {"wandb-a", "wandb-b"}, "the trial's own thread never speaks with W&B"
    assert (tmp_path / "a" / "metrics.jsonl").read_text() == "".join(json.dumps(row(epoch)) + "\n" for epoch in (1, 2, 3, 4))
    server.fault = None
    sync(server, tmp_path / "a", tmp_path / "b")
    assert server.epochs(sent_as(tmp_path / "a")) == [1, 2, 3, 4] and server.epochs(sent_as(tmp_path / "b")) == [1, 2]
    assert all(server.summary[sent_as(tmp_path / name)]["status"] == "complete" for name in ("a", "b"))
    assert server.epochs(run_id("uuid", "a")) == [1, 2] and run_id("uuid", "a") not in server.exit_code, "the part is left as it was"
    assert sent_as(tmp_path / "b") == run_id("uuid", "b"), "no server had anything of it"


@pytest.mark.parametrize("kind", FAULTS)
def test_a_server_that_fails_from_the_start_is_not_tried_again(
    kind: int | str, tmp_path: Path, server: Received, threads: set[str], caplog: pytest.LogCaptureFixture
) -> None:
    server.fault = Fault(kind=kind)
    tracker = Tracker(settings(tmp_path / "a", mode="online", init_timeout_s=1.0))
    append(tmp_path / "a", 1, 2)
    tracker.start()
    tracker.finish("complete", RESULT)
    assert tracker.wait(60)
    met = len(server.failed)
    following = Tracker(settings(tmp_path / "b", mode="online"))
    following.start()
    following.finish("complete", RESULT)
    assert following.wait(60)
    assert met and len(server.failed) == met and caplog.text.count("kept offline") == 1
    assert threads == {"wandb-a", "wandb-b"}
    assert all(offline_run(tmp_path / name) and is_in_state(tmp_path / name, "complete") for name in ("a", "b"))
    server.fault = None
    sync(server, tmp_path / "a")
    assert server.epochs(run_id("uuid", "a")) == [1, 2] and server.summary[run_id("uuid", "a")]["status"] == "complete"


def test_a_service_that_is_dropped_under_another_run_costs_that_one_nothing(tmp_path: Path, server: Received) -> None:
    """Two trials of one process: the server is lost by the first while the second is being recorded."""
    first, second = (Tracker(settings(tmp_path / name, mode="online", init_timeout_s=30.0, finish_timeout_s=1.0)) for name in ("a", "b"))
    for tracker, name in ((first, "a"), (second, "b")):
        append(tmp_path / name, 1)
        tracker.start()
        assert arrived(server, name, 1)
    server.fault = Fault(kind="hang")
    first.finish("complete", RESULT)
    assert first.wait(60)
    append(tmp_path / "b", 2, 3)
    second.finish("complete", RESULT)
    assert second.wait(60)
    server.fault = None
    sync(server, tmp_path / "a", tmp_path / "b")
    assert server.epochs(sent_as(tmp_path / "a")) == [1] and server.epochs(sent_as(tmp_path / "b")) == [1, 2, 3]


def test_a_process_that_ends_gives_a_silent_server_up_for_the_whole_sweep(tmp_path: Path, server: Received) -> None:
    server.fault = Fault(kind="hang")
    sweep = {"sweep_folder": tmp_path, "mode": "online"}
    waiting = Tracker(settings(tmp_path / "trials" / "a", init_timeout_s=4.0, **sweep))
    waiting.start()
    for _ in range(100):
        if server.failed:
            break
        threading.Event().wait(0.1)
    waiting.close(timeout=0.2)
    fallback.server_lost.clear()  # as in another process
    met, other = len(server.failed), Tracker(settings(tmp_path / "finalists" / "b", **sweep))
    other.start()
    other.finish("complete", RESULT)
    assert other.wait(60) and offline_run(tmp_path / "finalists" / "b")
    assert len(server.failed) == met, "it was not asked"
    waiting.finish("complete", RESULT)
    assert waiting.wait(60) and is_in_state(tmp_path / "trials" / "a", "complete")


def test_a_process_that_ends_does_not_give_up_a_server_that_is_slow(tmp_path: Path, server: Received) -> None:
    """Nor one that is not asked: of a run that waits for late scores, or is kept offline."""
    sweep = {"sweep_folder": tmp_path}
    slow = Tracker(settings(tmp_path / "trials" / "a", mode="online", init_timeout_s=30.0, finish_timeout_s=1.0, **sweep))
    open_still = Tracker(settings(tmp_path / "trials" / "b", mode="online", init_timeout_s=30.0, **sweep))
    kept = Tracker(settings(tmp_path / "trials" / "c", mode="offline", **sweep))
    append(tmp_path / "trials" / "b", 1)
    append(tmp_path / "trials" / "a", 1)
    for tracker in (kept, open_still, slow):
        tracker.start()
    assert arrived(server, "a", 1) and arrived(server, "b", 1)
    server.delay_s = 0.7
    slow.finish("complete", RESULT)
    slow.close(timeout=0.2)
    assert all(tracker._given_up for tracker in (slow, open_still, kept)) and mode_after_a_loss(tmp_path, "online") == "online"
    server.delay_s = 0.0
    for tracker in (kept, open_still, slow):
        tracker.finish("complete", RESULT)
    assert all(tracker.wait(60) for tracker in (kept, open_still, slow))


def test_runs_that_were_to_be_offline_keep_none_from_the_server(tmp_path: Path, server: Received) -> None:
    """A sweep that ran with `--offline` a minute ago is resumed without."""
    for name, mode in (("a", "offline"), ("b", "online")):
        tracker = Tracker(settings(tmp_path / "trials" / name, mode=mode, init_timeout_s=30.0, sweep_folder=tmp_path))
        append(tmp_path / "trials" / name, 1, 2)
        tracker.start()
        tracker.finish("complete", RESULT)
        assert tracker.wait(60)
    assert server.epochs(run_id("uuid", "b")) == [1, 2] and run_id("uuid", "a") not in server.history


def test_a_server_that_one_process_lost_is_not_asked_by_another(tmp_path: Path, server: Received) -> None:
    """Whatever became of the runs in between: one that was begun before, and ended well, says nothing of now."""
    sweep = {"sweep_folder": tmp_path, "mode": "online", "init_timeout_s": 5.0}
    server.fault = Fault(kind=403)
    lost = Tracker(settings(tmp_path / "trials" / "a", **sweep))
    lost.start()
    lost.finish("complete", RESULT)
    assert lost.wait(60)
    note(settings(tmp_path / "trials" / "b", **sweep), {"mode": "online", "state": "complete"})
    fallback.server_lost.clear()  # as in another process
    met, other = len(server.failed), Tracker(settings(tmp_path / "trials" / "c", **sweep))
    other.start()
    other.finish("complete", RESULT)
    assert other.wait(60) and offline_run(tmp_path / "trials" / "c") and len(server.failed) == met


@pytest.mark.parametrize("kind", [403, "cut"])
def test_a_run_that_was_lost_in_the_middle_is_sent_again_under_its_own_id(kind: int | str, tmp_path: Path, server: Received) -> None:
    """As `sweeps report DIR --wandb` and another attempt do: only what the server lacks is sent."""
    folder = tmp_path / "a"
    tracker = Tracker(settings(folder, mode="online", init_timeout_s=30.0, finish_timeout_s=1.0))
    server.fault = Fault(kind=kind, after_rows=2)
    append(folder, 1, 2)
    tracker.start()
    assert arrived(server, "a", 2)
    append(folder, 3, 4)
    tracker.finish("complete", RESULT)
    assert tracker.wait(60) and offline_run(folder)
    server.fault = None
    fallback.server_lost.clear()
    again = Tracker(settings(folder, mode="online", init_timeout_s=30.0))
    again.start(new_attempt=False)
    again.finish("complete", RESULT)
    assert again.wait(60)
    assert server.epochs(run_id("uuid", "a")) == [1, 2, 3, 4] and server.summary[run_id("uuid", "a")]["status"] == "complete"
    assert not list((folder / "wandb").glob("offline-run-*"))


def test_an_offline_run_holds_each_epoch_once_after_a_kill_and_a_resume(tmp_path: Path, server: Received) -> None:
    folder = tmp_path / "focal-0000"
    in_a_process(folder, "os.kill(os.getpid(), 9)")
    (folder / "metrics.jsonl").write_text(json.dumps(row(1)) + "\n")  # the checkpoint was a row behind
    tracker = Tracker(settings(folder))
    tracker.start()
    append(folder, 2, 3, 4)
    tracker.finish("complete", RESULT)
    assert tracker.wait(60)
    sync(server, folder)
    sync(server, folder)  # and whoever is not sure may do it again
    name = run_id("uuid", "focal-0000")
    assert sent_as(folder) == name and server.epochs(name) == [1, 2, 3, 4]
    assert server.summary[name]["attempts"] == 2 and server.summary[name]["status"] == "complete"


def test_an_attempt_after_wandb_sync_is_another_run_and_whole(tmp_path: Path, server: Received) -> None:
    """Whoever sends an offline run between two attempts has its first part at the server."""
    folder = tmp_path / "focal-0000"
    for epochs, state in (((1, 2), "failed"), ((3,), "complete")):
        tracker = Tracker(settings(folder))
        append(folder, *epochs)
        tracker.start()
        tracker.finish(state, RESULT)
        assert tracker.wait(60)
        sync(server, folder)
    assert sent_as(folder) != run_id("uuid", "focal-0000") and server.epochs(sent_as(folder)) == [1, 2, 3]
    assert server.epochs(run_id("uuid", "focal-0000")) == [1, 2]


def test_an_attempt_that_goes_online_leaves_no_offline_run_behind(tmp_path: Path, server: Received) -> None:
    folder = tmp_path / "focal-0000"
    for mode, epochs in (("offline", (1, 2)), ("online", (3,))):
        tracker = Tracker(settings(folder, mode=mode, init_timeout_s=30.0))
        append(folder, *epochs)
        tracker.start()
        tracker.finish("complete", RESULT)
        assert tracker.wait(60)
    (left,) = (folder / "wandb").glob("*run-*")
    assert left.name.startswith("run-"), "sent later, the offline one would take epochs away"
    assert server.epochs(run_id("uuid", "focal-0000")) == [1, 2, 3]
