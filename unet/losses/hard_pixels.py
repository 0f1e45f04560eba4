"""The cross-entropy of the hardest pixels alone."""

import math

import torch
from torch import Tensor

from unet.losses.counts import as_sets
from unet.losses.cross_entropy import cross_entropy
from unet.losses.parameters import BATCH_REDUCE
from unet.losses.spec import LossSpec, ParameterSpec


def topk_bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, k: float, batch_reduce: str) -> Tensor:
    """The mean of the k n largest CE of each image's, or of the batch's, n pixels that count. Wu et al. 2016, online bootstrapping.

    CE = -g ln p - (1 - g) ln(1 - p), p the sigmoid of the logit, g in {0, 1} the target. k n is at least 1 and need be no whole number: of
    the last pixel the fraction is taken. Pixels that tie for the last places share them. An image with no positive pixel is an ordinary
    case; one of which no pixel counts costs 0.
    """
    return HardestMean.apply(k, *as_sets(batch_reduce, logits_N1HW, target_N1HW, mask_N1HW))


class HardestMean(torch.autograd.Function):
    """k, logits_KP, target_KP, mask_KP or None -> scalar."""

    @staticmethod
    def forward(ctx, k, logits_KP, target_KP, mask_KP):
        value_KP, slope_KP = cross_entropy(logits_KP, target_KP)
        weight_KP = hardest_weights(value_KP, mask_KP, k).div_(len(logits_KP))
        ctx.save_for_backward(slope_KP.mul_(weight_KP))
        return value_KP.mul_(weight_KP).sum()

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        (slope_KP,) = ctx.saved_tensors
        return None, slope_KP * grad_output, None, None


def hardest_weights(value_KP: Tensor, mask_KP: Tensor | None, k: float) -> Tensor:
    """Weights that make a weighted sum the mean of the hardest pixels; they add up to 1 in each set, or to 0 where no pixel counts."""
    pixels = value_KP.shape[1]
    most = max(1, math.ceil(k * pixels))
    if mask_KP is None:
        rank_KP, wanted_K1 = value_KP, torch.as_tensor(max(1.0, k * pixels), dtype=value_KP.dtype, device=value_KP.device)
        least_K1 = rank_KP.topk(most, dim=1, sorted=False).values.amin(dim=1, keepdim=True)
    else:
        # No cross-entropy is below 0, so that a pixel that does not count comes last.
        rank_KP, wanted_K1 = torch.where(mask_KP > 0, value_KP, -1.0), (k * mask_KP.sum(dim=1, keepdim=True)).clamp_min(1.0)
        last_K1 = wanted_K1.ceil().long().clamp_max(most) - 1
        least_K1 = rank_KP.topk(most, dim=1).values.gather(1, last_K1)
    weight_KP, tied_KP = (rank_KP > least_K1).to(value_KP.dtype), (rank_KP == least_K1).to(value_KP.dtype)
    if mask_KP is not None:
        tied_KP.mul_(mask_KP)
    # Should rounding put the least one rank too low or too high, the share makes up for it: to a few 1e-7, nothing changes.
    share_K1 = (wanted_K1 - weight_KP.sum(dim=1, keepdim=True)) / tied_KP.sum(dim=1, keepdim=True).clamp_min(1.0)
    return weight_KP.add_(tied_KP.mul_(share_K1)).div_(wanted_K1)


SPECS = (
    LossSpec(
        name="topk_bce",
        family="distribution",
        formula="mean of the k n largest of -g ln p - (1 - g) ln(1 - p), n the number of pixels",
        parameters={
            "k": ParameterSpec(
                default=0.1,
                low=1e-6,
                high=1.0,
                search_low=0.02,
                search_high=0.5,
                log=True,
                meaning="share of the pixels that count, the hardest; less looks at mistakes only, 1 is BCE",
                source="10 % in the TopK loss of nnU-Net (Isensee et al. 2021, doi 10.1038/s41592-020-01008-z)",
            ),
            "batch_reduce": BATCH_REDUCE,
        },
        source="Wu et al. 2016 (arXiv 1605.06885), online bootstrapping; as a share as in nnU-Net",
        cost="sort",
        when="when most pixels are easy and the labels are clean; wrong labels are among the hardest pixels and get all the attention",
        function=topk_bce,
    ),
)
