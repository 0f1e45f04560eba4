"""Repeats: one loss under several names of a recipe (`bce_again: {loss: bce}`), for the noise floor.

A repeat that trained with the seeds of the first would be the same run bit for bit wherever both are tuned to the same values, and would
measure nothing. So the k-th repeat of an entry trains its finalists with the k-th block of seeds, and stands beside the others by the
number of the seed within its block.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any


def repeat_numbers(losses: Mapping[str, Any]) -> dict[str, int]:
    """Return for each name of a recipe's `losses` how many names before it have the same entry; 0 for the first."""
    seen: Counter[str] = Counter()
    numbers = {}
    for name, first in first_names(losses).items():
        numbers[name] = seen[first]
        seen[first] += 1
    return numbers


def first_names(losses: Mapping[str, Any]) -> dict[str, str]:
    """Return for each name of a recipe's `losses` the first name with the same entry: itself, where it is no repeat."""
    firsts: dict[str, str] = {}
    # `bce: {}` is the loss bce, as `again: {loss: bce}` is
    told = {name: {"loss": name} | (dict(entry) if isinstance(entry, Mapping) else {"entry": entry}) for name, entry in losses.items()}
    return {name: firsts.setdefault(json.dumps(entry, sort_keys=True, default=str), name) for name, entry in told.items()}


def seed_of(number: int, *, first: int, seeds: int, repeat: int) -> int:
    """Return the `number`-th seed (from 0) of a repeat, where every repeat has `seeds` seeds and the first name's begin at `first`."""
    return first + repeat * seeds + number


def seed_number(seed: int, *, first: int, seeds: int) -> int:
    """Return a seed's number within its block, from 0: what pairs the runs of different losses."""
    return (seed - first) % max(seeds, 1)
