"""How often the verdict is right: sweeps are simulated with the spread of a recorded one, and judged by the very code that judges sweeps.

The truth is known in a simulated sweep, so that four promises can be counted: one loss under two names ties; intervals cover the truth;
where no loss is better none is named; and the difference that a sweep says it would find is found.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from sweeps.verdict.components import Components
from sweeps.verdict.paired import Replicate, estimate
from sweeps.verdict.ties import compare, judge, smallest_findable, tie_groups

Scores = dict[str, dict[Replicate, float]]
LEVEL = 0.8
"""Mean score about which sweeps are simulated; no statistic depends on it."""


@dataclass(frozen=True, kw_only=True)
class Design:
    """How often each loss runs."""

    seeds: int
    folds: int
    losses: int = 6

    @property
    def by_fold(self) -> bool:
        """Whether folds are the units."""
        return self.folds > 1


@dataclass(frozen=True, kw_only=True)
class Promises:
    """What was counted over simulated sweeps of one design."""

    design: Design
    sweeps: int
    twice_ties: float
    """Share of sweeps in which one loss under two names, and nothing else, ties."""
    twice_among_others_ties: float
    """The same among six other losses."""
    interval_covers: float
    """Share of the pairs' 95% intervals that hold the true difference."""
    mean_covers: float
    """Share of the losses' 95% intervals that hold the true mean."""
    winner_without_difference: float
    """Share of sweeps without any true difference in which one loss is ahead of all others."""
    any_without_difference: float
    """Share of such sweeps in which any pair is called significant."""
    stated_is_found: float
    """Share of sweeps that find the difference which another sweep of this design stated as the smallest findable."""
    stated: float
    """Median of the stated difference."""
    together: float
    """Share of sweeps in which the losses' spreads are taken together."""


def simulate(
    design: Design, components: Components, rng: np.random.Generator, *, shifts: Sequence[float] = (), twins: bool = False, tails: int = 0
) -> Scores:
    """Return one simulated sweep's scores. `shifts` are true advantages of the first losses; `twins`: the first two are one loss.

    Twins share what the loss does on each fold, and how far it strays; as a repeat in a sweep does, the second has seeds of its own.
    `tails` > 2 draws from Student's t with so many degrees of freedom, scaled to the same variance.
    """

    def draw(*shape: int) -> np.ndarray:
        return rng.standard_t(tails, shape) * math.sqrt((tails - 2) / tails) if tails else rng.standard_normal(shape)

    losses, seeds, folds = design.losses, design.seeds, design.folds
    on_fold_L, rest_L = (of_losses(components, part, losses) for part in ("loss_on_fold", "rest"))
    if twins:
        on_fold_L[1], rest_L[1] = on_fold_L[0], rest_L[0]
    on_fold_LF = on_fold_L[:, None] * draw(losses, folds)
    seed_LSF = np.repeat(components.seed * draw(1, seeds, folds), losses, axis=0)
    if twins:
        on_fold_LF[1] = on_fold_LF[0]
        seed_LSF[1] = components.seed * draw(seeds, folds)
    rest_LSF = rest_L[:, None, None] * draw(losses, seeds, folds)
    truth_L = np.zeros(losses)
    truth_L[: len(shifts)] = shifts
    y_LSF = LEVEL + truth_L[:, None, None] + components.fold * draw(1, 1, folds) + seed_LSF + on_fold_LF[:, None, :] + rest_LSF
    return {
        f"loss {loss}": {(seed, fold): float(y_LSF[loss, seed, fold]) for fold in range(folds) for seed in range(seeds)}
        for loss in range(losses)
    }


def of_losses(components: Components, part: str, losses: int) -> np.ndarray:
    """Return loss_on_fold or rest loss by loss: as the components have it, the list repeated or cut; else the same for all."""
    by_loss = components.on_fold_by_loss if part == "loss_on_fold" else components.rest_by_loss
    return np.resize(np.array(by_loss or (getattr(components, part),), dtype=float), losses)


