"""What the registry says about a score: which way is better, its range and unit, its formula, where that comes from, and its edges."""

from dataclasses import dataclass, replace
from typing import Literal, Self

AT_HALF = "_at_half"
"""What the name of a score ends in that is taken at threshold 0.5, without anything tuned."""


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """One entry of the registry of scores."""

    name: str
    """The name in recipes, measurements and reports."""
    title: str
    """A short name for people: the head of a column."""
    unit: Literal["", "px", "bits"]
    """What the value is counted in; empty for a pure number."""
    goal: Literal["maximise", "minimise"]
    """Which way is better."""
    low: float
    """Smallest possible value."""
    high: float
    """Largest possible value; infinite where there is none that holds for every section."""
    of: Literal["probability", "mask", "cells"]
    """What is scored: the probabilities as they are, the mask of membrane, or the cells that the mask cuts apart."""
    pooled: bool
    """Counted over all pixels of all sections together; otherwise the mean over the sections that have a value."""
    formula: str
    """ASCII; what is computed, on which pixels, at which threshold."""
    edge: str
    """What an empty mask or section does."""
    source: str
    """Paper and equation, or who defined it."""
    while_training: bool = False
    """Cheap enough to be measured after every epoch, so that a search can prune by it."""

    @property
    def perfect(self) -> float:
        """The value of a perfect prediction."""
        return self.high if self.goal == "maximise" else self.low

    def better(self, score: float, than: float) -> bool:
        """Whether `score` beats `than`; never true of a NaN."""
        return score > than if self.goal == "maximise" else score < than

    def at_half(self) -> Self:
        """Return the same score at threshold 0.5."""
        return replace(self, name=self.name + AT_HALF, title=f"{self.title} at 0.5", formula=f"{self.name} at threshold 0.5: nothing tuned")
