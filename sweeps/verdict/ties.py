"""Which losses tie: paired differences, the noise floor, groups, and what the design could have found.

A pair is a dict of verdict.json; `a` ranks above `b` and `difference` is a minus b.
"""

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from sweeps.verdict.contenders import Contender
from sweeps.verdict.paired import ALPHA, POWER, Estimate, differences, estimate, findable_difference, holm, pooled_sd, share_ahead

GROUPS_RULE = (
    "The best mean opens a group, and every loss that it does not significantly beat joins; the best of the rest opens the next group. "
    "Significant: Holm-corrected p of the paired t test below 0.05, and a difference above the noise floor where there is one."
)


def paired_losses(order: Sequence[Contender], objective: str, *, maximise: bool, by_fold: bool) -> list[dict[str, Any]]:
    """Return every pair, the higher ranked loss first; `difference` is a minus b over their common replicates."""
    pairs = []
    for a, b in combinations(order, 2):
        paired = differences(a.values(objective), b.values(objective))
        found = estimate(paired, by_fold=by_fold)
        pair = {"a": a.loss, "b": b.loss, "difference": found.mean, "low": found.low, "high": found.high, "sd": found.sd, "p": found.p}
        pair |= {"n": found.n, "unit": found.unit, "a_ahead": share_ahead(paired, maximise=maximise), "replicates": len(paired)}
        pairs.append(pair | {"identical": bool(paired) and not any(paired.values())})
    for pair, corrected in zip(pairs, holm([pair["p"] for pair in pairs]), strict=True):
        pair["p_holm"] = corrected
    return pairs


def noise_floor(losses: Mapping[str, Any], order: Sequence[Contender], pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the largest difference between two names of one loss with the same entry in the recipe; None without such names."""
    entries = {name: {"loss": name} | dict(entry) for name, entry in losses.items() if isinstance(entry, Mapping)}
    measured = [pair for pair in pairs if pair["difference"] is not None]
    same = [pair for pair in measured if pair["a"] in entries and entries[pair["a"]] == entries.get(pair["b"])]
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
    return {"value": abs(pair["difference"])} | {key: pair[key] for key in ("a", "b", "low", "high", "n", "identical")} | {"note": note}


def judge(pairs: Sequence[dict[str, Any]], floor: Mapping[str, Any] | None, *, maximise: bool) -> None:
    """Say of each pair whether it is significant, and whether the higher ranked loss is the better one in it."""
    for pair in pairs:
        difference, p = pair["difference"], pair["p_holm"]
        pair["significant"], pair["winner"] = False, None
        if p is not None and p < ALPHA and (floor is None or abs(difference) > floor["value"]):
            pair["significant"], pair["winner"] = True, pair["a"] if (difference > 0) == maximise else pair["b"]


def tie_groups(ranked: Sequence[str], pairs: Sequence[Mapping[str, Any]]) -> list[list[str]]:
    """Return the groups of losses that tie, best first, as GROUPS_RULE says."""
    beaten = {(pair["a"], pair["b"]) for pair in pairs if pair["winner"] == pair["a"]}
    groups, rest = [], list(ranked)
    while rest:
        groups.append([name for name in rest if (rest[0], name) not in beaten])
        rest = [name for name in rest if name not in groups[-1]]
    return groups


def smallest_findable(pairs: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """Return the smallest difference that this sweep finds with 80% power, at the first step of Holm's correction."""
    tested = [pair for pair in pairs if pair["p"] is not None]
    if not tested:
        return None
    n = min(pair["n"] for pair in tested)
    sd = pooled_sd([Estimate(mean=None, low=None, high=None, sd=pair["sd"], n=pair["n"], unit=pair["unit"]) for pair in tested])
    alpha = ALPHA / len(tested)
    difference = None if sd is None else findable_difference(sd, n, alpha=alpha)
    alone = None if sd is None else findable_difference(sd, n)
    told = {"difference": difference, "uncorrected": alone, "power": POWER, "alpha": alpha, "comparisons": len(tested)}
    return told | {"sd": sd, "n": n, "unit": tested[0]["unit"]}


def seed_spread(order: Sequence[Contender], objective: str) -> float | None:
    """Return the standard deviation between seeds of one loss on one fold, pooled: how far a single run can be believed."""
    cells = []
    for contender in order:
        values = contender.values(objective)
        for fold in sorted({key[1] for key in values}, key=str):
            cells.append(estimate({key: value for key, value in values.items() if key[1] == fold}, by_fold=False))
    return pooled_sd(cells)
