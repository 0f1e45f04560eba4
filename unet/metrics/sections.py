"""Scores of a stack and of each of its sections, and what every score of a mask asks of its arrays."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class SectionScores:
    """Some scores by name; NaN where a section, or the whole stack, has none."""

    values: dict[str, float]
    """Of the stack: over all pixels together or the mean over the sections that have a value, as the registry says."""
    sections: dict[str, tuple[float, ...]]
    """Of each section alone."""


def mean_of_known(values: Sequence[float]) -> float:
    """Return the mean of those that are numbers; NaN of none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def known_pixels(arrays: Mapping[str, np.ndarray], counted_ZHW: np.ndarray | None) -> np.ndarray:
    """Return where the labels are known, bool [Z, H, W].

    Args:
        arrays: name -> bool [Z, H, W], all of one shape.
        counted_ZHW: True where the label is known; None: everywhere.

    Raises:
        ValueError: An array is not bool, or they differ in shape; the message has each by its name.
    """
    told = {**arrays, **({} if counted_ZHW is None else {"counted": counted_ZHW})}
    shapes = {array.shape for array in told.values()}
    if len(shapes) != 1 or len(next(iter(shapes))) != 3 or any(array.dtype != bool or array.size == 0 for array in told.values()):
        raise ValueError(
            f"{', '.join(told)} must be bool [Z, H, W] of one shape, not empty, but got "
            f"{', '.join(f'{name} {array.dtype} {array.shape}' for name, array in told.items())}. "
            "Compare probabilities with a threshold first; pass a single section as section[None]."
        )
    return np.ones(next(iter(shapes)), dtype=bool) if counted_ZHW is None else counted_ZHW


def chosen_names(names: Sequence[str] | None, offered: Sequence[str]) -> tuple[str, ...]:
    """Return the scores to compute: all that are offered, or the named ones.

    Raises:
        ValueError: A name is not among those offered.
    """
    unknown = [name for name in names or () if name not in offered]
    if unknown:
        raise ValueError(f"no score of this kind is called {', '.join(map(repr, unknown))}; there are {', '.join(offered)}.")
    return tuple(offered) if names is None else tuple(names)
