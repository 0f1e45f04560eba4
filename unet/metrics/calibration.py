"""Whether a membrane probability means what it says: the expected calibration error."""

import math

import numpy as np


def calibration_error(
    probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None = None, bins: int = 15
) -> float:
    """Return the expected calibration error of membrane probabilities, in [0, 1], smaller is better.

        ECE = sum_b n_b / n |mean p in bin b - share of membrane in bin b|

    over equal-width bins: bin b of B holds b / B <= p < (b + 1) / B, and the last one p = 1 as well; n pixels whose label is known, of all
    sections together. An empty bin adds nothing. NaN where no label is known. A constant p is calibrated when it is the share of membrane.

    Args:
        probability_ZHW: membrane probability in [0, 1], any shape.
        membrane_ZHW: bool, the same shape, True = membrane.
        counted_ZHW: bool, the same shape, True where the label is known; None: everywhere.
        bins: their number.

    Raises:
        ValueError: Other shapes or types, probabilities outside [0, 1] or NaN, no bins.

    Source: Naeini et al. 2015, AAAI (doi 10.1609/aaai.v29i1.9602), ECE; of the probability of membrane, not of the likelier class.
    """
    labels = (membrane_ZHW,) if counted_ZHW is None else (membrane_ZHW, counted_ZHW)
    if any(array.shape != probability_ZHW.shape or array.dtype != bool for array in labels):
        raise ValueError(
            f"membrane and counted must be bool {probability_ZHW.shape} like the probability, but got "
            f"{', '.join(f'{array.dtype} {array.shape}' for array in labels)}."
        )
    if bins < 1:
        raise ValueError(f"bins must be at least 1, got {bins}.")
    if counted_ZHW is not None:
        probability_ZHW, membrane_ZHW = probability_ZHW[counted_ZHW], membrane_ZHW[counted_ZHW]
    if not probability_ZHW.size:
        return math.nan
    if not ((probability_ZHW >= 0) & (probability_ZHW <= 1)).all():  # so written, NaN is refused as well
        raise ValueError(
            f"probabilities must lie in [0, 1], but reach from {probability_ZHW.min()} to {probability_ZHW.max()}: pass no logits, no NaN."
        )
    probability = probability_ZHW.reshape(-1).astype(np.float64)
    index = np.minimum((probability * bins).astype(np.int64), bins - 1)
    gap = np.bincount(index, weights=probability - membrane_ZHW.reshape(-1), minlength=bins)
    return float(np.abs(gap).sum() / probability.size)
