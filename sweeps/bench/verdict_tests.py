"""The tests that a verdict could use, side by side on the same simulated sweeps: why it uses the one that it does.

All are two-sided at 5%, corrected by Holm's rule over all pairs where a sweep is judged. Vectorised over sweeps; arrays are
(sweeps, losses, seeds, folds). The verdict's own is here a second time, written apart from sweeps.verdict, and a test holds both equal.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import special

from sweeps.bench.verdict import Design, of_losses, simulate
from sweeps.verdict.blocks import ALIKE
from sweeps.verdict.components import Components
from sweeps.verdict.paired import ALPHA

Pairs = tuple[np.ndarray, np.ndarray]
_DRAWS = 2_000


@dataclass(frozen=True, kw_only=True)
class Behaviour:
    """What a test does on simulated sweeps."""

    test: str
    covers: float
    """Share of 95% intervals of a pair's difference that hold the truth: the test does not reject it at 5%, uncorrected."""
    any_called: float
    """Share of sweeps without a true difference in which a pair is called significant, after Holm's correction."""
    finds: float
    """Share of sweeps that find one loss's true advantage over another, after Holm's correction."""


def _folds(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Differences of the folds' means: (sweeps, pairs, folds)."""
    cells = y.mean(axis=2)
    return cells[:, pairs[0]] - cells[:, pairs[1]]


def _runs(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Differences run by run: (sweeps, pairs, seeds x folds)."""
    flat = y.reshape(*y.shape[:2], -1)
    return flat[:, pairs[0]] - flat[:, pairs[1]]


def _student(mean: np.ndarray, error: np.ndarray, df: float | np.ndarray) -> np.ndarray:
    return 2 * special.stdtr(df, -np.abs(mean) / np.maximum(error, 1e-300))


def _t(units: np.ndarray, inflation: float = 1.0) -> np.ndarray:
    n = units.shape[2]
    return _student(units.mean(axis=2), np.sqrt(inflation * units.var(axis=2, ddof=1) / n), n - 1)


def t_over_folds(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Each pair alone: Student's t over its folds' mean differences."""
    return _t(_folds(y, pairs))


def t_over_runs(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Each pair alone, every run taken for independent: what is done most often, and wrong wherever a loss suits some folds better."""
    return _t(_runs(y, pairs))


def nadeau_bengio(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """t over runs, the variance of their mean inflated from 1/n to 1/n + n_test / n_train (Nadeau and Bengio 2003, Mach. Learn. 52:239)."""
    runs = _runs(y, pairs)
    # of five blocks one is the test's and one calibration, so three are for training
    return _t(runs, inflation=1.0 + runs.shape[2] * (1 / 3))


def sign_flips(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Exact permutation test over folds: the share of all sign patterns whose mean is as far from 0. Of 3 folds its least p is 1/4."""
    units = _folds(y, pairs)
    signs = np.array(list(product((1.0, -1.0), repeat=units.shape[2])))
    means = np.abs(np.einsum("npf,sf->nps", units, signs)) / units.shape[2]
    return (means >= np.abs(units.mean(axis=2))[:, :, None] * (1 - 1e-12)).mean(axis=2)


def bootstrap_over_folds(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """Percentile bootstrap over folds (Efron 1979, Ann. Stat. 7:1): p is twice the smaller share of resampled means beyond 0."""
    units = _folds(y, pairs)
    picks = np.random.default_rng(0).integers(0, units.shape[2], (_DRAWS, units.shape[2]))
    weights = np.stack([(picks == fold).mean(axis=1) for fold in range(units.shape[2])], axis=1)
    above = (np.einsum("npf,sf->nps", units, weights) > 0).mean(axis=2)
    return np.minimum(2 * np.minimum(above, 1 - above), 1.0)


def blocks_together(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """t over folds, the spread taken from all losses together, alike or not."""
    _, losses, _, folds = y.shape
    cells = y.mean(axis=2)
    left = cells - cells.mean(axis=1, keepdims=True) - cells.mean(axis=2, keepdims=True) + cells.mean(axis=(1, 2), keepdims=True)
    df = (losses - 1) * (folds - 1)
    error = np.sqrt(2 * (left**2).sum(axis=(1, 2)) / df / folds)[:, None]
    return _student(_folds(y, pairs).mean(axis=2), error, df)


def ours(y: np.ndarray, pairs: Pairs) -> np.ndarray:
    """The spread from all losses together where Levene's tests find them alike, else each pair alone: the verdict's."""
    apart = alike(y) < ALIKE
    return np.where(apart[:, None], t_over_folds(y, pairs), blocks_together(y, pairs))


def alike(y: np.ndarray) -> np.ndarray:
    """p of the losses straying alike: over folds, and over runs when losses and seeds are taken out fold by fold; the smaller doubled."""
    left = y - y.mean(axis=2, keepdims=True) - y.mean(axis=1, keepdims=True) + y.mean(axis=(1, 2), keepdims=True)
    cells = y.mean(axis=2)
    over = cells - cells.mean(axis=1, keepdims=True) - cells.mean(axis=2, keepdims=True) + cells.mean(axis=(1, 2), keepdims=True)
    return np.minimum(1.0, 2 * np.minimum(_levene(left), _levene(over)))


def _levene(left: np.ndarray) -> np.ndarray:
    away = np.abs(left).reshape(*left.shape[:2], -1)
    losses, runs = away.shape[1:]
    means = away.mean(axis=2)
    between = runs * ((means - means.mean(axis=1, keepdims=True)) ** 2).sum(axis=1) / (losses - 1)
    within = ((away - means[:, :, None]) ** 2).sum(axis=(1, 2)) / (losses * (runs - 1))
    return special.fdtrc(losses - 1, losses * (runs - 1), between / within)


TESTS: Mapping[str, Callable[[np.ndarray, Pairs], np.ndarray]] = {
    "ours": ours,
    "t over folds, losses together": blocks_together,
    "t over folds, each pair alone": t_over_folds,
    "Nadeau-Bengio t over runs": nadeau_bengio,
    "sign flips over folds": sign_flips,
    "percentile bootstrap over folds": bootstrap_over_folds,
    "t over runs": t_over_runs,
}


def holm_rejects(p: np.ndarray) -> np.ndarray:
    """Which p-values of each row (sweeps, pairs) Holm's rule rejects at 5%."""
    order = np.argsort(p, axis=1)
    steps = np.take_along_axis(p, order, axis=1) * (p.shape[1] - np.arange(p.shape[1]))
    rejected = np.empty(p.shape, dtype=bool)
    np.put_along_axis(rejected, order, np.maximum.accumulate(steps, axis=1) < ALPHA, axis=1)
    return rejected


def simulated(design: Design, components: Components, sweeps: int, *, seed: int, tails: int = 0) -> np.ndarray:
    """Return simulated sweeps without a true difference: (sweeps, losses, seeds, folds)."""
    rng = np.random.default_rng(seed)
    whole = replace(design, losses=sweeps * design.losses)  # one draw for all; folds and seeds are drawn for each sweep below
    shared = replace(components, rest=0.0, rest_by_loss=(), loss_on_fold=0.0, on_fold_by_loss=())
    by_loss = {part: tuple(np.tile(of_losses(components, part, design.losses), sweeps)) for part in ("loss_on_fold", "rest")}
    own = replace(components, fold=0.0, seed=0.0, rest_by_loss=by_loss["rest"], on_fold_by_loss=by_loss["loss_on_fold"])
    y = _array(simulate(whole, own, rng, tails=tails), whole).reshape(sweeps, design.losses, design.seeds, design.folds)
    return y + np.stack(
        [_array(simulate(replace(design, losses=1), shared, rng, tails=tails), replace(design, losses=1)) for _ in range(sweeps)]
    )


def _array(scores: Mapping[str, Mapping[tuple[int, int | None], float]], design: Design) -> np.ndarray:
    flat = np.array([list(of_loss.values()) for of_loss in scores.values()])
    return flat.reshape(design.losses, design.folds, design.seeds).swapaxes(1, 2)


def compare_tests(
    design: Design, components: Components, *, sweeps: int, advantage: float, seed: int = 0, tails: int = 0
) -> list[Behaviour]:
    """Return how each test behaves on the same sweeps; `advantage` is the first loss's true lead over all others, when power is counted."""
    y = simulated(design, components, sweeps, seed=seed, tails=tails)
    pairs = np.triu_indices(design.losses, 1)
    better = y + advantage * (np.arange(design.losses) == 0)[None, :, None, None]
    found = []
    for name, test in TESTS.items():
        p = test(y, pairs)
        hits = holm_rejects(test(better, pairs))[:, pairs[0] == 0]
        called = holm_rejects(p).any(axis=1)
        found.append(Behaviour(test=name, covers=float((p > ALPHA).mean()), any_called=float(called.mean()), finds=float(hits.mean())))
    return found
