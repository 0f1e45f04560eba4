"""The exponential logarithmic loss: powers of the logarithms of Dice and of the probabilities. Wong et al. 2018 (arXiv 1809.00076)."""

import torch
from torch import Tensor

from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH
from unet.losses.pixels import pixel_mean, softplus
from unet.losses.spec import LossSpec, ParameterSpec


def exp_log(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    dice_weight: float,
    gamma_dice: float,
    gamma_cross: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """w (-ln Dice)^gamma_dice + (1 - w) mean(w_l (-ln p_t)^gamma_cross), w_l = sqrt(pixels / pixels of class l). Eq. 1 to 4.

    Class frequencies are those of the image or of the batch. An image with no positive pixel follows `empty` in the Dice half; the weight
    of a class that is absent multiplies nothing. gamma below 1 pulls hardest where the prediction is nearly right: its slope there is
    finite, because -ln p_t falls as fast as its gradient.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    # -ln Dice without the difference from 1 that nearly right predictions would be lost in
    surprise_K = torch.log1p((counts.fp + counts.fn).clamp_min(0.0) / (2.0 * counts.tp + smooth))
    overlap = mean_over_sets(positive_power(surprise_K, gamma_dice), counts, empty)
    images = len(logits_N1HW)
    positive_K = torch.sqrt(counts.pixels / counts.actual.clamp_min(1.0)).expand(images)
    negative_K = torch.sqrt(counts.pixels / (counts.pixels - counts.actual).clamp_min(1.0)).expand(images)

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return _log_power(logits, target, gamma_cross)

    pixels = pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, positive=positive_K, negative=negative_K)
    return dice_weight * overlap + (1.0 - dice_weight) * pixels


def positive_power(value: Tensor, exponent: float) -> Tensor:
    """value^exponent for value >= 0, with 0 and no gradient at 0, where an exponent below 1 has an infinite one."""
    tiny = torch.finfo(value.dtype).tiny
    # A NaN passes: it is not <= tiny.
    return torch.where(value <= tiny, 0.0 * value, value.clamp_min(tiny) ** exponent)


def _log_power(logits: Tensor, target: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """(-ln p_t)^gamma of each pixel, and its derivative; with y = z (1 - 2 g): s = softplus(y), d / dy = gamma s^(gamma - 1) sigmoid(y)."""
    sign = torch.sub(1.0, target, alpha=2.0)
    away = logits * sign
    # sigmoid(y) / s tends to 1 as s vanishes, so only an exact 0 needs help.
    surprise = softplus(away).clamp_min_(torch.finfo(away.dtype).tiny)
    value = surprise**gamma
    slope = torch.sigmoid(away).div_(surprise).mul_(value).mul_(gamma).mul_(sign)
    return value, slope


SPECS = (
    LossSpec(
        name="exp_log",
        family="compound",
        formula="dice_weight (-ln Dice)^gamma_dice + (1 - dice_weight) mean(w_l (-ln p_t)^gamma_cross),  "
        "w_l = sqrt(all pixels / pixels of class l)",
        parameters={
            "dice_weight": ParameterSpec(
                default=0.8,
                low=0.0,
                high=1.0,
                search_low=0.2,
                search_high=0.9,
                meaning="share of the Dice half; 0 leaves the weighted cross-entropy alone",
                source="Wong et al. 2018 (arXiv 1809.00076), section 3: 0.8 and 0.2",
            ),
            "gamma_dice": ParameterSpec(
                default=0.3,
                low=0.05,
                high=3.0,
                search_low=0.2,
                search_high=1.0,
                meaning="exponent of -ln Dice; below 1 pulls harder where the overlap is nearly right, above 1 where it is poor",
                source="Wong et al. 2018 (arXiv 1809.00076), section 3: 0.3 is best of 0.3, 1 and 2",
            ),
            "gamma_cross": ParameterSpec(
                default=0.3,
                low=0.05,
                high=3.0,
                search_low=0.2,
                search_high=1.0,
                meaning="exponent of -ln p_t, likewise for each pixel",
                source="Wong et al. 2018 (arXiv 1809.00076), section 3: 0.3 is best of 0.3, 1 and 2",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Wong et al. 2018 (arXiv 1809.00076), eq. 1 to 4; the thesis's eq. 9 names it but prints a sum of Dice and cross-entropy",
        cost="overlap",
        when="when small structures are drowned by large ones; sensitive to its exponents",
        function=exp_log,
    ),
)
