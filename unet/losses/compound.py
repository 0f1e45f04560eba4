"""Losses that add others."""

from torch import Tensor

from unet.losses.distribution import bce
from unet.losses.region import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, dice
from unet.losses.spec import LossSpec, ParameterSpec


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
    """w BCE + (1 - w) Dice. At w = 1/2 half the plain sum of nnU-Net (Isensee et al. 2021) and of the thesis: the same to Adam.

    An image with no positive pixel follows `empty` in the Dice part; the cross-entropy part is as ever.
    """
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return bce_weight * bce(logits_N1HW, target_N1HW, mask_N1HW, label_smoothing=0.0) + (1.0 - bce_weight) * region


SPECS = (
    LossSpec(
        name="dice_bce",
        family="compound",
        formula="bce_weight BCE + (1 - bce_weight) Dice",
        parameters={
            "bce_weight": ParameterSpec(
                default=0.5,
                low=0.0,
                high=1.0,
                search_low=0.1,
                search_high=0.9,
                meaning="share of the cross-entropy; 0 is Dice alone, 1 is BCE alone",
                source="1 : 1 in Isensee et al. 2021 (doi 10.1038/s41592-020-01008-z) and the thesis",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Isensee et al. 2021 (doi 10.1038/s41592-020-01008-z), methods; the thesis's sum of Dice and BCE, not its eq. 9",
        cost="overlap",
        when="the safe choice where one run must do: cross-entropy steadies Dice",
        function=dice_bce,
    ),
)
