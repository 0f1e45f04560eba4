"""The focal loss: cross-entropy that fades where the prediction is already right."""

import math

import torch
from torch import Tensor

from unet.losses.pixels import pixel_mean, softplus
from unet.losses.spec import LossSpec, ParameterSpec


def focal(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, gamma: float) -> Tensor:
    """mean(-alpha_t (1 - p_t)^gamma ln p_t), alpha_t = alpha where g = 1 and 1 - alpha elsewhere. Lin et al. 2017, eq. 5."""

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return focal_pixels(logits, target, gamma)

    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, positive=alpha, negative=1.0 - alpha)


def focal_pixels(logits: Tensor, target: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """(1 - p_t)^gamma (-ln p_t) of each pixel, and its derivative by the logit.

    With y = z (1 - 2 g), so that 1 - p_t = q = sigmoid(y) and -ln p_t = s = softplus(y):  d / dy = q^gamma (gamma (1 - q) s + q).
    A power of q is an exponential of ln q = y - s, so that gamma < 1 has no infinite gradient where p_t reaches 1.
    """
    sign = torch.sub(1.0, target, alpha=2.0)
    away = logits * sign
    surprise = softplus(away)
    wrong = torch.sigmoid(away)
    focus = wrong.square() if gamma == 2.0 else torch.exp2((away - surprise).mul_(gamma * math.log2(math.e)))
    slope = torch.rsub(wrong, 1.0).mul_(surprise).mul_(gamma).add_(wrong).mul_(focus).mul_(sign)
    return surprise.mul_(focus), slope


SPECS = (
    LossSpec(
        name="focal",
        family="distribution",
        formula="mean(-alpha_t (1 - p_t)^gamma ln p_t),  alpha_t = alpha if g = 1 else 1 - alpha",
        parameters={
            "alpha": ParameterSpec(
                default=0.25,
                low=0.0,
                high=1.0,
                search_low=0.05,
                search_high=0.95,
                meaning="weight of the positive class, 1 - alpha that of the other; should fall as gamma rises",
                source="Lin et al. 2017 (arXiv 1708.02002): 0.25 is best at gamma 2",
            ),
            "gamma": ParameterSpec(
                default=2.0,
                low=0.0,
                high=10.0,
                search_low=0.0,
                search_high=5.0,
                meaning="how strongly pixels that are already right are ignored; 0 is weighted cross-entropy",
                source="Lin et al. 2017 (arXiv 1708.02002): tried 0 to 5, best 2",
            ),
        },
        source="Lin et al. 2017 (arXiv 1708.02002), eq. 5",
        when="when easy pixels outnumber the hard ones; calibrate the threshold, its probabilities crowd around 1/2",
        function=focal,
    ),
)
