"""NumPy references of topology losses; the soft skeleton with SciPy's grey morphology, which has nothing to do with gradients."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage

from tests.reference.losses.thesis import bce, dice, sigmoid

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]], bool)
SQUARE = np.ones((3, 3), bool)


def soft_cldice(logits, target, mask=None, *, iterations=10, core="keep", smooth=1.0, batch_reduce="image", empty="smooth") -> float:
    """Shit 2021, algorithms 1 and 2, `smooth` in each fraction."""
    mask = np.ones_like(target) if mask is None else mask
    images = [tuple(array[0].astype(np.float64) for array in image) for image in zip(sigmoid(logits), target, mask, strict=True)]
    values = []
    for members in [images] if batch_reduce == "batch" else [[image] for image in images]:
        inside, of_prediction, covered, of_target = 0.0, 0.0, 0.0, 0.0
        for p, g, m in members:
            skeleton_p, skeleton_g = soft_skeleton(p, m, iterations, core), soft_skeleton(g, m, iterations, core)
            inside, of_prediction = inside + (m * skeleton_p * g).sum(), of_prediction + skeleton_p.sum()
            covered, of_target = covered + (m * skeleton_g * p).sum(), of_target + skeleton_g.sum()
        precision, sensitivity = (inside + smooth) / (of_prediction + smooth), (covered + smooth) / (of_target + smooth)
        if sum((m * g).sum() for _, g, m in members) > 0 or empty == "smooth":
            values.append(1 - 2 * precision * sensitivity / (precision + sensitivity))
        elif empty == "penalise":
            values.append(sum((m * p).sum() for p, _, m in members) / max(sum(m.sum() for _, _, m in members), 1.0))
    return float(np.mean(values)) if values else 0.0


def dice_cldice(
    logits, target, mask=None, *, alpha=0.5, iterations=10, core="keep", smooth=1.0, batch_reduce="image", empty="smooth"
) -> float:
    sets = {"smooth": smooth, "batch_reduce": batch_reduce, "empty": empty}
    lines = soft_cldice(logits, target, mask, iterations=iterations, core=core, **sets)
    return (1 - alpha) * dice(logits, target, mask, **sets) + alpha * lines


def skeleton_recall(
    logits, target, mask=None, *, recall_weight=1.0, tube_px=2, smooth=1.0, batch_reduce="image", empty="smooth", skeleton
) -> float:
    """Kirchhoff 2024, section 3, beside Dice and cross-entropy."""
    ones = np.ones_like(target) if mask is None else mask
    inside, all_of_it = [], []
    for p, g, m, line in zip(sigmoid(logits), target, ones, skeleton, strict=True):
        tube = ndimage.binary_dilation(line[0] > 0, CROSS, iterations=int(tube_px))[None] if tube_px else line > 0
        inside.append((m * p * g * tube).sum())
        all_of_it.append((m * g * tube).sum())
    if batch_reduce == "batch":
        inside, all_of_it = [sum(inside)], [sum(all_of_it)]
    recall = np.mean([(a + smooth) / (b + smooth) for a, b in zip(inside, all_of_it, strict=True)])
    region = dice(logits, target, mask, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return region + bce(logits, target, mask) + recall_weight * (1 - recall)


def soft_skeleton(field_HW, mask_HW, iterations, core) -> np.ndarray:
    """Shit 2021, algorithm 1; pixels outside the image or the mask are never a minimum or a maximum."""

    def erode(image):
        return ndimage.grey_erosion(np.where(mask_HW > 0, image, 1.0), footprint=CROSS, mode="constant", cval=1.0)

    def dilate(image):
        return ndimage.grey_dilation(np.where(mask_HW > 0, image, 0.0), footprint=SQUARE, mode="constant", cval=0.0)

    image = field_HW
    skeleton = mask_HW * np.maximum(image - dilate(erode(image)), 0)
    for _ in range(int(iterations)):
        image = erode(image)
        delta = mask_HW * np.maximum(image - dilate(erode(image)), 0)
        skeleton = skeleton + np.maximum(delta - skeleton * delta, 0)
    if core == "keep":
        rest = mask_HW * erode(image)
        skeleton = skeleton + rest - skeleton * rest
    return skeleton


LOSSES: dict[str, Callable[..., float]] = {"soft_cldice": soft_cldice, "dice_cldice": dice_cldice, "skeleton_recall": skeleton_recall}