def judged(scores: Scores, design: Design) -> tuple[list[dict[str, Any]], list[list[str]], bool]:
    """Return pairs, groups and whether spreads were taken together, by the code that makes verdict.json."""
    order = sorted(scores, key=lambda name: (-math.fsum(scores[name].values()), name))
    pairs, spread = compare({name: scores[name] for name in order}, maximise=True, by_fold=design.by_fold)
    judge(pairs, None, maximise=True)
    return pairs, tie_groups(order, pairs, {}), spread.together


def count_promises(design: Design, components: Components, *, sweeps: int, seed: int = 0, tails: int = 0) -> Promises:
    """Simulate `sweeps` sweeps for each promise and count."""
    rng = np.random.default_rng(seed)
    alone, among = replace(design, losses=2), replace(design, losses=design.losses + 2)

    def ties(of: Design) -> float:
        tied = 0
        for _ in range(sweeps):
            pairs, _, _ = judged(simulate(of, components, rng, twins=True, tails=tails), of)
            tied += not next(pair for pair in pairs if {pair["a"], pair["b"]} == {"loss 0", "loss 1"})["significant"]
        return tied / sweeps

    null = _without_difference(design, components, sweeps, rng, tails)
    found = sum(_finds(design, components, rng, stated, tails) for stated in null["stated"])
    return Promises(
        design=design,
        sweeps=sweeps,
        twice_ties=ties(alone),
        twice_among_others_ties=ties(among),
        interval_covers=float(np.mean(null["covers"])),
        mean_covers=float(np.mean(null["mean covers"])),
        winner_without_difference=float(np.mean(null["winner"])),
        any_without_difference=float(np.mean(null["any"])),
        stated_is_found=found / len(null["stated"]) if null["stated"] else math.nan,
        stated=float(np.median(null["stated"])) if null["stated"] else math.nan,
        together=float(np.mean(null["together"])),
    )


def power_curve(design: Design, components: Components, *, sweeps: int, points: int = 9, seed: int = 1) -> list[tuple[float, float]]:
    """Return (true difference, share of sweeps that find it), from none to twice what such a sweep states as findable, in the median."""
    rng = np.random.default_rng(seed)
    stated = [found["difference"] for _ in range(101) if (found := smallest_findable(judged(simulate(design, components, rng), design)[0]))]
    most = 2 * float(np.median([value for value in stated if value is not None]))
    steps = [most * point / (points - 1) for point in range(points)]
    return [(step, sum(_finds(design, components, rng, step, 0) for _ in range(sweeps)) / sweeps) for step in steps]


def _without_difference(
    design: Design, components: Components, sweeps: int, rng: np.random.Generator, tails: int
) -> Mapping[str, list[float]]:
    counted: dict[str, list[float]] = {key: [] for key in ("covers", "mean covers", "winner", "any", "stated", "together")}
    for _ in range(sweeps):
        scores = simulate(design, components, rng, tails=tails)
        pairs, groups, together = judged(scores, design)
        counted["covers"] += [pair["low"] <= 0.0 <= pair["high"] for pair in pairs if pair["low"] is not None]
        intervals = [estimate(values, by_fold=design.by_fold) for values in scores.values()]
        counted["mean covers"] += [item.low <= LEVEL <= item.high for item in intervals if item.low is not None and item.high is not None]
        counted["winner"].append(len(groups[0]) == 1)
        counted["any"].append(any(pair["significant"] for pair in pairs))
        counted["together"].append(together)
        findable = smallest_findable(pairs)
        if findable is not None and findable["difference"] is not None:
            counted["stated"].append(findable["difference"])
    return counted


def _finds(design: Design, components: Components, rng: np.random.Generator, difference: float, tails: int) -> bool:
    """Whether a new sweep, in which the first loss truly is so much better than the second, says so. The others lie half way between."""
    shifts = (difference / 2, -difference / 2)
    pairs, _, _ = judged(simulate(design, components, rng, shifts=shifts, tails=tails), design)
    return next(pair["winner"] for pair in pairs if {pair["a"], pair["b"]} == {"loss 0", "loss 1"}) == "loss 0"
