"""The losses once more, in NumPy float64, pixel by pixel as the papers print them, and slow on purpose.

Nothing is shared with the package: no logits trick, no three sums, no registry. Probabilities are exact up to |logit| of about 30.
"""

from collections.abc import Iterator

import numpy as np


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-logits.astype(np.float64)))


def bce(logits, target, mask=None, *, label_smoothing=0.0) -> float:
    """Ronneberger 2015, eq. 1, for two classes and w(x) = 1; label smoothing of Szegedy 2016 with K = 2."""
    total, pixels = 0.0, 0.0
    for p, g, m in _pixels(logits, target, mask):
        soft = g * (1 - label_smoothing) + label_smoothing / 2
        total += m * -(soft * np.log(p) + (1 - soft) * np.log(1 - p))
        pixels += m
    return total / max(pixels, 1.0)


def focal(logits, target, mask=None, *, alpha=0.25, gamma=2.0) -> float:
    """Lin 2017, eq. 2 to 5."""
    total, pixels = 0.0, 0.0
    for p, g, m in _pixels(logits, target, mask):
        p_t = p if g == 1 else 1 - p
        alpha_t = alpha if g == 1 else 1 - alpha
        total += m * -alpha_t * (1 - p_t) ** gamma * np.log(p_t)
        pixels += m
    return total / max(pixels, 1.0)


def dice(logits, target, mask=None, *, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Thesis, eq. 5, with `smooth` in place of its 1."""
    return _mean_over_sets(
        logits, target, mask, batch_reduce, empty, lambda tp, fp, fn: 1 - (2 * tp + smooth) / ((tp + fp) + (tp + fn) + smooth)
    )


def iou(logits, target, mask=None, *, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Thesis, eq. 8."""
    return _mean_over_sets(logits, target, mask, batch_reduce, empty, lambda tp, fp, fn: 1 - (tp + smooth) / (tp + fp + fn + smooth))


def tversky(logits, target, mask=None, *, alpha=0.3, beta=0.7, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """One minus the index of the thesis's eq. 7; alpha weighs false positives."""
    return _mean_over_sets(
        logits, target, mask, batch_reduce, empty, lambda tp, fp, fn: 1 - (tp + smooth) / (tp + alpha * fp + beta * fn + smooth)
    )


def dice_bce(logits, target, mask=None, *, bce_weight=0.5, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    overlap = dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return bce_weight * bce(logits, target, mask) + (1 - bce_weight) * overlap


LOSSES = {"bce": bce, "dice": dice, "dice_bce": dice_bce, "iou": iou, "focal": focal, "tversky": tversky}


def _pixels(logits, target, mask) -> Iterator[tuple[float, float, float]]:
    mask = np.ones_like(target) if mask is None else mask
    yield from zip(sigmoid(logits).ravel(), target.ravel().astype(float), mask.ravel().astype(float), strict=True)


def _mean_over_sets(logits, target, mask, batch_reduce, empty, formula) -> float:
    mask = np.ones_like(target) if mask is None else mask
    images = list(zip(sigmoid(logits), target.astype(float), mask.astype(float), strict=True))
    sets = [images] if batch_reduce == "batch" else [[image] for image in images]
    values = []
    for members in sets:
        tp = sum((p * g * m).sum() for p, g, m in members)
        fp = sum((p * (1 - g) * m).sum() for p, g, m in members)
        fn = sum(((1 - p) * g * m).sum() for p, g, m in members)
        if tp + fn > 0 or empty == "smooth":
            values.append(formula(tp, fp, fn))
        elif empty == "penalise":
            values.append(fp / max(sum(m.sum() for _, _, m in members), 1.0))
    return float(np.mean(values)) if values else 0.0
