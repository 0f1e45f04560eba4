"""Which cell shares how many pixels with which segment, and how well the two agree."""

import math

import numpy as np
from scipy.special import xlogy


def contingency(truth: np.ndarray, num_cells: int, basin: np.ndarray, num_basins: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (i, j, n_ij) of the pairs that occur, n_ij = #(G = i and S = j).

    Args:
        truth: cell G of each pixel that counts, int64, from 0.
        num_cells: their number.
        basin: segment S of the same pixels; 0 is none (line, membrane).
        num_basins: the highest of them.
    """
    width = num_basins + 1
    keys = truth * width + basin
    if num_cells * width <= 8 * keys.size:
        counts = np.bincount(keys)
        keys = np.flatnonzero(counts)
        counts = counts[keys]
    else:  # a noisy proposal has thousands of basins: the full table would be larger than the section
        keys, counts = np.unique(keys, return_counts=True)
    return keys // width, keys % width, counts


def agreement(i: np.ndarray, j: np.ndarray, counts: np.ndarray) -> tuple[float, float]:
    """Return (V_rand, V_info), both in [0, 1], from what `contingency` returns; pixels of segment 0 are segments of their own.

    Source: the formulas of `unet.metrics.challenge.challenge_scores`.
    """
    num_pixels = int(counts.sum())
    p = counts / num_pixels
    is_line = j == 0
    p0 = float(p[is_line].sum())
    a, b = np.bincount(i, weights=p), np.bincount(j, weights=p)[1:]
    p = p[~is_line]
    both = float((p**2).sum()) + p0 / num_pixels
    v_rand = 2 * both / (float((a**2).sum()) + float((b**2).sum()) + p0 / num_pixels)
    of_lines = -p0 * math.log(num_pixels)
    sum_a = float(xlogy(a, a).sum())
    sum_b = float(xlogy(b, b).sum()) + of_lines
    sum_ab = float(xlogy(p, p).sum()) + of_lines
    if sum_a + sum_b == 0:  # one segment in both: nothing to tell apart, and nothing wrong
        return v_rand, 1.0
    return v_rand, max(0.0, 2 * (sum_a + sum_b - sum_ab) / (sum_a + sum_b))  # rounding alone could make it negative
