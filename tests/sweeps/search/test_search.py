"""One study a loss: equal budgets, the literature's defaults first, and Optuna is told the truth."""

from pathlib import Path
from typing import Any

import optuna
import pytest
from hypothesis import given
from hypothesis import strategies as st
from optuna.trial import TrialState

from sweeps.record import TrialRecord
from sweeps.search.study import LossStudy, StudyMirror, distribution
from sweeps.space import Choice, Float, Int

SPACE = {"loss.gamma": Float(low=0.0, high=5.0), "train.lr": Float(low=1e-5, high=1e-2, log=True)}
DEFAULTS = {"loss.gamma": 2.0, "train.lr": 1e-3}


def study(**changes: Any) -> LossStudy:
    return LossStudy("focal", SPACE, **{"budget": 6, "direction": "maximize", "defaults": DEFAULTS} | changes)


def record(trial_id: str, state: str, suggestion: dict[str, Any], curve: tuple[float, ...] = ()) -> TrialRecord:
    rows = tuple({"epoch": epoch, "membrane_dice": score} for epoch, score in enumerate(curve, 1))
    return TrialRecord(
        trial_id=trial_id, stage="search", loss="focal", function="focal", suggestion=suggestion, seed=0, fold=None, state=state,
        curve=rows, folder=Path("nowhere"),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("domain", "values"),
    [
        (Float(low=0.1, high=0.9), (0.1, 0.9)),
        (Float(low=1e-5, high=1e-2, log=True), (1e-5, 1e-2)),
        (Float(low=0.0, high=1.0, step=0.25), (0.0, 0.25, 1.0)),
        (Int(low=1, high=5), (1, 5)),
        (Choice(choices=("image", "batch")), ("image", "batch")),
    ],
)
def test_a_domain_is_the_same_for_optuna(domain: Any, values: tuple[Any, ...]) -> None:
    found = distribution(domain)
    for value in values:
        assert found.to_external_repr(found.to_internal_repr(value)) == value
        assert found._contains(found.to_internal_repr(value)) and domain.contains(value)


def test_the_first_trial_has_the_literatures_defaults_and_the_others_are_within_the_space() -> None:
    under_test = study()
    assert under_test.ask("focal-0001") == DEFAULTS
    for number in range(2, 7):
        suggestion = under_test.ask(f"focal-{number:04d}")
        assert suggestion != DEFAULTS
        assert all(SPACE[key].contains(value) for key, value in suggestion.items())


def test_a_loss_without_anything_to_search_has_empty_suggestions() -> None:
    fixed = LossStudy("bce", {}, budget=2, direction="maximize", defaults={})
    assert fixed.ask("bce-0001") == {} and fixed.ask("bce-0002") == {}


def test_optuna_is_told_complete_pruned_and_failed() -> None:
    under_test = study()
    for trial_id, state, value in (("a", "complete", 0.8), ("b", "pruned", 0.9), ("c", "failed", None)):
        under_test.ask(trial_id)
        under_test.report(trial_id, 1, 0.5)
        under_test.tell(trial_id, state, value)
    states = [trial.state for trial in under_test.study.trials]
    assert states == [TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL]
    assert under_test.study.best_value == 0.8, "a pruned trial's early score must not win"
    assert under_test.study.trials[1].intermediate_values == {1: 0.5}


def test_an_epoch_that_is_measured_again_after_a_cut_is_told_once() -> None:
    under_test = study()
    under_test.ask("a")
    for step, value in ((1, 0.5), (2, 0.6), (2, 0.6), (3, 0.7)):
        under_test.report("a", step, value)  # Optuna warns of a repeated step, and warnings are errors here
    under_test.tell("a", "complete", 0.7)
    assert under_test.study.trials[0].intermediate_values == {1: 0.5, 2: 0.6, 3: 0.7}


@given(st.lists(st.sampled_from(["complete", "pruned", "failed", "running", "waiting"]), max_size=6))
def test_a_study_rebuilt_from_the_ledger_has_every_trial_once_and_no_zombie(states: list[str]) -> None:
    under_test = study()
    suggestion = {"loss.gamma": 1.0, "train.lr": 1e-4}
    for number, state in enumerate(states):
        under_test.replay(record(f"focal-{number:04d}", state, suggestion, (0.4, 0.6)))
    assert under_test.asked == len(states)
    told = [trial.state for trial in under_test.study.trials]
    assert told.count(TrialState.RUNNING) == sum(state in ("running", "waiting") for state in states)
    for number, state in enumerate(states):
        if state in ("running", "waiting"):
            under_test.tell(f"focal-{number:04d}", "complete", 0.7)
    assert all(trial.state.is_finished() for trial in under_test.study.trials)
    assert all(trial.params == suggestion for trial in under_test.study.trials)


def test_the_mirror_is_what_optuna_reads_from_its_file(tmp_path: Path) -> None:
    under_test = study()
    under_test.ask("focal-0001")
    under_test.report("focal-0001", 1, 0.5)
    under_test.tell("focal-0001", "complete", 0.8)
    mirror = StudyMirror(tmp_path / "study.sqlite3", {"focal": under_test})
    mirror.rebuild()
    under_test.ask("focal-0002")
    mirror.add("focal", under_test.tell("focal-0002", "pruned", None))
    storage = f"sqlite:///{tmp_path / 'study.sqlite3'}"
    assert optuna.get_all_study_names(storage) == ["focal"]
    copied = optuna.load_study(study_name="focal", storage=storage)
    assert [trial.state for trial in copied.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert copied.trials[0].params == DEFAULTS and copied.trials[0].intermediate_values == {1: 0.5}
    mirror.rebuild()
    assert len(optuna.load_study(study_name="focal", storage=storage).trials) == 2


def test_seeds_make_the_same_suggestions_and_losses_different_ones() -> None:
    first, again = study(defaults=None), study(defaults=None)
    other = LossStudy("tversky", SPACE, budget=6, direction="maximize")
    assert first.ask("x") == again.ask("x") != other.ask("x")


@pytest.mark.parametrize("kind", ["tpe", "random"])
def test_a_study_that_is_resumed_never_draws_its_first_numbers_again(kind: str) -> None:
    whole = study(kind=kind, budget=12, defaults=None)
    suggestions = []
    for number in range(12):
        suggestions.append(whole.ask(f"focal-{number:04d}"))
        whole.tell(f"focal-{number:04d}", "complete", 0.5 + number / 100)
    for cut in (3, 7):
        resumed = study(kind=kind, budget=12, defaults=None)
        for number in range(cut):
            row = record(f"focal-{number:04d}", "complete", suggestions[number], (0.5 + number / 100,))
            resumed.replay(row)
        again = []
        for number in range(cut, 12):
            again.append(resumed.ask(f"focal-{number:04d}"))
            resumed.tell(f"focal-{number:04d}", "complete", 0.5 + number / 100)
        assert again == suggestions[cut:], "a suggestion depends on its number and on what was told, not on where the sweep was cut"
    assert len({tuple(suggestion.values()) for suggestion in suggestions}) == 12
