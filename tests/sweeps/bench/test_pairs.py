"""The method of comparison, with a clock that does as it is told."""

import time

import numpy as np
import pytest
import torch

from sweeps.bench.pairs import SAME, circumstances, compare, pick_device, seconds_of

CPU = torch.device("cpu")


def test_forms_alternate_a_b_b_a_and_share_each_round():
    order = []

    def timer(name):
        return lambda: (order.append(name), 1.0)[1]

    compare(timer("a"), {SAME: timer("a2"), "b": timer("b")}, blocks=2, warm_up=1)
    block = ["a", "a2", "a2", "a", "a", "b", "b", "a"]
    assert order == ["a", "a2", "b", *block, *block]


def test_a_steady_drift_cancels():
    now = {"seconds": 1.0}

    def timer(factor):
        def run():
            now["seconds"] *= 1.1  # the machine gets slower and slower
            return now["seconds"] * factor

        return run

    same, half = compare(timer(1.0), {SAME: timer(1.0), "half": timer(0.5)}, blocks=5)
    assert same.ratio == pytest.approx(1.0) and same.low == pytest.approx(1.0) and same.high == pytest.approx(1.0)
    assert half.ratio == pytest.approx(2.0)
    assert (half.form, half.blocks) == ("half", 5)


def test_the_interval_covers_and_the_median_shrugs_off_an_outlier():
    rng = np.random.default_rng(0)

    def timer(seconds):
        return lambda: seconds * np.exp(0.05 * rng.standard_normal()) * (50.0 if rng.random() < 0.03 else 1.0)

    (row,) = compare(timer(3.0), {"form": timer(1.0)}, blocks=60)
    assert row.low < 3.0 < row.high and row.high / row.low < 1.2
    assert row.form_ms == pytest.approx(1000.0, rel=0.1) and row.baseline_ms == pytest.approx(3000.0, rel=0.1)


def test_without_blocks_there_is_nothing_to_say():
    with pytest.raises(ValueError, match="blocks must be at least 1, got 0"):
        compare(lambda: 1.0, {}, blocks=0)


def test_the_clock_of_the_cpu_counts_work_and_not_waiting():
    assert seconds_of(lambda: time.sleep(0.05), CPU, repeats=2) < 0.02
    assert seconds_of(lambda: sum(range(300_000)), CPU, repeats=2) > 1e-4


def test_a_figure_carries_its_circumstances():
    facts = circumstances(CPU)
    assert facts["torch"] == torch.__version__ and facts["device"] and facts["threads"] >= 1 and facts["clock"] == "process CPU time"


def test_auto_takes_the_gpu_where_there_is_one(monkeypatch):
    for there, expected in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert pick_device("auto").type == expected
    assert pick_device("cpu") == CPU
