"""Progress: what is counted, what a terminal, a log and a machine see of it."""

import io
import json
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from sweeps import progress as progress_module
from sweeps.progress import SweepProgress
from sweeps.progress_counts import Counts
from sweeps.progress_table import duration, one_line, table

SIX = ["bce", "dice", "dice_bce", "iou", "focal", "tversky"]


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def console(width: int = 80) -> Console:
    return Console(file=io.StringIO(), width=width, color_system=None, force_terminal=False)


def drawn(counts: Counts, *, now: float = 60.0, width: int = 80) -> list[str]:
    target = Console(file=io.StringIO(), width=width, color_system=None, force_terminal=True)
    target.print(table("a-sweep", counts, now=now, begin=0.0, width=width))
    return target.file.getvalue().splitlines()


def test_the_table_says_what_happened() -> None:
    counts = Counts(title="search", planned={"bce": 4, "focal": 4}, begin=0.0)
    for trial, loss in (("bce-0000", "bce"), ("focal-0000", "focal"), ("focal-0001", "focal")):
        counts.start(trial, loss, "node1:gpu0")
    counts.end("bce-0000", "complete", 0.7123, None, None)
    counts.end("focal-0000", "failed", None, "loss is NaN at step 12", None)
    counts.measure("focal-0001", 5, 10, 0.654)
    text = "\n".join(drawn(counts))
    assert "a-sweep  search   2/8 trials  1 failed   0:01:00 elapsed   ~0:02:12 left" in text
    assert "running  focal-0001 ep 5/10 0.654 node1:gpu0" in text
    assert "last error  focal-0000  loss is NaN at step 12" in text
    bce, focal = (next(line.split() for line in text.splitlines() if line.startswith(f" {loss} ")) for loss in ("bce", "focal"))
    assert bce == ["bce", "1/4", "0", "-", "-", "0.7123", "0000"]
    assert focal == ["focal", "1/4", "1", "-", "1"]


@given(
    num_losses=st.integers(1, 60),
    num_running=st.integers(0, 60),
    width=st.integers(40, 200),
    name=st.from_regex(r"[a-z][a-z0-9_-]{0,62}", fullmatch=True),
    reason=st.text(max_size=300),
)
@settings(max_examples=60, deadline=None)
def test_never_more_than_80_columns_and_20_lines(num_losses: int, num_running: int, width: int, name: str, reason: str) -> None:
    counts = Counts(title="finalists", planned={f"{name}{i}": 3 for i in range(num_losses)}, begin=0.0, summary="mean")
    for i in range(num_running):
        counts.start(f"{name}{i % num_losses}-f0-s{i}", f"{name}{i % num_losses}", "a-long-host-name.cluster.local:gpu7")
        counts.measure(f"{name}{i % num_losses}-f0-s{i}", 3, 100, 0.5)
    counts.end(f"{name}0-f0-s99", "failed", None, reason, f"{name}0")
    lines = drawn(counts, width=width)
    assert len(lines) <= 20
    assert max(map(cell_len, lines)) <= min(width, 80)


def test_a_message_cannot_steer_the_terminal() -> None:
    assert one_line("\x1b[31mred\x1b[0m\nnext\ttab\r\x07") == "[31mred [0m next tab"
    counts = Counts(title="search", planned={"bce": 1}, begin=0.0)
    counts.end("bce-0000", "failed", None, "[bold]\x1b[2J[/bold]", None)
    assert "[bold] [2J[/bold]" in drawn(counts)[-1]


def test_time_left_counts_only_what_ran_here() -> None:
    counts = Counts(title="search", planned={"bce": 10}, begin=100.0)
    for i in range(4):
        counts.end(f"bce-000{i}", "complete", 0.7, None, None)  # before a resume
    assert counts.seconds_left(200.0) is None
    counts.start("bce-0004", "bce", None)
    counts.end("bce-0004", "pruned", 0.6, None, None)
    assert counts.seconds_left(200.0) == pytest.approx(5 * 100)
    counts.start("bce-0005", "bce", None)
    counts.measure("bce-0005", 5, 10, 0.6)
    assert counts.seconds_left(250.0) == pytest.approx(4.5 * 150 / 1.5)


