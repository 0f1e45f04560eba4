"""Pixel error, Rand error and warping error as the ISBI 2012 challenge's first tables have them, and papers of those years quote them.

The challenge gave them up for V_rand and V_info: they follow the thickness of membranes as much as what is cut apart. Z sections of H rows
and W columns. The proposal is 1 where it is NOT membrane, as the challenge wants it, and labels are > 0 inside cells.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add

import numpy as np

from unet.metrics.cell_errors import pooled_rand_error, section_pairs
from unet.metrics.challenge import THRESHOLDS
from unet.metrics.confusion import Confusion
from unet.metrics.warping import split_and_merge_pixels


@dataclass(frozen=True, kw_only=True)
class OlderScores:
    """Three errors of a stack, each at its own best threshold; 0 is perfect."""

    pixel_error: float
    """1 - F, F the F-score of cell pixels of all sections together, in [0, 1]. Not the share of wrong pixels."""
    rand_error: float
    """1 - F, F the F-score of pairs of pixels of labelled cells, in [0, 1]; NaN where the stack has no cell."""
    warping_error: float
    """Share of all pixels that split or merge cells after warping, in [0, 1]."""
    pixel_error_at: dict[float, float]
    """Threshold -> pixel error."""
    rand_error_at: dict[float, float]
    """Threshold -> Rand error."""
    warping_error_at: dict[float, float]
    """Threshold -> warping error."""


def older_scores(labels_ZHW: np.ndarray, proposal_ZHW: np.ndarray, thresholds: Sequence[float] | None = None) -> OlderScores:
    """Return the errors of a proposal, each the smallest over the thresholds, one threshold for all sections.

    With cells C = proposal > th and G = labels > 0, both cut into 4-connected components of each section:

        pixel error    1 - 2 |C & G| / (|C| + |G|)
        Rand error     1 - 2 TP / (2 TP + FP + FN) over pairs of pixels of G of one section: TP together in G and in C, FP only in C, FN
                       only in G; a pixel outside C is together with nothing, and nothing is thinned
        warping error  pixels that split or merge cells after warping G to C by simple points, as a share of all pixels

    Edges: no cell in C and G is a pixel error of 0. A section in which C has no cell but G has counts wholly as warping error; splits and
    mergers alone would find none there, and an empty proposal would be perfect.

    Args:
        labels_ZHW: [Z, H, W], any type; > 0 is the inside of a cell.
        proposal_ZHW: [Z, H, W] in [0, 1], 1 = not membrane; a bool one may be given as it is.
        thresholds: None: 0, 0.1, ..., 1, and only 0 for a binary proposal.

    Raises:
        ValueError: Other shapes, values outside [0, 1] or NaN, no thresholds.

    Source: the challenge's first evaluation: warping error by the fewest splits and mergers, Rand error as 1 less the largest F-score of
    the foreground-restricted Rand index, pixel error as 1 less the largest F-score of pixels. Ronneberger et al. 2015 (arXiv 1505.04597),
    table 1, has the U-Net's on the hidden test sections: .000353, .0382, .0611. Pixels are flipped in another order here than in the
    organisers' program, which moves the warping error by some per cent.
    """
    _check(labels_ZHW, proposal_ZHW)
    if thresholds is None:
        is_binary = bool(((proposal_ZHW == 0) | (proposal_ZHW == 1)).all())
        thresholds = THRESHOLDS[:1] if is_binary else THRESHOLDS
    if len(thresholds) == 0 or not all(math.isfinite(threshold) for threshold in thresholds):
        raise ValueError(f"thresholds must be finite numbers, at least one, but got {thresholds!r}.")
    at = {float(threshold): _errors(labels_ZHW > 0, proposal_ZHW > threshold) for threshold in thresholds}
    pixel_at, rand_at, warping_at = ({threshold: errors[place] for threshold, errors in at.items()} for place in range(3))
    return OlderScores(
        pixel_error=min(pixel_at.values()),
        rand_error=min(rand_at.values()),
        warping_error=min(warping_at.values()),
        pixel_error_at=pixel_at,
        rand_error_at=rand_at,
        warping_error_at=warping_at,
    )


def _errors(truth_ZHW: np.ndarray, cell_ZHW: np.ndarray) -> tuple[float, float, float]:
    """Return pixel, Rand and warping error of one binary proposal."""
    sections = list(zip(truth_ZHW, cell_ZHW, strict=True))
    counted_HW = np.ones(truth_ZHW.shape[1:], dtype=bool)
    # Here cells are the positive class.
    pixels = reduce(add, (Confusion.of(cell_HW, truth_HW, counted_HW) for truth_HW, cell_HW in sections))
    rand = pooled_rand_error([section_pairs(cell_HW, truth_HW) for truth_HW, cell_HW in sections if truth_HW.any()])
    warping = sum(split_and_merge_pixels(truth_HW, cell_HW, counted_HW) for truth_HW, cell_HW in sections)
    return 1.0 - pixels.dice, rand, warping / truth_ZHW.size


def _check(labels_ZHW: np.ndarray, proposal_ZHW: np.ndarray) -> None:
    if labels_ZHW.ndim != 3 or labels_ZHW.shape != proposal_ZHW.shape or labels_ZHW.size == 0:
        raise ValueError(
            f"labels and proposal must both be [Z, H, W] of one shape, not empty, but got {labels_ZHW.shape} and {proposal_ZHW.shape}. "
            "Pass a single section as section[None]."
        )
    if not ((proposal_ZHW >= 0) & (proposal_ZHW <= 1)).all():  # so written, NaN is refused as well
        raise ValueError(
            f"a proposal must lie in [0, 1] (1 = not membrane), but reaches from {proposal_ZHW.min()} to {proposal_ZHW.max()}. "
            "Pass probabilities, not logits or grey values."
        )
