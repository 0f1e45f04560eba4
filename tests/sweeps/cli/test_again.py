"""What a rerun answers when there is nothing to run again, when it fails, and when it runs on other data."""

import dataclasses
import json
import os
import re
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from data_utils.errors import DataError
from sweeps.cli import app
from sweeps.plan import TrialPlan
from sweeps.record import SweepRecord, TrialRecord
from sweeps.rerun import NoSuchTrial, again, ground, rerun, running
from tests.sweeps.small import plan_for, small_recipe, small_stack

SCORES = {"membrane_dice": 0.8, "threshold": 0.42, "membrane_dice_at_half": 0.79, "v_rand": 0.9, "v_info": 0.95}
COMPLETE = {"state": "complete", "scores": SCORES}
NAN = {"state": "failed", "reason": "nan", "error": "NonFiniteLoss: loss is nan"}
DATA = {"state": "failed", "reason": "data", "error": "DataError: no membrane"}
OTHER = "synthetic:sections=12,size_px=48,seed=3"


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
            name="small", uuid="0", folder=tmp_path, recipe=small_recipe().resolved(), provenance={"versions": {"torch": "1.0"}},
            data={"sha256": small_stack().sha256()}, sanity=[], trials=(trial,),
        )  # fmt: skip
        turn = iter(gives)
        monkeypatch.setattr(again, "load_results", lambda folder: sweep)
        monkeypatch.setattr(running, "Trial", lambda plan, stack, *, device: Given(plan, next(turn)))
        return tmp_path

    return record


@dataclasses.dataclass
class Given:
    """A trial that writes and yields what it is given."""

    plan: TrialPlan
    given: list[dict[str, Any]]
    run: None = None
    proof: dict[str, Any] = dataclasses.field(default_factory=dict)

    def rows(self) -> Any:
        self.plan.path.mkdir(parents=True, exist_ok=True)
        for each in self.given:
            if each["state"] == "running":
                with (self.plan.path / "metrics.jsonl").open("a") as file:
                    file.write(json.dumps(each) + "\n")
            yield each


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
    assert code == 0 and "bce-0001: different: not bit for bit the same (epoch 1: membrane_dice was 0.5, is 0.6)" in said
    assert "membrane_dice differs by +0.3000, and how far seeds spread is not known" in said
    assert f"torch is {version('torch')}, recorded 1.0" in said, "the reason, with both versions"


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
    folder = recorded([row(1), COMPLETE])
    code, said = run(folder, "--data", OTHER)
    assert code == 0 and "on these data: synthetic, 12 x 48 x 48" in said
    assert "without a network, best intensity threshold: membrane Dice" in said
    assert re.search(r"membrane Dice +0\.5000 +0\.8000$", said, re.MULTILINE), said
    answer = json.loads((folder / "reruns" / "bce-0001-01" / "rerun.json").read_text())
    assert answer["verdict"] is None and answer["data"]["other"] is True and answer["data"]["sections"] == [9, 10, 11]
    assert answer["data"]["sha256"] != small_stack().sha256() and len(answer["data"]["sanity"]) == 3


@pytest.mark.parametrize(("last", "code"), [(DATA, 3), (NAN, 5)])
def test_a_failure_on_other_data_has_its_code_and_its_words(recorded: Any, last: dict[str, Any], code: int) -> None:
    found, said = run(recorded([last]), "--data", OTHER)
    assert found == code and f"bce-0001 failed ({last['reason']}): {last['error']}" in said and "None" not in said


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("synthetic:sections=4,size_px=64", r"has 4 sections, and bce-0001 is scored by data.folds 5 with data.gap 1"),
        ("no-such-folder", r"no-such-folder: no such folder"),
    ],
)
def test_data_on_which_the_trial_cannot_be_scored_are_refused_before_anything_trains(recorded: Any, data: str, said: str) -> None:
    folder = recorded()
    with pytest.raises(DataError, match=said):
        rerun(folder, "bce-0001", data=data)
    assert not (folder / "reruns").exists()


def test_crops_larger_than_the_other_sections_are_refused_with_what_to_do(recorded: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stack = small_stack()
    assert stack.membrane_ZHW is not None
    narrow = dataclasses.replace(stack, raw_ZHW=stack.raw_ZHW[:, :, :24], membrane_ZHW=stack.membrane_ZHW[:, :, :24])
    monkeypatch.setattr(ground, "load_stack", lambda recipe: narrow)
    with pytest.raises(DataError, match=r"crops of 32 px \(data.crop_px\), and these sections are 64 x 24 px.*--set data.crop_px=24"):
        rerun(recorded(), "bce-0001", data=OTHER)


def test_the_results_folder_of_another_sweep_stands_for_its_data_and_its_folds(recorded: Any, tmp_path_factory: Any) -> None:
    there = tmp_path_factory.mktemp("there")
    used = small_recipe(data={"source": OTHER, "folds": 4, "search_fold": 3, "membrane": "nonzero", "crop_px": 48})
    for name, content in (("recipe.resolved.yaml", used.resolved()), ("data.json", {}), ("provenance.json", {})):
        (there / name).write_text(json.dumps(content))
    answer = rerun(recorded([row(1), COMPLETE]), "bce-0001", data=str(there))
    assert answer["data"]["shape"] == [12, 48, 48] and answer["data"]["sections"] == [9, 10, 11], "a quarter of the twelve sections"
    assert answer["data"]["source"] == str(there)


def test_the_recorded_data_by_another_name_are_compared_as_if_none_were_named(recorded: Any) -> None:
    answer = rerun(recorded([row(1), COMPLETE]), "bce-0001", data=small_recipe().data.source)
    assert answer["data"]["other"] is False and answer["comparison"]["identical"] is True


def test_seeds_stand_beside_the_recorded_runs(recorded: Any) -> None:
    code, said = run(
        recorded([row(1), COMPLETE], [row(1), COMPLETE | {"scores": SCORES | {"membrane_dice": 0.4, "membrane_dice_at_half": 0.4}}]),
        "--seeds",
        "2",
    )
    assert code == 0 and "membrane Dice 0.6000, standard deviation 0.2828 over 2 fresh seeds (1: 0.8000, 2: 0.4000)" in said
    assert "bce-0001: within noise: no judged score differs by more than seeds do" in said
