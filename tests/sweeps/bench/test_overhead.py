"""Overhead from the ledger: what lies between two ends on a worker, less the clocks of the second trial."""

from pathlib import Path

import pytest

from sweeps.bench.overhead import overheads, summary
from sweeps.record import TrialRecord


def ended(trial_id: str, worker: str, at: float, *, work: float = 1.0, state: str = "complete") -> TrialRecord:
    return TrialRecord(
        trial_id=trial_id,
        stage="search",
        loss="bce",
        function="bce",
        suggestion={},
        seed=0,
        fold=None,
        state=state,
        result={"seconds": {"train": 0.6 * work, "eval": 0.3 * work, "score": 0.1 * work}},
        ended_at=at,
        worker=worker,
        folder=Path("nowhere"),
    )


def test_each_workers_first_trial_is_left_out_and_workers_are_not_mixed() -> None:
    trials = [ended("a", "x:1", 10.0), ended("b", "y:1", 10.5), ended("c", "x:1", 11.2), ended("d", "y:1", 13.0, work=2.0)]
    assert overheads(trials) == pytest.approx([0.2, 0.5])


def test_a_pruned_trial_still_starts_the_clock_of_the_next() -> None:
    trials = [ended("a", "x:1", 10.0), ended("b", "x:1", 12.0, state="pruned"), ended("c", "x:1", 13.3)]
    assert overheads(trials) == pytest.approx([0.3])


def test_the_summary_of_too_little_has_no_numbers() -> None:
    assert summary([])["median"] is None
    many = [ended(str(number), "x:1", 10.0 + 1.1 * number) for number in range(6)]
    assert summary(many)["median"] == pytest.approx(0.1) and summary(many)["n"] == 5
