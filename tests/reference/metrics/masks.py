"""Scores of a membrane mask, pixel by pixel."""

import math

import numpy as np
from skimage.morphology import skeletonize

from tests.reference.metrics.floods import EIGHT, FOUR, components


def counts(found, membrane, counted) -> tuple[int, int, int, int]:
    """TP, FP, FN, TN."""
    tally = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
    for index in np.ndindex(found.shape):
        if counted[index]:
            tally[bool(found[index]), bool(membrane[index])] += 1
    return tally[True, True], tally[True, False], tally[False, True], tally[False, False]


def share(part: int, whole: int, wrong: int) -> float:
    return part / whole if whole else float(wrong == 0)


def pixel_scores(found, membrane, counted) -> dict[str, float]:
    """The five that need only counts."""
    tp, fp, fn, tn = counts(found, membrane, counted)
    return {
        "membrane_dice": share(2 * tp, 2 * tp + fp + fn, fp + fn),
        "membrane_iou": share(tp, tp + fp + fn, fp + fn),
        "membrane_precision": share(tp, tp + fp, fp + fn),
        "membrane_recall": share(tp, tp + fn, fp + fn),
        "pixel_error": (fp + fn) / (tp + fp + fn + tn),
    }


def edge(mask, counted) -> list[tuple[int, int]]:
    """Known pixels of the mask beside a known pixel that is outside it."""
    found = []
    for row, column in zip(*np.nonzero(mask & counted), strict=True):
        beside = [(row + down, column + right) for down, right in FOUR]
        beside = [at for at in beside if 0 <= at[0] < mask.shape[0] and 0 <= at[1] < mask.shape[1]]
        if any(counted[at] and not mask[at] for at in beside):
            found.append((int(row), int(column)))
    return found


def nearest(of, to) -> list[float]:
    return [min((math.dist(one, other) for other in to), default=math.inf) for one in of]


def boundary_f1(found, membrane, counted, tolerance_px) -> float:
    ours, theirs = edge(found, counted), edge(membrane, counted)
    if not ours or not theirs:
        return float(not ours and not theirs)
    precision = sum(distance <= tolerance_px for distance in nearest(ours, theirs)) / len(ours)
    recall = sum(distance <= tolerance_px for distance in nearest(theirs, ours)) / len(theirs)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def hausdorff95(found, membrane, counted) -> float:
    ours, theirs = edge(found, counted), edge(membrane, counted)
    if not ours and not theirs:
        return 0.0
    if not ours or not theirs:
        return math.dist((0, 0), (found.shape[0] - 1, found.shape[1] - 1))
    return max(percentile(nearest(ours, theirs), 0.95), percentile(nearest(theirs, ours), 0.95))


def percentile(values, share_of) -> float:
    """Linear between ranks."""
    values = sorted(values)
    place = share_of * (len(values) - 1)
    below = math.floor(place)
    return values[below] + (place - below) * (values[min(below + 1, len(values) - 1)] - values[below])


def cldice(found, membrane, counted) -> float:
    """Shit 2021, equations 1 and 2; the skeleton is scikit-image's here as well."""
    found, membrane = found & counted, membrane & counted
    if not found.any() or not membrane.any():
        return float(not found.any() and not membrane.any())
    precision, sensitivity = (
        sum(bool(other[at]) for at in line) / len(line)
        for line, other in ((points(skeletonize(found)), membrane), (points(skeletonize(membrane)), found))
    )
    return 2 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0


def points(mask) -> list[tuple[int, int]]:
    return list(zip(*np.nonzero(mask), strict=True))


def betti_numbers(mask) -> tuple[int, int]:
    """Pieces of the mask, and pieces of the rest that do not reach outside."""
    around = np.pad(~mask, 1, constant_values=True)
    return int(components(mask, EIGHT).max(initial=0)), int(components(around, FOUR).max()) - 1


def betti_error(found, membrane, counted, tile_px) -> float:
    errors = []
    for top in range(0, found.shape[0], tile_px):
        for left in range(0, found.shape[1], tile_px):
            part = np.s_[top : top + tile_px, left : left + tile_px]
            if counted[part].any():
                ours, theirs = (betti_numbers(mask[part] & counted[part]) for mask in (found, membrane))
                errors.append(abs(ours[0] - theirs[0]) + abs(ours[1] - theirs[1]))
    return sum(errors) / len(errors)


def calibration_error(probability, membrane, counted, bins) -> float:
    """ECE from its definition: bin by bin, the gap of two means."""
    total, error = np.count_nonzero(counted), 0.0
    for number in range(bins):
        inside = [
            index
            for index in np.ndindex(probability.shape)
            if counted[index] and min(int(float(probability[index]) * bins), bins - 1) == number
        ]
        if inside:
            confidence = sum(float(probability[index]) for index in inside) / len(inside)
            accuracy = sum(bool(membrane[index]) for index in inside) / len(inside)
            error += len(inside) / total * abs(confidence - accuracy)
    return error
