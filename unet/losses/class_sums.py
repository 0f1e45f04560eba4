"""The core of losses that need more of a set than its counts: sums over its pixels of any rule, one for each class of the target.

    missed_K, spurious_K = class_sums(rule, logits_N1HW, target_N1HW, mask_N1HW, batch_reduce="image")

K sets (the images, or the one batch). The rule gives each pixel's value and slope, as for `unet.losses.pixels.pixel_mean`, and on a CPU
runs on pieces that stay in the cache. Whatever is made of the sums is arithmetic on K numbers, differentiated by torch.
"""

import torch
from torch import Tensor

from unet.losses.counts import as_sets
from unet.losses.pixels import Rule, pieces


def class_sums(
    rule: Rule, logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, batch_reduce: str
) -> tuple[Tensor, Tensor]:
    """The sums of the rule's value where g = 1 and where g = 0, of shape [K] each; masked pixels are in neither."""
    return ClassSums.apply(rule, *as_sets(batch_reduce, logits_N1HW, target_N1HW, mask_N1HW))


def error_power(power: float) -> Rule:
    """The rule |p - g|^power, for a power of at least 1.

    With e = |p - g| = sigmoid(z (1 - 2 g)) the derivative by the logit is power e^power (1 - e) (1 - 2 g): nothing is divided by e, so that
    certain pixels are no special case.
    """

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        sign = torch.sub(1.0, target, alpha=2.0)
        error = torch.sigmoid(logits * sign)
        value = error.square() if power == 2.0 else error.pow(power)
        return value, error.neg_().add_(1.0).mul_(value).mul_(sign.mul_(power))

    return rule


class ClassSums(torch.autograd.Function):
    """rule, logits_KP, target_KP, mask_KP or None -> the sums where g = 1 and where g = 0, of shape [K] each."""

    @staticmethod
    def forward(ctx, rule, logits_KP, target_KP, mask_KP):
        slope_KP = torch.empty_like(logits_KP)
        sums_2K = logits_KP.new_zeros((2, len(logits_KP)))
        for rows, pixels in pieces(logits_KP):
            target = target_KP[rows, pixels]
            value, slope = rule(logits_KP[rows, pixels], target)
            if mask_KP is not None:
                value = value * mask_KP[rows, pixels]
                slope = slope * mask_KP[rows, pixels]
            slope_KP[rows, pixels] = slope
            where_positive = value * target
            sums_2K[0, rows] += where_positive.sum(dim=1)
            sums_2K[1, rows] += (value - where_positive).sum(dim=1)
        ctx.save_for_backward(slope_KP, target_KP)
        return sums_2K[0].clone(), sums_2K[1].clone()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_positive_K, grad_negative_K):
        slope_KP, target_KP = ctx.saved_tensors
        by_class_KP = torch.addcmul(grad_negative_K[:, None], target_KP, (grad_positive_K - grad_negative_K)[:, None])
        return None, by_class_KP.mul_(slope_KP), None, None
