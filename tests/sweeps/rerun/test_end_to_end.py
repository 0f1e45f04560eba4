"""Two small sweeps on two data sets, really trained: run again here and on a cluster, each winner on the other's data, side by side."""

import csv
import dataclasses
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps import provenance
from sweeps.cli import app
from sweeps.recipe.schema import Recipe, read_recipe
from sweeps.record import load_results
from sweeps.rerun import find_trial, running
from tests.sweeps.report.reading import read_page
from tests.sweeps.small import small_recipe
from tests.sweeps.swept import FIXED, sweep_of

DATA = {"a-001": "synthetic:sections=10,size_px=64,seed=0", "b-001": "synthetic:sections=15,size_px=48,seed=7"}


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("results")
    for name, source in DATA.items():
        sweep_of(folder / name, small_recipe(data={"source": source}, speed={"target": 0.1}, **FIXED))
    return folder


def run(*words: object) -> tuple[int, str]:
    from typer.testing import CliRunner

    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_the_same_trial_is_the_same_bit_for_bit_scores_included(results: Path) -> None:
    code, said = run("rerun", results / "a-001")
    assert code == 0 and ": same: all 2 epochs and " in said and "came out again, bit for bit" in said, said


def test_another_version_is_named_even_where_it_changes_nothing(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(running, "versions", lambda: provenance.versions() | {"scipy": "0.0.1"})
    code, said = run("rerun", results / "a-001")
    assert code == 0 and ": same: " in said and f"scipy is 0.0.1, recorded {provenance.versions()['scipy']}" in said


def test_numbers_that_another_version_changes_are_not_the_same_and_it_is_named(results: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another batch size stands for what another version might do."""
    from sweeps import trial

    start = trial.start_run
    monkeypatch.setattr(trial, "start_run", lambda **words: start(**words | {"crops": dataclasses.replace(words["crops"], batch_size=1)}))
    monkeypatch.setattr(running, "versions", lambda: provenance.versions() | {"scipy": "0.0.1"})
    code, said = run("rerun", results / "a-001")
    assert code == 0 and "not bit for bit the same (epoch 1: step was 2, is 5)" in said and ": same: " not in said, said
    assert f"this differs from the record: scipy is 0.0.1, recorded {provenance.versions()['scipy']}" in said
    assert "seeds alone: " in said and "within noise: every judged score (membrane_dice, " in said, "the rule, with its numbers"


def test_winners_change_places_and_the_matrix_says_what_they_score(results: Path) -> None:
    code, said = run("report", results / "a-001", results / "b-001")
    commands = [line.removeprefix("fill     ").split() for line in said.splitlines() if line.startswith("fill ")]
    assert code == 0 and len(commands) == 2
    for words in commands:
        code, told = run(*words[1:-2], "--seeds", "2")
        assert code == 0 and "without a network, best intensity threshold" in told, told
    code, said = run("report", results / "a-001", results / "b-001", "--json")
    answer = json.loads(said)
    assert [each["found"]["n"] for each in answer["transfers"]] == [2, 2] and not any(each["note"] for each in answer["transfers"])
    assert all(each["gain"] is not None and each["limit"] > 0 for each in answer["transfers"])
    page = Path(answer["report"])
    assert not read_page(page).faults
    with (page.with_name(f"{page.stem}-tables") / "transfer.csv").open(newline="") as file:
        cells = list(csv.DictReader(file))
    assert [cell["own"] for cell in cells] == ["true", "false", "false", "true"] and all(cell["mean"] for cell in cells)


@pytest.mark.slow
def test_on_a_cluster_the_same_comes_out_and_lies_in_the_folder(results: Path) -> None:
    words = [sys.executable, "-m", "sweeps.cli", "rerun", results / "a-001", "--address", "local", "--json"]
    done = subprocess.run(words, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert answer["verdict"] == "same" and answer["elsewhere"] is False
    assert {"rerun.json", "metrics.jsonl", "result.json", "best.safetensors"} <= {path.name for path in Path(answer["folder"]).iterdir()}


def test_the_winning_recipe_is_the_winner_and_nothing_else(results: Path, tmp_path: Path) -> None:
    for by, which in (("score", "best"), ("time", "fastest")):
        code, _ = run("best", results / "a-001", "--by", by, "--out", tmp_path / f"{by}.yaml")
        record = load_results(results / "a-001")
        winner, recipe = find_trial(record, which), read_recipe(tmp_path / f"{by}.yaml")
        asked = Recipe.from_resolved(record.recipe)
        assert code == 0 and list(recipe.losses) == [winner.loss] and recipe.search_space(winner.loss) == {} and recipe.published is None
        assert recipe.train_config({}) == asked.train_config(winner.suggestion) and recipe.budget(winner.loss) == 1
        assert recipe.data == asked.data and recipe.model == asked.model and recipe.name == f"small-{winner.loss}"


@pytest.mark.slow
def test_the_winning_recipe_launches_and_trains_what_won(results: Path, tmp_path: Path) -> None:
    run("best", results / "a-001", "--out", tmp_path / "winner.yaml")
    words = [sys.executable, "-m", "sweeps.cli", "launch", tmp_path / "winner.yaml", "--results", tmp_path / "results", "--offline"]
    done = subprocess.run(words, env=os.environ | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True, timeout=180, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (folder,) = (tmp_path / "results").iterdir()
    old, new = load_results(results / "a-001"), load_results(folder)
    winner = find_trial(old, "best")
    assert [trial.trial_id for trial in new.trials] == [f"{winner.loss}-0001", *(f"{winner.loss}-f0-s{seed}" for seed in (1, 2))]
    (again,) = [trial for trial in new.trials if trial.trial_id == winner.trial_id]
    assert again.result is not None and winner.result is not None and again.result["scores"] == winner.result["scores"]
