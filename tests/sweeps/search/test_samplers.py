"""Samplers: what a recipe may name, what they propose, and that nothing of them is lost when a sweep is resumed."""

import importlib.util
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.recipe.sections import SearchSection
from sweeps.record import TrialRecord
from sweeps.search.samplers import RIVALS, SAMPLERS, build_sampler, missing_package, quasi_random, startup_trials
from sweeps.search.study import LossStudy
from sweeps.search.unit import from_unit, to_unit
from sweeps.space import Choice, Domain, Float, Int
from tests.sweeps.search.test_search import record

SPACE: dict[str, Domain] = {
    "loss.gamma": Float(low=0.0, high=5.0),
    "loss.reduce": Choice(choices=("image", "batch")),
    "loss.steps": Int(low=1, high=9, step=2),
    "train.lr": Float(low=1e-5, high=1e-2, log=True),
}


def test_a_recipe_may_name_exactly_what_is_built() -> None:
    assert set(get_args(SearchSection.model_fields["sampler"].annotation)) == set(SAMPLERS)


@pytest.mark.parametrize(
    ("domain", "middle"),
    [
        (Float(low=0.0, high=5.0), 2.5),
        (Float(low=1e-5, high=1e-1, log=True), 1e-3),
        (Float(low=0.0, high=1.0, step=0.5), 0.5),
        (Int(low=1, high=9, step=2), 5),
        (Int(low=1, high=100, log=True), 10),
        (Choice(choices=("a", "b", "c")), "b"),
    ],
)
def test_the_middle_of_the_unit_is_the_middle_of_the_domain(domain: Domain, middle: Any) -> None:
    assert from_unit(domain, 0.5) == pytest.approx(middle) if isinstance(middle, float) else from_unit(domain, 0.5) == middle
    assert to_unit(domain, middle) == pytest.approx(0.5)


@given(st.sampled_from(list(SPACE.values())), st.floats(min_value=0.0, max_value=1.0, exclude_max=True))
def test_every_place_of_the_unit_is_a_value_of_the_domain(domain: Domain, unit: float) -> None:
    value = from_unit(domain, unit)
    assert domain.contains(value) and 0.0 <= to_unit(domain, value) <= 1.0


def test_values_of_a_grid_have_equal_shares() -> None:
    values = [from_unit(Int(low=1, high=9, step=2), (number + 0.5) / 100) for number in range(100)]
    assert {value: values.count(value) for value in set(values)} == dict.fromkeys((1, 3, 5, 7, 9), 20)


def test_quasi_random_points_fill_every_tenth_and_depend_on_name_and_number_alone() -> None:
    points = [quasi_random(SPACE, name="0/focal", number=number) for number in range(40)]
    for key, domain in SPACE.items():
        if isinstance(domain, Float):
            assert {int(10 * to_unit(domain, point[key])) for point in points} == set(range(10))
    assert quasi_random(SPACE, name="0/focal", number=17) == points[17] != quasi_random(SPACE, name="1/focal", number=17)
    assert quasi_random({}, name="0/bce", number=3) == {}


@pytest.mark.parametrize("budget", [1, 6, 20, 60])
def test_the_random_start_is_a_third_of_the_budget_and_at_most_optunas(budget: int) -> None:
    assert startup_trials(budget) == {1: 2, 6: 2, 20: 6, 60: 10}[budget]


def test_an_unknown_sampler_and_a_missing_package_are_told_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ValueError, match=r"sampler must be one of tpe, random, gp, qmc, .*; got 'annealing'"):
        build_sampler("annealing", seed=0, budget=20)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert missing_package("tpe") is None
    with pytest.raises(ValueError, match="needs the package cmaes, which is not installed: `pip install cmaes`, or name one of tpe"):
        build_sampler("cmaes", seed=0, budget=20)


def score(suggestion: dict[str, Any]) -> float:
    return 1.0 - abs(suggestion["loss.gamma"] - 3.0) / 5 - (suggestion["loss.reduce"] == "image") / 10


def searched(kind: str, told: list[TrialRecord], until: int) -> list[TrialRecord]:
    """The trials of a study that begins with these of the ledger; every third is stopped by the pruner."""
    study = LossStudy("focal", SPACE, budget=12, direction="maximize", kind=kind, seed=7)
    for trial in told:
        study.replay(trial)
    trials = list(told)
    for number in range(len(told), until):
        trial_id, state = f"focal-{number:04d}", "pruned" if number % 3 == 2 else "complete"
        suggestion = study.ask(trial_id)
        assert all(SPACE[key].contains(value) for key, value in suggestion.items())
        study.report(trial_id, 1, score(suggestion))
        study.tell(trial_id, state, score(suggestion))
        trials.append(record(trial_id, state, suggestion, (score(suggestion),)))
    return trials


@pytest.mark.parametrize("kind", SAMPLERS)
def test_a_study_resumed_anywhere_goes_on_with_the_same_suggestions(kind: str) -> None:
    whole = searched(kind, [], 10)
    for cut in (2, 7):
        resumed = searched(kind, whole[:cut], 10)
        assert [trial.suggestion for trial in resumed] == [trial.suggestion for trial in whole]


@pytest.mark.parametrize("kind", RIVALS)
def test_rivals_propose_within_the_space(kind: str) -> None:
    if problem := missing_package(kind):
        pytest.skip(problem)
    assert len({str(trial.suggestion) for trial in searched(kind, [], 9)}) == 9
