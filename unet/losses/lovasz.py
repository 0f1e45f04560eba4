"""The Lovasz extension of the Jaccard index: the convex continuation of 1 - IoU from sets of wrong pixels to errors of any size.

With the errors e sorted downwards and M_k the set of the k worst pixels, the loss is sum_k e_k (J(M_k) - J(M_k-1)), where
J(M) = 1 - (|G \\ M| + s) / (|G u M| + s) is the Jaccard loss of a prediction that is wrong exactly on M; G is the target. Berman et al.
2018, which has no s. The gradient by an error is the factor behind it. A sort is what it costs: O(P log P) for P pixels.
"""

import torch
from torch import Tensor

from unet.losses.counts import as_sets, mean_over_sets, soft_counts
from unet.losses.parameters import BATCH_REDUCE, EMPTY
from unet.losses.pixels import Rule
from unet.losses.spec import LossSpec, ParameterSpec


def lovasz_hinge(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str
) -> Tensor:
    """The extension at the hinge errors max(0, 1 - z (2 g - 1)). Berman et al. 2018.

    By its own formula an image with no positive pixel has the error of its one worst pixel, and all the gradient there, unless smooth
    spreads both over about that many pixels; empty "skip" leaves the image out, "penalise" charges its mean probability.
    """
    return _lovasz(_hinge, logits_N1HW, target_N1HW, mask_N1HW, smooth, batch_reduce, empty)


def lovasz_sigmoid(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str
) -> Tensor:
    """The extension at the errors |p - g|: for a hard prediction 1 - IoU exactly. Berman et al. 2018, for the positive class.

    An image with no positive pixel costs its largest probability, by its own formula at smooth 0; as for `lovasz_hinge` otherwise.
    """
    return _lovasz(_probability_error, logits_N1HW, target_N1HW, mask_N1HW, smooth, batch_reduce, empty)


def _lovasz(rule: Rule, logits_N1HW, target_N1HW, mask_N1HW, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    value_K = LovaszSums.apply(rule, smooth, *as_sets(batch_reduce, logits_N1HW, target_N1HW, mask_N1HW))
    return mean_over_sets(value_K, counts, empty)


def _hinge(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    sign = torch.sub(1.0, target, alpha=2.0)
    error = (logits * sign).add_(1.0).relu_()
    return error, sign.mul_(error > 0)


def _probability_error(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    sign = torch.sub(1.0, target, alpha=2.0)
    error = torch.sigmoid(logits * sign)
    return error, sign.mul_(error).mul_(1.0 - error)


class LovaszSums(torch.autograd.Function):
    """rule, smooth, logits_KP, target_KP, mask_KP or None -> the extension of each set; shape [K].

    The order of the errors is constant almost everywhere, so the factors are, and the gradient is factor times slope: one buffer is kept,
    and neither the order nor anything sorted.
    """

    @staticmethod
    def forward(ctx, rule, smooth, logits_KP, target_KP, mask_KP):
        error_KP, slope_KP = rule(logits_KP, target_KP)
        factor_KP = jaccard_factors(error_KP, target_KP, mask_KP, smooth)
        ctx.save_for_backward(slope_KP.mul_(factor_KP))
        return error_KP.mul_(factor_KP).sum(dim=1)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_K):
        (slope_KP,) = ctx.saved_tensors
        return None, None, slope_KP * grad_K[:, None], None, None


def jaccard_factors(error_KP: Tensor, target_KP: Tensor, mask_KP: Tensor | None, smooth: float) -> Tensor:
    """J(M_k) - J(M_k-1) of each pixel, k its rank by error; 0 where masked. Errors must not be negative.

    A missed pixel takes one from the intersection I and leaves the union U: 1 / (U + s). A false one adds one to the union:
    (I + s) / ((U - 1 + s) (U + s)). Written so, and not as differences of J, the factors keep their digits: in fp32 the differences of an
    image of 512 x 512 pixels keep two.
    """
    # Masked pixels come last, behind the errors of 0, and count for nothing.
    ranked_KP = error_KP if mask_KP is None else torch.where(mask_KP > 0, error_KP, -1.0)
    order_KP = ranked_KP.argsort(dim=1, descending=True)
    counted_KP = target_KP if mask_KP is None else target_KP * mask_KP
    rank_P = torch.arange(1, target_KP.shape[1] + 1, dtype=error_KP.dtype, device=error_KP.device)
    missed_KP = counted_KP.gather(1, order_KP)
    so_far_KP = missed_KP.cumsum(dim=1)
    counts_KP = 1.0 if mask_KP is None else (rank_P <= mask_KP.sum(dim=1, keepdim=True)).to(error_KP.dtype)
    false_KP = counts_KP - missed_KP
    # Whole numbers first, so that a small `smooth` is not lost among them.
    actual_K1 = counted_KP.sum(dim=1, keepdim=True)
    kept_KP = (actual_K1 - so_far_KP).add_(smooth)
    union_KP = (actual_K1 - so_far_KP).add_(rank_P)
    before_KP = (union_KP - false_KP).add_(smooth)
    union_KP.add_(smooth)
    # Without a positive pixel and without smooth, J leaps from 0 to 1 at the first pixel: the only place where `before` is 0.
    defined_KP = before_KP > 0
    divisor_KP = torch.where(defined_KP, before_KP * union_KP, 1.0)
    factor_KP = torch.where(defined_KP, missed_KP * before_KP + false_KP * kept_KP, missed_KP + false_KP).div_(divisor_KP)
    return torch.empty_like(factor_KP).scatter_(1, order_KP, factor_KP)


_SPREAD = ParameterSpec(
    default=0.0,
    low=0.0,
    high=1e6,
    search_low=0.0,
    search_high=100.0,
    meaning="added to intersection and union, in pixels; more spreads the loss of images with few positive pixels over their errors",
    source="0 in Berman et al. 2018; the smooth of the other region losses, thesis eq. 8",
)
_PARAMETERS = {"smooth": _SPREAD, "batch_reduce": BATCH_REDUCE, "empty": EMPTY}

SPECS = (
    LossSpec(
        name="lovasz_hinge",
        family="region",
        formula="sum_k e_k (J_k - J_(k-1)),  e = max(0, 1 - z (2 g - 1)) sorted downwards, J_k the Jaccard loss if the first k are wrong",
        parameters=_PARAMETERS,
        source="Berman et al. 2018 (arXiv 1705.08790)",
        cost="sort",
        when="to finish a network that cross-entropy has begun, when IoU is the score; often fails from scratch, and z is no log-odds",
        function=lovasz_hinge,
    ),
    LossSpec(
        name="lovasz_sigmoid",
        family="region",
        formula="sum_k e_k (J_k - J_(k-1)),  e = |p - g| sorted downwards, J_k the Jaccard loss if the first k are wrong",
        parameters=_PARAMETERS,
        source="Berman et al. 2018 (arXiv 1705.08790)",
        cost="sort",
        when="like iou, of which it is the tighter surrogate, at the price of a sort; slow while everything is still wrong",
        function=lovasz_sigmoid,
    ),
)
