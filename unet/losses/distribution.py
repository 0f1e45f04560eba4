"""Losses that are a mean over pixels: binary cross-entropy and focal.

z is the logit, p its sigmoid, g in {0, 1} the target; p_t is p where g = 1 and 1 - p elsewhere. Nothing here takes log(p): the softplus
of the logit is the same number, without the overflow. An empty mask gives 0; a target with no positive pixel is an ordinary case.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

from unet.losses.spec import LossSpec, ParameterSpec


def pixel_mean(value_N1HW: Tensor, mask_N1HW: Tensor | None) -> Tensor:
    """Mean over the pixels that count; 0 when none does."""
    if mask_N1HW is None:
        return value_N1HW.mean()
    return (value_N1HW * mask_N1HW).sum() / mask_N1HW.sum().clamp_min(1.0)


def bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, label_smoothing: float) -> Tensor:
    """mean(-g' ln p - (1 - g') ln(1 - p)), g' = g (1 - s) + s / 2. Smoothing after Szegedy et al. 2016, for two classes."""
    if label_smoothing:
        target_N1HW = target_N1HW * (1.0 - label_smoothing) + 0.5 * label_smoothing
    if mask_N1HW is None:
        return F.binary_cross_entropy_with_logits(logits_N1HW, target_N1HW)
    return pixel_mean(F.binary_cross_entropy_with_logits(logits_N1HW, target_N1HW, reduction="none"), mask_N1HW)


def focal(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, gamma: float) -> Tensor:
    """mean(-alpha_t (1 - p_t)^gamma ln p_t), alpha_t = alpha where g = 1 and 1 - alpha elsewhere. Lin et al. 2017, eq. 5."""
    return pixel_mean(FocalPerPixel.apply(logits_N1HW, target_N1HW, alpha, gamma), mask_N1HW)


class FocalPerPixel(torch.autograd.Function):
    """The focal loss of each pixel, with its gradient written out.

    With x = z (2 g - 1), so that p_t = sigmoid(x):
        value     alpha_t exp(-gamma softplus(x)) softplus(-x)
        d / dx   -alpha_t exp(-gamma softplus(x)) (gamma p_t softplus(-x) + 1 - p_t)
    Powers of 1 - p_t are exponentials of a softplus, so that gamma < 1 has no infinite gradient where p_t reaches 1.
    """

    @staticmethod
    def forward(ctx, logits, target, alpha, gamma):
        signed = logits * (2.0 * target - 1.0)
        surprise = F.softplus(-signed)  # -ln p_t
        weight = torch.exp(-gamma * (signed + surprise)) * (target * (2.0 * alpha - 1.0) + (1.0 - alpha))
        ctx.save_for_backward(target, surprise, weight)
        ctx.gamma = gamma
        return weight * surprise

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        target, surprise, weight = ctx.saved_tensors
        p_t = torch.exp(-surprise)
        slope = weight * (ctx.gamma * p_t * surprise + (1.0 - p_t))
        return grad_output * slope * (1.0 - 2.0 * target), None, None, None


SPECS = (
    LossSpec(
        name="bce",
        family="distribution",
        formula="mean(-g' ln p - (1 - g') ln(1 - p)),  g' = g (1 - label_smoothing) + label_smoothing / 2",
        parameters={
            "label_smoothing": ParameterSpec(
                default=0.0,
                low=0.0,
                high=0.5,
                search_low=0.0,
                search_high=0.2,
                meaning="moves the target from 0 and 1 towards 1/2; more makes the network less certain",
                source="Szegedy et al. 2016 (arXiv 1512.00567), section 7: uses 0.1",
            ),
        },
        source="binary cross-entropy; Ronneberger et al. 2015 (arXiv 1505.04597), eq. 1 without the border weight",
        when="first, and whenever probabilities should mean what they say",
        function=bce,
    ),
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
