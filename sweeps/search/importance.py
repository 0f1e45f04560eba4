"""How much each searched parameter mattered: Optuna's PED-ANOVA, with its uncertainty and with what chance would give.

PED-ANOVA (Watanabe, Bansal and Hutter 2023, arXiv:2304.10255) asks in which values of a parameter the best trials lie more densely than all
trials do. It needs the order of the trials alone and not the sizes of their scores, so a dozen trials that never learnt cannot drown the
difference between good and better; and unlike Optuna's fANOVA it needs no forest of scikit-learn's.

Optuna's value v is the variance, over the parameter's values, of the share of the trials there that are among the best. To be among the
best q of all is a yes or no with variance q (1 - q), so v / (q (1 - q)) is the part of it that this parameter alone explains: 0 when
it says nothing, 1 when it decides. The parts are not made to sum to 1: where nothing matters, nothing should look as if it did. Densities
are smoothed, so that shares come out somewhat small, those of a choice among few values very much so; chance is smoothed alike.
"""

import math
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import optuna
from optuna.importance import PedAnovaImportanceEvaluator, get_param_importances
from optuna.trial import create_trial

from sweeps.search.ped_anova import Grid
from sweeps.search.study import distribution
from sweeps.space import Choice, Domain

BEST_SHARE = 0.25
"""Which part of the trials counts as the best: a fourth is 15 of 60, where Optuna's default of a tenth would be 6."""
FEWEST_BEST = 5
"""As Optuna advises, so of fewer than 20 trials more than a fourth count as the best."""
LEVEL = 0.95
REPEATS = 399
"""Resamples, and as many shuffles."""
_MOST_DRAWN = 200_000
"""Trials in all resamples together: of more than 500 trials, there are fewer resamples."""


@dataclass(frozen=True, kw_only=True)
class Importance:
    """One parameter's share, its interval, and what shuffled scores give."""

    name: str
    """Dotted, such as loss.gamma."""
    share: float
    """Of being among the best, the part that this parameter alone explains; 0 to 1."""
    low: float
    """Lower end of the 95% interval."""
    median: float
    """Median over the resamples as they come; it lies above the share, since trials drawn twice look like a gathering."""
    high: float
    """Upper end."""
    chance: float
    """95th percentile where the scores are shuffled over the trials: one parameter in twenty without any effect comes out above it."""
    p: float
    """(1 + shuffles that give at least the share) / (1 + shuffles)."""


def target_quantile(trials: int) -> float:
    """Return which part of so many trials counts as the best."""
    return min(max(BEST_SHARE, FEWEST_BEST / trials), 0.5)


def importances(
    space: Mapping[str, Domain], configurations: Sequence[Mapping[str, Any]], standing: Sequence[float], *, seed: int = 0
) -> list[Importance]:
    """Return the importance of every parameter of `space`, the largest first.

    `standing` is one number a configuration, more being better; only its order counts. The interval is the percentile bootstrap's over
    trials, moved so that its median lies on the share: a trial that is drawn twice raises every resample's share.
    """
    value_N, trials = np.asarray(standing, float), len(configurations)
    share = _by_optuna(space, configurations, value_N)
    rng, repeats = np.random.default_rng(seed), max(99, min(REPEATS, _MOST_DRAWN // trials))
    drawn_RN, same_RN = rng.integers(trials, size=(repeats, trials)), np.tile(np.arange(trials), (repeats, 1))
    drawn_best_RN = _best(value_N[drawn_RN])
    null_best_RN = _best(rng.permuted(np.tile(value_N, (repeats, 1)), axis=1))
    found = []
    for name, domain in space.items():
        grid = Grid(domain, [told[name] for told in configurations])
        null = _explained(grid.variance(same_RN, null_best_RN), null_best_RN)
        low, median, high = np.quantile(
            _explained(grid.variance(drawn_RN, drawn_best_RN), drawn_best_RN), [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]
        )
        ends = np.clip(share[name] + np.array([low, high]) - median, 0, 1)
        told = {"low": float(min(ends[0], share[name])), "high": float(max(ends[1], share[name])), "median": float(median)}
        # to the last bits: a shuffle that leaves the order alone must count as giving as much
        p = float((1 + (null >= share[name] - 1e-9).sum()) / (1 + repeats))
        found.append(Importance(name=name, share=share[name], chance=float(np.quantile(null, LEVEL)), p=p, **told))
    return sorted(found, key=lambda item: (-item.share, item.name))


def _best(value_RN: np.ndarray) -> np.ndarray:
    """Return which trials are the best, bool [R, N]: as many as asked for, and those that equal the last of them."""
    trials = value_RN.shape[1]
    at = trials - math.ceil(target_quantile(trials) * trials)
    return value_RN >= np.sort(value_RN, axis=1)[:, at : at + 1]


def _explained(variance_R: np.ndarray, best_RN: np.ndarray) -> np.ndarray:
    quantile_R = best_RN.mean(axis=1)
    whole_R = quantile_R * (1 - quantile_R)
    # all are the best: no trial is better than another, and no parameter decides
    return np.where(whole_R > 0, np.clip(variance_R / np.where(whole_R > 0, whole_R, 1), 0, 1), 0)


def _by_optuna(space: Mapping[str, Domain], configurations: Sequence[Mapping[str, Any]], value_N: np.ndarray) -> dict[str, float]:
    """Return the share of each parameter, by Optuna's own evaluator."""
    best_N = _best(value_N[None])
    if best_N.all():
        return dict.fromkeys(space, 0.0)
    kinds = {name: distribution(domain) for name, domain in space.items()}
    study = optuna.create_study(direction="maximize")
    study.add_trials(
        create_trial(value=float(value), params={name: _inside(space[name], told[name]) for name in space}, distributions=kinds)
        for told, value in zip(configurations, value_N, strict=True)
    )
    with warnings.catch_warnings():
        # 2026-11-25: Optuna 5.0 calls `normalize` experimental
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        evaluator = PedAnovaImportanceEvaluator(target_quantile=target_quantile(len(value_N)))
        found = get_param_importances(study, evaluator=evaluator, params=list(space), normalize=False)
    return {name: float(_explained(np.array([found[name]]), best_N)[0]) for name in space}


def _inside(domain: Domain, value: Any) -> Any:
    """Return a value that Optuna takes: the last of a grid can lie above its end by the last bit (.05 + 18 * .05)."""
    return value if isinstance(domain, Choice) else min(max(value, domain.low), domain.high)
