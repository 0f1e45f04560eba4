"""Which weights are found, in which order, and what is said when there are none."""

import json
import re
from pathlib import Path

import pytest
import torch

from sweeps.ledger import FORMAT, Ledger
from sweeps.members import NoModel, find_weights, load_members, tuned
from sweeps.record import NoSweep
from tests.sweeps.small import small_recipe
from tests.sweeps.trained import save_network

CPU = torch.device("cpu")
SCORES = {"bce-f0-s1": 0.71, "bce-f0-s2": 0.86, "focal-f0-s1": 0.93, "focal-f0-s2": 0.64}


@pytest.fixture
def results(tmp_path: Path) -> Path:
    """A results folder whose finalists' test scores would rank them the other way round, with one that failed and one that was searched."""
    folder = tmp_path / "small-001"
    folder.mkdir()
    (folder / "recipe.resolved.yaml").write_text(json.dumps(small_recipe().resolved()))
    (folder / "provenance.json").write_text(json.dumps({"name": "small-001", "uuid": "0"}))
    (folder / "data.json").write_text(json.dumps({}))
    ledger = Ledger(folder / "ledger")
    ledger.append("sweep", format=FORMAT)
    for trial_id, score in SCORES.items() | {("bce-f0-s3", 0.99), ("focal-0001", 0.99)}:
        stage = "search" if trial_id == "focal-0001" else "finalist"
        loss = trial_id.split("-")[0]
        asked = {"loss": loss, "function": loss, "suggestion": {}, "seed": 1, "fold": 0}
        ledger.append("asked", trial=trial_id, stage=stage, **asked)
        ledger.append("started", trial=trial_id)
        ledger.append("failed" if trial_id == "bce-f0-s3" else "complete", trial=trial_id)
        where = save_network(folder / ("trials" if stage == "search" else "finalists") / trial_id / "best.safetensors").parent
        told = {"scores": {"membrane_dice": 1.0 - score}, "calibration": {"membrane_dice": score}}
        (where / "result.json").write_text(json.dumps(told))
    ledger.close()
    return folder


def test_a_file_stands_for_itself_and_a_folder_for_its_own_weights(tmp_path: Path) -> None:
    weights = save_network(tmp_path / "trial" / "best.safetensors")
    assert find_weights(weights) == [weights] == find_weights(weights.parent)


def test_a_results_folder_stands_for_its_winner(results: Path) -> None:
    winner = save_network(results / "best" / "model.safetensors")
    assert find_weights(results) == [winner]


@pytest.mark.parametrize(("number", "expected"), [(1, ["focal-f0-s1"]), (3, ["focal-f0-s1", "bce-f0-s2", "bce-f0-s1"])])
def test_an_ensemble_is_the_best_on_calibration_sections(results: Path, number: int, expected: list[str]) -> None:
    found = find_weights(results, number)
    assert [path.parent.name for path in found] == expected
    assert [loaded.name for loaded in load_members(found, CPU)] == expected


def test_more_networks_than_there_are_is_an_error_that_says_how_many(results: Path) -> None:
    with pytest.raises(NoModel, match="has 4 complete finalists .* fewer than the 5 asked for. Take at most 4"):
        find_weights(results, 5)
    (results / "finalists" / "focal-f0-s1" / "best.safetensors").unlink()
    with pytest.raises(NoModel, match="Take at most 3"):
        find_weights(results, 4)


def test_what_is_not_there_is_said(results: Path, tmp_path: Path) -> None:
    with pytest.raises(NoModel, match="nowhere does not exist"):
        find_weights(tmp_path / "nowhere")
    with pytest.raises(NoModel, match="holds no weights: neither model.safetensors nor best.safetensors.* sweeps resume"):
        find_weights(results)
    with pytest.raises(NoModel, match="one network: an ensemble takes a results folder"):
        find_weights(save_network(tmp_path / "one" / "best.safetensors"), 2)
    with pytest.raises(NoSweep):
        find_weights(tmp_path / "one", 2)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"drop": ("normalisation",)}, "does not say how to use its network .*normalisation"),
        ({"drop": ("positive",)}, "does not say how to use its network .*positive"),
        ({"normalisation": '{"mean": 1.0, "std": 0.0}'}, "`std > 0` and finite numbers must hold"),
        ({"normalisation": "[1, 2]"}, "does not say how to use its network"),
        ({"positive": "axon"}, "membrane or cell, got 'axon'"),
    ],
)
def test_weights_that_do_not_say_how_to_use_them_are_refused(tmp_path: Path, changes: dict, message: str) -> None:
    with pytest.raises(NoModel, match=message):
        load_members([save_network(tmp_path / "weights.safetensors", **changes)], CPU)


def test_damaged_weights_are_refused(tmp_path: Path) -> None:
    path = save_network(tmp_path / "weights.safetensors")
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(NoModel, match="is damaged"):
        load_members([path], CPU)
    path.write_bytes(b"no weights")
    with pytest.raises(NoModel, match="is no checkpoint"):
        load_members([path], CPU)


def test_what_was_tuned_is_the_mean_of_the_first_name_that_all_have(tmp_path: Path) -> None:
    paths = [
        save_network(tmp_path / "a" / "best.safetensors", threshold="0.4", v_rand_threshold="0.3"),
        save_network(tmp_path / "b" / "best.safetensors", threshold="0.5", drop=("v_rand_threshold",)),
    ]
    first, second = load_members(paths, CPU)
    assert tuned([first], "v_rand_threshold", "threshold") == (0.3, "v_rand_threshold")
    assert tuned([first, second], "v_rand_threshold", "threshold") == (pytest.approx(0.45), "threshold")
    assert tuned([second], "v_rand_threshold") is None


@pytest.mark.parametrize("value", ["nan", "inf", "-0.1", "1.5", "often", "9" * 300])
@pytest.mark.parametrize(("name", "most"), [("threshold", "1"), ("smallest_cell_px", "2.147484e+09")])
def test_tuned_values_that_cannot_be_are_refused(name: str, most: str, value: str, tmp_path: Path) -> None:
    if name == "smallest_cell_px" and value == "1.5":
        value = "-3"
    (broken,) = load_members([save_network(tmp_path / "best.safetensors", **{name: value})], CPU)
    with pytest.raises(NoModel, match=f"say {name} .*: numbers from 0 to {re.escape(most)} were expected"):
        tuned([broken], name)
