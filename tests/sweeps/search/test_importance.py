"""What Optuna says mattered, and how sure that is."""

from typing import Any

import numpy as np
import optuna
import pytest
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances

from sweeps.search.importance import importances, target_quantile
from sweeps.search.study import distribution
from sweeps.search.unit import from_unit
from sweeps.space import Choice, Domain, Float, Int

SPACE: dict[str, Domain] = {
    "train.lr": Float(low=1e-5, high=1e-2, log=True),
    "loss.focal.gamma": Float(low=0, high=5),
    "loss.focal.alpha": Float(low=0.05, high=0.95, step=0.05),
    "loss.size": Int(low=1, high=9),
    "loss.reach": Int(low=1, high=64, log=True),
    "loss.kind": Choice(choices=("image", "batch", None)),
}


def drawn(trials: int, seed: int, space: dict[str, Domain] = SPACE) -> list[dict[str, Any]]:
    rng = np.random.default_rng(seed)
    return [{name: from_unit(domain, rng.uniform()) for name, domain in space.items()} for _ in range(trials)]


def by_rate(configurations: list[dict[str, Any]], noise: float = 0.0) -> list[float]:
    rng = np.random.default_rng(9)
    return [-abs(np.log10(told["train.lr"]) + 3) + noise * rng.normal() for told in configurations]


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
@pytest.mark.parametrize(("trials", "seed", "decimals"), [(12, 0, 9), (25, 1, 1), (60, 2, 9), (60, 3, 0), (130, 4, 2)])
def test_our_formula_gives_what_optuna_gives(trials: int, seed: int, decimals: int) -> None:
    """Two programs, one formula: the resamples and shuffles of ours are then of Optuna's statistic. Rounded scores have ties."""
    from sweeps.search.importance import _best, _explained
    from sweeps.search.ped_anova import Grid

    configurations = drawn(trials, seed)
    value_N = np.round(by_rate(configurations, 0.5), decimals)
    best_RN, rows_RN = _best(value_N[None]), np.arange(trials)[None]
    study = optuna.create_study(direction="maximize")
    for told, value in zip(configurations, value_N, strict=True):
        kinds = {name: distribution(domain) for name, domain in SPACE.items()}
        params = told | {"loss.focal.alpha": min(told["loss.focal.alpha"], 0.95)}  # Optuna refuses .9500000000000001
        study.add_trial(optuna.trial.create_trial(value=float(value), params=params, distributions=kinds))
    evaluator = PedAnovaImportanceEvaluator(target_quantile=target_quantile(trials))
    expected = get_param_importances(study, evaluator=evaluator, normalize=False)
    for name, domain in SPACE.items():
        variance = Grid(domain, [told[name] for told in configurations]).variance(rows_RN, best_RN)
        assert variance[0] == pytest.approx(expected[name], abs=1e-12)
        share = next(item.share for item in importances(SPACE, configurations, value_N.tolist()) if item.name == name)
        assert share == pytest.approx(_explained(np.array([expected[name]]), best_RN)[0], abs=1e-12)


@pytest.mark.parametrize("trials", [30, 60])
def test_a_planted_parameter_is_found_and_the_others_are_within_chance(trials: int) -> None:
    found = {seed: importances(SPACE, chosen := drawn(trials, seed), by_rate(chosen, 0.1)) for seed in range(12)}
    assert all(items[0].name == "train.lr" and items[0].p < 0.05 and items[0].share > items[0].chance for items in found.values())
    others = [item.p < 0.05 for items in found.values() for item in items[1:]]
    assert sum(others) <= 9, "of 60 parameters without any effect, 3 are expected to be beyond chance and 9 hardly ever"


def test_a_choice_that_decides_is_found() -> None:
    configurations = drawn(60, 5)
    items = importances(SPACE, configurations, [float(told["loss.kind"] is None) + 1e-3 * told["loss.size"] for told in configurations])
    # the whole share would be 2/3; Optuna's kernels lend much of it to the other choices, which shuffles share
    assert items[0].name == "loss.kind" and items[0].share > 3 * items[0].chance and items[0].p < 0.01


def test_only_the_order_of_the_scores_counts() -> None:
    configurations = drawn(40, 6)
    scores = by_rate(configurations, 0.3)
    assert importances(SPACE, configurations, scores) == importances(SPACE, configurations, [np.exp(5 * score) for score in scores])


def test_names_and_the_order_of_choices_do_not_count() -> None:
    space: dict[str, Domain] = {"a": SPACE["train.lr"], "b": SPACE["loss.kind"]}
    renamed: dict[str, Domain] = {"loss.dice.x": space["a"], "loss.y": Choice(choices=(None, "batch", "image"))}
    configurations = drawn(50, 7, space)
    scores = [-abs(np.log10(told["a"]) + 3) + 0.5 * (told["b"] == "batch") for told in configurations]
    same = [{"loss.dice.x": told["a"], "loss.y": told["b"]} for told in configurations]
    for first, second in zip(importances(space, configurations, scores), importances(renamed, same, scores), strict=True):
        assert {"a": "loss.dice.x", "b": "loss.y"}[first.name] == second.name
        assert (first.share, first.low, first.high, first.p) == pytest.approx((second.share, second.low, second.high, second.p), abs=1e-9)


def test_the_interval_holds_the_share_and_narrows_with_more_trials() -> None:
    widths = []
    for trials in (20, 80, 320):
        chosen = drawn(trials, 8)
        first = importances(SPACE, chosen, by_rate(chosen, 0.3))[0]
        assert 0 <= first.low <= first.share <= first.high <= 1
        widths.append(first.high - first.low)
    assert widths[0] > widths[1] > widths[2]


def test_nothing_matters_where_all_are_equal() -> None:
    items = importances(SPACE, drawn(20, 9), [0.5] * 20)
    assert {item.share for item in items} == {0.0} and all(item.p == 1 for item in items)


def test_the_same_trials_give_the_same_answer() -> None:
    chosen = drawn(30, 10)
    assert importances(SPACE, chosen, by_rate(chosen)) == importances(SPACE, chosen, by_rate(chosen))


@pytest.mark.parametrize(("trials", "best"), [(10, 5), (20, 5), (60, 15), (400, 100)])
def test_at_least_five_trials_are_the_best(trials: int, best: int) -> None:
    assert target_quantile(trials) * trials == best
