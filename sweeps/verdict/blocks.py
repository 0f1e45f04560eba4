"""Losses in blocks: how far a block's value of a loss strays by chance, from all losses together.

A block is what counts as independent: a test fold (a loss's value is the mean over its seeds), or a seed where there is one fold. Every
loss runs in every block, so what a block does to all losses alike (hard sections, a lucky initialisation) drops out of differences. What is
left is chance: the residual of the additive model, value = loss + block + residual (the randomised blocks of Fisher 1935, The Design of
Experiments, chapter 4). A pair of losses on 3 folds has 2 degrees of freedom of its own; six losses on 3 folds have 10 together, and
after correction for 15 pairs that is the difference between finding a difference and finding none.

Together is right only where losses stray alike. Levene's test (Levene 1960, Robust tests for equality of variances, in Contributions to
Probability and Statistics, p. 278) looks whether they do, over what is left of the runs within folds and over what is left of the folds;
where either says no, each pair stands on its own differences. Its bound of .01 is by simulation (docs/statistics.md): residuals of small
designs are not independent, and at a nominal .05 it would refuse one good sweep in six.

Runs may be missing. A cell that lacks runs is a mean of fewer, strays further, and says nothing of the others: it takes no part in the
spread (`usual_runs`), and a difference that rests on it is given a larger error (`sweeps.verdict.ties`).
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from sweeps.verdict.paired import DUST, Replicate, units_of

ALIKE = 0.01
"""Nominal level of the test that losses stray alike."""


@dataclass(frozen=True, kw_only=True)
class Spread:
    """How far a block's value of one loss strays."""

    sd: float | None
    """Standard deviation of a loss's value in a block, blocks and losses taken out; None where nothing tells it."""
    df: int
    """Degrees of freedom of sd."""
    alike_p: float | None
    """p of the losses straying alike, over folds and within them (Bonferroni); None where that cannot be tested."""

    @property
    def together(self) -> bool:
        """Whether the losses' spreads are taken together."""
        return self.sd is not None and (self.alike_p is None or self.alike_p >= ALIKE)


def spread_of(values: Sequence[Mapping[Replicate, float]], *, by_fold: bool) -> Spread:
    """Return the spread of losses over blocks. `values` maps, for each loss, replicates to its scores.

    Losses without a value take no part, nor do cells that lack runs. Without two losses and two blocks there is nothing to tell, and sd is
    None.
    """
    values = _whole_cells(_distinct([loss for loss in values if loss]), by_fold=by_fold)
    table_LB = _table(values, by_fold=by_fold)
    residual_LB, df = additive_residuals(table_LB)
    if df < 1:
        return Spread(sd=None, df=0, alike_p=None)
    sd = math.sqrt(float(np.nansum(residual_LB**2)) / df)
    level = float(np.nanmax(np.abs(table_LB)))
    return Spread(sd=sd if sd > DUST * level else 0.0, df=df, alike_p=_alike(values, residual_LB, level, by_fold=by_fold))


def adjusted_means(values: Mapping[str, Mapping[Replicate, float]], *, by_fold: bool) -> dict[str, float]:
    """Return each loss's mean as if every loss had run wherever any has: least squares of value = loss + replicate.

    Without missing runs these are the plain means (over folds, of the means over seeds). With some, a loss that ran on the easy folds
    alone is not flattered. Losses that no chain of common runs joins cannot be adjusted to each other; then all means are plain.
    """
    values = {name: loss for name, loss in values.items() if loss}
    plain = {name: math.fsum(units) / len(units) for name, loss in values.items() for units in [units_of(loss, by_fold=by_fold)[0]]}
    table_LR = _table(list(values.values()), by_fold=False)
    known = np.isfinite(table_LR)
    if known.all() or _parts(known) > 1:
        return plain
    design, rows, columns = _design(known)
    effects = np.linalg.lstsq(design, table_LR[rows, columns], rcond=None)[0]
    replicates = list(dict.fromkeys(replicate for loss in values.values() for replicate in loss))
    of_runs = dict(zip(replicates, effects[len(values) :].tolist(), strict=True))
    places = units_of(of_runs, by_fold=by_fold)[0]
    return {name: float(effect) + math.fsum(places) / len(places) for name, effect in zip(values, effects, strict=False)}


def usual_runs(values: Sequence[Mapping[Replicate, float]], *, by_fold: bool) -> dict[object, int]:
    """Return for each block how many runs of it more than half of the losses have: what a loss's cell should hold."""
    counted = Counter(replicate for loss in values for replicate in loss)
    losses = sum(bool(loss) for loss in values)
    return dict(Counter(block_of(replicate, by_fold) for replicate, count in counted.items() if 2 * count > losses))


def block_of(replicate: Replicate, by_fold: bool) -> object:
    """Return the block that a run belongs to: its fold, or itself."""
    return replicate[1] if by_fold else replicate


