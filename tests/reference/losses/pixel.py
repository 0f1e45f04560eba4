"""The cross-entropies with weights once more, in NumPy float64, pixel by pixel as the papers print them.

Nothing is shared with the package: probabilities and their logarithms, exact up to |logit| of about 30. Maps are arrays of the logits'
shape.
"""

import math
from collections.abc import Callable

import numpy as np


def weighted_bce(logits, target, mask=None, *, positive_weight=3.5) -> float:
    """Ronneberger 2015, eq. 1 and 2, for w_c = positive_weight where g = 1, else 1."""
    return _weighted_mean(logits, target, mask, np.where(target == 1, positive_weight, 1.0))


def balanced_bce(logits, target, mask=None, *, kappa=1.0, batch_reduce="image") -> float:
    """Xie and Tu 2015, eq. 2, divided by the number of pixels; beta to the power of kappa. One class alone weighs 1."""
    mask = np.ones_like(target) if mask is None else mask
    weight = np.ones(target.shape)
    for members in [list(range(len(target)))] if batch_reduce == "batch" else [[i] for i in range(len(target))]:
        counted = target[members][mask[members] == 1]
        positives, negatives = np.count_nonzero(counted == 1), np.count_nonzero(counted == 0)
        if positives and negatives:
            beta = negatives / (positives + negatives)
            weight[members] = np.where(target[members] == 1, beta**kappa, (1 - beta) ** kappa)
    return _weighted_mean(logits, target, mask, weight)


def border_bce(logits, target, mask=None, *, w0=10.0, sigma=5.0, cell_gap) -> float:
    """Ronneberger 2015, eq. 1 and 2, for w_c = 1."""
    return _weighted_mean(logits, target, mask, 1 + w0 * np.exp(-(cell_gap.astype(float) ** 2) / (2 * sigma**2)))


def distance_bce(logits, target, mask=None, *, border_weight=1.0, distance) -> float:
    """Caliva 2019: on either side of the border the largest distance less the pixel's, over the largest; both counted from 1."""
    mask = np.ones_like(target) if mask is None else mask
    weight = np.ones(target.shape)
    for image in range(len(target)):
        for side in (-1, 1):
            here = (np.sign(distance[image]) == side) & (mask[image] == 1)
            if here.any():
                depth = np.abs(distance[image][here]).astype(float)
                weight[image][here] += border_weight * (depth.max() - depth + 1) / depth.max()
    return _weighted_mean(logits, target, mask, weight)


def topk_bce(logits, target, mask=None, *, k=0.1, batch_reduce="image") -> float:
    """Wu 2016: the k n pixels of highest loss, at least one of them; the fraction of a pixel counts as a fraction."""
    mask = np.ones_like(target) if mask is None else mask
    loss = _cross_entropy(logits, target)
    values = []
    for members in [slice(None)] if batch_reduce == "batch" else [slice(i, i + 1) for i in range(len(target))]:
        ranked = sorted(loss[members][mask[members] == 1], reverse=True)
        wanted = max(k * len(ranked), 1.0)
        values.append(sum(value * min(max(wanted - rank, 0.0), 1.0) for rank, value in enumerate(ranked)) / wanted)
    return float(np.mean(values))


def poly1_bce(logits, target, mask=None, *, epsilon=2.0) -> float:
    """Leng 2022: the cross-entropy and epsilon times the first term of its series."""
    mask = np.ones_like(target) if mask is None else mask
    total = 0.0
    for z, g, m in zip(logits.ravel(), target.ravel(), mask.ravel(), strict=True):
        p = 1 / (1 + math.exp(-z))
        p_t = p if g == 1 else 1 - p
        total += m * (-math.log(p_t) + epsilon * (1 - p_t))
    return total / max(mask.sum(), 1.0)


def bce_region_size(logits, target, mask=None, *, size_weight=0.1, smooth=1.0, batch_reduce="image") -> float:
    """Liu 2023: cross-entropy and the KL divergence of the predicted share of the positive class from the true one."""
    mask = np.ones_like(target) if mask is None else mask
    p = 1 / (1 + np.exp(-logits.astype(float)))
    divergences = []
    for members in [slice(None)] if batch_reduce == "batch" else [slice(i, i + 1) for i in range(len(target))]:
        m = mask[members]
        true, predicted = ((np.sum(array[members] * m) + smooth) / (m.sum() + 2 * smooth) for array in (target, p))
        divergences.append(true * math.log(true / predicted) + (1 - true) * math.log((1 - true) / (1 - predicted)))
    return _weighted_mean(logits, target, mask, np.ones(target.shape)) + size_weight * float(np.mean(divergences))


LOSSES: dict[str, Callable[..., float]] = {
    "weighted_bce": weighted_bce,
    "balanced_bce": balanced_bce,
    "border_bce": border_bce,
    "distance_bce": distance_bce,
    "topk_bce": topk_bce,
    "poly1_bce": poly1_bce,
    "bce_region_size": bce_region_size,
}


def _cross_entropy(logits, target) -> np.ndarray:
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    return -np.where(target == 1, np.log(p), np.log(1 - p))


def _weighted_mean(logits, target, mask, weight) -> float:
    mask = np.ones_like(target) if mask is None else mask
    return float((weight * _cross_entropy(logits, target) * mask).sum() / max(mask.sum(), 1.0))
