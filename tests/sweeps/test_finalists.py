"""The second stage: which trials go on, over which seeds and folds."""

from pathlib import Path
from typing import Any

from sweeps.finalists import best_of_each, plan_finalists
from sweeps.record import TrialRecord
from sweeps.repeats import repeat_numbers, seed_number
from tests.sweeps.small import plan_for, small_recipe


def record(trial_id: str, score: float | None, state: str = "complete", *, stage: str = "search", lr: float = 1e-3) -> TrialRecord:
    loss = trial_id.split("-")[0]
    return TrialRecord(
        trial_id=trial_id,
        stage=stage,
        loss=loss,
        function=loss,
        suggestion={"train.lr": lr},
        seed=0,
        fold=None if stage == "search" else 0,
        state=state,
        result=None if score is None else {"scores": {"membrane_dice": score}},
        folder=Path("nowhere"),
    )


def plan(**fields: Any) -> Any:
    trial_id, loss, suggestion = (fields.pop(key) for key in ("trial_id", "loss", "suggestion"))
    return plan_for(Path("nowhere"), loss, suggestion, trial_id=trial_id, **fields)


SEARCH = [
    record("bce-0001", 0.70, lr=1e-3), record("bce-0002", 0.74, lr=2e-3), record("bce-0003", 0.90, "pruned", lr=3e-3),
    record("focal-0001", None, "failed"), record("focal-0002", 0.60, "pruned"),
]  # fmt: skip


def test_complete_trials_come_before_pruned_ones_and_failed_ones_never() -> None:
    best = best_of_each(small_recipe(), SEARCH)
    assert [trial.trial_id for trial in best["bce"]] == ["bce-0002"]
    assert [trial.trial_id for trial in best["focal"]] == ["focal-0002"]


def test_a_loss_without_a_score_has_no_finalist_and_that_is_said(caplog: Any) -> None:
    best = best_of_each(small_recipe(), SEARCH[:4])
    assert best["focal"] == [] and "focal has no finalist" in caplog.text


def test_equal_configurations_count_once() -> None:
    twice = [record("bce-0001", 0.7, lr=1e-3), record("bce-0002", 0.7, lr=1e-3), record("bce-0003", 0.6, lr=5e-3)]
    best = best_of_each(small_recipe(finalists={"per_loss": 2}), twice)
    assert [trial.trial_id for trial in best["bce"]] == ["bce-0001", "bce-0003"]


def test_every_loss_gets_the_same_seeds_and_folds_and_never_the_searchs() -> None:
    recipe = small_recipe(finalists={"seeds": 2, "folds": 4})
    plans = plan_finalists(recipe, SEARCH, plan)
    assert len(plans) == 2 * 4 * 2
    grid = {loss: {(each.seed, each.fold) for each in plans if each.loss == loss} for loss in ("bce", "focal")}
    assert grid["bce"] == grid["focal"] == {(seed, fold) for seed in (1, 2) for fold in (0, 1, 2, 3)}
    assert {each.suggestion["train.lr"] for each in plans if each.loss == "bce"} == {2e-3}


def test_finished_finalists_are_not_planned_again_and_asked_ones_keep_their_suggestion() -> None:
    so_far = [record("bce-f0-s1", 0.7, stage="finalist", lr=9e-3), record("focal-f0-s1", None, "waiting", stage="finalist", lr=8e-3)]
    plans = plan_finalists(small_recipe(), [*SEARCH, *so_far], plan)
    assert [each.trial_id for each in plans] == ["focal-f0-s1", "bce-f0-s2", "focal-f0-s2"]
    assert plans[0].suggestion == {"train.lr": 8e-3}, "what was asked stays, even if the search's best has changed"


def test_after_retried_trials_a_loss_still_has_one_configuration() -> None:
    so_far = [record("bce-f0-s1", 0.7, stage="finalist", lr=1e-3)]
    plans = plan_finalists(small_recipe(), [*SEARCH, *so_far], plan)
    assert {each.suggestion["train.lr"] for each in plans if each.loss == "bce"} == {1e-3}


def test_a_repeat_trains_with_seeds_of_its_own() -> None:
    recipe = small_recipe(losses={"bce": {}, "again": {"loss": "bce"}, "focal": {}, "third": {"loss": "bce"}}, finalists={"seeds": 2})
    search = [record(f"{name}-0001", 0.7) for name in ("bce", "again", "focal", "third")]
    plans = plan_finalists(recipe, search, dict)  # type: ignore[arg-type]  # what would be planned
    seeds = {name: [each["seed"] for each in plans if each["loss"] == name] for name in recipe.losses}
    assert seeds == {"bce": [1, 2], "again": [3, 4], "focal": [1, 2], "third": [5, 6]}
    assert [seed_number(seed, first=1, seeds=2) for seed in (1, 2, 3, 4, 5, 6)] == [0, 1, 0, 1, 0, 1], "they pair by the seed's number"
    assert repeat_numbers(recipe.resolved()["losses"]) == {"bce": 0, "again": 1, "focal": 0, "third": 2}
