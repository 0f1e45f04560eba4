"""Scores that are computed after the trial: the same numbers, whoever computes them and whenever, and no trial waits for them."""

import contextlib
import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeps import late_scores
from sweeps.late_scores import PREDICTION, LateScorer, settle, settle_all
from sweeps.record import is_pending, load_results
from sweeps.trial import Trial
from tests.sweeps.small import plan_for, small_stack
from tests.sweeps.tracking.wandb_runs import inspect
from unet.checkpoint import load_model

SUGGESTION = {"train.lr": 2e-3}


def ended(folder: Path, *, late: bool) -> dict[str, Any]:
    trial = Trial(plan_for(folder, "bce", SUGGESTION), small_stack(), device="cpu", late_scores=late)
    return list(trial.rows())[-1]


@pytest.fixture(scope="module")
def at_once(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("at-once")
    return folder, ended(folder, late=False)


def written(folder: Path) -> dict[str, Any]:
    return json.loads((folder / "result.json").read_text())


def assert_settled_like(folder: Path, expected_folder: Path) -> None:
    result, expected = written(folder), written(expected_folder)
    for key in ("scores", "calibration", "per_section", "own_loss", "sections", "best_epoch"):
        assert result[key] == expected[key], key
    assert not is_pending(result) and not (folder / PREDICTION).exists()
    one, other = (load_model(path / "best.safetensors")[1] for path in (folder, expected_folder))
    assert one == other, "the weights say the same of themselves"
    assert result["weights"] == expected["weights"]
    with np.load(folder / "sections.npz") as left, np.load(expected_folder / "sections.npz") as right:
        assert set(left) == set(right)
        for name in left:
            np.testing.assert_array_equal(left[name], right[name])


def test_late_scores_are_those_of_a_trial_that_waits_for_them(tmp_path: Path, at_once: tuple[Path, dict[str, Any]]) -> None:
    result = ended(tmp_path, late=True)
    assert result["state"] == "complete" and is_pending(result) and is_pending(written(tmp_path))
    assert set(result["scores"]) == {"membrane_dice", "membrane_dice_at_half", "threshold"}
    assert result["scores"]["membrane_dice"] == at_once[1]["scores"]["membrane_dice"], "what the search is told does not wait"
    assert (tmp_path / PREDICTION).exists() and not (tmp_path / "sections.npz").exists()
    assert settle(tmp_path)
    assert_settled_like(tmp_path, at_once[0])
    assert written(tmp_path)["seconds"]["score_beside"] > 0
    before = (tmp_path / "result.json").read_bytes()
    assert not settle(tmp_path) and (tmp_path / "result.json").read_bytes() == before


@pytest.mark.parametrize("cut", ["before the result", "after the result"])
def test_settling_that_was_cut_is_done_again(cut: str, tmp_path: Path, at_once: tuple[Path, dict[str, Any]]) -> None:
    ended(tmp_path, late=True)
    kept, result = (tmp_path / PREDICTION).read_bytes(), (tmp_path / "result.json").read_bytes()
    settle(tmp_path)
    (tmp_path / PREDICTION).write_bytes(kept)
    if cut == "before the result":  # pictures and weights are new, the result is not
        (tmp_path / "result.json").write_bytes(result)
    settle(tmp_path)
    assert_settled_like(tmp_path, at_once[0])


@pytest.mark.parametrize("loss", ["torn", "gone"])
def test_a_lost_prediction_leaves_what_there_is_and_says_so(loss: str, tmp_path: Path) -> None:
    dice = ended(tmp_path, late=True)["scores"]["membrane_dice"]
    if loss == "torn":
        (tmp_path / PREDICTION).write_bytes((tmp_path / PREDICTION).read_bytes()[:1000])
    else:
        (tmp_path / PREDICTION).unlink()
    assert settle(tmp_path)
    result = written(tmp_path)
    assert not is_pending(result) and PREDICTION in result["scores_missing"]
    assert result["state"] == "complete" and result["scores"]["membrane_dice"] == dice
    assert not settle(tmp_path)


def test_a_prediction_whose_trial_has_no_result_yet_is_left_alone(tmp_path: Path, at_once: tuple[Path, dict[str, Any]]) -> None:
    ended(tmp_path, late=True)
    result = (tmp_path / "result.json").read_bytes()
    (tmp_path / "result.json").unlink()  # the moment between the two writes of a trial that ends
    assert not settle(tmp_path) and (tmp_path / PREDICTION).exists()
    (tmp_path / "result.json").write_bytes(result)
    assert settle(tmp_path)
    assert_settled_like(tmp_path, at_once[0])


def test_two_that_settle_one_trial_take_turns(
    tmp_path: Path, at_once: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    ended(tmp_path, late=True)
    both_in, real = threading.Barrier(2, timeout=5.0), late_scores.score
    calls = []

    def slow(prediction: Any) -> Any:
        calls.append(prediction)
        with contextlib.suppress(threading.BrokenBarrierError):
            both_in.wait(0.5)  # a second one that got in as well would meet the first here
        return real(prediction)

    monkeypatch.setattr(late_scores, "score", slow)
    done: list[bool] = []
    threads = [threading.Thread(target=lambda: done.append(settle(tmp_path))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == [False, True] and len(calls) == 1
    assert_settled_like(tmp_path, at_once[0])


PASSING = {
    "files": OSError(errno.EMFILE, "too many open files"),
    "file": FileNotFoundError(errno.ENOENT, "no such file"),  # of something else: the prediction is there
    "memory": MemoryError(),
}


@pytest.mark.parametrize("error", PASSING.values(), ids=PASSING)
def test_a_passing_fault_leaves_the_trial_waiting_and_the_others_settled(
    error: Exception, tmp_path: Path, at_once: tuple[Path, dict[str, Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = [tmp_path / "trials" / f"bce-000{number}" for number in (1, 2)]
    for folder in folders:
        ended(folder, late=True)
    real, faults = late_scores.score, [error]

    def flaky(prediction: Any) -> Any:
        if faults:
            raise faults.pop()
        return real(prediction)

    monkeypatch.setattr(late_scores, "score", flaky)
    assert settle_all(tmp_path) == 1
    assert is_pending(written(folders[0])) and (folders[0] / PREDICTION).exists()
    assert_settled_like(folders[1], at_once[0])
    assert settle_all(tmp_path) == 1
    assert_settled_like(folders[0], at_once[0])


def test_closing_early_says_that_something_is_left_and_loses_nothing(tmp_path: Path, at_once: tuple[Path, dict[str, Any]]) -> None:
    for name in ("one", "two"):
        ended(tmp_path / name, late=True)
    scorer = LateScorer()
    for name in ("one", "two"):
        scorer.submit(tmp_path / name, lambda: None)
    assert not scorer.close(timeout=0.0), "its process has not even started"
    scorer._thread.join(20.0)
    assert not scorer._thread.is_alive()
    for name in ("one", "two"):
        settle(tmp_path / name)
        assert_settled_like(tmp_path / name, at_once[0])


def test_a_sweep_settles_whatever_is_left(tmp_path: Path, at_once: tuple[Path, dict[str, Any]]) -> None:
    folders = [tmp_path / "trials" / "bce-0001", tmp_path / "finalists" / "bce-f0-s1"]
    for folder in folders:
        folder.mkdir(parents=True)
        ended(folder, late=True)
    assert settle_all(tmp_path) == 2 and settle_all(tmp_path) == 0
    for folder in folders:
        assert_settled_like(folder, at_once[0])


def test_a_process_beside_the_worker_settles_and_ends_with_it(tmp_path: Path, at_once: tuple[Path, dict[str, Any]]) -> None:
    ended(tmp_path / "good", late=True)
    ended(tmp_path / "bad", late=True)
    (tmp_path / "bad" / "result.json").write_text('{"scores_pending": true}')  # no result of ours: a fault, not a missing file
    told: list[str] = []
    scorer = LateScorer()
    for name in ("bad", "good"):
        scorer.submit(tmp_path / name, lambda name=name: told.append(name))
    assert scorer.close(timeout=60.0)
    assert told == ["bad", "good"], "one that cannot be scored does not keep the next from it"
    assert_settled_like(tmp_path / "good", at_once[0])
    assert scorer._process is not None and scorer._process.poll() is not None
    assert not [thread for thread in threading.enumerate() if thread.name == "late-scores"]


@pytest.mark.slow
def test_a_sweep_with_late_scores_has_all_of_them_at_its_end(tmp_path: Path) -> None:
    (tmp_path / "late.yaml").write_text(
        """
name: late
data: {source: "synthetic:sections=10,size_px=64,seed=0", crop_px: 32}
model: {width: 4, depth: 3}
train: {epochs: 2}
losses: {bce: {}}
search: {trials_per_loss: 2, sampler: random, early_stop: null}
finalists: {seeds: 2, folds: 1}
wandb: {mode: offline}
"""
    )
    environment = os.environ | {"OMP_NUM_THREADS": "1", "SWEEPS_LATE_SCORES": "1"}
    words = [sys.executable, "-m", "sweeps.cli", "launch", str(tmp_path / "late.yaml"), "--results", str(tmp_path)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False, timeout=200)
    assert done.returncode == 0, done.stdout + done.stderr
    record = load_results(tmp_path / "late-001")
    for trial in record.trials:
        assert trial.result is not None and not is_pending(trial.result)
        assert trial.result["scores"]["v_rand"] > 0 and trial.result["seconds"]["score_beside"] > 0
        assert f"{trial.result['scores']['v_rand']!r}"[:8] in inspect(trial.folder), "W&B waited for them"
    verdict = json.loads((tmp_path / "late-001" / "verdict.json").read_text())
    assert verdict["best"]["scores"]["v_rand"]["mean"] > 0
    tuned = verdict["best"]["tuned"][verdict["best"]["trial"]]
    assert 0 < tuned["v_rand_threshold"] < 1 and tuned["smallest_cell_px"] >= 0