def _whole_cells(values: Sequence[Mapping[Replicate, float]], *, by_fold: bool) -> list[dict[Replicate, float]]:
    """Leave out the cells that have fewer runs than is usual in their block, unless nothing were left."""
    usual = usual_runs(values, by_fold=by_fold)
    kept = []
    for loss in values:
        runs = Counter(block_of(replicate, by_fold) for replicate in loss)
        kept.append({key: value for key, value in loss.items() if runs[block_of(key, by_fold)] >= usual.get(block_of(key, by_fold), 1)})
    return [loss for loss in kept if loss]


def _distinct(values: Sequence[Mapping[Replicate, float]]) -> list[Mapping[Replicate, float]]:
    """Leave out losses whose runs are those of another bit for bit: they are one loss, and say nothing twice."""
    kept: list[Mapping[Replicate, float]] = []
    for loss in values:
        if loss not in kept:
            kept.append(loss)
    return kept


def _table(values: Sequence[Mapping[Replicate, float]], *, by_fold: bool) -> np.ndarray:
    """Return the mean of each loss in each block, NaN where it has no run; shape (losses, blocks)."""
    blocks = list(dict.fromkeys(block_of(replicate, by_fold) for loss in values for replicate in loss))
    table_LB = np.full((len(values), len(blocks)), np.nan)
    for row, loss in enumerate(values):
        cells: dict[object, list[float]] = {}
        for replicate, value in loss.items():
            cells.setdefault(block_of(replicate, by_fold), []).append(value)
        for block, scores in cells.items():
            table_LB[row, blocks.index(block)] = math.fsum(scores) / len(scores)
    return table_LB


def additive_residuals(table_LB: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the residuals of value = loss + block by least squares, and their degrees of freedom; NaN marks a cell without a value."""
    residual = table_LB.astype(float)
    known = np.isfinite(residual)
    if not known.any():
        return residual, 0
    df = int(known.sum()) - (len(_rows(known)) + int(known.any(axis=0).sum()) - _parts(known))
    if known.all():
        return residual - residual.mean(axis=1, keepdims=True) - residual.mean(axis=0, keepdims=True) + residual.mean(), df
    design, rows, columns = _design(known)
    told = residual[rows, columns]
    residual[rows, columns] = told - design @ np.linalg.lstsq(design, told, rcond=None)[0]
    return residual, df


def _design(known: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the additive model's design matrix, one row a known cell and one column a loss and a block, and the cells' places."""
    rows, columns = np.nonzero(known)
    design = np.zeros((len(rows), sum(known.shape)))
    design[np.arange(len(rows)), rows] = design[np.arange(len(rows)), known.shape[0] + columns] = 1.0
    return design, rows, columns


def _rows(known: np.ndarray) -> set[int]:
    return {int(row) for row in np.flatnonzero(known.any(axis=1))}


def _parts(known: np.ndarray) -> int:
    """Return how many parts a table falls into that share no row and no column."""
    left, parts = _rows(known), 0
    while left:
        parts, reached = parts + 1, {left.pop()}
        while True:
            columns = known[sorted(reached)].any(axis=0)
            grown = {int(row) for row in np.flatnonzero(known[:, columns].any(axis=1))}
            if grown <= reached:
                break
            reached |= grown
        left -= reached
    return parts


def _alike(values: Sequence[Mapping[Replicate, float]], residual_LB: np.ndarray, level: float, *, by_fold: bool) -> float | None:
    """Return p of Levene's test over blocks; where folds have several runs, of that over runs within folds as well, the smaller doubled.

    None where neither can be made.
    """
    found = [_levene([_independent(row) for row in residual_LB], level)]
    if by_fold and any(len(loss) > np.isfinite(row).sum() for loss, row in zip(values, residual_LB, strict=True)):
        found.append(_levene(_within_folds(values), level))
    told = [p for p in found if p is not None]
    return min(1.0, len(told) * min(told)) if told else None  # Bonferroni


def _independent(residuals: np.ndarray) -> np.ndarray:
    """Return a loss's known residuals; of just two the first, since they are opposites (they sum to 0) and say the same."""
    known = residuals[np.isfinite(residuals)]
    return known[:1] if len(known) == 2 else known


def _levene(groups: Sequence[np.ndarray], level: float) -> float | None:
    """Return p of Levene's test about means; None of fewer than 3 groups, of a group of one, and where nothing strays."""
    sizes = np.array([len(group) for group in groups])
    if len(groups) < 3 or sizes.min() < 2:
        return None
    away = [np.abs(group) for group in groups]
    means = np.array([item.mean() for item in away])
    grand = float(np.concatenate(away).mean())
    between = float((sizes * (means - grand) ** 2).sum()) / (len(groups) - 1)
    within = math.fsum(float(((item - mean) ** 2).sum()) for item, mean in zip(away, means, strict=True)) / (sizes.sum() - len(groups))
    if within <= (DUST * level) ** 2:
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
            kept.append(_independent(row))
    return [np.concatenate(kept) for kept in left]
