"""A report is made of every sweep, however little there is of it, and says what is missing."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.record import SweepRecord
from sweeps.report import write_report
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record

NAN = float("nan")


def _small(folder: Path, **how: int) -> SweepRecord:
    return make_record(folder, losses=("bce", "focal"), pictures=False, **({"trials": 2, "seeds": 2, "epochs": 3} | how))


def _nothing(folder: Path) -> SweepRecord:
    return replace(_small(folder), trials=(), sanity=[])


def _one_trial(folder: Path) -> SweepRecord:
    return replace(_small(folder), trials=_small(folder).trials[:1])


def _all_failed(folder: Path) -> SweepRecord:
    record = _small(folder)
    failed = (replace(t, state="failed", reason="code", error="KeyError: 'x'", curve=(), result=None) for t in record.trials)
    return replace(record, trials=tuple(failed))


def _never_started(folder: Path) -> SweepRecord:
    record = _small(folder)
    waiting = (
        replace(t, state="waiting", curve=(), result=None, started_at=None, ended_at=None, worker=None, attempts=0) for t in record.trials
    )
    return replace(record, trials=tuple(waiting))


def _all_nan(folder: Path) -> SweepRecord:
    record, blank = _small(folder), {"membrane_dice": NAN, "membrane_dice_at_half": NAN, "v_rand": NAN, "threshold": NAN}
    trials = (
        replace(t, curve=tuple(row | blank for row in t.curve), result=(t.result or {}) | {"scores": blank, "calibration": blank})
        for t in record.trials
    )
    return replace(record, trials=tuple(trials))


def _some_null(folder: Path) -> SweepRecord:
    """JSON has no NaN: a writer may have put null in its place, or left the key out."""
    record = _small(folder)
    first, second, *rest = record.trials
    first = replace(first, curve=tuple(row | {"membrane_dice": None, "train_seconds": None} for row in first.curve), result=None)
    second = replace(second, curve=({"epoch": 1},), result={"scores": None, "seconds": None, "environment": None})
    return replace(record, trials=(first, second, *rest))


def _one_loss(folder: Path) -> SweepRecord:
    return make_record(folder, losses=("dice",), trials=2, seeds=2, epochs=3, pictures=False)


def _one_seed(folder: Path) -> SweepRecord:
    return _small(folder, seeds=1)


def _search_only(folder: Path) -> SweepRecord:
    return _small(folder, seeds=0)


def _running(folder: Path) -> SweepRecord:
    record = _small(folder)
    return replace(record, trials=(*record.trials[:-1], replace(record.trials[-1], state="running", ended_at=None, result=None)))


def _same_scores(folder: Path) -> SweepRecord:
    """Axes of no extent."""
    record = _small(folder, epochs=1)
    curve = tuple(row | {"membrane_dice": 0.5, "train_seconds": 0.0} for row in record.trials[0].curve)
    scores = {"membrane_dice": 0.5, "v_rand": 0.5, "v_info": 0.5, "threshold": 0.5, "membrane_dice_at_half": 0.5}
    result = (record.trials[0].result or {}) | {"scores": scores, "calibration": scores, "seconds": {"train": 0.0, "wall": 0.0}}
    trials = (replace(t, curve=curve, result=result, started_at=1e9, ended_at=1e9) for t in record.trials)
    return replace(record, trials=tuple(trials))


def _bare(folder: Path) -> SweepRecord:
    """As an interrupted or foreign writer might leave it: the trials and nothing else."""
    return replace(_small(folder), recipe={}, provenance={}, data={}, sanity=[])


def _one_fold(folder: Path) -> SweepRecord:
    return _small(folder, folds=1)


def _three_folds(folder: Path) -> SweepRecord:
    return _small(folder, folds=3)


def _one_trial_a_loss(folder: Path) -> SweepRecord:
    return _small(folder, trials=1)


def _no_files(folder: Path) -> SweepRecord:
    """The ledger alone: every trial's folder is gone, with its curve and its result."""
    record = _small(folder)
    return replace(record, trials=tuple(replace(t, curve=(), result=None) for t in record.trials))


def _one_loss_failed(folder: Path) -> SweepRecord:
    record = _small(folder)
    trials = (
        replace(t, state="failed", reason="nan", error="NonFiniteLoss: loss is nan", curve=(), result=None) if t.loss == "focal" else t
        for t in record.trials
    )
    return replace(record, trials=tuple(trials))


CASES: dict[str, tuple[Callable[[Path], SweepRecord], str]] = {
    "no trial": (_nothing, "No verdict: no trial"),
    "one trial": (_one_trial, "ranks nothing"),
    "all failed": (_all_failed, "No verdict: all 8 trials failed"),
    "never started": (_never_started, "8 trials have not ended"),
    "all NaN": (_all_nan, "8 trials ended without a finite score"),
    "some null": (_some_null, "2 trials ended without a finite score"),
    "one loss": (_one_loss, "nothing to compare"),
    "one seed": (_one_seed, "fewer than two common independent runs"),
    "search only": (_search_only, "No finalists were run"),
    "running": (_running, "1 trial has not ended"),
    "same scores": (_same_scores, "tie"),
    "bare": (_bare, "share one test fold"),
    "one fold": (_one_fold, "all on one test fold: tests and intervals tell the spread over seeds"),
    "three folds": (_three_folds, "here there are 2 losses and 3 folds"),
    "one trial a loss": (_one_trial_a_loss, "each loss had one trial, so there is no search to follow"),
    "no files": (_no_files, "8 trials ended without a finite score"),
    "one loss failed": (_one_loss_failed, "Without a place in the ranking: focal"),
}


@pytest.mark.parametrize("case", CASES)
def test_report_is_made_and_says_what_is_missing(tmp_path: Path, case: str) -> None:
    make, said = CASES[case]
    record = make(tmp_path / "demo-001")
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert not page.faults, page.faults
    assert said in page.text
    assert len(page.of("h1")) == 1
    assert {attributes.get("id") for attributes in page.of("section")} >= {"verdict", "front", "leaderboard", "methods", "reproduce"}


@pytest.mark.parametrize("case", ["no trial", "all failed", "all NaN", "search only", "bare"])
@pytest.mark.parametrize("verdict", [None, {}], ids=["none", "empty"])
def test_report_without_a_verdict(tmp_path: Path, case: str, verdict: dict | None) -> None:
    record = CASES[case][0](tmp_path / "demo-001")
    page = read_page(write_report(record, verdict, record.folder))
    assert not page.faults, page.faults
    assert "No verdict" in page.text


def test_verdict_of_nulls(tmp_path: Path) -> None:
    record = _small(tmp_path / "demo-001")
    nulls = {"sentence": None, "best": None, "fastest": None, "ranking": None, "pairs": None, "groups": None, "target": None, "front": None}
    page = read_page(write_report(record, nulls | {"missing": None, "sanity": None, "noise_floor": None}, record.folder))
    assert not page.faults, page.faults


def test_nothing_to_show_is_no_fault(tmp_path: Path) -> None:
    record = _nothing(tmp_path / "demo-001")
    page = read_page(write_report(record, {}, record.folder))
    assert "no loss has a score yet" in page.text
    assert "no trial has a start time" in page.text
    assert not list((record.folder / "report" / "figures").iterdir())
