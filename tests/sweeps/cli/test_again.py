"""What a rerun answers when there is nothing to run again, when it fails, and when it runs on other data."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import sweeps.rerun
from sweeps.cli import app
from sweeps.record import SweepRecord, TrialRecord
from sweeps.rerun import NoSuchTrial, rerun
from tests.sweeps.small import plan_for, small_recipe, small_stack

SCORES = {"membrane_dice": 0.8, "threshold": 0.42, "membrane_dice_at_half": 0.79, "v_rand": 0.9, "v_info": 0.95}
COMPLETE = {"state": "complete", "scores": SCORES}
NAN = {"state": "failed", "reason": "nan", "error": "NonFiniteLoss: loss is nan"}
DATA = {"state": "failed", "reason": "data", "error": "DataError: no membrane"}


def row(epoch: int, score: float = 0.5) -> dict[str, Any]:
    numbers = {"step": epoch, "train_loss": 0.5, "membrane_dice": score, "threshold": 0.5, "membrane_dice_at_half": score}
    return {"epoch": epoch, "state": "running"} | numbers


@pytest.fixture
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A sweep with one trial; `gives` are the rows that each run of it gives."""

    def record(*gives: list[dict[str, Any]], state: str = "complete", curve: tuple[dict[str, Any], ...] = (row(1),)) -> Path:
        plan = plan_for(tmp_path / "trials" / "bce-0001", "bce", {"train.lr": 1e-3})
        trial = TrialRecord(
            trial_id="bce-0001", folder=plan.path, state=state, curve=curve,
            **{key: getattr(plan, key) for key in ("stage", "loss", "function", "suggestion", "seed", "fold")},
        )  # fmt: skip
        if state != "waiting":
            plan.path.mkdir(parents=True)
            (plan.path / "plan.json").write_text(json.dumps(dataclasses.asdict(plan)))
        sweep = SweepRecord(
            name="small", uuid="0", folder=tmp_path, recipe=small_recipe().resolved(), provenance={}, data={}, sanity=[], trials=(trial,)
        )
        turn = iter(gives)
        monkeypatch.setattr(sweeps.rerun, "load_results", lambda folder: sweep)
        monkeypatch.setattr(sweeps.rerun, "load_stack", lambda recipe: small_stack())
        monkeypatch.setattr(sweeps.rerun, "Trial", lambda plan, stack, *, device: Given(next(turn)))
        return tmp_path

    return record


@dataclasses.dataclass
class Given:
    given: list[dict[str, Any]]

    def rows(self) -> Any:
        return iter(self.given)


def run(folder: Path, *words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["rerun", str(folder), "--trial", "bce-0001", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_a_trial_that_has_not_started_is_refused(recorded: Any) -> None:
    folder = recorded(state="waiting", curve=())
    with pytest.raises(NoSuchTrial, match="bce-0001 has not started"):
        rerun(folder, "bce-0001")


def test_the_answer_tells_how_a_run_ended(recorded: Any) -> None:
    answer = rerun(recorded([NAN], [row(1), COMPLETE], [NAN]), "bce-0001")
    assert {key: answer[key] for key in NAN} == NAN
    first, second = rerun(Path(answer["folder"]).parents[1], "bce-0001", seeds=2)["seeds"]
    assert first["state"] == "complete" and second == NAN | {"seed": 2, "membrane_dice": None}


def test_a_run_that_ends_where_its_record_was_pruned_is_pruned(recorded: Any) -> None:
    assert rerun(recorded([row(1), row(2)], state="pruned"), "bce-0001")["state"] == "pruned"


def test_a_rerun_leaves_the_environment_alone(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    rerun(recorded([row(1), COMPLETE]), "bce-0001")
    assert "OMP_NUM_THREADS" not in os.environ


def test_the_same_curve_is_bit_for_bit(recorded: Any) -> None:
    code, said = run(recorded([row(1), COMPLETE]))
    assert code == 0 and "all 1 epochs came out again, bit for bit" in said


def test_another_curve_is_an_answer_and_no_failure(recorded: Any) -> None:
    code, said = run(recorded([row(1, 0.6), COMPLETE]))
    assert code == 0 and "not bit for bit" in said


@pytest.mark.parametrize("curve", [(), (row(1),)])
def test_a_failure_before_the_first_epoch_is_not_bit_for_bit(recorded: Any, curve: tuple[dict[str, Any], ...]) -> None:
    code, said = run(recorded([NAN], curve=curve))
    assert code == 5 and "bce-0001 failed (nan): NonFiniteLoss: loss is nan" in said and "bit for bit" not in said


def test_a_later_failure_tells_both(recorded: Any) -> None:
    code, said = run(recorded([row(1), NAN], state="failed"))
    assert code == 5 and "all 1 epochs came out again" in said and "bce-0001 failed (nan)" in said


def test_seeds_that_all_fail_are_told_without_a_mean(recorded: Any) -> None:
    code, said = run(recorded([NAN], [NAN]), "--seeds", "2")
    assert code == 5 and "no score: all 2 fresh seeds failed" in said and "seed 1 failed (nan): NonFiniteLoss" in said


def test_a_failed_seed_stands_beside_the_mean(recorded: Any) -> None:
    code, said = run(recorded([row(1), COMPLETE], [NAN]), "--seeds", "2")
    assert code == 5 and "membrane Dice 0.8000 over 1 fresh seed (1: 0.8000)" in said and "seed 2 failed" in said


def test_other_data_are_told_as_a_line_of_scores(recorded: Any) -> None:
    code, said = run(recorded([row(1), COMPLETE]), "--data", "synthetic")
    assert code == 0
    assert "on these data: membrane Dice 0.8000, membrane Dice at 0.5 0.7900, V_rand 0.9000, V_info 0.9500" in said


@pytest.mark.parametrize(("last", "code"), [(DATA, 3), (NAN, 5)])
def test_a_failure_on_other_data_has_its_code_and_its_words(recorded: Any, last: dict[str, Any], code: int) -> None:
    found, said = run(recorded([last]), "--data", "synthetic")
    assert found == code and f"bce-0001 failed ({last['reason']}): {last['error']}" in said and "None" not in said
