"""Sweeps that started nothing, or whose ledger is gone: each verb says what would help, and none calls a full folder empty."""

import sys
from pathlib import Path
from typing import Any

import pytest

from sweeps import cli
from sweeps.ledger import Ledger
from sweeps.reconcile import reconcile
from sweeps.record import load_results
from tests.sweeps.given import bare_sweep, lost_ledger


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run_words(*words: str) -> tuple[int, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), " ".join(capsys.readouterr().err.split())

    return run_words


@pytest.mark.parametrize("words", [("best",), ("best", "--by", "time"), ("rerun",), ("rerun", "--trial", "bce-0001")])
def test_without_a_trial_resume_is_what_helps(words: tuple[str, ...], run: Any, tmp_path: Path) -> None:
    folder = bare_sweep(tmp_path / "a-001")
    code, said = run(words[0], str(folder), *words[1:])
    assert code == 2 and f"no trial was started. `sweeps resume {folder}` runs them" in said and "sweeps report" not in said


@pytest.mark.parametrize(("state", "advice"), [("failed", " --retry-failed"), ("waiting", "")])
def test_without_a_score_resume_is_what_helps(state: str, advice: str, run: Any, tmp_path: Path) -> None:
    folder = lost_ledger(tmp_path / "a-001")
    (folder / "trials" / "bce-0001" / "result.json").unlink()
    ledger = Ledger(folder / "ledger")
    reconcile(folder, ledger)
    ledger.append(state, "bce-0001", reason="nan", error="loss is nan")
    ledger.close()
    code, said = run("best", str(folder))
    assert code == 2 and f"none of its trials has a score (1 {state}). `sweeps resume {folder}{advice}` goes on" in said


def test_with_scores_a_report_makes_the_verdict(run: Any, tmp_path: Path) -> None:
    folder = lost_ledger(tmp_path / "a-001")
    ledger = Ledger(folder / "ledger")
    reconcile(folder, ledger)
    ledger.close()
    code, said = run("best", str(folder))
    assert code == 2 and f"`sweeps report {folder}` makes the verdict anew" in said


@pytest.mark.parametrize("verb", [("report",), ("status",), ("best",), ("rerun",), ("bench", "overhead")])
@pytest.mark.parametrize("empty", [False, True])
def test_a_lost_ledger_is_said_by_every_verb_and_nothing_is_written(verb: tuple[str, ...], empty: bool, run: Any, tmp_path: Path) -> None:
    folder = lost_ledger(tmp_path / "a-001")
    if empty:
        (folder / "ledger").mkdir()
        (folder / "ledger" / "events.jsonl").touch()
    before = sorted(folder.rglob("*"))
    code, said = run(*verb, str(folder))
    assert code == 4 and f"events.jsonl is {'empty' if empty else 'missing'}, though 1 trial has its folder" in said
    assert f"`sweeps resume {folder}`" in said and sorted(folder.rglob("*")) == before


def test_resume_finds_the_trials_of_a_lost_ledger_as_they_ended(tmp_path: Path) -> None:
    folder = lost_ledger(tmp_path / "a-001")
    ledger = Ledger(folder / "ledger")
    reconcile(folder, ledger)
    ledger.close()
    (trial,) = load_results(folder).trials
    assert (trial.trial_id, trial.state, trial.score) == ("bce-0001", "complete", 0.8)


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_overhead_of_too_few_trials_is_no_success(options: tuple[str, ...], run: Any, tmp_path: Path) -> None:
    folder = bare_sweep(tmp_path / "a-001")
    code, said = run("bench", "overhead", str(folder), *options)
    assert code == 2 and "0 complete trials that followed another on the same worker, and at least 2 are needed" in said


@pytest.mark.parametrize(
    ("name", "nearest"), [("fastst", "fastest"), ("Best", "best"), ("bce-001", "bce-0001"), ("focl-0001", None), ("zzz", None)]
)
def test_a_mistyped_trial_has_the_nearest_name_beside_it(name: str, nearest: str | None, run: Any, tmp_path: Path) -> None:
    folder = lost_ledger(tmp_path / "a-001")
    ledger = Ledger(folder / "ledger")
    reconcile(folder, ledger)
    ledger.close()
    code, said = run("rerun", str(folder), "--trial", name)
    assert code == 2 and f"no trial '{name}' in {folder}; allowed: best, fastest, bce-0001" in said
    assert said.endswith(f"did you mean '{nearest}'?") if nearest else "did you mean" not in said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("rerun", ".", "--seeds", "0"), "'--seeds': must be a whole number >= 1; got '0'"),
        (("rerun", ".", "--seeds", "two"), "'--seeds': must be a whole number >= 1; got 'two'"),
        (("bench", "search", ".", "--trials", "1"), "'--trials': must be a whole number >= 2; got '1'"),
        (("bench", "search", ".", "--noise", "nan"), "'--noise': must be a number >= 0; got 'nan'"),
        (("bench", "verdict", ".", "--sweeps", "19"), "'--sweeps': must be a whole number >= 20; got '19'"),
        (("predict", ".", "a.tif", "b.tif", "--ensemble", "0"), "'--ensemble': must be a whole number >= 1; got '0'"),
        (("data", "preview", "synthetic", "--ignore", "256"), "must be a whole number in [0, 255]; got '256'"),
    ],
)
def test_a_number_out_of_range_is_told_with_the_value_met(words: tuple[str, ...], said: str, run: Any) -> None:
    code, told = run(*words)
    assert code == 2 and said in " ".join(told.replace("\u2502", " ").split()), told


def test_a_folder_that_is_not_there_is_told_from_one_that_is_no_sweep(run: Any, tmp_path: Path) -> None:
    (tmp_path / "demo-001").mkdir()
    (tmp_path / "file").touch()
    assert run("status", str(tmp_path / "demo-01")) == (4, f"{tmp_path / 'demo-01'}: no such folder; did you mean {tmp_path / 'demo-001'}?")
    assert run("status", str(tmp_path / "file")) == (4, f"{tmp_path / 'file'}: a file, no results folder")
    assert "holds no sweep" in run("status", str(tmp_path / "demo-001"))[1]
