"""The three sums behind every overlap loss, and the gradient written out.

Every loss of the family is 1 - (a I + s) / (b I + c P + d G + s) with I = sum(p g), P = sum(p), G = sum(g): three reductions forward and
one elementwise pass backward, whatever the loss. p is the sigmoid of the logit; a mask takes pixels out of all three sums.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

REDUCTIONS = ("image", "batch")
EMPTY_POLICIES = ("smooth", "skip", "penalise")


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """The coefficients of one loss of the family: 1 - (a I + s) / (b I + c P + d G + s)."""

    overlap: float
    """a, of I in the numerator."""
    denominator_overlap: float
    """b, of I in the denominator."""
    predicted: float
    """c, of P."""
    actual: float
    """d, of G."""


def overlap_loss(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    ratio: Ratio,
    *,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """The mean over sets (images, or the one batch) of the loss that `ratio` describes.

    A set with no positive pixel follows `empty`. smooth: 1 - s / (c P + s), which pulls P towards 0 with a gradient that fades as P grows
    above s. skip: the set leaves the mean; 0 when no set is left. penalise: the set's mean probability, in place of the ratio.
    """
    rows = 1 if batch_reduce == "batch" else logits_N1HW.shape[0]
    mask = None if mask_N1HW is None else mask_N1HW.reshape(rows, -1)
    return OverlapRatio.apply(logits_N1HW.reshape(rows, -1), target_N1HW.reshape(rows, -1), mask, ratio, smooth, empty)


class OverlapRatio(torch.autograd.Function):
    """logits_KP, target_KP, mask_KP -> scalar: K sets of P pixels.

    For one set, with N the numerator, D the denominator and R = N / D:  dL/dp = ((R b - a) g + R c) / D,  dL/dz = dL/dp p (1 - p).
    """

    @staticmethod
    def forward(ctx, logits_KP, target_KP, mask_KP, ratio, smooth, empty):
        probability_KP = torch.sigmoid(logits_KP)
        counted_KP = probability_KP if mask_KP is None else probability_KP * mask_KP
        # Where both are 0 the product is too: target and mask need no third factor in the overlap.
        overlap_K = (counted_KP * target_KP).sum(dim=1)
        predicted_K = counted_KP.sum(dim=1)
        actual_K = target_KP.sum(dim=1) if mask_KP is None else (target_KP * mask_KP).sum(dim=1)
        numerator_K = ratio.overlap * overlap_K + smooth
        denominator_K = ratio.denominator_overlap * overlap_K + ratio.predicted * predicted_K + ratio.actual * actual_K + smooth
        value_K = 1.0 - numerator_K / denominator_K
        per_overlap_K = (numerator_K / denominator_K * ratio.denominator_overlap - ratio.overlap) / denominator_K
        per_predicted_K = numerator_K / denominator_K * ratio.predicted / denominator_K
        sets = float(len(value_K))
        if empty != "smooth":
            is_empty_K = actual_K == 0
            pixels_K = torch.full_like(actual_K, logits_KP.shape[1]) if mask_KP is None else mask_KP.sum(dim=1).clamp_min(1.0)
            instead_K = predicted_K / pixels_K if empty == "penalise" else torch.zeros_like(predicted_K)
            value_K = torch.where(is_empty_K, instead_K, value_K)
            slope_K = 1.0 / pixels_K if empty == "penalise" else torch.zeros_like(predicted_K)
            per_predicted_K = torch.where(is_empty_K, slope_K, per_predicted_K)
            if empty == "skip":
                sets = (~is_empty_K).sum().clamp_min(1)
        ctx.save_for_backward(probability_KP, target_KP, mask_KP, per_overlap_K / sets, per_predicted_K / sets)
        return value_K.sum() / sets

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        probability_KP, target_KP, mask_KP, per_overlap_K, per_predicted_K = ctx.saved_tensors
        slope_KP = (target_KP * (per_overlap_K[:, None] * grad_output)).add_(per_predicted_K[:, None] * grad_output)
        slope_KP = torch.ops.aten.sigmoid_backward(slope_KP, probability_KP)  # times p (1 - p), in one pass
        if mask_KP is not None:
            slope_KP *= mask_KP
        return slope_KP, None, None, None, None, None
