"""Where the spread of scores comes from: folds, seeds, losses on folds, and what is left. By analysis of variance.

    score = loss + fold + seed within fold + loss on fold + rest

What a fold or a seed does to all losses alike drops out of paired differences; loss on fold and the rest do not. With them sweeps like a
recorded one are simulated (sweeps.bench.verdict).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from sweeps.verdict.blocks import additive_residuals
from sweeps.verdict.paired import Replicate


class NoSpread(ValueError):
    """A sweep's finalists do not tell where the spread of its scores comes from; the CLI exits with 2."""


@dataclass(frozen=True, kw_only=True)
class Components:
    """Standard deviations of a score's parts, in the score's unit."""

    fold: float
    """Of a fold, the same for all losses: some sections are harder."""
    seed: float
    """Of a seed within a fold, the same for all losses: paired runs share first weights and crops."""
    loss_on_fold: float
    """Of a loss on a fold: a loss suits some sections better than others. More seeds do not average it out; more folds do."""
    rest: float
    """Of a single run: what is left."""
    rest_by_loss: tuple[float, ...]
    """The rest, loss by loss, where losses stray unequally."""
    on_fold_by_loss: tuple[float, ...] = ()
    """The loss on a fold, loss by loss, in simulations where some are less steady than others; a sweep's few folds cannot tell it."""


def components_of(values: Mapping[str, Mapping[Replicate, float]]) -> Components:
    """Return the components from each loss's scores by replicate: method of moments (Searle, Casella and McCulloch 1992, chapter 4).

    The replicates must be a full grid of at least 2 losses x 2 seeds x 2 folds, else NoSpread. A negative estimate is 0.
    """
    y_LSF = _grid(values)
    losses, seeds, folds = y_LSF.shape
    left_LSF = np.stack([additive_residuals(y_LSF[:, :, fold])[0] for fold in range(folds)], axis=2)
    rest_df = folds * (losses - 1) * (seeds - 1)
    rest = float((left_LSF**2).sum()) / rest_df
    cells_LF, places_SF = y_LSF.mean(axis=1), y_LSF.mean(axis=0)
    on_fold = seeds * float((additive_residuals(cells_LF)[0] ** 2).sum()) / ((losses - 1) * (folds - 1))
    seed = losses * float(((places_SF - places_SF.mean(axis=0)) ** 2).sum()) / (folds * (seeds - 1))
    fold = losses * seeds * float(places_SF.mean(axis=0).var(ddof=1))
    return Components(
        fold=_root((fold - on_fold - seed + rest) / (losses * seeds)),
        seed=_root((seed - rest) / losses),
        loss_on_fold=_root((on_fold - rest) / seeds),
        rest=_root(rest),
        rest_by_loss=_by_loss(left_LSF, rest),
    )


def _root(variance: float) -> float:
    return math.sqrt(max(variance, 0.0))


def _by_loss(left_LSF: np.ndarray, rest: float) -> tuple[float, ...]:
    """Return each loss's own rest. A residual mixes in the others' (of k losses a share 1/k of their mean), which is taken out."""
    losses, seeds, folds = left_LSF.shape
    if losses < 3:
        return (_root(rest),) * losses
    raw = (left_LSF**2).sum(axis=(1, 2)) / (folds * (seeds - 1))
    return tuple(_root(float(variance)) for variance in (raw - rest / losses) * losses / (losses - 2))


def _grid(values: Mapping[str, Mapping[Replicate, float]]) -> np.ndarray:
    shared = set.intersection(*(set(scores) for scores in values.values())) if values else set()
    folds = sorted({key[1] for key in shared}, key=str)
    seeds = sorted({key[0] for key in shared})
    full = {(seed, fold) for seed in seeds for fold in folds}
    if len(values) < 2 or len(seeds) < 2 or len(folds) < 2 or any(set(scores) != full for scores in values.values()):
        told = ", ".join(f"{name} {len(scores)}" for name, scores in values.items())
        raise NoSpread(
            f"variance components need every loss on a full grid of at least 2 seeds x 2 folds; all losses share {len(shared)} runs "
            f"(runs a loss: {told or 'none'}). Take a sweep whose finalists all ended, over two or more folds."
        )
    return np.array([[[scores[seed, fold] for fold in folds] for seed in seeds] for scores in values.values()])
