"""Dice with its value bent, its errors raised to a power, or its target softened.

p is the sigmoid of the logit, g in {0, 1} the target, TP = sum p g, FP = sum p (1 - g), FN = sum (1 - p) g, over an image or over the batch
(`batch_reduce`). An image with no positive pixel follows `empty`.
"""

import torch
from torch import Tensor

from unet.losses.class_sums import ErrorRule, class_sums, error_power
from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def log_dice(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    """-ln((2 TP + s) / (sum p + sum g + s)). Wong et al. 2018 with an exponent of 1.

    Computed as ln(1 + (FP + FN) / (2 TP + s)), which is never negative. By its own formula an image with no positive pixel costs
    ln(1 + sum p / s).
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    errors_K = (counts.fp + counts.fn).clamp_min(0.0)
    return mean_over_sets(torch.log1p(errors_K / (2.0 * counts.tp + smooth)), counts, empty)


def log_cosh_dice(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str
) -> Tensor:
    """ln(cosh(L)), L the Dice loss of each image. Jadon 2020. Lies between 0 and ln(cosh(1)) = 0.434."""
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    loss_K = (counts.fp + counts.fn) / (counts.predicted + counts.actual + smooth)
    # cosh(x) = 1 + 2 sinh(x / 2)^2: in fp32 the cosh of a small x is 1 and the loss would be lost.
    return mean_over_sets(torch.log1p(2.0 * torch.sinh(0.5 * loss_K).square()), counts, empty)


def dice_pp(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    gamma: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - (2 TP + s) / (2 TP + sum (p (1 - g))^gamma + sum ((1 - p) g)^gamma + s), the DSC++ loss. Yeung et al. 2023.

    By its own formula an image with no positive pixel costs sum p^gamma / (sum p^gamma + s).
    """
    sums = class_sums(error_power(gamma), logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    errors_K = sums.missed + sums.spurious
    return mean_over_sets(errors_K / (2.0 * sums.tp + errors_K + smooth), sums, empty)


def noise_robust_dice(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    gamma: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """sum |p - g|^gamma / (sum p^2 + sum g^2 + s). Wang G. et al. 2020.

    Below gamma 2 it is not monotone: raising a false p adds p^gamma above and p^2 below, and once the ratio exceeds gamma / 2 p^(gamma - 2)
    the loss falls. So where little is positive it can pull towards a false positive, and an image with no positive pixel, which costs
    sum p^gamma / (sum p^2 + s), is better given empty "skip" or "penalise". The minimum is the truth all the same.
    """
    sums = class_sums(error_power(gamma), logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce, squared=True)
    return mean_over_sets((sums.missed + sums.spurious) / (sums.squared + sums.actual + smooth), sums, empty)


def jaccard_metric(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    label_smoothing: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - (|p| + |g'| - |p - g'| + 2 s) / (|p| + |g'| + |p - g'| + 2 s), g' = g (1 - e) + e / 2, norms L1. Wang Z. et al. 2023.

    Unlike TP / (TP + FP + FN) it is least at p = g' for soft targets, and so not at the truth: label_smoothing e costs a sure prediction
    something. At e = 0 it is `iou`. Images with no positive pixel are told by g, not g'; by its own formula such an image costs
    sum p / (sum p + s) at e = 0, and otherwise nothing where p = e / 2.
    """
    if label_smoothing == 0.0:
        counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
        distance_K = (counts.fp + counts.fn).clamp_min(0.0)
    else:
        rule = _distance_to_soft(label_smoothing)
        counts = class_sums(rule, logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
        distance_K = counts.missed + counts.spurious
    soft_K = (1.0 - label_smoothing) * counts.actual + 0.5 * label_smoothing * counts.pixels
    return mean_over_sets(2.0 * distance_K / (counts.predicted + soft_K + distance_K + 2.0 * smooth), counts, empty)


def _distance_to_soft(label_smoothing: float) -> ErrorRule:
    """|p - g'| = |e - label_smoothing / 2|, e = |p - g|: seen from either class the soft target lies as far from the hard one."""

    def rule(error: Tensor, slope: bool) -> Tensor:
        away = error - 0.5 * label_smoothing
        return away.sign_() if slope else away.abs_()

    return rule


SPECS = (
    LossSpec(
        name="log_dice",
        family="region",
        formula="-ln((2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth))",
        parameters={"smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Wong et al. 2018 (arXiv 1809.00076) with gamma 1",
        cost="overlap",
        when="when Dice stalls at the start: its pull grows as the overlap shrinks; images of few positive pixels can dominate a batch",
        function=log_dice,
    ),
    LossSpec(
        name="log_cosh_dice",
        family="region",
        formula="ln(cosh(1 - (2 sum(p g) + smooth) / (sum(p) + sum(g) + smooth)))",
        parameters={"smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Jadon 2020 (arXiv 2006.14822)",
        cost="overlap",
        when="when Dice is noisy near its end: the gradient fades with the loss, so the last percent comes slowly",
        function=log_cosh_dice,
    ),
    LossSpec(
        name="dice_pp",
        family="region",
        formula="1 - (2 TP + smooth) / (2 TP + sum((p (1 - g))^gamma) + sum(((1 - p) g)^gamma) + smooth)",
        parameters={
            "gamma": ParameterSpec(
                default=2.0,
                low=1.0,
                high=10.0,
                search_low=1.0,
                search_high=4.0,
                meaning="how strongly confident errors count against hesitant ones; 1 is Dice, more leaves probabilities less extreme",
                source="Yeung et al. 2023 (arXiv 2111.00528): 2",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Yeung et al. 2023 (doi 10.1007/s10278-022-00735-3), the DSC++ loss",
        cost="overlap",
        when="when a Dice-trained network is overconfident and its threshold should mean something; slow on nearly right pixels",
        function=dice_pp,
    ),
    LossSpec(
        name="noise_robust_dice",
        family="region",
        formula="sum(|p - g|^gamma) / (sum(p^2) + sum(g) + smooth)",
        parameters={
            "gamma": ParameterSpec(
                default=1.5,
                low=1.0,
                high=2.0,
                search_low=1.0,
                search_high=2.0,
                meaning="2 is dice_squared, 1 a mean absolute error; less is more robust to wrong labels and slower to learn",
                source="Wang G. et al. 2020 (doi 10.1109/TMI.2020.3000314): 1 to 2, best 1.5",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Wang G. et al. 2020 (doi 10.1109/TMI.2020.3000314)",
        monotone=False,
        cost="overlap",
        when="when labels are unreliable; needs positive pixels in every image, because without them it can pull the wrong way",
        function=noise_robust_dice,
    ),
    LossSpec(
        name="jaccard_metric",
        family="region",
        formula="2 d / (sum(p) + sum(g') + d + 2 smooth),  d = sum(|p - g'|),  g' = g (1 - label_smoothing) + label_smoothing / 2",
        parameters={
            "label_smoothing": ParameterSpec(
                default=0.0,
                low=0.0,
                high=0.2,
                search_low=0.0,
                search_high=0.2,
                meaning="moves the target from 0 and 1 towards 1/2; 0 is iou, more makes the network less certain",
                source="Szegedy et al. 2016 (arXiv 1512.00567), section 7: uses 0.1; a use of soft labels in Wang Z. et al. 2023",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Wang Z. et al. 2023 (arXiv 2302.05666)",
        cost="overlap",
        when="when IoU is the score and hard labels make the network too certain; nothing but iou without label smoothing",
        function=jaccard_metric,
    ),
)
