"""The spread of losses over blocks: against least squares, an analysis of variance worked by hand, and SciPy's Levene."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeps.verdict.blocks import ALIKE, additive_residuals, adjusted_means, spread_of
from sweeps.verdict.components import NoSpread, components_of
from sweeps.verdict.ranks import rank_losses
from sweeps.verdict.ties import compare


def least_squares(table: np.ndarray) -> tuple[np.ndarray, int]:
    """Residuals and degrees of freedom of value = loss + block, from a design matrix."""
    losses, blocks = table.shape
    rows, columns = np.nonzero(np.isfinite(table))
    design = np.zeros((len(rows), losses + blocks))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), losses + columns] = 1.0
    values = table[rows, columns]
    fitted, _, rank, _ = np.linalg.lstsq(design, values, rcond=None)
    residual = np.full(table.shape, np.nan)
    residual[rows, columns] = values - design @ fitted
    return residual, len(values) - rank


@given(losses=st.integers(1, 6), blocks=st.integers(1, 5), seed=st.integers(0, 10_000), gaps=st.floats(0, 0.6))
@settings(deadline=None, max_examples=80)
def test_residuals_are_least_squares_whatever_is_missing(losses, blocks, seed, gaps):
    rng = np.random.default_rng(seed)
    table = rng.normal(0.8, 0.01, (losses, blocks))
    table[rng.random(table.shape) < gaps] = np.nan
    if not np.isfinite(table).any():
        assert additive_residuals(table)[1] == 0
        return
    expected, df = least_squares(table)
    residual, found = additive_residuals(table)
    assert found == df
    np.testing.assert_allclose(residual, expected, atol=2e-9)


def by_loss(table: list[list[float]]) -> list[dict]:
    """Scores of losses (rows) by fold (columns), one seed."""
    return [{(0, fold): value for fold, value in enumerate(row)} for row in table]


def test_spread_of_a_table_worked_by_hand():
    # row means 2, 4; column means 2, 3, 4; grand mean 3: residuals 0 -.5 .5 and their opposites
    spread = spread_of(by_loss([[1.0, 1.5, 3.5], [3.0, 4.5, 4.5]]), by_fold=True)
    assert (spread.df, spread.sd) == (2, pytest.approx(math.sqrt(4 * 0.25 / 2)))
    assert spread.alike_p is None and spread.together, "of two losses both have the same residuals: nothing to compare"


def test_two_losses_together_are_the_paired_t_test():
    a, b = [0.80, 0.71, 0.91, 0.85], [0.795, 0.70, 0.895, 0.852]
    scores = {name: {(0, fold): value for fold, value in enumerate(row)} for name, row in (("a", a), ("b", b))}
    ((pair,), spread) = compare(scores, maximise=True, by_fold=True)
    reference = stats.ttest_rel(a, b)
    interval = reference.confidence_interval(0.95)
    assert spread.together and pair["df"] == 3
    assert (pair["p"], pair["low"], pair["high"]) == pytest.approx((reference.pvalue, interval.low, interval.high))
    assert pair["a_better"] == pytest.approx(1 - reference.pvalue / 2)


def test_levene_is_scipys_on_the_residuals():
    rng = np.random.default_rng(5)
    table = rng.normal(0, 1, (5, 7)) * np.array([1, 1, 1, 1, 2])[:, None]
    residual, _ = least_squares(table)
    expected = stats.levene(*residual, center="mean").pvalue
    assert spread_of(by_loss(table.tolist()), by_fold=True).alike_p == pytest.approx(expected)
    one_fold = [{(seed, 0): value for seed, value in enumerate(row)} for row in table.tolist()]
    assert spread_of(one_fold, by_fold=False).alike_p == pytest.approx(expected)


def test_a_restless_loss_makes_each_pair_stand_alone():
    rng = np.random.default_rng(1)
    values = [
        {(seed, fold): float(rng.normal(0.8, 0.004 * (8 if loss == 5 else 1))) for seed in range(6) for fold in range(4)}
        for loss in range(6)
    ]
    spread = spread_of(values, by_fold=True)
    assert spread.alike_p is not None and spread.alike_p < ALIKE and not spread.together
    pairs, _ = compare({str(number): scores for number, scores in enumerate(values)}, maximise=True, by_fold=True)
    assert {pair["df"] for pair in pairs} == {3}
    calm = next(pair for pair in pairs if (pair["a"], pair["b"]) == ("0", "1"))
    restless = next(pair for pair in pairs if (pair["a"], pair["b"]) == ("0", "5"))
    assert restless["high"] - restless["low"] > 3 * (calm["high"] - calm["low"])


@pytest.mark.parametrize(("seeds", "folds"), [(2, 1), (1, 2), (2, 2), (2, 4), (3, 3)])
def test_losses_that_stray_alike_are_taken_together(seeds, folds):
    """Two residuals are opposites: taken for two, they made Levene's test refuse up to 98% of good sweeps with two seeds or folds."""
    apart = 0
    for sweep in range(200):
        rng = np.random.default_rng(sweep)
        y = (
            0.02 * rng.standard_normal((1, 1, folds))
            + 0.004 * rng.standard_normal((6, 1, folds))
            + 0.005 * rng.standard_normal((6, seeds, folds))
        )
        values = [{(s, f): float(y[k, s, f]) for s in range(seeds) for f in range(folds)} for k in range(6)]
        apart += not spread_of(values, by_fold=folds > 1).together
    assert apart / 200 < 0.07


