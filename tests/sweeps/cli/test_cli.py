"""The command line: every mistake that a user can mend is one message and its exit code, and nothing is started."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from sweeps import cli
from sweeps.record import TrialRecord
from sweeps.rerun import compare

FIVE_MISTAKES = """\
name: five
data: {source: synthetic, folds: five}
train:
  epochs: 0
  lr: {low: 1e-2, high: 1e-4, log: true}
losses:
  tverski: {}
  focal: {gama: 2.0}
"""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run_words(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run_words


@pytest.fixture(autouse=True)
def no_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*words: Any, **options: Any) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr("ray.init", refuse)


def test_a_recipe_with_five_mistakes_lists_all_five_with_line_choices_and_nearest_name(run: Any, tmp_path: Path) -> None:
    (tmp_path / "five.yaml").write_text(FIVE_MISTAKES)
    code, out, err = run("launch", str(tmp_path / "five.yaml"), "--results", str(tmp_path / "results"))
    assert code == 2 and out == ""
    for line, key, words in (
        (2, "data.folds", "five"),
        (4, "train.epochs", "1"),
        (5, "train.lr", "low"),
        (7, "losses.tverski", "tversky"),
        (8, "losses.focal.gama", "gamma"),
    ):
        (problem,) = [text for text in err.splitlines() if f"five.yaml:{line}:" in text]
        assert key in problem and words in problem
    assert not (tmp_path / "results").exists()


def write(folder: Path, raw: np.ndarray, labels: np.ndarray) -> Path:
    folder.mkdir()
    tifffile.imwrite(folder / "train-volume.tif", raw)
    tifffile.imwrite(folder / "train-labels.tif", labels)
    return folder


def sections(number: int = 10, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    chance = np.random.default_rng(0)
    return chance.integers(0, 255, (number, size, size), dtype=np.uint8), (chance.random((number, size, size)) > 0.2).astype(np.uint8)


def launch_on(run: Any, folder: Path) -> tuple[int, str, str]:
    words = ("--set", "data.crop_px=32", "--set", "model.depth=3")
    return run("launch", "demo", "--data", str(folder), "--results", str(folder / "results"), *words)


def test_labels_with_other_values_are_refused_with_file_section_and_values(run: Any, tmp_path: Path) -> None:
    raw, labels = sections()
    labels[3, 5, 5:8] = (7, 9, 9)
    code, _, err = launch_on(run, write(tmp_path / "data", raw, labels))
    assert code == 3 and "train-labels.tif" in err and "section 3" in err
    assert "7" in err and "9" in err
    assert not (tmp_path / "data" / "results").exists()


def test_stacks_of_different_shapes_are_refused_with_both(run: Any, tmp_path: Path) -> None:
    raw, labels = sections()
    code, _, err = launch_on(run, write(tmp_path / "data", raw, labels[:-1]))
    assert code == 3 and "10" in err and "9" in err


def test_a_truncated_stack_is_refused_and_named(run: Any, tmp_path: Path) -> None:
    raw, labels = sections()
    path = write(tmp_path / "data", raw, labels) / "train-volume.tif"
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    code, _, err = launch_on(run, path.parent)
    assert code == 3 and "train-volume.tif" in err


def test_what_the_tiff_library_logs_is_said_once_in_our_own_words(tmp_path: Path) -> None:
    """In a process of its own: under pytest the log goes elsewhere than to a user's terminal."""
    raw, labels = sections()
    path = write(tmp_path / "data", raw, labels) / "train-volume.tif"
    path.write_bytes(path.read_bytes()[:5000])
    words = [sys.executable, "-m", "sweeps.cli", "data", "check", str(path.parent)]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 3 and done.stderr.startswith(str(path)), done.stderr
    assert "TiffPages" not in done.stderr


def test_nan_pixels_are_refused_with_their_section(run: Any, tmp_path: Path) -> None:
    raw, labels = sections()
    bad = raw.astype(np.float32)
    bad[4, 0, 0] = np.nan
    code, _, err = launch_on(run, write(tmp_path / "data", bad, labels))
    assert code == 3 and "train-volume.tif" in err and "4" in err and "NaN" in err


def test_crops_larger_than_the_sections_are_refused_with_the_largest(run: Any, tmp_path: Path) -> None:
    folder = write(tmp_path / "data", *sections())
    code, _, err = run("launch", "demo", "--data", str(folder), "--results", str(tmp_path / "r"), "--set", "data.crop_px=128")
    assert code == 3 and "the sections are 64 x 64 px" in err and "--set data.crop_px=64" in err


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("status", "nowhere"), 4, "nowhere: no such folder"),
        (("rerun", "nowhere"), 4, "nowhere: no such folder"),
        (("resume", "nowhere"), 4, "nowhere: no such folder"),
        (("launch", "demoo"), 2, "did you mean 'demo'"),
        (("launch", "demo", "--data", "no-such-folder"), 2, "no-such-folder"),
        (("report", "nowhere"), 4, "nowhere: no such folder"),
        (("best", ".", "--by", "luck"), 2, "score or time"),
        (("best", "."), 4, "holds no sweep"),
        (("luanch", "demo"), 2, "launch"),
    ],
)
def test_usage_mistakes_end_with_their_code_and_without_a_traceback(run: Any, words: tuple[str, ...], code: int, said: str) -> None:
    found, out, err = run(*words)
    assert found == code, err
    assert said in " ".join(err.split()) and "Traceback" not in out + err


@pytest.mark.parametrize("verb", ["launch", "resume", "status", "report", "best", "rerun", "predict", "losses", "recipes", "doctor"])
def test_every_verb_has_help_with_an_example(run: Any, verb: str) -> None:
    code, out, _ = run(verb, "--help")
    assert code == 0 and f"sweeps {verb}" in out.replace("Usage:", "")


def recorded(*scores: float) -> TrialRecord:
    rows = tuple(
        {"epoch": epoch, "step": 4 * epoch, "train_loss": 0.5, "membrane_dice": score, "threshold": 0.5, "membrane_dice_at_half": score}
        for epoch, score in enumerate(scores, 1)
    )
    return TrialRecord(
        trial_id="bce-0001", stage="search", loss="bce", function="bce", suggestion={}, seed=0, fold=None, state="complete", curve=rows,
        folder=Path("nowhere"),
    )  # fmt: skip


def test_a_rerun_that_differs_in_the_last_bit_says_where() -> None:
    record = recorded(0.5, 0.7)
    again = [dict(row) for row in record.curve]
    assert compare(record, again).identical
    again[1]["membrane_dice"] = np.nextafter(0.7, 1.0).item()
    found = compare(record, again)
    assert not found.identical and found.first_difference == "epoch 2: membrane_dice was 0.7, is 0.7000000000000001"
    short = compare(record, again[:1])
    assert not short.identical and short.first_difference == "2 epochs were recorded, 1 were run"
