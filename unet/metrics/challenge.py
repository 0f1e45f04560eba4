"""V_rand and V_info, the ISBI 2012 challenge's scores, foreground-restricted and thinned by a watershed.

Z sections of H rows and W columns. The proposal is 1 where it is NOT membrane, as the challenge wants it, and labels are > 0 inside cells.
"""

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy import ndimage

from unet.metrics.basins import flood_section
from unet.metrics.contingency import agreement, contingency

THRESHOLDS = tuple(step / 10 for step in range(11))
"""The challenge's thresholds: 0, 0.1, ..., 1."""


@dataclass(frozen=True, kw_only=True)
class ChallengeScores:
    """V_rand and V_info of a stack: at their best thresholds, each on its own, and at every threshold tried.

    A section whose labels hold no cell has no score (NaN) and is left out of the means; with no such section at all everything is NaN.
    """

    v_rand: float
    """Mean V_rand of the sections at the best threshold, in [0, 1]."""
    v_info: float
    """Mean V_info of the sections at the best threshold, in [0, 1]."""
    v_rand_threshold: float
    """Where V_rand is best; of equal ones the nearest to 0.5."""
    v_info_threshold: float
    """Where V_info is best; of equal ones the nearest to 0.5."""
    v_rand_at: dict[float, float]
    """Threshold -> mean V_rand of the sections."""
    v_info_at: dict[float, float]
    """Threshold -> mean V_info of the sections."""
    v_rand_sections_at: dict[float, tuple[float, ...]]
    """Threshold -> V_rand of each section."""
    v_info_sections_at: dict[float, tuple[float, ...]]
    """Threshold -> V_info of each section."""

    @property
    def per_section(self) -> tuple[float, ...]:
        """V_rand of each section at V_rand's best threshold."""
        return self.v_rand_sections_at[self.v_rand_threshold]

    @property
    def v_info_per_section(self) -> tuple[float, ...]:
        """V_info of each section at V_info's best threshold."""
        return self.v_info_sections_at[self.v_info_threshold]


Flood = Callable[[np.ndarray], tuple[np.ndarray, int]]
"""From cells, bool [H, W], to the basin of each pixel and their number, as `flood_section` does."""


def challenge_scores(
    labels_ZHW: np.ndarray,
    proposal_ZHW: np.ndarray,
    thresholds: Sequence[float] | None = None,
    *,
    workers: int = 1,
    flood: Flood = flood_section,
) -> ChallengeScores:
    """Return V_rand and V_info of a proposal.

    For each threshold th (one for the whole stack) and each 2-D section: G are the 4-connected components of labels > 0, S the basins of
    the watershed of the binary image proposal > th; over the n pixels with G > 0, p_ij = #(G = i and S = j) / n, a_i = sum_j p_ij,
    b_j = sum_i p_ij (j > 0) and p0 = sum_i p_i0, where each pixel of a watershed line (S = 0) is a segment of its own:

        V_rand = 2 (sum_{j>0} p_ij^2 + p0 / n) / (sum a_i^2 + sum_{j>0} b_j^2 + p0 / n)
        V_info = 2 (A + B - AB) / (A + B),   A = sum a ln a,  B = sum_{j>0} b ln b - p0 ln n,  AB = sum_{j>0} p ln p - p0 ln n

    A score is the mean over the sections; V_rand and V_info are the best over the thresholds, each on its own.

    Edges: a proposal that is membrane everywhere has no basin, so every pixel is a segment of its own (V_rand nearly 0); one that is cell
    everywhere is one segment (V_info 0); one segment in both is a perfect match (1). A section without a labelled cell is NaN. Which of two
    basins gets a contested pixel is a matter of order: mirroring the images moves a score by up to 1e-4.

    Args:
        labels_ZHW: [Z, H, W], any type; > 0 is the inside of a cell.
        proposal_ZHW: [Z, H, W] in [0, 1], 1 = not membrane.
        thresholds: None: 0, 0.1, ..., 1, and only 0 for a binary proposal, as in the challenge.
        workers: threads that share the sections. More than 1 only where the processor is the caller's alone: not inside a trial.
        flood: another watershed, to compare with.

    Raises:
        ValueError: Other shapes, values outside [0, 1] or NaN, no thresholds, no workers.

    Source: Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142, "foreground-restricted Rand scoring after border thinning" and
    "... information theoretic scoring ..." at alpha = 1/2, and the evaluation that the organisers published with it.
    """
    _check(labels_ZHW, proposal_ZHW)
    if thresholds is None:
        is_binary = bool(((proposal_ZHW == 0) | (proposal_ZHW == 1)).all())
        thresholds = THRESHOLDS[:1] if is_binary else THRESHOLDS
    if len(thresholds) == 0 or not all(math.isfinite(threshold) for threshold in thresholds):
        raise ValueError(f"thresholds must be finite numbers, at least one, but got {thresholds!r}.")
    if workers < 1:
        raise ValueError(f"workers must be at least 1 thread, got {workers}")
    thresholds = [float(threshold) for threshold in thresholds]
    score = partial(_score_section, thresholds=thresholds, flood=flood)
    if workers == 1:
        scores_ZT2 = np.array(list(map(score, labels_ZHW, proposal_ZHW)))
    else:  # threads: nothing to start or to copy, and NumPy lets go of the interpreter in its loops
        with ThreadPoolExecutor(min(workers, len(labels_ZHW))) as threads:
            scores_ZT2 = np.array(list(threads.map(score, labels_ZHW, proposal_ZHW)))
    return _collect(scores_ZT2, thresholds)


