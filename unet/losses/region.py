"""Losses that are an overlap of two sets: Dice, IoU and Tversky. All are ratios of the three sums in `unet.losses.overlap`.

p is the sigmoid of the logit, g in {0, 1} the target; TP = sum p g, FP = sum p (1 - g), FN = sum (1 - p) g, over an image or over the
batch (`batch_reduce`). An image with no positive pixel follows `empty`.
"""

from torch import Tensor

from unet.losses.overlap import EMPTY_POLICIES, REDUCTIONS, Ratio, overlap_loss
from unet.losses.spec import LossSpec, ParameterSpec


def dice(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    """1 - (2 TP + s) / (sum p + sum g + s). Thesis eq. 5 (s = 1); Drozdzal et al. 2016."""
    ratio = Ratio(overlap=2.0, denominator_overlap=0.0, predicted=1.0, actual=1.0)
    return overlap_loss(logits_N1HW, target_N1HW, mask_N1HW, ratio, smooth=smooth, batch_reduce=batch_reduce, empty=empty)


def iou(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    """1 - (TP + s) / (TP + FP + FN + s). Rahman and Wang 2016; thesis eq. 8."""
    ratio = Ratio(overlap=1.0, denominator_overlap=-1.0, predicted=1.0, actual=1.0)
    return overlap_loss(logits_N1HW, target_N1HW, mask_N1HW, ratio, smooth=smooth, batch_reduce=batch_reduce, empty=empty)


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
    ratio = Ratio(overlap=1.0, denominator_overlap=1.0 - alpha - beta, predicted=alpha, actual=beta)
    return overlap_loss(logits_N1HW, target_N1HW, mask_N1HW, ratio, smooth=smooth, batch_reduce=batch_reduce, empty=empty)


SMOOTH = ParameterSpec(
    default=1.0,
    low=1e-8,
    high=1e6,
    search_low=1e-5,
    search_high=100.0,
    log=True,
    meaning="added to numerator and denominator, in pixels; more softens the loss of images with few positive pixels",
    source="1 in the thesis, eq. 5; 1e-5 in MONAI and nnU-Net",
)
# Tversky's own question is alpha against beta: its smooth stays put unless a recipe asks.
FIXED_SMOOTH = ParameterSpec(default=SMOOTH.default, low=SMOOTH.low, high=SMOOTH.high, meaning=SMOOTH.meaning, source=SMOOTH.source)
BATCH_REDUCE = ParameterSpec(
    default="image",
    choices=REDUCTIONS,
    meaning="image: the mean of each image's ratio; batch: one ratio of the sums over the whole batch",
    source="image in MONAI, batch in segmentation_models_pytorch; both in nnU-Net",
)
EMPTY = ParameterSpec(
    default="smooth",
    choices=EMPTY_POLICIES,
    meaning="what a set with no positive pixel costs; smooth: the formula as it stands, skip: nothing, penalise: its mean probability",
    source="smooth as in the thesis and MONAI, skip as in segmentation_models_pytorch; see Tilborghs et al. 2022 (arXiv 2207.09521)",
)


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
)
