"""Losses that weigh false positives against false negatives: IoU, Tversky, its focal form and the F-beta score.

p is the sigmoid of the logit, g in {0, 1} the target; TP = sum p g, FP = sum p (1 - g), FN = sum (1 - p) g, over an image or over the
batch (`batch_reduce`). An image with no positive pixel follows `empty`.
"""

import torch
from torch import Tensor

from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.fraction import Fraction, fraction_loss
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def iou(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    """1 - (TP + s) / (TP + FP + FN + s). Rahman and Wang 2016; thesis eq. 8."""
    fraction = Fraction(hits=1.0, tp=-1.0, predicted=1.0, actual=1.0, smooth=smooth)
    return fraction_loss(fraction, logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce, empty=empty)


def tversky(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    alpha: float,
    beta: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - (TP + s) / (TP + alpha FP + beta FN + s). Salehi et al. 2017 (alpha weighs FP); the thesis's eq. 7 prints the index."""
    fraction = Fraction(hits=1.0, tp=1.0 - alpha - beta, predicted=alpha, actual=beta, smooth=smooth)
    return fraction_loss(fraction, logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce, empty=empty)


def focal_tversky(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    alpha: float,
    beta: float,
    gamma: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """(1 - TI)^(1 / gamma), TI the index of `tversky`. Abraham and Khan 2019, whose alpha weighs FN; here as in `tversky`.

    Where 1 - TI is within rounding of 0 the root is a straight line through 0, because its own slope there has no bound.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    # Differences of large sums: below their rounding error they may come out negative, which has no root.
    errors_K = (alpha * counts.fp + beta * counts.fn).clamp_min(0.0)
    loss_K = errors_K / (counts.tp + errors_K + smooth)
    tiny, power = torch.finfo(loss_K.dtype).eps, 1.0 / gamma
    value_K = torch.where(loss_K > tiny, loss_K.clamp_min(tiny) ** power, loss_K * tiny ** (power - 1.0))
    return mean_over_sets(value_K, counts, empty)


def asymmetric_similarity(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    beta: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - F_beta = 1 - ((1 + b^2) TP + s) / ((1 + b^2) TP + b^2 FN + FP + s). Hashemi et al. 2018.

    It is `tversky` with alpha = 1 / (1 + b^2), beta = b^2 / (1 + b^2) and smooth = s / (1 + b^2), and `dice` at b = 1.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    square = beta**2
    hits_K = (1.0 + square) * counts.tp + smooth
    return mean_over_sets(1.0 - hits_K / (hits_K + square * counts.fn + counts.fp), counts, empty)


def _error_weight(default: float, kind: str) -> ParameterSpec:
    return ParameterSpec(
        default=default,
        low=0.0,
        high=10.0,
        search_low=0.05,
        search_high=0.95,
        meaning=f"weight of false {kind}; more gives fewer of them",
        source="Salehi et al. 2017 (arXiv 1706.05721): alpha 0.3, beta 0.7 are best",
    )


SPECS = (
    LossSpec(
        name="iou",
        family="region",
        formula="1 - (sum(p g) + smooth) / (sum(p) + sum(g) - sum(p g) + smooth)",
        parameters={"smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Rahman and Wang 2016 (doi 10.1007/978-3-319-50835-1_22); thesis eq. 8",
        cost="overlap",
        when="like Dice, with a harder pull on images that are mostly wrong",
        function=iou,
    ),
    LossSpec(
        name="tversky",
        family="region",
        formula="1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth)",
        parameters={
            "alpha": _error_weight(0.3, "positives"),
            "beta": _error_weight(0.7, "negatives"),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Salehi et al. 2017 (arXiv 1706.05721); thesis eq. 7 prints the index, not the loss",
        cost="overlap",
        when="when a missed membrane (a merge of two cells) costs more than a false one, or the other way round",
        function=tversky,
    ),
    LossSpec(
        name="focal_tversky",
        family="region",
        formula="(1 - (TP + smooth) / (TP + alpha FP + beta FN + smooth))^(1 / gamma)",
        parameters={
            "alpha": _error_weight(0.3, "positives"),
            "beta": _error_weight(0.7, "negatives"),
            "gamma": ParameterSpec(
                default=4.0 / 3.0,
                low=0.5,
                high=5.0,
                search_low=1.0,
                search_high=3.0,
                meaning="root that is taken of the loss; 1 is tversky, more steepens it where an image is almost right",
                source="Abraham and Khan 2019 (arXiv 1810.07842): 1 to 3, best 4/3",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Abraham and Khan 2019 (arXiv 1810.07842); alpha and beta as in Salehi et al. 2017",
        cost="overlap",
        when="when tversky stops improving on images that are almost right; noisy there, for the slope grows without bound",
        function=focal_tversky,
    ),
    LossSpec(
        name="asymmetric_similarity",
        family="region",
        formula="1 - ((1 + beta^2) TP + smooth) / ((1 + beta^2) TP + beta^2 FN + FP + smooth)",
        parameters={
            "beta": ParameterSpec(
                default=1.5,
                low=0.0,
                high=10.0,
                search_low=1.0,
                search_high=3.0,
                meaning="how many times recall matters more than precision; 1 is dice, more gives fewer false negatives",
                source="Hashemi et al. 2018 (arXiv 1803.11078): 1 to 3, best 1.5",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Hashemi et al. 2018 (arXiv 1803.11078)",
        cost="overlap",
        when="like tversky with one number to tune, the F-beta score; the two error weights always sum to one",
        function=asymmetric_similarity,
    ),
)
