"""The commands that are printed can be typed, and the table of `status` can be read on a terminal of 80 columns."""

import sys
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from sweeps.cli.options import program
from sweeps.cli.sweep import _next_commands, standing_table

SIX = ("bce", "dice", "dice_bce", "iou", "focal", "tversky")


def row(stage: str, loss: str, **states: int) -> dict[str, Any]:
    counted = {state: states.get(state, 0) for state in ("complete", "pruned", "failed", "running", "waiting")}
    trial = f"{loss}-0012" if stage == "search" else f"{loss}-f0-s1"
    return {"stage": stage, "loss": loss, "planned": 100} | counted | {"best": 0.81234, "best trial": trial}


def rendered(rows: list[dict[str, Any]]) -> list[str]:
    console = Console(width=80, highlight=False, soft_wrap=True)
    with console.capture() as captured:
        console.print(standing_table(rows))
    return captured.get().splitlines()


def test_every_state_of_six_losses_fits_into_80_columns() -> None:
    states = {"complete": 100, "pruned": 100, "failed": 100, "running": 100, "waiting": 100}
    lines = rendered([row(stage, loss, **states) for stage in ("search", "finalist") for loss in SIX])
    assert len(lines) == 2 + 12 and max(map(len, lines)) <= 80
    for line, loss in zip(lines[8:], SIX, strict=True):
        assert f"0.8123 {loss}-f0-s1" in " ".join(line.split())
        assert line.split()[:3] == ["finalist", loss, "100"]


def test_states_that_no_trial_is_in_take_no_room() -> None:
    head, *lines = rendered([row("search", loss, complete=4) for loss in SIX])
    assert head.split() == ["stage", "loss", "plan", "done", "best", "trial"] and max(map(len, lines)) <= 60


@pytest.mark.parametrize("loss", ["generalized_dice", "a_loss_with_a_long_name"])
def test_a_long_name_folds_and_headings_and_scores_stay_whole(loss: str) -> None:
    head, _, *lines = rendered([row("finalist", loss, complete=1, pruned=1, failed=1, running=1, waiting=1)])
    assert max(map(len, (head, *lines))) <= 80 and " 0.8123 " in lines[0]
    assert head.split() == ["stage", "loss", "plan", "done", "pruned", "fail", "run", "wait", "best", "trial"]
    assert "".join(line[60:].strip() for line in lines).endswith(f"{loss}-f0-s1")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project's .venv with both programs in it, not on the PATH; the project is where we are."""
    folder = tmp_path / ".venv" / "bin"
    folder.mkdir(parents=True)
    for name in ("python", "sweeps", "optuna-dashboard"):
        (folder / name).touch(mode=0o755)
    monkeypatch.setattr(sys, "executable", str(folder / "python"))
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return folder


def test_a_program_that_is_not_on_the_path_is_named_by_its_own(installed: Path) -> None:
    assert program() == ".venv/bin/sweeps"
    commands = dict(_next_commands(Path("results/demo-001"), {"best": {}}))
    assert commands["status"] == ".venv/bin/sweeps status results/demo-001"
    assert commands["look"].startswith(".venv/bin/optuna-dashboard sqlite:///results/demo-001/")


def test_elsewhere_the_whole_path_is_given(installed: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    assert program() == str(installed / "sweeps")


def test_on_the_path_the_name_is_enough(installed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(installed))
    assert program() == "sweeps" and program("optuna-dashboard") == "optuna-dashboard"
