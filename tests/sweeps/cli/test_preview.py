"""`sweeps data preview`, as a user and as a program meet it."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from data_utils.errors import DataError
from data_utils.synthetic import make_synthetic
from data_utils.tiff import write_tiff
from sweeps.cli import app


@pytest.fixture(autouse=True)
def _here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    stack = make_synthetic(sections=6, size_px=64, seed=1)
    labels = np.where(stack.membrane_ZHW, 0, 255).astype(np.uint8)
    labels[2, :10] = 127
    (tmp_path / "stacks").mkdir()
    write_tiff(tmp_path / "stacks" / "train-volume.tif", stack.raw_ZHW)
    write_tiff(tmp_path / "stacks" / "train-labels.tif", labels)
    return tmp_path / "stacks"


def run(*arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, ["data", "preview", *arguments])
    if isinstance(result.exception, DataError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


def test_it_has_help_and_an_example() -> None:
    assert "Example: sweeps data preview" in run("--help")


def test_a_data_set_by_name_lies_here_under_its_name(tmp_path: Path) -> None:
    text = run("synthetic:sections=5,size_px=64")
    (made,) = tmp_path.glob("*.png")
    assert made.name in text and "5 of 5 sections" in text
    assert made.read_bytes().startswith(b"\x89PNG") and made.name.startswith("synthetic") and made.name.endswith("-preview.png")


def test_sections_of_a_folder_with_partial_labels(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "some.png"
    row = json.loads(run(str(folder), "--ignore", "127", "--sections", "4,0-2,1", "--out", str(out), "--json"))
    assert row["shown"] == [4, 0, 1, 2] and row["file"] == str(out) and row["sections"] == 6
    assert "127 is unknown" in row["membrane"]
    assert out.exists()


def test_sections_alone_need_no_labels(folder: Path, tmp_path: Path) -> None:
    row = json.loads(run("--images", str(folder / "train-volume.tif"), "--json"))
    assert row["membrane"] == "no labels" and Path(row["file"]).exists()


@pytest.mark.parametrize("text", ["a", "3-1", "", "1,,2", "-1", "1.5", "0-99999"])
def test_sections_that_cannot_be_read_are_refused(text: str) -> None:
    assert "such as 0,5,9-12" in " ".join(run("synthetic", f"--sections={text}", code=2).replace("\u2502", " ").split())


def test_a_section_that_is_not_there(folder: Path) -> None:
    with pytest.raises(DataError, match="there is no section 6; it has the sections 0 to 5"):
        run(str(folder), "--ignore", "127", "--sections", "5,6")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((), "give a data set's name or folder"),
        (("synthetic", "--images", "x.tif"), "give a data set's name or folder"),
        (("synthetic", "--membrane", "one"), "zero, nonzero, auto"),
        (("synthetic", "--out", "x.jpg"), "ends in .png"),
        (("synthetic", "--ignore", "256"), "255"),
    ],
)
def test_usage(arguments: tuple[str, ...], words: str) -> None:
    assert words in " ".join(run(*arguments, code=2).replace("\u2502", " ").split())


def test_a_place_that_cannot_be_written_is_told() -> None:
    text = run("synthetic:sections=5,size_px=64", "--out", "no/such/place.png", code=4)
    assert "cannot be written" in text
