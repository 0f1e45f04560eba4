"""Losses in blocks: how far a block's value of a loss strays by chance, from all losses together.

A block is what counts as independent: a test fold (a loss's value is the mean over its seeds), or a seed where there is one fold. Every
loss runs in every block, so what a block does to all losses alike (hard sections, a lucky initialisation) drops out of differences. What is
left is chance: the residual of the additive model, value = loss + block + residual (the randomised blocks of Fisher 1935, The Design of
Experiments, chapter 4). A pair of losses on 3 folds has 2 degrees of freedom of its own; six losses on 3 folds have 10 together, and
after correction for 15 pairs that is the difference between finding a difference and finding none.

Together is right only where losses stray alike. Levene's test (Levene 1960, Robust tests for equality of variances, in Contributions to
Probability and Statistics, p. 278) on the residuals looks whether they do; where it says no, each pair stands on its own differences. Its
bound of .01 is by simulation (docs/statistics.md): residuals of small designs are not independent, and at a nominal .05 it would refuse
one good sweep in six.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from sweeps.verdict.paired import Replicate

ALIKE = 0.01
"""Nominal level of the test that losses stray alike."""
_SWEEPS, _STILL = 200, 1e-13


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far a block's value of one loss strays."""

    sd: float | None
    """Standard deviation of a loss's value in a block, blocks and losses taken out; None where nothing tells it."""
    df: int
    """Degrees of freedom of sd."""
    alike_p: float | None
    """p of the losses straying alike; None where that cannot be tested."""

    @property
    def together(self) -> bool:
        """Whether the losses' spreads are taken together."""
        return self.sd is not None and (self.alike_p is None or self.alike_p >= ALIKE)


def spread_of(values: Sequence[Mapping[Replicate, float]], *, by_fold: bool) -> Spread:
    """Return the spread of losses over blocks. `values` maps, for each loss, replicates to its scores.

    Losses without a value take no part. Without two losses and two blocks there is nothing to tell, and sd is None.
    """
    values = _distinct([loss for loss in values if loss])
    table_LB = _table(values, by_fold=by_fold)
    residual_LB, df = additive_residuals(table_LB)
    if df < 1:
        return Spread(sd=None, df=0, alike_p=None)
    sd = math.sqrt(float(np.nansum(residual_LB**2)) / df)
    return Spread(sd=sd, df=df, alike_p=_alike(values, residual_LB, by_fold=by_fold))


def _distinct(values: Sequence[Mapping[Replicate, float]]) -> list[Mapping[Replicate, float]]:
    """Leave out losses whose runs are those of another bit for bit: they are one loss, and say nothing twice."""
    kept: list[Mapping[Replicate, float]] = []
    for loss in values:
        if loss not in kept:
            kept.append(loss)
    return kept


def _table(values: Sequence[Mapping[Replicate, float]], *, by_fold: bool) -> np.ndarray:
    """Return the mean of each loss in each block, NaN where it has no run; shape (losses, blocks)."""
    blocks = list(dict.fromkeys(_block(replicate, by_fold) for loss in values for replicate in loss))
    table_LB = np.full((len(values), len(blocks)), np.nan)
    for row, loss in enumerate(values):
        cells: dict[object, list[float]] = {}
        for replicate, value in loss.items():
            cells.setdefault(_block(replicate, by_fold), []).append(value)
        for block, scores in cells.items():
            table_LB[row, blocks.index(block)] = math.fsum(scores) / len(scores)
    return table_LB


def _block(replicate: Replicate, by_fold: bool) -> object:
    return replicate[1] if by_fold else replicate


def additive_residuals(table_LB: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the residuals of value = loss + block by least squares, and their degrees of freedom; NaN marks a cell without a value.

    A full table needs one pass of taking out means; one with gaps needs passes until nothing moves (they converge to least squares).
    """
    residual = table_LB.astype(float)
    known = np.isfinite(residual)
    if not known.any():
        return residual, 0
    for _ in range(_SWEEPS):
        before = residual
        for axis in (1, 0):
            counts = np.maximum(known.sum(axis=axis, keepdims=True), 1)
            residual = residual - np.where(known, residual, 0.0).sum(axis=axis, keepdims=True) / counts
        if known.all() or float(np.nanmax(np.abs(residual - before))) < _STILL:
            break
    return np.where(known, residual, np.nan), int(known.sum()) - _parameters(known)


def _parameters(known: np.ndarray) -> int:
    """Return how many effects a table tells: one a loss and one a block, less one for each part that hangs together."""
    rows, parts = {int(row) for row in np.flatnonzero(known.any(axis=1))}, 0
    left = set(rows)
    while left:
        parts, reached = parts + 1, {left.pop()}
        while True:
            columns = known[sorted(reached)].any(axis=0)
            grown = {int(row) for row in np.flatnonzero(known[:, columns].any(axis=1))}
            if grown <= reached:
                break
            reached |= grown
        left -= reached
    return len(rows) + int(known.any(axis=0).sum()) - parts


def _alike(values: Sequence[Mapping[Replicate, float]], residual_LB: np.ndarray, *, by_fold: bool) -> float | None:
    """Return Levene's p over what is left of each run, of each block where a block has one run a loss."""
    groups: list[np.ndarray] = [row[np.isfinite(row)] for row in residual_LB]
    if by_fold and any(len(loss) > np.isfinite(row).sum() for loss, row in zip(values, residual_LB, strict=True)):
        groups = _within_folds(values)
    sizes = np.array([len(group) for group in groups])
    if len(groups) < 3 or sizes.min() < 2 or sizes.sum() <= len(groups):
        return None
    away = [np.abs(group) for group in groups]
    means = np.array([item.mean() for item in away])
    grand = float(np.concatenate(away).mean())
    between = float((sizes * (means - grand) ** 2).sum()) / (len(groups) - 1)
    within = math.fsum(float(((item - mean) ** 2).sum()) for item, mean in zip(away, means, strict=True)) / (sizes.sum() - len(groups))
    if within <= 0:
        return None
    return float(special.fdtrc(len(groups) - 1, sizes.sum() - len(groups), between / within))


def _within_folds(values: Sequence[Mapping[Replicate, float]]) -> list[np.ndarray]:
    """Return what is left of each loss's runs when, fold by fold, losses and seeds are taken out."""
    left: list[list[np.ndarray]] = [[] for _ in values]
    for fold in dict.fromkeys(replicate[1] for loss in values for replicate in loss):
        residual, _ = additive_residuals(
            _table([{key: value for key, value in loss.items() if key[1] == fold} for loss in values], by_fold=False)
        )
        for row, kept in zip(residual, left, strict=True):
            kept.append(row[np.isfinite(row)])
    return [np.concatenate(kept) for kept in left]
