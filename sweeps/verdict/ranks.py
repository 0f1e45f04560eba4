"""Mean ranks of losses over blocks, with Friedman's test and Nemenyi's critical difference, where a sweep has blocks enough for them.

Ranks forget how far losses lie apart; the paired differences (sweeps.verdict.ties) decide, and this is the picture that reviewers know.
"""

import math
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import numpy as np
from scipy import stats

from sweeps.verdict.contenders import Contender
from sweeps.verdict.paired import ALPHA, Replicate, units_of

FEWEST = {"losses": 5, "blocks": 10}
"""Below these a critical difference is wider than most sweeps' ranks, and Friedman's chi-squared is poor (Demsar 2006, section 3.2.2)."""


def critical_difference(order: Sequence[Contender], objective: str, *, maximise: bool, by_fold: bool) -> dict[str, Any] | None:
    """Return mean ranks, Friedman's p and Nemenyi's critical difference; None with fewer than 5 losses or 10 blocks that all have run."""
    return rank_losses({item.loss: item.values(objective) for item in order}, maximise=maximise, by_fold=by_fold)


def rank_losses(values: Mapping[str, Mapping[Replicate, float]], *, maximise: bool, by_fold: bool) -> dict[str, Any] | None:
    """Return what `critical_difference` does, from each loss's scores by replicate.

    Friedman 1937 (J. Am. Stat. Assoc. 32:675) with ties at mean rank; critical difference q sqrt(k (k + 1) / (6 n)) for k losses on n
    blocks, q the studentised range's quantile over sqrt(2) (Demsar 2006, J. Mach. Learn. Res. 7:1, section 3.2.2). Only replicates that
    all losses have take part.
    """
    shared = set.intersection(*(set(scores) for scores in values.values())) if values else set()
    scores = {loss: {key: scores[key] for key in sorted(shared, key=str)} for loss, scores in values.items()}
    table = [units_of(told, by_fold=by_fold) for told in scores.values()]
    k, n = len(table), len(table[0][0]) if table else 0
    if k < FEWEST["losses"] or n < FEWEST["blocks"]:
        return None
    scores_LB = np.array([units for units, _ in table])
    ranks_LB = stats.rankdata(-scores_LB if maximise else scores_LB, axis=0)
    mean = dict(sorted(zip(values, ranks_LB.mean(axis=1).tolist(), strict=True), key=lambda item: (item[1], item[0])))
    critical = _quantile(k) * math.sqrt(k * (k + 1) / (6 * n))
    p = float(stats.friedmanchisquare(*scores_LB).pvalue) if np.ptp(scores_LB, axis=0).any() else 1.0
    told = {"blocks": n, "unit": table[0][1], "friedman_p": p, "critical_difference": critical}
    return told | {"ranks": mean, "cliques": _cliques(mean, critical)}


@cache
def _quantile(k: int) -> float:
    return float(stats.studentized_range.ppf(1 - ALPHA, k, np.inf)) / math.sqrt(2)


def _cliques(ranks: Mapping[str, float], critical: float) -> list[list[str]]:
    """Return the largest runs of losses, by rank, within one critical difference; single losses are none."""
    names, found = list(ranks), []
    for start in range(len(names)):
        run = [name for name in names[start:] if ranks[name] - ranks[names[start]] <= critical]
        if len(run) > 1 and not (found and set(run) <= set(found[-1])):
            found.append(run)
    return found
