"""How flat the optimum is: which trials of a loss tie with its best one, and where in the search space they lie.

Two trainings of equally good configurations differ by chance, with standard deviation s sqrt(2) where s is that of a single training. So
a trial ties with the best unless it is more than 1.645 sqrt(2) s behind it: of two equals, the one falls that far behind the other one
time in twenty. The best of many trials was lucky as well, so that the region is, if anything, told too small.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.search.standing import Standing
from sweeps.search.surface import KNOWN, Surface
from sweeps.search.unit import to_unit
from sweeps.space import Choice, Domain

FACTOR = 1.645 * math.sqrt(2)
"""Standard deviations of a single training that a trial may be behind the best."""
_POINTS = 1024


@dataclass(frozen=True, kw_only=True)
class Side:
    """One parameter's side of the region."""

    values: tuple[Any, ...]
    """Lowest and highest value of the trials that tie; of a choice, each value that one of them has."""
    of_range: float
    """How much of what is searched lies between them, 0 to 1, on the scale of the search."""
    tied: int
    """Trials that tie."""
    between: int
    """Trials, tied or not, with a value between them: where the two are equal, any value there ties."""


@dataclass(frozen=True, kw_only=True)
class FlatRegion:
    """The trials that tie with the best."""

    best: Standing
    threshold: float
    """The score from which on a trial ties."""
    tied: tuple[Standing, ...]
    """Them, the best included, in the order of the search."""
    trials: int
    """Of how many that have a score."""
    sides: Mapping[str, Side]
    """By parameter."""
    volume: float | None
    """Share of the search volume where the smooth surface reaches the threshold; None without a surface."""
    known: float | None
    """Share of the volume that the surface knows anything of."""


def flat_region(
    space: Mapping[str, Domain], standings: Sequence[Standing], margin: float, surface: Surface | None, *, maximise: bool
) -> FlatRegion | None:
    """Return the region of the trials that are at most `margin` behind the best; None when none went to its end with a score."""
    ended = [told for told in standings if told.score is not None]
    scored = [told for told in standings if told.reached is not None]
    sign = 1.0 if maximise else -1.0
    if not ended:
        return None
    best = max(ended, key=lambda told: sign * (told.score or 0.0))
    threshold = (best.score or 0.0) - sign * margin
    # one that was stopped early would hardly have come out lower, so it ties where it was that good already
    tied = tuple(told for told in scored if sign * (told.reached or 0.0) >= sign * threshold)
    volume, known = (None, None) if surface is None else _volume(surface, sign * threshold)
    return FlatRegion(
        best=best,
        threshold=threshold,
        tied=tied,
        trials=len(scored),
        sides={name: _side(name, domain, tied, scored) for name, domain in space.items()},
        volume=volume,
        known=known,
    )


def _side(name: str, domain: Domain, tied: Sequence[Standing], scored: Sequence[Standing]) -> Side:
    values = [told.trial.suggestion[name] for told in tied]
    others = [told.trial.suggestion[name] for told in scored]
    if isinstance(domain, Choice):
        had = tuple(choice for choice in domain.choices if choice in values)
        return Side(values=had, of_range=len(had) / len(domain.choices), tied=len(values), between=sum(value in had for value in others))
    low, high = min(values), max(values)
    return Side(
        values=(low, high),
        of_range=to_unit(domain, high) - to_unit(domain, low),
        tied=len(values),
        between=sum(low <= value <= high for value in others),
    )


def _volume(surface: Surface, threshold: float) -> tuple[float, float]:
    height_N, spread_N = surface.at(surface.scale.drawn(_POINTS))
    known_N = spread_N < KNOWN * surface.spread
    return float((known_N & (height_N >= threshold)).mean()), float(known_N.mean())
