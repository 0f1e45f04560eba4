"""Three clocks, kept apart and kept over a resume."""

import pytest
import torch

from unet import stopwatch
from unet.stopwatch import Stopwatch


@pytest.fixture
def now(monkeypatch):
    """A clock that only moves when the test says so."""

    class Clock:
        time = 1000.0

    clock = Clock()
    monkeypatch.setattr(stopwatch.time, "monotonic", lambda: clock.time)
    return clock


def test_clocks_run_only_inside_their_blocks(now):
    watch = Stopwatch(torch.device("cpu"))
    with watch.clock("train"):
        now.time += 3.0
    now.time += 10.0
    with watch.clock("eval"):
        now.time += 0.5
    with watch.clock("train"):
        now.time += 1.0
    assert (watch.seconds("train"), watch.seconds("eval"), watch.seconds("wall")) == (4.0, 0.5, 14.5)


def test_an_error_inside_a_block_stops_its_clock(now):
    watch = Stopwatch(torch.device("cpu"))
    with pytest.raises(RuntimeError, match="boom"), watch.clock("train"):
        now.time += 2.0
        raise RuntimeError("boom")
    now.time += 5.0
    assert watch.seconds("train") == 2.0


def test_clocks_go_on_over_a_resume(now):
    first = Stopwatch(torch.device("cpu"))
    with first.clock("train"):
        now.time += 3.0
    state = first.state()
    now.time += 1e6
    second = Stopwatch(torch.device("cpu"))
    second.restore(state)
    with second.clock("train"):
        now.time += 1.0
    assert (second.seconds("train"), second.seconds("wall")) == (4.0, 4.0)


def test_an_unknown_clock_is_an_error():
    with pytest.raises(KeyError, match="lunch"):
        Stopwatch(torch.device("cpu")).seconds("lunch")
