"""Sums of an overlap and a loss of hard pixels. Any other sum is put together by name: `unet.losses.composition`.

An image with no positive pixel follows `empty` in the overlap's part; the part that is a mean over pixels is as ever.
"""

from torch import Tensor

from unet.losses import dice as dice_file
from unet.losses import focal as focal_file
from unet.losses import hard_pixels
from unet.losses.dice import dice, generalized_dice
from unet.losses.focal import focal
from unet.losses.hard_pixels import topk_bce
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, factor_of
from unet.losses.spec import LossSpec


def dice_focal(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    focal_weight: float,
    alpha: float,
    gamma: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """Dice + w focal. Zhu et al. 2019 (AnatomyNet), eq. 3, with Dice in the place of its Tversky of halves."""
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return region + focal_weight * focal(logits_N1HW, target_N1HW, mask_N1HW, alpha=alpha, gamma=gamma)


def dice_topk(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    topk_weight: float,
    k: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """Dice + w mean of the hardest share of the pixels' cross-entropies. Ma et al. 2021, section 3.4; nnU-Net's DC_and_topk_loss."""
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return region + topk_weight * topk_bce(logits_N1HW, target_N1HW, mask_N1HW, k=k, batch_reduce=batch_reduce)


def gdl_focal(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    focal_weight: float,
    alpha: float,
    gamma: float,
    weighting: str,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """Generalised Dice + w focal, as MONAI's GeneralizedDiceFocalLoss adds them."""
    region = generalized_dice(
        logits_N1HW, target_N1HW, mask_N1HW, weighting=weighting, smooth=smooth, batch_reduce=batch_reduce, empty=empty
    )
    return region + focal_weight * focal(logits_N1HW, target_N1HW, mask_N1HW, alpha=alpha, gamma=gamma)


_GENERALIZED = next(spec for spec in dice_file.SPECS if spec.name == "generalized_dice").parameters
_FOCAL = {key: focal_file.SPECS[0].parameters[key] for key in ("alpha", "gamma")}

SPECS = (
    LossSpec(
        name="dice_focal",
        family="compound",
        formula="Dice + focal_weight mean(-alpha_t (1 - p_t)^gamma ln p_t)",
        parameters={
            "focal_weight": factor_of("the focal term", "Zhu et al. 2019 (arXiv 1808.05238): 0.5; MONAI: 1"),
            **_FOCAL,
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Zhu et al. 2019 (arXiv 1808.05238), eq. 3",
        cost="overlap",
        when="when Dice alone misses small or faint structures; among the most robust in Ma et al. 2021",
        function=dice_focal,
    ),
    LossSpec(
        name="dice_topk",
        family="compound",
        formula="Dice + topk_weight mean(the largest cross-entropies, a share k of the pixels)",
        parameters={
            "topk_weight": factor_of("the top-k term", "1 in nnU-Net"),
            "k": hard_pixels.SPECS[0].parameters["k"],
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Ma et al. 2021 (doi 10.1016/j.media.2021.102035), section 3.4",
        cost="sort",
        when="when most pixels are easy and the faint ones decide; the most robust in Ma et al. 2021, not confirmed by nnU-Net's authors",
        function=dice_topk,
    ),
    LossSpec(
        name="gdl_focal",
        family="compound",
        formula="generalized_dice + focal_weight mean(-alpha_t (1 - p_t)^gamma ln p_t)",
        parameters={
            "focal_weight": factor_of("the focal term", "1 in MONAI"),
            **_FOCAL,
            **_GENERALIZED,
        },
        source="the sum of Sudre et al. 2017 (arXiv 1707.03237), eq. 2, and Lin et al. 2017 (arXiv 1708.02002), eq. 5",
        cost="overlap",
        when="like dice_focal, where one class is far rarer than the other",
        function=gdl_focal,
    ),
)
