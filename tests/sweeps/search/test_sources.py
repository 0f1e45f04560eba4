"""Which loss is next, and that a sweep cut anywhere is dealt the rest as if it had not been."""

import dataclasses
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest

from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.record import TrialRecord
from sweeps.search.allocation import next_loss, unspent
from sweeps.search.sources import SearchSource
from sweeps.search.study import LossStudy
from sweeps.space import Float
from tests.sweeps.search.test_search import record
from tests.sweeps.small import small_recipe

LOSSES = {"bce": {}, "dice": {"smooth": {"low": 0.1, "high": 10.0}}, "focal": {"gamma": {"low": 0.0, "high": 5.0}}}
HEIGHT = {"bce": 0.5, "dice": 0.7, "focal": 0.6}


def recipe_with(**search: Any) -> Recipe:
    stop = {"kind": "asha", "grace_epochs": 1, "factor": 2}
    return small_recipe(losses=LOSSES, search={"trials_per_loss": 5, "early_stop": stop} | search)


def plan(*, trial_id: str, loss: str, suggestion: dict[str, Any], seed: int, fold: int | None) -> TrialPlan:
    return TrialPlan(
        trial_id=trial_id, stage="search", loss=loss, function=loss, suggestion=suggestion, seed=seed, fold=fold, sweep="", uuid="",
        recipe={}, data_sha256="", folder="",
    )  # fmt: skip


def run(recipe: Recipe, told: Sequence[TrialRecord] = (), until: int = 1000) -> list[TrialRecord]:
    """Run trials one after the other; the score is the loss's height plus what the learning rate adds."""
    source, trials = SearchSource(recipe, told, plan, None), list(told)
    while len(trials) < until and (planned := source.next_plan()) is not None:
        at = math.log10(planned.suggestion["train.lr"]) + 3
        values, state = [], "complete"
        for epoch in range(1, recipe.train.epochs + 1):
            values.append(HEIGHT[planned.loss] + epoch / 100 - at**2 / 50)
            if source.measured(planned, {"epoch": epoch, "membrane_dice": values[-1]}):
                state = "pruned"
                break
        source.ended(planned, state, {"membrane_dice": max(values)})
        trial = record(planned.trial_id, state, planned.suggestion, tuple(values))
        trials.append(dataclasses.replace(trial, loss=planned.loss))
    return trials


@pytest.mark.parametrize("allocation", ["equal", "shared"])
@pytest.mark.parametrize("sampler", ["tpe", "qmc"])
def test_a_sweep_cut_anywhere_is_dealt_the_rest_as_if_it_had_not_been(sampler: str, allocation: str) -> None:
    recipe = recipe_with(sampler=sampler, allocation=allocation)
    whole = run(recipe)
    assert len(whole) == 15 and len({trial.trial_id for trial in whole}) == 15
    assert any(trial.state == "pruned" for trial in whole)
    for cut in (1, 6, 11):
        resumed = run(recipe, whole[:cut])
        assert [(trial.trial_id, trial.state, trial.suggestion) for trial in resumed] == [
            (trial.trial_id, trial.state, trial.suggestion) for trial in whole
        ]


def test_equal_gives_each_loss_its_budget_in_turn() -> None:
    trials = run(recipe_with())
    assert [trial.loss for trial in trials[:4]] == ["bce", "dice", "focal", "bce"]
    assert Counter(trial.loss for trial in trials) == dict.fromkeys(LOSSES, 5)


def test_shared_spends_the_same_budget_and_gives_the_best_loss_most() -> None:
    trials = run(recipe_with(allocation="shared", trials_per_loss=20, sampler="random"))
    counts = Counter(trial.loss for trial in trials)
    assert sum(counts.values()) == 60 and counts["dice"] > 60 / 3 + 5
    assert min(counts["bce"], counts["focal"]) >= 60 / 6, "the bound is wide: none is given up"


def study(name: str, budget: int, scores: Sequence[float], space: bool = True) -> LossStudy:
    found = LossStudy(name, {"train.lr": Float(low=0.0, high=1.0)} if space else {}, budget=budget, direction="maximize")
    for number, value in enumerate(scores):
        found.ask(f"{name}-{number}")
        found.tell(f"{name}-{number}", "complete", value)
    return found


def test_untried_losses_come_first_and_then_the_one_with_the_best_bound() -> None:
    studies = {"a": study("a", 2, [0.5]), "b": study("b", 2, [])}
    assert next_loss(studies, "shared") == "b"
    # s = 4 of 4 scores: the threshold is .2, above it are .5 and .6 of a, .3 of b; with two trials each, a has the higher share
    studies = {"a": study("a", 4, [0.5, 0.6]), "b": study("b", 4, [0.3, 0.2])}
    assert next_loss(studies, "shared") == "a"
    # with one trial more, a's bound is the lower: its share is larger by .25, the width of the bound by 2 ln(2 * 8 * 2 / .01) / 2 smaller
    studies = {"a": study("a", 4, [0.5, 0.6, 0.7]), "b": study("b", 4, [0.3])}
    assert next_loss(studies, "shared") == "b"


@pytest.mark.parametrize("allocation", ["equal", "shared"])
def test_a_loss_with_nothing_to_search_gets_one_trial(allocation: str) -> None:
    studies = {"a": study("a", 3, []), "fixed": study("fixed", 1, [], space=False)}
    dealt = []
    while (loss := next_loss(studies, allocation)) is not None:
        assert unspent(studies, allocation) == 4 - len(dealt)
        studies[loss].ask(f"{loss}-{len(dealt)}")
        dealt.append(loss)
    assert sorted(dealt) == ["a", "a", "a", "fixed"] and next_loss({}, allocation) is None
