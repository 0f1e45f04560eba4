"""Sums of cross-entropy and an overlap that the literature names. Any other sum is put together by name: `unet.losses.composition`.

An image with no positive pixel follows `empty` in the overlap's part; the part that is a mean over pixels is as ever.
"""

from torch import Tensor

from unet.losses import lovasz
from unet.losses.cross_entropy import bce, cross_entropy
from unet.losses.dice import dice
from unet.losses.lovasz import lovasz_hinge
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, share_of
from unet.losses.pixels import pixel_mean
from unet.losses.schedule import known_progress
from unet.losses.spec import LossSpec, ParameterSpec
from unet.losses.tversky import iou


def dice_bce(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    bce_weight: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """w BCE + (1 - w) Dice. At w = 1/2 half the plain sum of nnU-Net (Isensee et al. 2021) and of the thesis: the same to Adam."""
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return bce_weight * bce(logits_N1HW, target_N1HW, mask_N1HW, label_smoothing=0.0) + (1.0 - bce_weight) * region


def bce_iou(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    bce_weight: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """w BCE + (1 - w) IoU loss."""
    region = iou(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return bce_weight * bce(logits_N1HW, target_N1HW, mask_N1HW, label_smoothing=0.0) + (1.0 - bce_weight) * region


def combo(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    bce_weight: float,
    positive_share: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """a mean(-b g ln p - (1 - b) (1 - g) ln(1 - p)) - (1 - a) index, index = 1 - Dice loss. Taghanaki et al. 2019, eq. 3.

    The index enters with its own sign, so that the truth costs -(1 - a), not 0.
    """
    index = 1.0 - dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    pixels = pixel_mean(cross_entropy, logits_N1HW, target_N1HW, mask_N1HW, positive=positive_share, negative=1.0 - positive_share)
    return bce_weight * pixels - (1.0 - bce_weight) * index


def bce_lovasz(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    lovasz_weight: float,
    warm_up: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
    progress: float | None,
) -> Tensor:
    """(1 - v) BCE + v Lovasz hinge, v = w min(1, progress / warm_up); v = w where warm_up is 0.

    Berman et al. 2018 fine-tune with the Lovasz loss after cross-entropy; alone it often fails from random weights.
    """
    if warm_up:
        lovasz_weight = lovasz_weight * min(1.0, known_progress(progress) / warm_up)
    hinge = lovasz_hinge(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return (1.0 - lovasz_weight) * bce(logits_N1HW, target_N1HW, mask_N1HW, label_smoothing=0.0) + lovasz_weight * hinge


SPECS = (
    LossSpec(
        name="dice_bce",
        family="compound",
        formula="bce_weight BCE + (1 - bce_weight) Dice",
        parameters={
            "bce_weight": share_of("the cross-entropy", "1 : 1 in Isensee et al. 2021 (doi 10.1038/s41592-020-01008-z) and the thesis"),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Isensee et al. 2021 (doi 10.1038/s41592-020-01008-z), methods; the thesis's sum of Dice and BCE, not its eq. 9",
        cost="overlap",
        when="as the safe choice where one run must do: cross-entropy steadies Dice",
        function=dice_bce,
    ),
    LossSpec(
        name="bce_iou",
        family="compound",
        formula="bce_weight BCE + (1 - bce_weight) (1 - (TP + smooth) / (TP + FP + FN + smooth))",
        parameters={
            "bce_weight": share_of("the cross-entropy", "Iglovikov and Shvets 2018 (arXiv 1801.05746) add both alike, with -ln IoU"),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="the sum of binary cross-entropy and the loss of Rahman and Wang 2016 (doi 10.1007/978-3-319-50835-1_22)",
        cost="overlap",
        when="like dice_bce, where IoU is the score",
        function=bce_iou,
    ),
    LossSpec(
        name="combo",
        family="compound",
        formula="bce_weight mean(-b g ln p - (1 - b) (1 - g) ln(1 - p)) - (1 - bce_weight) (2 TP + smooth) / (sum(p) + sum(g) + smooth),  "
        "b = positive_share",
        parameters={
            "bce_weight": share_of("the cross-entropy", "Taghanaki et al. 2019 (arXiv 1805.02798): 0.5"),
            "positive_share": ParameterSpec(
                default=0.5,
                low=0.0,
                high=1.0,
                search_low=0.3,
                search_high=0.7,
                meaning="weight of the positive class within the cross-entropy, 1 - it that of the other; above 1/2 misses cost more",
                source="Taghanaki et al. 2019 (arXiv 1805.02798), eq. 3: beta",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Taghanaki et al. 2019 (arXiv 1805.02798), eq. 3",
        perfect=-0.5,
        cost="overlap",
        when="when the balance of false positives and negatives is to be set within a sum of Dice and cross-entropy",
        function=combo,
    ),
    LossSpec(
        name="bce_lovasz",
        family="compound",
        formula="(1 - v) BCE + v lovasz_hinge,  v = lovasz_weight min(1, progress / warm_up)",
        parameters={
            "lovasz_weight": share_of("the Lovasz hinge", "Berman et al. 2018 (arXiv 1705.08790): fine-tuned after cross-entropy"),
            "warm_up": ParameterSpec(
                default=0.2,
                low=0.0,
                high=1.0,
                search_low=0.0,
                search_high=0.5,
                meaning="part of the training over which the hinge rises from 0 to its share; longer begins more like plain cross-entropy",
                source="Berman et al. 2018 (arXiv 1705.08790), section 4: cross-entropy first",
            ),
            "smooth": lovasz.SPECS[0].parameters["smooth"],
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Berman et al. 2018 (arXiv 1705.08790); the sum as users of it report it to train from random weights",
        uses_progress=True,
        cost="sort",
        when="when IoU is the score and the Lovasz hinge alone does not get going",
        function=bce_lovasz,
    ),
)