def test_a_loss_that_is_unsteady_from_fold_to_fold_is_seen():
    rng = np.random.default_rng(2)
    on_fold = 0.002 * rng.standard_normal((6, 1, 10)) * np.array([1, 1, 1, 1, 1, 15])[:, None, None]
    y = on_fold + 0.002 * rng.standard_normal((6, 3, 10))
    values = [{(s, f): float(y[k, s, f]) for s in range(3) for f in range(10)} for k in range(6)]
    assert not spread_of(values, by_fold=True).together


def test_adjusted_means_are_plain_without_gaps_and_least_squares_with():
    full = {"a": {(0, 0): 0.5, (0, 1): 0.7}, "b": {(0, 0): 0.6, (0, 1): 0.9}}
    assert adjusted_means(full, by_fold=True) == pytest.approx({"a": 0.6, "b": 0.75})
    # fold 1 is .3 harder for b, who alone ran on both: a would have had .5 + .3 there
    assert adjusted_means({"a": {(0, 0): 0.5}, "b": full["b"]}, by_fold=True) == pytest.approx({"a": 0.65, "b": 0.75})
    apart = {"a": {(0, 0): 0.5}, "b": {(0, 1): 0.9}}
    assert adjusted_means(apart, by_fold=True) == {"a": 0.5, "b": 0.9}, "nothing joins them"
    assert adjusted_means({}, by_fold=True) == {}


def test_a_loss_entered_twice_bit_for_bit_does_not_shrink_the_spread():
    table = by_loss([[1.0, 1.5, 3.5], [3.0, 4.5, 4.5], [2.0, 2.0, 4.0]])
    assert spread_of([*table, table[0]], by_fold=True) == spread_of(table, by_fold=True)


def test_nothing_to_tell_of_one_loss_or_one_block():
    assert spread_of(by_loss([[1.0, 2.0, 3.0]]), by_fold=True).sd is None
    assert spread_of(by_loss([[1.0], [2.0]]), by_fold=True).sd is None
    assert spread_of([], by_fold=True).sd is None


def test_components_come_out_as_they_were_put_in():
    rng, losses, seeds, folds = np.random.default_rng(3), 40, 30, 40
    fold, seed, on_fold, rest = 0.02, 0.006, 0.004, 0.005
    y = (
        fold * rng.standard_normal((1, 1, folds))
        + seed * rng.standard_normal((1, seeds, folds))
        + on_fold * rng.standard_normal((losses, 1, folds))
        + rest * rng.standard_normal((losses, seeds, folds)) * np.where(np.arange(losses) == 7, 3.0, 1.0)[:, None, None]
    )
    found = components_of({str(k): {(s, f): y[k, s, f] for s in range(seeds) for f in range(folds)} for k in range(losses)})
    assert (found.seed, found.loss_on_fold) == pytest.approx((seed, on_fold), rel=0.06)
    assert found.fold == pytest.approx(fold, rel=0.3)  # 40 folds tell it no better
    assert found.rest_by_loss[7] == pytest.approx(3 * rest, rel=0.05) and found.rest_by_loss[0] == pytest.approx(rest, rel=0.08)


def test_components_need_a_full_grid_and_say_so():
    with pytest.raises(NoSpread, match="full grid of at least 2 seeds x 2 folds"):
        components_of({"a": {(0, 0): 0.5, (1, 0): 0.5}, "b": {(0, 0): 0.5}})


def test_ranks_and_critical_difference():
    rng = np.random.default_rng(2)
    table = rng.normal(0, 1, (6, 12)) + np.array([0, 0, 0, 3, 3, 6])[:, None]
    scores = {f"l{number}": {(0, fold): value for fold, value in enumerate(row)} for number, row in enumerate(table.tolist())}
    found = rank_losses(scores, maximise=True, by_fold=True)
    assert found is not None
    assert found["critical_difference"] == pytest.approx(2.850 * math.sqrt(6 * 7 / (6 * 12)), abs=2e-3)  # q of 6: Demsar 2006, table 5a
    assert found["friedman_p"] == pytest.approx(stats.friedmanchisquare(*table).pvalue)
    assert found["ranks"]["l5"] == pytest.approx((7 - stats.rankdata(table, axis=0))[5].mean())
    assert next(iter(found["ranks"])) == "l5" and ["l0", "l1", "l2"] in [sorted(clique) for clique in found["cliques"]]
    backwards = rank_losses(scores, maximise=False, by_fold=True)
    assert backwards is not None and backwards["ranks"]["l5"] == pytest.approx(7 - found["ranks"]["l5"])
    assert rank_losses({name: scores[name] for name in ("l0", "l1")}, maximise=True, by_fold=True) is None
