"""What comes after the network: one threshold and one clean-up, tuned for every network in the same way and at the same cost.

Losses differ in how sure they make a network: one puts nearly every pixel at 0 or 1, another keeps all of them near 0.3. So candidates are
no fixed thresholds but fixed shares of pixels: the threshold at which as much membrane is found as is marked, half as much, twice as much.
Any strictly increasing curve through which the probabilities pass leaves every candidate mask, and so every tuned score, as it is.

Membrane is where the probability is at least the threshold. Z sections of H rows and W columns.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from unet.cells import remove_small_cells
from unet.metrics.challenge import mask_challenge

SHARES = (0.25, 0.4, 0.55, 0.7, 0.85, 1.0, 1.15, 1.3, 1.5, 1.75, 2.0)
"""Candidates for the threshold of cells: found membrane, in multiples of the marked membrane. As many as the challenge has thresholds."""
SMALLEST_CELLS_PX = (0, 8, 16, 32, 64, 128)
"""Candidates for the smallest cell that is kept, in pixels; smaller ones become membrane. 0: all are kept."""

_UNMARKED_SHARE = 0.2
_MOST_SHARE = 0.98


@dataclass(frozen=True, kw_only=True)
class CellTuning:
    """Threshold and clean-up that give one of the challenge's scores its best value on some sections."""

    threshold: float
    """Membrane is where the probability is at least this."""
    smallest_cell_px: int
    """Cells with fewer pixels become membrane."""
    score: float
    """The score there, the mean over the sections; NaN where no section has a labelled cell."""


def best_membrane_dice(probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None = None) -> tuple[float, float]:
    """Return the best membrane Dice over all thresholds there are, and the threshold.

    2 TP / (2 TP + FP + FN) of (probability >= threshold), over all counted pixels together. Every value that occurs is tried, so that no
    network loses by keeping its probabilities close together; among equals the one that finds most nearly as much membrane as is marked.
    Without a membrane pixel Dice is 1 above the largest probability.

    Args:
        probability_ZHW: membrane probability, float32 in [0, 1].
        membrane_ZHW: bool, True = membrane.
        counted_ZHW: bool, True where the label is known; None: everywhere.

    Raises:
        ValueError: Values outside [0, 1], NaN among them, or not one counted pixel.
    """
    probability, membrane = _counted(probability_ZHW, membrane_ZHW, counted_ZHW)
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError(
            f"probabilities must lie in [0, 1], but reach from {np.min(probability)} to {np.max(probability)}: pass no logits, no NaN"
        )
    num_membrane = int(np.count_nonzero(membrane))
    if num_membrane == 0:
        return 1.0, float(np.nextafter(np.float32(probability.max()), np.float32(np.inf)))
    # Floats that are not negative sort like their bits, and those up to 1 leave the highest two free: one for the label.
    keys = (probability + np.float32(0.0)).view(np.uint32) << np.uint32(1)  # + 0: there is a negative zero
    keys |= membrane
    keys.sort()
    keys = keys[::-1]
    last = np.flatnonzero(np.append(keys[1:] >> 1 != keys[:-1] >> 1, True))  # a threshold takes all pixels of one value, or none
    hits = np.cumsum(keys & 1, dtype=np.int64)[last]
    dice = 2.0 * hits / (last + 1 + num_membrane)
    thresholds = np.ascontiguousarray(keys[last] >> 1).view(np.float32).astype(np.float64)
    best = dice.max()
    # How much is found is the same whatever curve the probabilities went through; how near a threshold is to 0.5 is not.
    chosen = np.where(dice == best, np.abs(last + 1 - num_membrane), keys.size + 1).argmin()
    return float(best), float(thresholds[chosen])