def test_a_trial_belongs_to_the_longest_loss_name() -> None:
    counts = Counts(title="search", planned={"bce": 2, "bce-again": 2}, begin=0.0)
    counts.end("bce-again-0001", "complete", 0.7, None, None)
    counts.end("bce-0001", "complete", 0.6, None, None)
    assert (counts.losses["bce-again"].num_ended, counts.losses["bce"].num_ended) == (1, 1)


def test_a_log_gets_a_line_an_event() -> None:
    target, clock = console(40), Clock()
    with SweepProgress("demo", {"bce": 3}, "plain", target, clock=clock) as progress:
        progress.ended("bce-0000", "complete", 0.5)  # before a resume: no event of now
        progress.started("bce-0001", "bce", "host")
        progress.measured("bce-0001", 1, 2, 0.6)
        clock.now = 65.0
        progress.ended("bce-0001", "pruned", 0.61234, "asha")
        progress.started("bce-0002", "bce", "host")
        progress.ended("bce-0002", "failed", None, "out of\nmemory")
        progress.note("W&B is offline")
        progress.stage("finalists", {"bce": 2})
    assert target.file.getvalue().splitlines() == [
        "demo search, 2/3 trials, 0 running, 0:01:05 elapsed, ~0:01:05 left bce-0001 pruned 0.6123: asha",
        "demo search, 3/3 trials, 0 running, 1 failed, 0:01:05 elapsed, ~0:00:00 left bce-0002 failed: out of memory",
        "W&B is offline",
        "stage finalists: 2 trials",
    ]


def test_a_log_hears_of_a_quiet_sweep_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "PLAIN_EVERY_S", 0.02)
    target = console()
    with SweepProgress("demo", {"bce": 3}, "plain", target):
        threading.Event().wait(0.2)
    lines = target.file.getvalue().splitlines()
    assert len(lines) >= 2
    assert lines[0] == "demo search, 0/3 trials, 0 running, 0:00:00 elapsed"
    assert not any(thread.name == "progress" for thread in threading.enumerate())


def test_a_machine_gets_one_object_a_line() -> None:
    target = console(20)
    with SweepProgress("demo", {"bce": 3}, "json", target, clock=Clock()) as progress:
        progress.started("bce-0001", "bce", "host")
        progress.measured("bce-0001", 1, 2, float("nan"))
        progress.ended("bce-0001", "complete", 0.75, "a\nb")
        progress.stage("finalists", {"bce": 2})
    events = [json.loads(line) for line in target.file.getvalue().splitlines()]
    assert [event["event"] for event in events] == ["started", "measured", "ended", "stage"]
    assert events[1]["score"] is None
    assert events[2].items() >= {"trial": "bce-0001", "state": "complete", "score": 0.75, "reason": "a\nb", "sweep": "demo"}.items()


def test_a_terminal_keeps_the_last_table() -> None:
    target = Console(file=io.StringIO(), width=80, color_system=None, force_terminal=True)
    with SweepProgress("demo", dict.fromkeys(SIX, 4), "live", target) as progress:
        progress.started("iou-0000", "iou", None)
        progress.note("[W&B] is offline")
        progress.ended("iou-0000", "complete", 0.8)
    text = target.file.getvalue()
    assert "[W&B] is offline" in text
    assert "1/24 trials" in text
    assert text.count("tversky") < 10  # drawn about once a second, not at every event


def test_finalists_show_the_mean() -> None:
    counts = Counts(title="finalists", planned={"bce": 3}, begin=0.0, summary="mean")
    counts.end("bce-f0-s0", "complete", 0.7, None, None)
    counts.end("bce-f0-s1", "complete", 0.8, None, None)
    assert ["bce", "2/3", "0", "-", "-", "0.7500", "2"] in [line.split() for line in drawn(counts)]


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0, 59.9, 61, 3600 * 27 + 5, -3)] == ["0:00:00", "0:00:59", "0:01:01", "27:00:05", "0:00:00"]
