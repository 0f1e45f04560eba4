"""Dice and its close relatives: one minus twice the overlap over the sum of both sets.

p is the sigmoid of the logit, g in {0, 1} the target, sums over an image or over the batch (`batch_reduce`). An image with no positive
pixel follows `empty`.
"""

import torch
from torch import Tensor

from unet.losses.counts import SoftCounts, mean_over_sets, soft_counts
from unet.losses.fraction import Fraction, fraction_loss
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def dice(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    """1 - (2 TP + s) / (sum p + sum g + s). Thesis eq. 5 (s = 1); Drozdzal et al. 2016."""
    fraction = Fraction(hits=2.0, tp=0.0, predicted=1.0, actual=1.0, smooth=smooth)
    return fraction_loss(fraction, logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce, empty=empty)


def dice_squared(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str
) -> Tensor:
    """1 - (2 TP + s) / (sum p^2 + sum g^2 + s), that is sum (p - g)^2 over the same. Milletari et al. 2016, section 3.

    By its own formula an image with no positive pixel costs sum p^2 / (sum p^2 + s).
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce, squared=True)
    # A difference of large sums: below its rounding error it may come out negative.
    errors_K = (counts.squared + counts.actual - 2.0 * counts.tp).clamp_min(0.0)
    return mean_over_sets(errors_K / (counts.squared + counts.actual + smooth), counts, empty)


def generalized_dice(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    weighting: str,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - (2 sum_c w_c TP_c + s) / (sum_c w_c (sum p_c + sum g_c) + s). Sudre et al. 2017, section 2.1.

    The classes c are always two, the positive one and its complement. w_c is 1 / (sum g_c)^2 (square), 1 / sum g_c (simple) or constant
    (uniform), scaled so that the two sum to 1: at the paper's scale, 1e-10 for an image of 512 x 512 pixels, the smooth term would be all
    there is. A class that an image lacks takes the weight of the other, so that an image with no positive pixel costs
    sum p / (pixels + s).
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    return mean_over_sets(_generalized(counts, weighting, smooth), counts, empty)


def penalty_dice(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    k: float,
    weighting: str,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - D / (1 + k (1 - D)), D the generalised Dice of `generalized_dice`, images with no positive pixel included. Yang et al. 2019.

    In terms of L = 1 - D it is (1 + k) L / (1 + k L): errors weigh 1 + k times as much against the overlap.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    loss_K = _generalized(counts, weighting, smooth)
    return mean_over_sets((1.0 + k) * loss_K / (1.0 + k * loss_K), counts, empty)


def _generalized(counts: SoftCounts, weighting: str, smooth: float) -> Tensor:
    """The generalised Dice loss of each set; shape [K].

    What is false in one class is missed in the other, so with weights of sum 1 the numerator of 1 - D is FP + FN, whatever the weights.
    """
    power = {"uniform": 0, "simple": 1, "square": 2}[weighting]
    negatives_K = counts.pixels - counts.actual
    # Each class weighs as the other is large: the same ratio as of reciprocals, and finite.
    ours_K, others_K = negatives_K**power, counts.actual**power
    one_class_K = (counts.actual == 0) | (negatives_K == 0)
    weight_K = torch.where(one_class_K, 0.5, ours_K / (ours_K + others_K).clamp_min(1.0))
    both_K = counts.predicted + counts.actual
    size_K = weight_K * both_K + (1.0 - weight_K) * (2.0 * counts.pixels - both_K)
    return (counts.fp + counts.fn).clamp_min(0.0) / (size_K + smooth)


_WEIGHTING = ParameterSpec(
    default="square",
    choices=("square", "simple", "uniform"),
    meaning="how a class weighs against its size; square: by 1 / size^2, simple: by 1 / size, uniform: both classes alike",
    source="square in Sudre et al. 2017 (arXiv 1707.03237); all three in MONAI and NiftyNet",
)

SPECS = (
    LossSpec(
        name="dice",
        family="region",
        formula="1 - (2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth)",
        parameters={"smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Drozdzal et al. 2016 (arXiv 1608.04117); thesis eq. 5",
        cost="overlap",
        when="when the score is Dice and membranes are a small part of the image",
        function=dice,
    ),
    LossSpec(
        name="dice_squared",
        family="region",
        formula="1 - (2 sum(p g) + smooth) / (sum(p^2) + sum(g) + smooth)",
        parameters={"smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Milletari et al. 2016 (arXiv 1606.04797), section 3",
        cost="overlap",
        when="where V-Net is the comparison; small false probabilities hardly count, because they count squared",
        function=dice_squared,
    ),
    LossSpec(
        name="generalized_dice",
        family="region",
        formula="(FP + FN) / (w (sum(p) + sum(g)) + (1 - w) (sum(1 - p) + sum(1 - g)) + smooth),  w the share of the positive class in "
        "1 / size^2, 1 / size or 1",
        parameters={"weighting": _WEIGHTING, "smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Sudre et al. 2017 (arXiv 1707.03237), section 2.1",
        cost="overlap",
        when="when the share of membrane varies much between images; with weighting square a tiny class outvotes the rest",
        function=generalized_dice,
    ),
    LossSpec(
        name="penalty_dice",
        family="region",
        formula="1 - D / (1 + k (1 - D)),  D the generalised Dice",
        parameters={
            "k": ParameterSpec(
                default=2.5,
                low=0.0,
                high=100.0,
                search_low=0.5,
                search_high=5.0,
                meaning="extra weight of false pixels against the overlap; 0 is generalized_dice, more steepens it near a perfect score",
                source="Yang et al. 2019 (MIDL, openreview H1lTh8unKN): 2.5",
            ),
            "weighting": _WEIGHTING,
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Yang et al. 2019 (MIDL, openreview H1lTh8unKN)",
        cost="overlap",
        when="for thin structures where generalized_dice levels off early; flat where everything is still wrong",
        function=penalty_dice,
    ),
)
