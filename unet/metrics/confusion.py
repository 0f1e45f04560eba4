"""Right and wrong pixels of a membrane mask, counted, and the scores that need no more than these four numbers."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np


@dataclass(frozen=True, kw_only=True)
class Confusion:
    """Pixels by what was found and what is marked; positive is membrane. Counts of sections can be added.

    Edges: with no membrane found and none marked Dice, IoU, precision and recall are 1; where only one of the two has any they are 0, also
    the one whose denominator is 0 then. Without a pixel at all every score is NaN.
    """

    true_positive: int
    """Membrane that was found."""
    false_positive: int
    """Found as membrane, and is none."""
    false_negative: int
    """Membrane that was missed."""
    true_negative: int
    """Neither found nor marked."""

    @classmethod
    def of(cls, found: np.ndarray, membrane: np.ndarray, counted: np.ndarray) -> Self:
        """Count bool arrays of one shape, where `counted` is True."""
        hits, num_found, num_marked, num_known = (
            int(np.count_nonzero(mask)) for mask in (found & membrane & counted, found & counted, membrane & counted, counted)
        )
        return cls(
            true_positive=hits,
            false_positive=num_found - hits,
            false_negative=num_marked - hits,
            true_negative=num_known - num_found - num_marked + hits,
        )

    def __add__(self, other: Self) -> "Confusion":
        return Confusion(
            true_positive=self.true_positive + other.true_positive,
            false_positive=self.false_positive + other.false_positive,
            false_negative=self.false_negative + other.false_negative,
            true_negative=self.true_negative + other.true_negative,
        )

    @property
    def total(self) -> int:
        """All pixels that count."""
        return self.true_positive + self.false_positive + self.false_negative + self.true_negative

    @property
    def dice(self) -> float:
        """2 TP / (2 TP + FP + FN), in [0, 1]."""
        return self._share(2 * self.true_positive, 2 * self.true_positive + self.false_positive + self.false_negative)

    @property
    def iou(self) -> float:
        """TP / (TP + FP + FN), in [0, 1]."""
        return self._share(self.true_positive, self.true_positive + self.false_positive + self.false_negative)

    @property
    def precision(self) -> float:
        """TP / (TP + FP), in [0, 1]."""
        return self._share(self.true_positive, self.true_positive + self.false_positive)

    @property
    def recall(self) -> float:
        """TP / (TP + FN), in [0, 1]."""
        return self._share(self.true_positive, self.true_positive + self.false_negative)

    @property
    def pixel_error(self) -> float:
        """(FP + FN) / (TP + FP + FN + TN), in [0, 1]."""
        return (self.false_positive + self.false_negative) / self.total if self.total else math.nan

    def _share(self, part: int, whole: int) -> float:
        if not self.total:
            return math.nan
        if whole:
            return part / whole
        return 0.0 if self.false_positive or self.false_negative else 1.0