def mask_challenge(labels_ZHW: np.ndarray, cell_ZHW: np.ndarray) -> np.ndarray:
    """Return V_rand and V_info of each section of a binary proposal, float64 [Z, 2]; NaN where no cell is labelled.

    The formulas and edges are those of `challenge_scores`.

    Args:
        labels_ZHW: [Z, H, W], any type; > 0 is the inside of a cell.
        cell_ZHW: bool, the same shape: True where the proposal is NOT membrane.

    Raises:
        ValueError: Other shapes, or a proposal that is not bool.
    """
    if cell_ZHW.dtype != bool:
        raise ValueError(f"a binary proposal must be bool (True = not membrane), got {cell_ZHW.dtype}")
    _check(labels_ZHW, cell_ZHW)
    return np.array([_score_section(labels, cell, [0.0])[0] for labels, cell in zip(labels_ZHW, cell_ZHW, strict=True)])


def _check(labels_ZHW: np.ndarray, proposal_ZHW: np.ndarray) -> None:
    if labels_ZHW.ndim != 3 or labels_ZHW.shape != proposal_ZHW.shape or labels_ZHW.size == 0:
        raise ValueError(
            f"labels and proposal must both be [Z, H, W] of one shape, not empty, but got {labels_ZHW.shape} and {proposal_ZHW.shape}. "
            "Pass a single section as section[None]."
        )
    wrong_ZHW = ~((proposal_ZHW >= 0) & (proposal_ZHW <= 1))  # so written, NaN is wrong as well
    if wrong_ZHW.any():
        section = int(wrong_ZHW.any(axis=(1, 2)).argmax())
        value = proposal_ZHW[section][wrong_ZHW[section]][0]
        raise ValueError(
            f"a proposal must lie in [0, 1] (1 = not membrane), but section {section} holds {value} "
            f"({int(wrong_ZHW[section].sum())} such pixels). Pass probabilities, not logits or grey values."
        )


def _score_section(
    labels_HW: np.ndarray, proposal_HW: np.ndarray, thresholds: Sequence[float], flood: Flood = flood_section
) -> list[tuple[float, float]]:
    """Return (V_rand, V_info) of one section at each threshold."""
    truth_HW = np.zeros(labels_HW.shape, dtype=np.int32)
    ndimage.label(labels_HW > 0, output=truth_HW)
    inside = np.flatnonzero(truth_HW)
    if inside.size == 0:
        return [(math.nan, math.nan)] * len(thresholds)
    truth = truth_HW.reshape(-1)[inside].astype(np.int64) - 1
    known: dict[int, tuple[float, float]] = {}  # masks of one proposal are nested: as many cell pixels means the same mask
    scores = []
    for threshold in thresholds:
        cell_HW = proposal_HW > threshold
        num_pixels = int(np.count_nonzero(cell_HW))
        if num_pixels not in known:
            basin_HW, num_basins = flood(cell_HW)
            basin = basin_HW.reshape(-1)[inside]
            known[num_pixels] = agreement(*contingency(truth, int(truth.max()) + 1, basin, num_basins))
        scores.append(known[num_pixels])
    return scores


def _collect(scores_ZT2: np.ndarray, thresholds: Sequence[float]) -> ChallengeScores:
    scored_ZT2 = scores_ZT2[~np.isnan(scores_ZT2[:, 0, 0])]
    means_T2 = scored_ZT2.mean(axis=0) if len(scored_ZT2) else np.full(scores_ZT2.shape[1:], np.nan)
    nearest_half_first = sorted(range(len(thresholds)), key=lambda index: abs(thresholds[index] - 0.5))
    rand, info = (max(nearest_half_first, key=lambda index: means_T2[index, score]) for score in (0, 1))
    return ChallengeScores(
        v_rand=float(means_T2[rand, 0]),
        v_info=float(means_T2[info, 1]),
        v_rand_threshold=thresholds[rand],
        v_info_threshold=thresholds[info],
        v_rand_at={threshold: float(mean) for threshold, mean in zip(thresholds, means_T2[:, 0], strict=True)},
        v_info_at={threshold: float(mean) for threshold, mean in zip(thresholds, means_T2[:, 1], strict=True)},
        v_rand_sections_at={threshold: tuple(scores_ZT2[:, index, 0].tolist()) for index, threshold in enumerate(thresholds)},
        v_info_sections_at={threshold: tuple(scores_ZT2[:, index, 1].tolist()) for index, threshold in enumerate(thresholds)},
    )
