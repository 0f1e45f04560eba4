"""Which losses tie: paired differences, the noise floor, groups, and what the design could have found.

A pair is a dict of verdict.json; `a` ranks above `b` and `difference` is a minus b.
"""

import math
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from sweeps.repeats import first_names
from sweeps.verdict.blocks import Spread, block_of, spread_of, usual_runs
from sweeps.verdict.contenders import Contender
from sweeps.verdict.paired import (
    ALPHA,
    DUST,
    POWER,
    Estimate,
    Replicate,
    chance_above_zero,
    differences,
    estimate,
    findable_difference,
    holm,
    pooled_sd,
    share_ahead,
    tested,
    units_of,
)

GROUPS_RULE = (
    "The best mean opens a group, and every loss that it, or a repeat of it, does not significantly beat joins; the best of the rest opens "
    "the next group. "
    "Significant: Holm-corrected p of the paired t test below 0.05, and a difference above the noise floor where there is one."
)
TOGETHER, APART = "blocks", "pairs"
_WHY = {
    TOGETHER: "all losses' spreads over {unit}s are taken together ({df} degrees of freedom), since nothing shows that they stray "
    "unequally{p}",
    APART: "each pair stands on its own differences, since losses stray unequally{p}",
}
_NOTHING = "each pair stands on its own differences, since no two losses have runs of their own on two common {unit}s"


def paired_losses(order: Sequence[Contender], objective: str, *, maximise: bool, by_fold: bool) -> tuple[list[dict[str, Any]], Spread]:
    """Return every pair, the higher ranked loss first, and the spread that they were tested with (sweeps.verdict.blocks).

    `difference` is a minus b over their common replicates, block by block; `sd` is the standard deviation of a block's difference.
    """
    values = {contender.loss: contender.values(objective) for contender in order}
    return compare(values, maximise=maximise, by_fold=by_fold)


def compare(values: Mapping[str, Mapping[Replicate, float]], *, maximise: bool, by_fold: bool) -> tuple[list[dict[str, Any]], Spread]:
    """Return what `paired_losses` does, from each loss's scores by replicate; all that it knows of losses are their scores."""
    spread, usual = spread_of(list(values.values()), by_fold=by_fold), usual_runs(list(values.values()), by_fold=by_fold)
    pairs = [_pair(a, b, values[a], values[b], spread, usual, maximise=maximise, by_fold=by_fold) for a, b in combinations(values, 2)]
    for pair, corrected in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_holm"] = corrected
    return pairs, spread


def _pair(
    a: str,
    b: str,
    of_a: Mapping[Replicate, float],
    of_b: Mapping[Replicate, float],
    spread: Spread,
    usual: Mapping[object, int],
    *,
    maximise: bool,
    by_fold: bool,
) -> dict[str, Any]:
    paired = differences(of_a, of_b)
    units, unit = units_of(paired, by_fold=by_fold)
    n, low, high, sd, df, p, chance = len(units), None, None, None, 0, None, None
    mean = math.fsum(units) / n if n else None
    if mean is not None and n > 1:
        sd, df = _deviation(units, spread, _thinner(paired, usual, by_fold=by_fold))
        low, high, p = tested(mean, sd / math.sqrt(n), df)
        above = chance_above_zero(mean, sd / math.sqrt(n), df)
        chance = above if maximise else 1.0 - above
    return {
        "a": a, "b": b, "difference": mean, "low": low, "high": high, "sd": sd, "p": p, "n": n, "unit": unit, "df": df,
        "a_ahead": share_ahead(paired, maximise=maximise), "a_better": chance, "replicates": len(paired),
        "identical": bool(paired) and not any(paired.values()),
    }  # fmt: skip


def _thinner(paired: Mapping[Replicate, float], usual: Mapping[object, int], *, by_fold: bool) -> float:
    """Return by how much the variance of a mean over blocks is larger, at most, since runs are missing; 1 where none is.

    A block's difference over m runs where there are usually S has at most S / m times the variance: as if nothing of it were the fold's.
    """
    runs = Counter(block_of(replicate, by_fold) for replicate in paired)
    return statistics.fmean(max(1.0, usual.get(block, count) / count) for block, count in runs.items())


def _deviation(units: Sequence[float], spread: Spread, thinner: float) -> tuple[float, int]:
    """Return the standard deviation of a block's difference of two losses, and its degrees of freedom."""
    if spread.together and spread.sd is not None:
        return math.sqrt(2 * thinner) * spread.sd, spread.df
    mean = math.fsum(units) / len(units)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in units) / (len(units) - 1))
    return (sd if sd > DUST * max(map(abs, units)) else 0.0), len(units) - 1