def tune_cells(
    probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None = None
) -> tuple[CellTuning, CellTuning]:
    """Return the tuning that is best for V_rand, and the one that is best for V_info.

    First the threshold (SHARES, without a clean-up), then at this threshold the smallest cell (SMALLEST_CELLS_PX): 11 + 5 + 5 floods a
    section for every network, whatever its probabilities are like. Among equals the share nearest to 1 and the smallest size are taken.

    Edges: without any marked membrane the shares are of a fifth of the pixels; a share is at most .98 of the pixels. Equal probabilities
    cannot be told apart, so a constant prediction is membrane everywhere at each candidate.

    Args:
        probability_ZHW: membrane probability in [0, 1].
        membrane_ZHW: bool, True = membrane.
        counted_ZHW: bool, True where the label is known; None: everywhere.
    """
    labels_ZHW = ~membrane_ZHW if counted_ZHW is None else ~membrane_ZHW & counted_ZHW

    def scores(threshold: float, smallest_px: int) -> np.ndarray:
        return mean_challenge(mask_challenge(labels_ZHW, clean_cells(probability_ZHW, threshold, smallest_px)))

    nearest_first = sorted(SHARES, key=lambda share: abs(math.log(share)))
    thresholds = share_thresholds(probability_ZHW, membrane_ZHW, counted_ZHW, nearest_first)
    at_thresholds = [scores(threshold, 0) for threshold in thresholds]
    rand, info = (_tune(index, thresholds, at_thresholds, scores) for index in (0, 1))
    return rand, info


def _tune(
    index: int, thresholds: Sequence[float], at_thresholds: Sequence[np.ndarray], scores: Callable[[float, int], np.ndarray]
) -> CellTuning:
    """Return the best of V_rand (index 0) or V_info (index 1); max takes the first of equals."""
    place = max(range(len(thresholds)), key=lambda number: at_thresholds[number][index])
    threshold = thresholds[place]
    at_sizes = {size: float(scores(threshold, size)[index]) for size in SMALLEST_CELLS_PX[1:]}
    at_sizes = {SMALLEST_CELLS_PX[0]: float(at_thresholds[place][index]), **at_sizes}
    smallest_px = max(at_sizes, key=lambda size: at_sizes[size])
    return CellTuning(threshold=threshold, smallest_cell_px=smallest_px, score=at_sizes[smallest_px])


def share_thresholds(
    probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None, shares: Sequence[float]
) -> list[float]:
    """Return the threshold at which each share of the marked membrane is found (or, where probabilities are equal, at least that)."""
    probability, membrane = _counted(probability_ZHW, membrane_ZHW, counted_ZHW)
    marked = np.count_nonzero(membrane) / membrane.size or _UNMARKED_SHARE
    descending = np.sort(probability)[::-1]
    places = (min(share * marked, _MOST_SHARE) * membrane.size for share in shares)
    return [float(descending[max(round(place), 1) - 1]) for place in places]


def clean_cells(probability_ZHW: np.ndarray, threshold: float, smallest_px: int) -> np.ndarray:
    """Return the cells, bool [Z, H, W]: probability below the threshold, without 4-connected components of fewer than `smallest_px`."""
    cell_ZHW = probability_ZHW < threshold
    if smallest_px <= 1:
        return cell_ZHW
    return np.stack([remove_small_cells(cell_HW, smallest_px) for cell_HW in cell_ZHW])


def mean_challenge(scores_Z2: np.ndarray) -> np.ndarray:
    """Return V_rand and V_info of a stack from those of its sections: the mean over the sections that have any; NaN of none."""
    scored_Z2 = scores_Z2[~np.isnan(scores_Z2[:, 0])]
    return scored_Z2.mean(axis=0) if len(scored_Z2) else np.full(2, np.nan)


def _counted(probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Return the probabilities (float32) and labels (bool) of the counted pixels, flat."""
    shapes = {array.shape for array in (probability_ZHW, membrane_ZHW, counted_ZHW) if array is not None}
    if len(shapes) != 1 or membrane_ZHW.dtype != bool:
        raise ValueError(
            f"probability, membrane (bool) and counted (bool) must have one shape, but got {', '.join(map(str, sorted(shapes)))} "
            f"and {membrane_ZHW.dtype} membranes"
        )
    if counted_ZHW is not None:
        probability_ZHW, membrane_ZHW = probability_ZHW[counted_ZHW], membrane_ZHW[counted_ZHW]
    if membrane_ZHW.size == 0:
        raise ValueError("nothing can be tuned without one pixel whose label is known")
    return np.ascontiguousarray(probability_ZHW, dtype=np.float32).reshape(-1), membrane_ZHW.reshape(-1)
