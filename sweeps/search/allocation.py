"""Which loss the next trial goes to: all in turn (`equal`), or more to those that do well (`shared`).

Shared is Threshold Ascent (Streeter and Smith 2006, "A simple distribution-free approach to the max k-armed bandit problem", CP 2006,
section 3): a loss is worth how often its trials are among the best `s` of all so far, with an upper bound for what few trials have shown:

    U(m, n) = m + (a + sqrt(2 n m a + a^2)) / n,   a = ln(2 N k / delta)

m is the share of the loss's n trials that lie above the s-th best score, N the budget of all k losses; untried losses come first. The
bound is wide: a loss that is never among the best still gets about a third of the trials of one that always is. It depends on what was
asked and told alone, so a resumed sweep goes on as it would have. s = N / k, the budget of one loss.
"""

import math
from collections.abc import Mapping

from sweeps.search.study import LossStudy

_DELTA = 0.01  # the paper's, section 5


def unspent(studies: Mapping[str, LossStudy], allocation: str) -> int:
    """Return how many trials are still to be asked for."""
    if allocation == "equal":
        return sum(max(0, study.budget - study.asked) for study in studies.values())
    left = max(0, sum(study.budget - study.asked for study in studies.values()))
    return left if any(study.distributions for study in studies.values()) else min(left, len(_open(studies)))


def next_loss(studies: Mapping[str, LossStudy], allocation: str) -> str | None:
    """Return the loss that the next trial goes to, or None when the budget is spent."""
    if unspent(studies, allocation) == 0:
        return None
    if allocation == "equal":
        wanting = {loss: study for loss, study in studies.items() if study.asked < study.budget}
        return min(wanting, key=lambda loss: wanting[loss].asked)
    bounds = _bounds(studies)
    return max(_open(studies), key=lambda loss: bounds[loss])  # the first of equals


def _open(studies: Mapping[str, LossStudy]) -> list[str]:
    """Return the losses that can use another trial: where nothing is searched, all trials would be the same."""
    return [loss for loss, study in studies.items() if study.distributions or study.asked < study.budget]


def _bounds(studies: Mapping[str, LossStudy]) -> dict[str, float]:
    budget = sum(study.budget for study in studies.values())
    scores = {loss: study.scores() for loss, study in studies.items()}
    ranked = sorted((value for found in scores.values() for value in found), reverse=True)
    best = max(2, budget // len(studies))
    threshold = ranked[best - 1] if len(ranked) >= best else -math.inf
    width = math.log(2 * budget * len(studies) / _DELTA)
    bounds = {}
    for loss, study in studies.items():
        if study.asked == 0:
            bounds[loss] = math.inf
            continue
        share = sum(value > threshold for value in scores[loss]) / study.asked
        bounds[loss] = share + (width + math.sqrt(2 * study.asked * share * width + width**2)) / study.asked
    return bounds
