"""The region losses once more, in NumPy float64, set by set as the papers print them, and slow on purpose.

A set is the list of the pixels that count, of an image or of the batch: their probabilities, targets and logits. Nothing is shared with the
package: every sum is over those pixels, and a pixel is taken at its word. Probabilities are exact up to |logit| of about 30.
"""

import math
from collections.abc import Callable

import numpy as np


def dice_squared(logits, target, mask=None, *, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Milletari 2016, section 3, with `smooth`."""

    def formula(p, g, _):
        return 1 - (2 * (p * g).sum() + smooth) / ((p**2).sum() + (g**2).sum() + smooth)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def generalized_dice(logits, target, mask=None, *, weighting="square", smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Sudre 2017, section 2.1, for the two classes; weights of sum 1, and both alike where a class is missing."""
    return _mean_over_sets(logits, target, mask, batch_reduce, empty, lambda p, g, _: 1 - _generalized_index(p, g, weighting, smooth))


def penalty_dice(logits, target, mask=None, *, k=2.5, weighting="square", smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Yang 2019."""

    def formula(p, g, _):
        index = _generalized_index(p, g, weighting, smooth)
        return 1 - index / (1 + k * (1 - index))

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def log_dice(logits, target, mask=None, *, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Wong 2018, gamma 1."""
    return _mean_over_sets(logits, target, mask, batch_reduce, empty, lambda p, g, _: -math.log(_dice_index(p, g, smooth)))


def log_cosh_dice(logits, target, mask=None, *, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Jadon 2020."""
    return _mean_over_sets(logits, target, mask, batch_reduce, empty, lambda p, g, _: math.log(math.cosh(1 - _dice_index(p, g, smooth))))


def dice_pp(logits, target, mask=None, *, gamma=2.0, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Yeung 2023."""

    def formula(p, g, _):
        tp, fp, fn = (p * g).sum(), ((p * (1 - g)) ** gamma).sum(), (((1 - p) * g) ** gamma).sum()
        return 1 - (2 * tp + smooth) / (2 * tp + fp + fn + smooth)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def noise_robust_dice(logits, target, mask=None, *, gamma=1.5, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Wang G. 2020."""

    def formula(p, g, _):
        return (np.abs(p - g) ** gamma).sum() / ((p**2).sum() + (g**2).sum() + smooth)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def jaccard_metric(logits, target, mask=None, *, label_smoothing=0.0, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Wang Z. 2023, with the soft target of Szegedy 2016; `smooth` on the scale of the index of the thesis, eq. 8."""

    def formula(p, g, _):
        soft = g * (1 - label_smoothing) + label_smoothing / 2
        both, apart = np.abs(p + soft).sum(), np.abs(p - soft).sum()
        return 1 - (both - apart + 2 * smooth) / (both + apart + 2 * smooth)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def focal_tversky(
    logits, target, mask=None, *, alpha=0.3, beta=0.7, gamma=4 / 3, smooth=1.0, batch_reduce="image", empty="smooth"
) -> float:
    """Abraham and Khan 2019; alpha weighs false positives. Below 2^-52, the rounding error of 1, a line instead."""

    def formula(p, g, _):
        wrong = alpha * (p * (1 - g)).sum() + beta * ((1 - p) * g).sum()
        loss = wrong / ((p * g).sum() + wrong + smooth)
        return loss ** (1 / gamma) if loss > 2**-52 else loss / 2**-52 * (2**-52) ** (1 / gamma)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def asymmetric_similarity(logits, target, mask=None, *, beta=1.5, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Hashemi 2018."""

    def formula(p, g, _):
        hits = (1 + beta**2) * (p * g).sum() + smooth
        return 1 - hits / (hits + beta**2 * ((1 - p) * g).sum() + (p * (1 - g)).sum())

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def sensitivity_specificity(logits, target, mask=None, *, sensitivity_weight=0.05, batch_reduce="image", empty="smooth") -> float:
    """Brosch 2015; the mean over no pixels is 0."""

    def formula(p, g, _):
        positive, negative = (p[g == 1] - 1) ** 2, p[g == 0] ** 2
        sensitivity = positive.mean() if positive.size else 0.0
        specificity = negative.mean() if negative.size else 0.0
        return sensitivity_weight * sensitivity + (1 - sensitivity_weight) * specificity

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def mcc(logits, target, mask=None, *, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Abhishek 2021, eq. 3 to 5, of the set and `smooth` more pixels of each class that are certainly right."""

    def formula(p, g, _):
        tp, tn = (p * g).sum() + smooth, ((1 - p) * (1 - g)).sum() + smooth
        fp, fn = (p * (1 - g)).sum(), ((1 - p) * g).sum()
        return 1 - (tp * tn - fp * fn) / math.sqrt((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn))

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def lovasz_hinge(logits, target, mask=None, *, smooth=0.0, batch_reduce="image", empty="smooth") -> float:
    """Berman 2018."""

    def formula(_, g, z):
        return _lovasz_extension(np.maximum(1 - z * (2 * g - 1), 0), g, smooth)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula)


def lovasz_sigmoid(logits, target, mask=None, *, smooth=0.0, batch_reduce="image", empty="smooth") -> float:
    """Berman 2018, for the positive class."""
    return _mean_over_sets(logits, target, mask, batch_reduce, empty, lambda p, g, _: _lovasz_extension(np.abs(g - p), g, smooth))


def boundary_dou(logits, target, mask=None, *, alpha_cap=0.8, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Sun 2023; a border pixel is positive and has a negative neighbour, and both count."""
    mask = np.ones_like(target) if mask is None else mask
    border = np.zeros(target.shape)
    for image, row, column in np.argwhere((target[:, 0] == 1) & (mask[:, 0] == 1)):
        for y, x in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if 0 <= y < target.shape[2] and 0 <= x < target.shape[3] and mask[image, 0, y, x] == 1 and target[image, 0, y, x] == 0:
                border[image, 0, row, column] = 1

    def formula(p, g, edge):
        alpha = min(1 - 2 * edge.sum() / max(g.sum(), 1), alpha_cap)
        both = (p * g).sum()
        union = (p**2).sum() + (g**2).sum() - both
        return (union - both) / (union - alpha * both + smooth)

    return _mean_over_sets(logits, target, mask, batch_reduce, empty, formula, border)


LOSSES: dict[str, Callable[..., float]] = {
    "dice_squared": dice_squared,
    "generalized_dice": generalized_dice,
    "penalty_dice": penalty_dice,
    "log_dice": log_dice,
    "log_cosh_dice": log_cosh_dice,
    "dice_pp": dice_pp,
    "noise_robust_dice": noise_robust_dice,
    "jaccard_metric": jaccard_metric,
    "focal_tversky": focal_tversky,
    "asymmetric_similarity": asymmetric_similarity,
    "sensitivity_specificity": sensitivity_specificity,
    "mcc": mcc,
    "lovasz_hinge": lovasz_hinge,
    "lovasz_sigmoid": lovasz_sigmoid,
    "boundary_dou": boundary_dou,
}


def _dice_index(p, g, smooth) -> float:
    return (2 * (p * g).sum() + smooth) / (p.sum() + g.sum() + smooth)


def _generalized_index(p, g, weighting, smooth) -> float:
    classes = [(p, g), (1 - p, 1 - g)]
    weights = []
    for _, members in classes:
        size = members.sum()
        weights.append(np.nan if size == 0 else {"square": 1 / size**2, "simple": 1 / size, "uniform": 1.0}[weighting])
    if np.isnan(weights).any():
        weights = [1.0, 1.0]
    shares = [weight / sum(weights) for weight in weights]
    overlap = sum(share * (ours * theirs).sum() for share, (ours, theirs) in zip(shares, classes, strict=True))
    size = sum(share * (ours.sum() + theirs.sum()) for share, (ours, theirs) in zip(shares, classes, strict=True))
    return (2 * overlap + smooth) / (size + smooth)


def _lovasz_extension(errors, g, smooth) -> float:
    """The worst pixels are declared wrong one after another, and each error is multiplied by what the Jaccard loss gains."""
    positives, kept, union = g.sum(), g.sum(), g.sum()
    total, before = 0.0, 0.0
    for pixel in np.argsort(-errors):
        if g[pixel] == 1:
            kept -= 1
        else:
            union += 1
        after = 1 - (kept + smooth) / (union + smooth)
        total += errors[pixel] * (after - before)
        before = after
    assert kept == 0 and union == positives + (g == 0).sum()
    return total


def _mean_over_sets(logits, target, mask, batch_reduce, empty, formula, extra=None) -> float:
    """`formula(probabilities, targets, logits)` of each set, or with `extra`, a map, in place of the logits."""
    mask = np.ones_like(target) if mask is None else mask
    probability = 1 / (1 + np.exp(-logits.astype(np.float64)))
    images = list(range(len(target)))
    values = []
    for members in [images] if batch_reduce == "batch" else [[image] for image in images]:
        kept = mask[members] == 1
        p, g = probability[members][kept], target[members][kept].astype(np.float64)
        if g.sum() > 0 or empty == "smooth":
            third = logits.astype(np.float64) if extra is None else extra
            values.append(formula(p, g, third[members][kept]))
        elif empty == "penalise":
            values.append(p.mean() if p.size else 0.0)
    return float(np.mean(values)) if values else 0.0
