"""The verbs recipes, data and doctor, as a user and as a program meet them."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from data_utils.errors import DataError
from data_utils.stack import write_stack
from data_utils.synthetic import make_synthetic
from data_utils.tiff import read_tiff, write_tiff
from sweeps.cli import catalogue as cli_catalogue
from sweeps.doctor import Finding
from sweeps.recipe.schema import Recipe, read_recipe, shipped_recipes


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    cli_catalogue.add_to(app)
    return app


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "100")


def run(app: typer.Typer, *arguments: str, code: int = 0) -> str:
    result = CliRunner().invoke(app, list(arguments))
    if isinstance(result.exception, DataError):
        raise result.exception
    assert result.exit_code == code, result.output
    return result.output


@pytest.fixture
def stacks(tmp_path: Path) -> Path:
    stack = make_synthetic(sections=3, size_px=64, seed=1)
    write_tiff(tmp_path / "train-volume.tif", stack.raw_ZHW)
    write_tiff(tmp_path / "train-labels.tif", np.where(stack.membrane_ZHW, 0, 255).astype(np.uint8))
    return tmp_path


@pytest.mark.parametrize("verb", ["recipes", "doctor", "data list", "data get", "data check"])
def test_every_verb_has_help_and_an_example(app: typer.Typer, verb: str) -> None:
    assert f"Example: sweeps {verb}" in run(app, *verb.split(), "--help")


def test_mistyped_names(app: typer.Typer) -> None:
    assert "did you mean 'thesis'?" in run(app, "recipes", "thesiss", code=2)
    assert "did you mean 'isbi2012'?" in run(app, "data", "get", "isbi2021", code=2)
    assert "allowed: auto, zero, nonzero" in run(app, "data", "check", "synthetic", "--membrane", "one", code=2)


def test_recipes_are_listed_and_printed(app: typer.Typer, tmp_path: Path) -> None:
    text = run(app, "recipes")
    assert all(name in text for name in shipped_recipes())
    rows = [json.loads(line) for line in run(app, "recipes", "--json").splitlines()]
    assert all(row["answers"] and row["cost"] for row in rows)
    copy = tmp_path / "mine.yaml"
    copy.write_text(run(app, "recipes", "demo"))
    assert read_recipe(copy) == read_recipe("demo")
    assert Recipe.from_resolved(json.loads(run(app, "recipes", "thesis", "--json"))) == read_recipe("thesis")


def test_data_list(app: typer.Typer) -> None:
    assert "synthetic" in run(app, "data", "list")
    assert [json.loads(line)["name"] for line in run(app, "data", "list", "--json").splitlines()] == ["synthetic", "isbi2012"]


def test_data_check_says_what_was_taken_as_membrane(app: typer.Typer, stacks: Path) -> None:
    text = run(app, "data", "check", str(stacks))
    assert "sections: 3" in text
    assert "membrane: 0 is membrane (" in text
    row = json.loads(run(app, "data", "check", str(stacks), "--membrane", "nonzero", "--json"))
    assert row["membrane"].startswith("255 is membrane")
    assert row["notes"]
    images, labels = stacks / "train-volume.tif", stacks / "train-labels.tif"
    assert "sections: 3" in run(app, "data", "check", "--images", str(images), "--labels", str(labels))


def test_data_check_reads_folders_of_sections(app: typer.Typer, stacks: Path) -> None:
    before = json.loads(run(app, "data", "check", str(stacks), "--json"))
    for file, name in (("train-volume.tif", "images"), ("train-labels.tif", "labels")):
        sections_ZHW = read_tiff(stacks / file)
        (stacks / name).mkdir()
        for section in range(len(sections_ZHW)):
            write_tiff(stacks / name / f"{section}.tif", sections_ZHW[section : section + 1], voxel_size_nm=(40.0, 5.0, 6.0))
        (stacks / file).unlink()
    assert "voxel size nm: 40 x 5 x 6" in run(app, "data", "check", str(stacks))
    files = ("--images", str(stacks / "images"), "--labels", str(stacks / "labels"))
    assert json.loads(run(app, "data", "check", *files, "--json"))["sha256"] == before["sha256"]
    (stacks / "labels" / "1.tif").unlink()
    with pytest.raises(DataError, match=r"images is 3 x 64 x 64 .*, but .*labels is 2 x 64 x 64"):
        run(app, "data", "check", str(stacks))


def test_data_check_takes_partial_labels(app: typer.Typer, stacks: Path) -> None:
    stack = make_synthetic(sections=3, size_px=64, seed=1)
    write_stack(stacks, dataclasses.replace(stack, counted_ZHW=np.random.default_rng(0).random(stack.raw_ZHW.shape) < 0.75))
    with pytest.raises(DataError, match="or say `ignore: 127`, if that is the value of pixels whose label is unknown"):
        run(app, "data", "check", str(stacks))
    text = run(app, "data", "check", str(stacks), "--ignore", "127")
    assert "% of labelled pixels), 255 is cell, 127 is unknown (2" in text
    files = ("--images", str(stacks / "train-volume.tif"), "--labels", str(stacks / "train-labels.tif"))
    assert run(app, "data", "check", *files, "--ignore", "127").split("\n")[1:] == text.split("\n")[1:]
    with pytest.raises(DataError, match="0 is one of the two classes"):
        run(app, "data", "check", str(stacks), "--ignore", "0")
    assert "--ignore must be a whole number in [0, 255]" in run(app, "data", "check", str(stacks), "--ignore", "256", code=2)


def test_data_check_refuses(app: typer.Typer, stacks: Path) -> None:
    assert "give a name or a folder" in run(app, "data", "check", code=2)
    assert "give a name or a folder" in run(app, "data", "check", "--images", "x.tif", code=2)
    (stacks / "train-labels.tif").write_bytes(b"II*\0")
    with pytest.raises(DataError, match=r"train-labels\.tif"):
        run(app, "data", "check", str(stacks))


def test_data_get_of_what_is_generated(app: typer.Typer) -> None:
    assert "there is nothing to get" in run(app, "data", "get", "synthetic", code=2)


def test_data_get_without_a_network(app: typer.Typer, tmp_path: Path) -> None:
    text = run(app, "data", "get", "isbi2012", "--folder", str(tmp_path), "--url", "http://127.0.0.1:9/none.zip", code=4)
    assert "cannot be downloaded" in text


def test_doctor(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    findings = [
        Finding(topic="versions", name="torch", value="2.13"),
        Finding(topic="disk", name="results", value="1 GiB [free]", level="warning", advice="make room"),
    ]
    monkeypatch.setattr("sweeps.doctor.examine", lambda results: findings)
    text = run(app, "doctor")
    assert "1 GiB [free]" in text
    assert "make room" in text
    assert "0 errors, 1 warnings" in text
    assert [json.loads(line)["name"] for line in run(app, "doctor", "--json").splitlines()] == ["torch", "results"]
    findings.append(Finding(topic="ray", name="ray", value="missing", level="error", advice="install it"))
    run(app, "doctor", code=4)
