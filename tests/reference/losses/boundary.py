"""NumPy references of boundary losses: of the papers' own sums, image by image. Distances come from a tree of points, not a transform."""

from collections.abc import Callable

import numpy as np
from scipy import ndimage
from scipy.spatial import KDTree

from tests.reference.losses.thesis import sigmoid

CROSS = np.array([[0, 1, 0], [1, 1, 1], [0, 1, 0]])


def boundary(logits, target, mask=None, *, power=1.0, scale="map", distance) -> float:
    """Kervadec 2019: the integral of phi s less that of phi g, eq. 4 without its factor 2, over the area."""
    total, pixels = 0.0, 0.0
    for p, g, m, phi in _images(logits, target, mask, distance):
        phi = np.sign(phi) * np.abs(phi) ** power
        if scale == "map" and m.any():
            phi = phi / np.abs(phi[m > 0]).max()
        total += (m * phi * p).sum() - (m * phi * g).sum()
        pixels += m.sum()
    return total / max(pixels, 1.0)


def generalized_surface(logits, target, mask=None, *, alpha=2.0, distance) -> float:
    """Celaya 2023: 1 - ||D (1 - (T + P))||^2 / ||D||^2, |D|^alpha for D^2; images count by their pixels."""
    total, pixels = 0.0, 0.0
    for p, g, m, phi in _images(logits, target, mask, distance):
        weight = m * np.abs(phi) ** alpha
        if m.any():
            total += m.sum() * (1 - (weight * (1 - (g + p)) ** 2).sum() / weight.sum())
        pixels += m.sum()
    return total / max(pixels, 1.0)


def hausdorff_dt(logits, target, mask=None, *, alpha=2.0, scale="map", distance) -> float:
    """Karimi 2019, eq. 8; a masked pixel of the hard prediction is the target's."""
    return _squares(
        logits, target, mask, alpha, scale, distance, lambda p, g, m: distance_to_other_class(np.where(m > 0, p > 0.5, g > 0.5))
    )


def log_hausdorff_dt(logits, target, mask=None, *, alpha=2.0, scale="none", distance) -> float:
    masks = [None] * len(logits) if mask is None else [m[None] for m in mask]
    images = zip(logits, target, masks, distance, strict=True)
    return float(
        np.mean([np.log(1 + hausdorff_dt(z[None], g[None], m, alpha=alpha, scale=scale, distance=d[None])) for z, g, m, d in images])
    )


def hausdorff_dt_onesided(logits, target, mask=None, *, alpha=2.0, scale="map", distance) -> float:
    return _squares(logits, target, mask, alpha, scale, distance, lambda p, g, m: np.zeros_like(p))


def hausdorff_er(logits, target, mask=None, *, alpha=2.0, erosions=10, plain_weight=1.0) -> float:
    """Karimi 2019, eq. 9 and 10, the eroded error stretched to twice itself, and the error before any erosion."""
    total, pixels = 0.0, 0.0
    for p, g, m in _images(logits, target, mask):
        error = m * (p - g) ** 2
        total += plain_weight * error.sum()
        for k in range(1, int(erosions) + 1):
            error = m * 2 * np.maximum(ndimage.convolve(error, CROSS / 5, mode="constant") - 0.5, 0)
            total += k**alpha * error.sum()
        pixels += m.sum()
    return total / max(pixels, 1.0)


def distance_to_other_class(binary_HW: np.ndarray) -> np.ndarray:
    """Of each pixel, to the nearest one that differs; 0 where none does."""
    distance_HW = np.zeros(binary_HW.shape)
    inside, outside = np.argwhere(binary_HW), np.argwhere(~binary_HW)
    if len(inside) and len(outside):
        distance_HW[binary_HW] = KDTree(outside).query(inside)[0]
        distance_HW[~binary_HW] = KDTree(inside).query(outside)[0]
    return distance_HW


LOSSES: dict[str, Callable[..., float]] = {
    "boundary": boundary,
    "generalized_surface": generalized_surface,
    "hausdorff_dt": hausdorff_dt,
    "log_hausdorff_dt": log_hausdorff_dt,
    "hausdorff_dt_onesided": hausdorff_dt_onesided,
    "hausdorff_er": hausdorff_er,
}


def _images(logits, target, mask, *maps):
    mask = np.ones_like(target) if mask is None else mask
    return zip(*(array[:, 0].astype(np.float64) for array in (sigmoid(logits), target, mask, *maps)), strict=True)


def _squares(logits, target, mask, alpha, scale, distance, own_distance) -> float:
    total, pixels = 0.0, 0.0
    for p, g, m, phi in _images(logits, target, mask, distance):
        of_target = np.abs(phi) ** alpha
        unit = of_target[m > 0].mean() if scale == "map" and m.any() else 1.0
        total += (m * (p - g) ** 2 * (own_distance(p, g, m) ** alpha + of_target)).sum() / unit
        pixels += m.sum()
    return total / max(pixels, 1.0)


def _length(field, mask) -> float:
    """Square by square of four pixels, each difference of rows and of columns counting half."""
    total = 0.0
    for y in range(field.shape[0] - 1):
        for x in range(field.shape[1] - 1):
            (a, b), (c, d) = field[y : y + 2, x : x + 2]
            along = ((c - a) ** 2 + (d - b) ** 2) / 2 + ((b - a) ** 2 + (d - c) ** 2) / 2
            total += mask[y : y + 2, x : x + 2].prod() * np.sqrt(along + 1e-6)
    return total
