"""W&B's names for a trial's files, and reading a file that grows, tears and is cut back."""

import dataclasses
import json
import math
from pathlib import Path

import pytest

from sweeps.tracking.rows import RowTail, summary_of, wandb_names
from sweeps.tracking.settings import TrackingSettings, run_id, settings_for
from tests.sweeps.tracking.wandb_runs import RESULT, plan_of, row, settings


def test_rows_speak_wandbs_names() -> None:
    named = wandb_names(row(2) | {"membrane_dice_at_half": 0.7, "wall_seconds": 3.0})
    assert list(named) == [
        *("epoch", "step", "train/loss", "val/membrane_dice", "val/threshold", "time/train_s", "time/eval_s"),
        *("val/membrane_dice_at_half", "time/wall_s"),
    ]


def test_a_summary_leaves_out_what_is_missing() -> None:
    assert summary_of({"state": "failed", "scores": None}) == {}
    assert summary_of(RESULT)["best/v_rand"] == 0.95 and summary_of(RESULT)["memory/peak_mib"] == 300.0


@pytest.mark.parametrize(("target", "seconds"), [(None, None), (0.5, 0.5), (0.8, 1.0), (0.9, math.inf)])
def test_a_summary_tells_seconds_an_epoch_and_to_the_target(target: float | None, seconds: float | None) -> None:
    told = summary_of(RESULT, [row(1), row(2), row(3)], target)
    assert told["time/epoch_s"] == 0.5 and told.get("time/to_target_s") == seconds


@pytest.mark.parametrize(("asked", "target"), [("auto", None), (0.75, 0.75)])
def test_a_target_that_the_recipe_gives_is_the_runs(tmp_path: Path, asked: str | float, target: float | None) -> None:
    plan = plan_of(tmp_path / "focal-0000")
    assert settings_for(dataclasses.replace(plan, recipe=plan.recipe | {"speed": {"target": asked}})).target == target


def test_a_tail_gives_each_row_once_wherever_a_write_is_torn(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    block = "".join(json.dumps(row(epoch)) + "\n" for epoch in (1, 2, 3)).encode()
    for cut in range(len(block) + 1):
        path.write_bytes(block[:cut])
        tail = RowTail(path)
        before = [got["epoch"] for got in tail.rows()]
        path.write_bytes(block)
        assert before + [got["epoch"] for got in tail.rows()] == [1, 2, 3], cut


def test_a_tail_begins_again_when_the_file_was_cut_back(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    tail = RowTail(path)
    assert list(tail.rows()) == []
    path.write_text("".join(json.dumps(row(epoch)) + "\n" for epoch in (1, 2, 3)))
    assert len(list(tail.rows())) == 3
    path.write_text(json.dumps(row(1)) + "\n")
    assert [got["epoch"] for got in tail.rows()] == [1]


def test_a_damaged_line_is_left_out_and_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(json.dumps(row(1)).encode() + b"\n\x00\x00{\n" + json.dumps(row(2)).encode() + b"\n")
    assert [got["epoch"] for got in RowTail(path).rows()] == [1, 2]
    assert "damaged line" in caplog.text


def test_ids_are_stable_and_differ_between_sweeps() -> None:
    assert run_id("a", "focal-0007") == run_id("a", "focal-0007") != run_id("b", "focal-0007")
    assert len(run_id("a", "focal-0007")) == 12


def test_a_plan_says_what_trained_and_names_no_place(tmp_path: Path) -> None:
    plan = plan_of(tmp_path / "focal-0000")
    elsewhere = plan.recipe | {"data": plan.recipe["data"] | {"source": str(tmp_path)}}
    told = settings_for(dataclasses.replace(plan, recipe=elsewhere, stage="finalist", fold=1))
    assert told.config["loss"] == {"name": "focal", "function": "focal", "params": {"alpha": 0.25, "gamma": 2.0}}
    assert told.config["train"]["lr"] == plan.suggestion["train.lr"] and told.config["data"]["sha256"] == "ab"
    assert told.group == "demo-001" and told.job_type == "finalist" and "finalist" in told.tags
    assert str(tmp_path) not in json.dumps(told.config)


def test_auto_is_no_mode_of_a_trial(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="mode is 'auto'; allowed: online, offline, disabled"):
        settings(tmp_path / "t", mode="auto")
    assert dataclasses.is_dataclass(TrackingSettings)