def told_test(pairs: Sequence[Mapping[str, Any]], spread: Spread) -> dict[str, Any] | None:
    """Return which test the pairs were given and why; None where none was."""
    given = [pair for pair in pairs if pair["p"] is not None]
    if not given:
        return None
    kind, unit = TOGETHER if spread.together else APART, given[0]["unit"]
    p = "" if spread.alike_p is None else f" (Levene's p {spread.alike_p:.2g})"
    why = (_NOTHING if spread.sd is None else _WHY[kind]).format(unit=unit, df=spread.df, p=p)
    return {"name": f"paired t over {unit}s", "spread": kind, "unit": unit, "n": min(pair["n"] for pair in given), "why": why} | {
        "df": min(pair["df"] for pair in given), "alike_p": spread.alike_p
    }  # fmt: skip


def noise_floor(losses: Mapping[str, Any], order: Sequence[Contender], pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the largest difference between two names of one loss with the same entry in the recipe; None without such names."""
    first = first_names(losses)
    measured = [pair for pair in pairs if pair["difference"] is not None]
    same = [pair for pair in measured if first.get(pair["a"], pair["a"]) == first.get(pair["b"], pair["b"])]
    if not same:
        return None
    pair = max(same, key=lambda pair: abs(pair["difference"]))
    suggestions = {contender.loss: contender.trials[0].suggestion for contender in order}
    if pair["identical"]:
        note = "the repeats are the same runs, bit for bit, since they share seeds: this shows that runs can be repeated, and no noise"
    elif suggestions[pair["a"]] == suggestions[pair["b"]]:
        note = "the noise of training: one configuration under two names"
    else:
        note = "the noise of search and training: one loss under two names, tuned twice"
    return (
        {"value": abs(pair["difference"])}
        | {key: pair[key] for key in ("a", "b", "low", "high", "n", "replicates", "identical")}
        | {"note": note}
    )


def judge(pairs: Sequence[dict[str, Any]], floor: Mapping[str, Any] | None, *, maximise: bool) -> None:
    """Say of each pair whether it is significant, and whether the higher ranked loss is the better one in it."""
    for pair in pairs:
        difference, p = pair["difference"], pair["p_holm"]
        pair["significant"], pair["winner"] = False, None
        if p is not None and p < ALPHA and (floor is None or abs(difference) > floor["value"]):
            pair["significant"], pair["winner"] = True, pair["a"] if (difference > 0) == maximise else pair["b"]


def tie_groups(ranked: Sequence[str], pairs: Sequence[Mapping[str, Any]], first: Mapping[str, str]) -> list[list[str]]:
    """Return the groups of losses that tie, best first, as GROUPS_RULE says. `first` tells repeats: `sweeps.repeats.first_names`."""
    beaten = {(pair["a"], pair["b"]) for pair in pairs if pair["winner"] == pair["a"]}
    groups, rest = [], list(ranked)
    while rest:
        same = [name for name in rest if first.get(name, name) == first.get(rest[0], rest[0])]
        groups.append([name for name in rest if name in same or any((one, name) not in beaten for one in same)])
        rest = [name for name in rest if name not in groups[-1]]
    return groups


def settled(ranked: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the ranking with each loss above those that it significantly beats: where runs are missing, means may say otherwise."""
    order, beaten = list(ranked), {(pair["winner"], pair["b"] if pair["winner"] == pair["a"] else pair["a"]) for pair in pairs}
    for _ in ranked:  # of losses that beat each other in a circle the order stays one of theirs
        moved = False
        for low in range(1, len(order)):
            place = next((high for high in range(low) if (order[low], order[high]) in beaten), low)
            if place < low:
                order.insert(place, order.pop(low))
                moved = True
        if not moved:
            break
    return order


def smallest_findable(pairs: Sequence[Mapping[str, Any]], floor: Mapping[str, Any] | None = None) -> dict[str, Any] | None:
    """Return the smallest difference that this sweep finds with 80% power, at the first step of Holm's correction and above the floor.

    It is that of the usual pair: of as many blocks as most pairs have.
    """
    given = [pair for pair in pairs if pair["p"] is not None]
    if not given:
        return None
    n = max(Counter(pair["n"] for pair in given).items(), key=lambda item: (item[1], item[0]))[0]
    usual = [pair for pair in given if pair["n"] == n]
    df = min(pair["df"] for pair in usual)
    sd = pooled_sd([Estimate(mean=None, low=None, high=None, sd=pair["sd"], n=pair["n"], unit=pair["unit"]) for pair in usual])
    alpha, least = ALPHA / len(given), 0.0 if floor is None else float(floor["value"])
    difference = None if sd is None else findable_difference(sd, n, df=df, alpha=alpha, floor=least)
    alone = None if sd is None else findable_difference(sd, n, df=df, floor=least)
    told = {"difference": difference, "uncorrected": alone, "power": POWER, "alpha": alpha, "comparisons": len(given)}
    return told | {"sd": sd, "n": n, "df": df, "unit": given[0]["unit"]}


def seed_spread(order: Sequence[Contender], objective: str) -> float | None:
    """Return the standard deviation between seeds of one loss on one fold, pooled: how far a single run can be believed."""
    cells = []
    for contender in order:
        values = contender.values(objective)
        for fold in sorted({key[1] for key in values}, key=str):
            cells.append(estimate({key: value for key, value in values.items() if key[1] == fold}, by_fold=False))
    return pooled_sd(cells)
