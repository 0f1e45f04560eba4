"""How far found and marked membrane are apart: boundary F1 with a tolerance, and the 95% Hausdorff distance.

An edge pixel is membrane with a 4-neighbour that is none. The image's border and pixels whose label is unknown make no edge, so that what
lies outside or is not known is no reason for an error. H rows, W columns; distances are Euclidean, in pixels.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

_PERCENTILE = 95


@dataclass(frozen=True, kw_only=True)
class EdgeDistances:
    """Distances between the edges of two masks of one section; infinite where the other mask has no edge."""

    of_found: np.ndarray
    """Of each found edge pixel, to the nearest marked one."""
    of_marked: np.ndarray
    """Of each marked edge pixel, to the nearest found one."""
    diagonal_px: float
    """Of the section: no distance within it is larger."""

    @classmethod
    def between(cls, found_HW: np.ndarray, membrane_HW: np.ndarray, counted_HW: np.ndarray) -> Self:
        """Measure two bool masks [H, W] where `counted_HW` is True."""
        found_edge_HW, marked_edge_HW = edge_pixels(found_HW, counted_HW), edge_pixels(membrane_HW, counted_HW)
        height, width = found_HW.shape
        return cls(
            of_found=_distances(found_edge_HW, marked_edge_HW),
            of_marked=_distances(marked_edge_HW, found_edge_HW),
            diagonal_px=math.hypot(height - 1, width - 1),
        )

    def f1(self, tolerance_px: float) -> float:
        """Return the boundary F1, in [0, 1]: 2 P R / (P + R).

        P is the share of found edge pixels at most `tolerance_px` from a marked one, R that of marked ones as near to a found one.
        Without any edge 1; where only one of the two masks has any, 0.

        Source: Csurka et al. 2013, "What is a good evaluation measure for semantic segmentation?", section 2.2; precision and recall of
        boundaries from Martin et al. 2004, IEEE TPAMI 26:530.
        """
        if not self.of_found.size and not self.of_marked.size:
            return 1.0
        if not self.of_found.size or not self.of_marked.size:
            return 0.0
        precision, recall = (float((distance <= tolerance_px).mean()) for distance in (self.of_found, self.of_marked))
        return 2.0 * precision * recall / (precision + recall) if precision + recall else 0.0

    def hausdorff95(self) -> float:
        """Return the larger of the two 95th percentiles (linear between ranks), in pixels, from 0.

        Without any edge 0; where only one of the two masks has any, the section's diagonal.

        Source: Huttenlocher et al. 1993, IEEE TPAMI 15:850, the partial directed distance, taken in both directions.
        """
        if not self.of_found.size and not self.of_marked.size:
            return 0.0
        if not self.of_found.size or not self.of_marked.size:
            return self.diagonal_px
        return max(float(np.percentile(distance, _PERCENTILE)) for distance in (self.of_found, self.of_marked))


def edge_pixels(mask_HW: np.ndarray, counted_HW: np.ndarray) -> np.ndarray:
    """Return the edge of a mask, bool [H, W]: known pixels of it with a known 4-neighbour that is outside it."""
    inside_HW, outside_HW = mask_HW & counted_HW, ~mask_HW & counted_HW
    beside_HW = np.zeros_like(inside_HW)
    beside_HW[1:] |= outside_HW[:-1]
    beside_HW[:-1] |= outside_HW[1:]
    beside_HW[:, 1:] |= outside_HW[:, :-1]
    beside_HW[:, :-1] |= outside_HW[:, 1:]
    return inside_HW & beside_HW


def _distances(of_HW: np.ndarray, to_HW: np.ndarray) -> np.ndarray:
    if not to_HW.any():
        return np.full(np.count_nonzero(of_HW), np.inf)
    distance_HW: np.ndarray = ndimage.distance_transform_edt(~to_HW)  # type: ignore[assignment]
    return distance_HW[of_HW]
