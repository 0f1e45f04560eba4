"""One trial: what it writes, how it goes on after a cut, and how each class of failure ends."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import sweeps.trial
from data_utils.errors import DataError
from data_utils.stack import write_stack
from sweeps.provenance import describe_data
from sweeps.record import read_rows
from sweeps.rerun import COMPARED
from sweeps.stacks import load_stack
from sweeps.trial import CHECKPOINT, METRICS, Superseded, Trial, reason_of
from tests.sweeps.small import plan_for, small_recipe, small_stack
from unet.checkpoint import load_model
from unet.fit import NonFiniteLoss
from unet.losses import build_loss

SUGGESTION = {"loss.alpha": 0.3, "loss.gamma": 1.5, "train.lr": 2e-3}


def trial(folder: Path, **changes: Any) -> Trial:
    return Trial(plan_for(folder, "focal", SUGGESTION, **changes), small_stack(), device="cpu")


def numbers(rows: list[dict[str, Any]]) -> list[tuple[Any, ...]]:
    return [tuple(row[key] for key in COMPARED) for row in rows]


def test_a_complete_trial_leaves_curve_result_weights_and_pictures(tmp_path: Path) -> None:
    *rows, result = trial(tmp_path).rows()
    assert [row["epoch"] for row in rows] == [1, 2, 3] and all(row["state"] == "running" for row in rows)
    assert numbers(read_rows(tmp_path / METRICS)) == numbers(rows)
    written = json.loads((tmp_path / "result.json").read_text())
    assert written == result and result["state"] == "complete"
    best = max(row["membrane_dice"] for row in rows)
    assert best <= result["scores"]["membrane_dice"] < best + 0.01, "every threshold is tried at the end, 1000 of them while training"
    assert [row["section"] for row in result["per_section"]] == result["sections"]["test"]
    model, metadata = load_model(tmp_path / result["weights"]["file"])
    assert model.width == 4 and json.loads(metadata["loss"])["function"] == "focal"
    with np.load(tmp_path / "sections.npz", allow_pickle=False) as pictures:
        assert pictures["probability"].shape == pictures["raw"].shape == pictures["membrane"].shape
    assert not (tmp_path / CHECKPOINT).exists(), "a finished trial needs no checkpoint"
    clocks = result["seconds"]
    assert clocks["wall"] == pytest.approx(sum(clocks[key] for key in ("train", "eval", "score", "overhead")))


@pytest.fixture
def partial(tmp_path: Path) -> Any:
    """The small recipe over a folder of its sections, some labels of which are unknown."""
    stack = small_stack()
    counted_ZHW = np.random.default_rng(0).random((len(stack.raw_ZHW), 8, 8)) < 0.6
    write_stack(tmp_path / "partial", dataclasses.replace(stack, counted_ZHW=counted_ZHW.repeat(8, axis=1).repeat(8, axis=2)))
    return small_recipe(data={"source": str(tmp_path / "partial"), "ignore": 127})


def test_a_trial_of_partial_labels(tmp_path: Path, partial: Any) -> None:
    stack = load_stack(partial)
    plan = plan_for(tmp_path / "trial", "focal", SUGGESTION, partial, data_sha256=stack.sha256())
    *rows, result = Trial(plan, device="cpu").rows()
    assert result["state"] == "complete" and len(rows) == 3
    best = max(row["membrane_dice"] for row in rows)
    assert best <= result["scores"]["membrane_dice"] < best + 0.01, "every threshold is tried at the end, 1000 of them while training"
    whole = plan_for(tmp_path / "whole", "focal", SUGGESTION)
    *_, whole_result = Trial(whole, small_stack(), device="cpu").rows()
    assert whole_result["scores"] != result["scores"]
    data = describe_data(stack, "partial", {"search": [8, 9]})
    assert data["membrane_share"] == pytest.approx(stack.membrane_ZHW.sum() / stack.counted_ZHW.sum())
    assert "127 is unknown" in data["membrane_rule"]


def test_a_stage_without_a_known_label_is_refused_before_anything_runs(partial: Any) -> None:
    stack = load_stack(partial)
    stack.counted_ZHW[8:] = False
    with pytest.raises(DataError, match=r"partial: the label of every pixel is unknown in all sections of a role \(search: \[8, 9\]\)"):
        describe_data(stack, "partial", {"search": [8, 9], "finalist": [0, 1]})


def test_a_finalist_is_scored_on_sections_that_chose_nothing(tmp_path: Path) -> None:
    *_, result = trial(tmp_path, stage="finalist", fold=0, seed=1).rows()
    sections = result["sections"]
    assert not set(sections["test"]) & (set(sections["calibration"]) | set(sections["train"]))
    assert result["scores"]["threshold"] == result["calibration"]["threshold"]
    assert result["scores"]["membrane_dice"] != result["calibration"]["membrane_dice"]


def test_a_cut_trial_goes_on_from_its_checkpoint_bit_for_bit(tmp_path: Path) -> None:
    whole = list(trial(tmp_path / "whole").rows())
    cut = trial(tmp_path / "cut")
    rows = cut.rows()
    next(rows)
    cut.save()
    next(rows)  # measured, but not in the checkpoint: it is measured again
    rows.close()
    again = list(trial(tmp_path / "cut").rows())
    assert [row.get("epoch") for row in again[:-1]] == [2, 3]
    assert numbers(read_rows(tmp_path / "cut" / METRICS)) == numbers(whole[:-1])
    assert again[-1]["scores"] == whole[-1]["scores"]


def test_a_damaged_checkpoint_starts_the_trial_again(tmp_path: Path) -> None:
    cut = trial(tmp_path)
    rows = cut.rows()
    next(rows)
    cut.save()
    rows.close()
    payload = bytearray((tmp_path / CHECKPOINT).read_bytes())
    payload[len(payload) // 2] ^= 1
    (tmp_path / CHECKPOINT).write_bytes(payload)
    *measured, result = trial(tmp_path).rows()
    assert [row["epoch"] for row in measured] == [1, 2, 3] and result["state"] == "complete"


def test_an_attempt_that_was_superseded_writes_nothing_more(tmp_path: Path) -> None:
    zombie = trial(tmp_path)
    rows = zombie.rows()
    next(rows)
    successor = trial(tmp_path).rows()
    next(successor)
    before = (tmp_path / METRICS).read_bytes()
    with pytest.raises(Superseded, match="another attempt of focal-0001 has begun"):
        next(rows)
    with pytest.raises(Superseded):
        zombie.save()
    assert (tmp_path / METRICS).read_bytes() == before


def test_a_loss_that_becomes_nan_fails_the_trial_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def poisoned(name: str, **parameters: Any) -> Any:
        loss = build_loss(name, **parameters)
        compute = type(loss).__call__
        calls: list[int] = []

        def broken(self: Any, logits: torch.Tensor, *words: Any, **options: Any) -> torch.Tensor:
            calls.append(1)
            value = compute(self, logits, *words, **options)
            return value * float("nan") if len(calls) > 2 else value

        monkeypatch.setattr(type(loss), "__call__", broken)
        return loss

    monkeypatch.setattr(sweeps.trial, "build_loss", poisoned)
    *_, result = trial(tmp_path).rows()
    assert (result["state"], result["reason"]) == ("failed", "nan")
    assert "the loss became nan in epoch 2" in result["error"]


@pytest.mark.parametrize(("error", "reason"), [(torch.OutOfMemoryError("out"), "memory"), (OSError(28, "No space left"), "io")])
def test_memory_and_io_faults_are_tried_again_and_others_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, reason: str
) -> None:
    monkeypatch.setattr(sweeps.trial.time, "sleep", lambda seconds: None)
    started, failures = sweeps.trial.start_run, [error, error]

    def flaky(**arguments: Any) -> Any:
        if failures:
            raise failures.pop()
        return started(**arguments)

    monkeypatch.setattr(sweeps.trial, "start_run", flaky)
    *_, result = trial(tmp_path).rows()
    assert result["state"] == "complete" and not failures
    assert reason_of(error) == reason

    recipe = small_recipe(failures={"retries": 0})
    failures[:] = [error]
    (result,) = Trial(plan_for(tmp_path / "none", "focal", SUGGESTION, recipe), small_stack(), device="cpu").rows()
    assert (result["state"], result["reason"]) == ("failed", reason)


def test_data_that_changed_since_the_launch_fail_the_trial(tmp_path: Path) -> None:
    (result,) = trial(tmp_path, data_sha256="0" * 64).rows()
    assert (result["state"], result["reason"]) == ("failed", "data")
    assert "the data changed since the sweep was launched" in result["error"]


def test_each_failure_has_its_class() -> None:
    assert reason_of(NonFiniteLoss()) == "nan"
    assert reason_of(DataError()) == "data"
    assert reason_of(MemoryError()) == "memory"
    assert reason_of(RuntimeError()) == "code"


def test_a_trial_that_had_ended_is_told_again_and_not_trained_again(tmp_path: Path) -> None:
    *_, result = trial(tmp_path).rows()
    before = (tmp_path / METRICS).read_bytes()
    assert list(trial(tmp_path).rows()) == [result]
    assert (tmp_path / METRICS).read_bytes() == before
    other = Trial(plan_for(tmp_path, "focal", SUGGESTION | {"loss.gamma": 2.0}), small_stack(), device="cpu")
    assert next(other.rows())["epoch"] == 1, "another suggestion's result is not this trial's"


def test_a_file_that_cannot_be_read_fails_the_trial_with_its_traces(tmp_path: Path) -> None:
    recipe = small_recipe(data={"source": str(tmp_path / "gone")})
    plan = plan_for(tmp_path / "trial", "focal", SUGGESTION, recipe, data_sha256="0" * 64)
    (result,) = Trial(plan, device="cpu").rows()
    assert (result["state"], result["reason"]) == ("failed", "data")
    assert (tmp_path / "trial" / "error.txt").exists() and (tmp_path / "trial" / "result.json").exists()


def test_the_recipe_of_a_trial_trains_that_trial(tmp_path: Path) -> None:
    from sweeps.recipe.schema import read_recipe

    next(trial(tmp_path).rows())
    own = read_recipe(tmp_path / "recipe.yaml")
    assert own.search_space("focal") == {} and own.loss_parameters("focal", {}) == {"alpha": 0.3, "gamma": 1.5}
    assert own.train.lr == 2e-3
