"""NumPy references of compound losses, from their papers; the parts are those of the other references."""

from collections.abc import Callable

import numpy as np

from tests.reference.losses import boundary, pixel, region, thesis
from tests.reference.losses.thesis import sigmoid


def bce_iou(logits, target, mask=None, *, bce_weight=0.5, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    overlap = thesis.iou(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return bce_weight * thesis.bce(logits, target, mask) + (1 - bce_weight) * overlap


def combo(logits, target, mask=None, *, bce_weight=0.5, positive_share=0.5, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Taghanaki 2019, eq. 3."""
    p, g, m = _flat(logits, target, mask)
    cross = -(positive_share * g * np.log(p) + (1 - positive_share) * (1 - g) * np.log(1 - p))
    index = 1 - thesis.dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return bce_weight * (cross * m).sum() / m.sum() - (1 - bce_weight) * index


def dice_focal(
    logits, target, mask=None, *, focal_weight=1.0, alpha=0.25, gamma=2.0, smooth=1.0, batch_reduce="image", empty="smooth"
) -> float:
    overlap = thesis.dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return overlap + focal_weight * thesis.focal(logits, target, mask, alpha=alpha, gamma=gamma)


def gdl_focal(logits, target, mask=None, *, focal_weight=1.0, alpha=0.25, gamma=2.0, **options) -> float:
    overlap = region.LOSSES["generalized_dice"](logits, target, mask, **options)
    return overlap + focal_weight * thesis.focal(logits, target, mask, alpha=alpha, gamma=gamma)


def dice_topk(logits, target, mask=None, *, topk_weight=1.0, k=0.1, smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    overlap = thesis.dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return overlap + topk_weight * pixel.LOSSES["topk_bce"](logits, target, mask, k=k, batch_reduce=batch_reduce)


def bce_lovasz(
    logits, target, mask=None, *, lovasz_weight=0.5, warm_up=0.2, smooth=0.0, batch_reduce="image", empty="smooth", progress=0.5
) -> float:
    weight = lovasz_weight * (1.0 if warm_up == 0 else min(1.0, progress / warm_up))
    hinge = region.LOSSES["lovasz_hinge"](logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return (1 - weight) * thesis.bce(logits, target, mask) + weight * hinge


def exp_log(
    logits,
    target,
    mask=None,
    *,
    dice_weight=0.8,
    gamma_dice=0.3,
    gamma_cross=0.3,
    smooth=1.0,
    batch_reduce="image",
    empty="smooth",
) -> float:
    """Wong 2018, eq. 1 to 4, class frequencies of the image or the batch."""
    values, cross, pixels = [], 0.0, 0.0
    for p, g, m in _sets(logits, target, mask, batch_reduce):
        index = (2 * (p * g * m).sum() + smooth) / ((p * m).sum() + (g * m).sum() + smooth)
        values.append((max(-np.log(index), 0.0) ** gamma_dice, p, g, m))
        counts = {1: (g * m).sum(), 0: ((1 - g) * m).sum()}
        for label, count in counts.items():
            if count > 0:
                p_t = p if label == 1 else 1 - p
                weight = np.sqrt((counts[0] + counts[1]) / count)
                cross += (weight * (-np.log(p_t)) ** gamma_cross * (g == label) * m).sum()
        pixels += m.sum()
    return dice_weight * _mean(values, empty) + (1 - dice_weight) * cross / pixels


def _unified(logits, target, mask, weight, delta, gamma, smooth, batch_reduce, empty, *, symmetric) -> float:
    """Yeung 2022: the authors' two-class program, class 0 the negative one, written for one channel."""
    values, cross, pixels = [], 0.0, 0.0
    for p, g, m in _sets(logits, target, mask, batch_reduce):
        halves = []
        for truth, probability, focused in ((1 - g, 1 - p, symmetric), (g, p, True)):
            tp = (truth * probability * m).sum()
            fn = (truth * (1 - probability) * m).sum()
            fp = ((1 - truth) * probability * m).sum()
            # The negative class has the same delta on its own misses.
            miss = max(1 - (tp + smooth) / (tp + delta * fn + (1 - delta) * fp + smooth), 0.0)
            halves.append(miss ** (1 - gamma) if focused else miss)
        values.append((sum(halves) / 2, p, g, m))
        background = (1 - delta) * (1 - g) * p**gamma * -np.log(1 - p)
        foreground = delta * g * -np.log(p) * ((1 - p) ** gamma if symmetric else 1.0)
        cross += ((background + foreground) * m).sum()
        pixels += m.sum()
    return weight * _mean(values, empty) + (1 - weight) * cross / pixels


def asym_unified_focal(
    logits, target, mask=None, *, overlap_weight=0.5, delta=0.6, gamma=0.5, smooth=1.0, batch_reduce="image", empty="smooth"
) -> float:
    return _unified(logits, target, mask, overlap_weight, delta, gamma, smooth, batch_reduce, empty, symmetric=False)


def sym_unified_focal(
    logits, target, mask=None, *, overlap_weight=0.5, delta=0.6, gamma=0.5, smooth=1.0, batch_reduce="image", empty="smooth"
) -> float:
    return _unified(logits, target, mask, overlap_weight, delta, gamma, smooth, batch_reduce, empty, symmetric=True)


def dice_boundary(
    logits,
    target,
    mask=None,
    *,
    start=0.01,
    end=0.5,
    scaling="partner",
    power=1.0,
    smooth=1.0,
    batch_reduce="image",
    empty="smooth",
    distance,
    progress=0.5,
    scale=None,
) -> float:
    """Kervadec 2019, eq. 8. `scale` holds the factor of the partner constant, for the gradient."""
    share = start + (end - start) * progress
    overlap = thesis.dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    contour = boundary.LOSSES["boundary"](logits, target, mask, power=power, scale="map", distance=distance)
    factor = 1.0 if scaling == "none" else scale if scale is not None else overlap / contour
    return (1 - share) * overlap + share * factor * contour


def dice_hausdorff(
    logits,
    target,
    mask=None,
    *,
    hausdorff_weight=1.0,
    scaling="partner",
    alpha=2.0,
    smooth=1.0,
    batch_reduce="image",
    empty="smooth",
    distance,
    scale=None,
) -> float:
    """Karimi 2019, eq. 12. `scale` holds the factor of the partner constant, for the gradient."""
    overlap = thesis.dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    far = boundary.LOSSES["hausdorff_dt"](logits, target, mask, alpha=alpha, scale="map", distance=distance)
    factor = 1.0 if scaling == "none" else scale if scale is not None else overlap / far
    return overlap + hausdorff_weight * factor * far


LOSSES: dict[str, Callable[..., float]] = {
    function.__name__: function
    for function in (
        bce_iou,
        combo,
        dice_focal,
        gdl_focal,
        dice_topk,
        bce_lovasz,
        exp_log,
        asym_unified_focal,
        sym_unified_focal,
        dice_boundary,
        dice_hausdorff,
    )
}


def _flat(logits, target, mask):
    mask = np.ones_like(target) if mask is None else mask
    return sigmoid(logits), target.astype(float), mask.astype(float)


def _sets(logits, target, mask, batch_reduce):
    p, g, m = _flat(logits, target, mask)
    return [(p, g, m)] if batch_reduce == "batch" else list(zip(p, g, m, strict=True))


def _mean(values, empty) -> float:
    """The mean over sets of (value, p, g, m), by the policy for sets with no positive pixel."""
    kept = []
    for value, p, g, m in values:
        if (g * m).sum() > 0 or empty == "smooth":
            kept.append(value)
        elif empty == "penalise":
            kept.append((p * m).sum() / max(m.sum(), 1.0))
    return float(np.mean(kept)) if kept else 0.0
