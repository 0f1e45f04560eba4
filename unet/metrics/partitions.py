"""How two ways of cutting the same pixels into segments agree: pairs of pixels, and information in bits.

    table = Overlaps.of(truth, found)
    rand_f_error(table.pairs()); table.split_bits(), table.merge_bits()

Segments have numbers from 1. Pixels with 0 in the truth are left out; what 0 means in what was found, the caller says.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

import numpy as np


class Pairs(NamedTuple):
    """Numbers of pairs of different pixels that lie together in one segment. Those of sections can be summed."""

    both: int
    """Together in the truth and in what was found."""
    truth: int
    """Together in the truth."""
    found: int
    """Together in what was found."""


@dataclass(frozen=True, kw_only=True)
class Overlaps:
    """The pixels that each true segment shares with each found one; only where there are any."""

    truth: np.ndarray
    """Number of the true segment, 1, 2, ..., int64 [K]."""
    found: np.ndarray
    """Number of the found segment, int64 [K]; 0: found membrane."""
    pixels: np.ndarray
    """How many they share, int64 [K]."""

    @classmethod
    def of(cls, truth: np.ndarray, found: np.ndarray) -> Self:
        """Count two arrays of segment numbers, whole and not negative, of one shape."""
        inside = truth > 0
        width = int(found.max(initial=0)) + 1
        keys, pixels = np.unique(truth[inside].astype(np.int64) * width + found[inside], return_counts=True)
        return cls(truth=keys // width, found=keys % width, pixels=pixels)

    def pairs(self) -> Pairs:
        """Return the numbers of pairs; a pixel of found segment 0 is together with no other."""
        is_cell = self.found > 0
        in_truth, in_found = _sums(self.truth, self.pixels), _sums(self.found[is_cell], self.pixels[is_cell])
        return Pairs(*(int((size * (size - 1) // 2).sum()) for size in (self.pixels[is_cell], in_truth, in_found)))

    def split_bits(self) -> float:
        """Return H(found | truth) = -sum p_ij log2(p_ij / a_i), from 0: how much true segments were cut. 0 counts as one segment."""
        return self._conditional(self.truth)

    def merge_bits(self) -> float:
        """Return H(truth | found) = -sum p_ij log2(p_ij / b_j), from 0: how much true segments were joined. 0 counts as one segment."""
        return self._conditional(self.found)

    def _conditional(self, given: np.ndarray) -> float:
        size = _sums(given, self.pixels)[given]
        # log2(a / p) of whole numbers is never negative, and is 0 where they are equal.
        return float((self.pixels * np.log2(size / self.pixels)).sum() / self.pixels.sum())


def rand_f_error(pairs: Pairs) -> float:
    """Return 1 - 2 TP / (2 TP + FP + FN) of pairs, in [0, 1]; 0 where neither the truth nor what was found has a single pair.

    TP are pairs together in both, FP only in what was found, FN only in the truth.

    Source: Rand 1971, JASA 66:846, for the pairs; Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142, for their F-score.
    """
    total = pairs.truth + pairs.found
    return 1.0 - 2.0 * pairs.both / total if total else 0.0


def _sums(index: np.ndarray, pixels: np.ndarray) -> np.ndarray:
    """Return the pixels of each segment, int64."""
    sizes = np.zeros(int(index.max(initial=0)) + 1, dtype=np.int64)
    np.add.at(sizes, index, pixels)
    return sizes
