"""`sweeps predict`: what is written, what is said to have been used, and how mistakes end."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from data_utils import read_tiff, write_tiff
from sweeps import cli
from tests.sweeps.trained import save_network

SHAPE = (2, 40, 44)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a stack and a network."""
    write_tiff(tmp_path / "stack.tif", np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8))
    save_network(tmp_path / "best.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def predict(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> Any:
    def run_words(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["sweeps", "predict", *words])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), " ".join(out.split()), " ".join(err.replace("\u2502", " ").split())

    return run_words


GIVEN = ("best.safetensors", "stack.tif", "out.tif", "--device", "cpu")


def test_probabilities_by_default(predict: Any) -> None:
    code, out, err = predict(*GIVEN)
    assert code == 0, err
    assert out.startswith("wrote out.tif: 2 x 40 x 44 float32, 1 = not membrane, in ")
    assert "all 2 sections" in err and "threshold" not in err
    assert read_tiff(Path("out.tif")).dtype == np.float32


@pytest.mark.parametrize(
    ("words", "said", "cut", "smallest"),
    [
        (("--threshold", "tuned"), "from probability 0.4500 on (threshold of the network)", 0.45, None),
        (("--threshold", "0.6"), "from probability 0.6000 on (as given)", 0.6, None),
        (("--labels",), "from probability 0.5000 on (v_rand_threshold of the network) cells under 4 px", 0.5, 4),
        (
            ("--labels", "--threshold", "0.6", "--smallest-cell", "9"),
            "0.6000 on (as given) cells under 9 px become membrane (as given)",
            0.6,
            9,
        ),
    ],
)
def test_what_was_used_is_said_and_was_used(predict: Any, words: tuple[str, ...], said: str, cut: float, smallest: int | None) -> None:
    assert predict(*GIVEN)[0] == 0
    membrane = np.float32(1.0) - read_tiff(Path("out.tif"))
    code, out, err = predict(*GIVEN, *words)
    assert code == 0 and said in err, err
    found = read_tiff(Path("out.tif"))
    far = np.abs(membrane - cut) > 0.01  # bf16, where the hardware has it, rounds alike in both runs, but 1 - p rounds once more
    if smallest is None:
        np.testing.assert_array_equal(found[far] == 255, (membrane < cut)[far])
    else:
        assert np.bincount(found.ravel())[1:].min() >= smallest
        assert not found[far & (membrane >= cut)].any() and "cells, in" in out


def test_weights_without_a_tuned_clean_up_say_so(predict: Any, folder: Path) -> None:
    save_network(folder / "best.safetensors", drop=("v_rand_threshold", "smallest_cell_px"))
    code, _, err = predict(*GIVEN, "--labels")
    assert code == 0 and "(threshold of the network) cells under 0 px become membrane (no clean-up was tuned)" in err
    save_network(folder / "best.safetensors", drop=("v_rand_threshold", "threshold"))
    code, _, err = predict(*GIVEN, "--labels")
    assert code == 2 and "nothing was tuned for it; give one: --threshold 0.5" in err


def test_json_is_one_object_a_line(predict: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["sweeps", "predict", *GIVEN, "--labels", "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    out, err = capsys.readouterr()
    events = [json.loads(line) for line in out.splitlines()]
    assert err == "" and {event["event"] for event in events} == {"begun", "note", "section", "written"}
    assert [event["done"] for event in events if event["event"] == "section"] == [1, 2]
    written = events[-1]
    assert written["shape"] == list(SHAPE) and written["threshold"] == 0.5 and written["cells"] == read_tiff(Path("out.tif")).max()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("nowhere", "stack.tif", "out.tif"), 2, "nowhere does not exist"),
        (("best.safetensors", "nowhere.tif", "out.tif"), 3, "nowhere.tif: does not exist"),
        (("best.safetensors", "best.safetensors", "out.tif"), 3, "not a TIFF"),
        (("best.safetensors", "stack.tif", "stack.tif"), 2, "is the stack itself"),
        (("best.safetensors", "stack.tif", "best.safetensors"), 2, "what is written is a TIFF stack"),
        (("stack.tif", "stack.tif", "out.tif"), 2, "is no checkpoint"),
        ((*GIVEN, "--tile", "10"), 2, "at least 28 px"),
        ((*GIVEN, "--threshold", "luck"), 2, "from 0 to 1, or tuned; got 'luck'"),
        ((*GIVEN, "--threshold", "1.1"), 2, "from 0 to 1, or tuned; got '1.1'"),
        ((*GIVEN, "--smallest-cell", "5"), 2, "belongs to --labels"),
        ((*GIVEN, "--ensemble", "2"), 2, "an ensemble takes a results folder"),
        ((".", "stack.tif", "out.tif", "--ensemble", "2"), 4, "holds no sweep"),
        (("best.safetensors", "stack.tif", "out.tif", "--device", "abacus"), 2, "--device abacus"),
    ],
)
def test_mistakes_end_with_their_code_and_write_nothing(predict: Any, words: tuple[str, ...], code: int, said: str) -> None:
    before = {path.name: path.read_bytes() for path in Path.cwd().iterdir()}
    found, out, err = predict(*words)
    assert found == code and said in err, err
    assert "Traceback" not in out + err
    assert {path.name: path.read_bytes() for path in Path.cwd().iterdir()} == before


def test_too_little_memory_is_told_with_what_helps(predict: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: Any, **options: Any) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 68719476736 bytes")

    monkeypatch.setattr("sweeps.predicting.predict_membrane", fail)
    code, _, err = predict(*GIVEN)
    assert code == 4 and "Smaller tiles take less: --tile 512" in err and not Path("out.tif").exists()


def test_the_verb_has_help_with_an_example(predict: Any) -> None:
    code, out, _ = predict("--help")
    assert code == 0 and "Example: sweeps predict" in out


def test_a_terminated_prediction_leaves_nothing(predict: Any) -> None:
    """TERM is what a scheduler or `timeout` sends; the older output stays as it was."""
    Path("out.tif").write_bytes(b"older")
    before = {path.name for path in Path.cwd().iterdir()}
    code = (
        "import os, signal, sweeps.predicting as p\n"
        "p.predict_membrane = lambda *words, **options: os.kill(os.getpid(), signal.SIGTERM)\n"
        "from sweeps.cli import main\nmain()\n"
    )
    done = subprocess.run([sys.executable, "-c", code, "predict", *GIVEN], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 130 and "interrupted. Nothing was written." in done.stderr, done.stderr
    assert Path("out.tif").read_bytes() == b"older" and {path.name for path in Path.cwd().iterdir()} == before
