"""Membrane Dice, IoU, precision and recall at every threshold from one histogram, computed where the probabilities are.

Dice coefficient of the mask (probability >= t) with the membrane: 2 TP / (2 TP + FP + FN), over all pixels counted together. Two rows of
counts hold everything about all thresholds, so a stack of any size costs one pass and 2 * bins numbers.

    counts = probability_histogram(probability_ZHW, membrane_ZHW)
    dice, threshold = best_dice(counts)
    confusion_at(counts, threshold).precision

Without a single membrane pixel Dice is 1 where nothing is predicted and 0 where anything is; so are the others.
"""

import torch
from torch import Tensor

from unet.metrics.confusion import Confusion

BINS = 1000


def probability_histogram(probability: Tensor, membrane: Tensor, bins: int = BINS, *, counted: Tensor | None = None) -> Tensor:
    """Counts [2, bins], int64, on the device of the probabilities: row 0 the pixels that are no membrane, row 1 those that are.

    Args:
        probability: membrane probability in [0, 1], any shape; taken in fp32. Bin k holds k / bins <= p < (k + 1) / bins, and the last bin
            1 as well. Values outside [0, 1] are counted in the first or last bin; NaN is the caller's to refuse.
        membrane: bool, the same shape.
        bins: their number.
        counted: bool, the same shape; pixels where it is False are left out. None: all count.
    """
    if probability.shape != membrane.shape:
        raise ValueError(f"probability and membrane must have the same shape, got {list(probability.shape)} and {list(membrane.shape)}")
    if counted is not None:
        if counted.shape != probability.shape or counted.dtype != torch.bool:
            raise ValueError(
                f"counted must be bool {list(probability.shape)} like the probability, got {counted.dtype} {list(counted.shape)}"
            )
        probability, membrane = probability[counted], membrane[counted]
    index = (probability.detach().to(torch.float32) * bins).to(torch.int64).clamp_(0, bins - 1)
    index += bins * membrane.to(torch.int64)
    return torch.bincount(index.reshape(-1), minlength=2 * bins).reshape(2, bins)


def best_dice(counts: Tensor) -> tuple[float, float]:
    """The best membrane Dice over all thresholds k / bins, and the threshold; among equals the one nearest to 0.5."""
    dice = _dice_curve(counts)
    best = dice.max()
    thresholds = torch.arange(len(dice), dtype=torch.float64) / len(dice)
    distance = torch.where(dice == best, (thresholds - 0.5).abs(), torch.inf)
    return best.item(), thresholds[distance.argmin()].item()


def dice_at(counts: Tensor, threshold: float) -> float:
    """Membrane Dice of (probability >= threshold), the threshold rounded to the histogram's bins."""
    return _dice_curve(counts)[_bin_of(counts, threshold)].item()


def confusion_at(counts: Tensor, threshold: float) -> Confusion:
    """Right and wrong pixels of (probability >= threshold), the threshold rounded to the histogram's bins."""
    first = _bin_of(counts, threshold)
    (true_negative, false_positive), (false_negative, true_positive) = (
        (int(row[:first].sum()), int(row[first:].sum())) for row in counts.cpu()
    )
    return Confusion(true_positive=true_positive, false_positive=false_positive, false_negative=false_negative, true_negative=true_negative)


def iou_at(counts: Tensor, threshold: float) -> float:
    """Membrane IoU, TP / (TP + FP + FN), of (probability >= threshold), the threshold rounded to the histogram's bins."""
    return confusion_at(counts, threshold).iou


def precision_at(counts: Tensor, threshold: float) -> float:
    """Membrane precision, TP / (TP + FP), of (probability >= threshold), the threshold rounded to the histogram's bins."""
    return confusion_at(counts, threshold).precision


def recall_at(counts: Tensor, threshold: float) -> float:
    """Membrane recall, TP / (TP + FN), of (probability >= threshold), the threshold rounded to the histogram's bins."""
    return confusion_at(counts, threshold).recall


def _bin_of(counts: Tensor, threshold: float) -> int:
    bins = counts.shape[1]
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"a threshold on probabilities must lie in 0 to 1, got {threshold}")
    return min(round(threshold * bins), bins - 1)


def _dice_curve(counts: Tensor) -> Tensor:
    """Dice [bins] in float64 on the CPU; entry k predicts membrane in the bins from k on."""
    counts = counts.cpu().to(torch.float64)
    other, true_positive = counts.flip(1).cumsum(1).flip(1)
    total = other + true_positive + counts[1].sum()
    return torch.where(total > 0, 2.0 * true_positive / total.clamp_min(1.0), 1.0)
