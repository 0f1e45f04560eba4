"""The core of every loss that is a mean over pixels: value and gradient in one pass, a piece of the image at a time.

A loss of the family is a rule: for each pixel its value and the derivative of that value with regard to the logit. On a CPU the rule runs
on pieces that stay in the cache, so a chain of ten operations costs one trip through memory; on a GPU, and under torch.compile, on
everything at once. What is kept for the backward pass is the gradient itself, scaled in place and handed out: one buffer of the logits'
size is all that a loss needs on a CPU. A second backward pass runs the rule again.
"""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional

PIECE = 65536
"""Pixels in a piece: 256 KiB of fp32, so that the handful of temporaries of a rule stay close to the core."""

Rule = Callable[..., tuple[Tensor, Tensor]]
"""rule(logits, target, *maps) -> value, slope, each of the shape of the logits: a pixel's loss, and its derivative by the logit."""


def pixel_mean(
    rule: Rule,
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *maps_N1HW: Tensor,
    positive: Tensor | float = 1.0,
    negative: Tensor | float = 1.0,
) -> Tensor:
    """mean(w v) over the pixels that count, v the rule's value and w the weight of the pixel's class; 0 when no pixel counts.

    The mean divides by the number of pixels, never by the sum of the weights.

    Args:
        rule: see `Rule`. It must not change what it is given; what it returns is overwritten.
        logits_N1HW: fp32 or fp64.
        target_N1HW: 0 or 1, of the same type.
        mask_N1HW: 1 where a pixel counts, or None.
        maps_N1HW: anything the rule wants to know of each pixel, of the same shape.
        positive: weight of pixels with target 1: a number, or one for each image (shape [N]).
        negative: weight of pixels with target 0, likewise.
    """
    if not isinstance(positive, Tensor) and not isinstance(negative, Tensor):
        return PixelMean.apply(rule, (positive, negative), None, logits_N1HW, target_N1HW, mask_N1HW, *maps_N1HW)
    like = {"dtype": logits_N1HW.dtype, "device": logits_N1HW.device}
    weights_2N = torch.stack([torch.as_tensor(weight, **like).expand(len(logits_N1HW)) for weight in (positive, negative)])
    return PixelMean.apply(rule, None, weights_2N, logits_N1HW, target_N1HW, mask_N1HW, *maps_N1HW)


class PixelMean(torch.autograd.Function):
    """rule, two numbers as weights or else weights_2N, logits_N1HW, target_N1HW, mask_N1HW or None, *maps_N1HW -> scalar."""

    @staticmethod
    def forward(ctx, rule, weights, weights_2N, logits_N1HW, target_N1HW, mask_N1HW, *maps_N1HW):
        value, slope_N1HW = _walk(rule, weights, weights_2N, logits_N1HW, target_N1HW, mask_N1HW, maps_N1HW)
        if torch.compiler.is_compiling():
            ctx.save_for_backward(slope_N1HW)
        else:
            ctx.rule, ctx.weights, ctx.slope_N1HW = rule, weights, slope_N1HW
            ctx.save_for_backward(weights_2N, logits_N1HW, target_N1HW, mask_N1HW, *maps_N1HW)
        return value

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        others = [None] * (len(ctx.needs_input_grad) - 4)
        if torch.compiler.is_compiling():
            return None, None, None, ctx.saved_tensors[0] * grad_output, *others
        weights_2N, logits_N1HW, target_N1HW, mask_N1HW, *maps_N1HW = ctx.saved_tensors
        # The slopes are given away; who keeps the graph for another pass pays for another walk.
        slope_N1HW, ctx.slope_N1HW = ctx.slope_N1HW, None
        if slope_N1HW is None:
            _, slope_N1HW = _walk(ctx.rule, ctx.weights, weights_2N, logits_N1HW, target_N1HW, mask_N1HW, maps_N1HW)
        # A GPU would have to be waited for to learn that the factor is 1.
        if not on_cpu(slope_N1HW) or grad_output.item() != 1.0:
            slope_N1HW.mul_(grad_output)
        return None, None, None, slope_N1HW, *others


def _walk(rule, weights, weights_2N, logits_N1HW, target_N1HW, mask_N1HW, maps_N1HW) -> tuple[Tensor, Tensor]:
    """The mean, and its derivative by each logit, which has the logits' own shape: to a view of another, autograd does not add in place."""
    share = 1.0 / max(logits_N1HW.numel(), 1) if mask_N1HW is None else 1.0 / mask_N1HW.sum().clamp_min(1.0)
    if isinstance(share, Tensor) and on_cpu(share):
        share = share.item()
    rows = len(logits_N1HW)
    if at_once(logits_N1HW):
        weights = weights if weights_2N is None else weights_2N.view(2, rows, 1, 1, 1)
        return _weighted(rule, weights, share, logits_N1HW, target_N1HW, mask_N1HW, maps_N1HW)
    slope_N1HW = torch.empty_like(logits_N1HW, memory_format=torch.contiguous_format)
    slope_KP, logits_KP, target_KP, *maps_KP = (whole.reshape(rows, -1) for whole in (slope_N1HW, logits_N1HW, target_N1HW, *maps_N1HW))
    mask_KP = None if mask_N1HW is None else mask_N1HW.reshape(rows, -1)
    totals = []
    for piece in pieces(logits_KP):
        weights = weights if weights_2N is None else weights_2N[:, piece[0], None]
        mask = None if mask_KP is None else mask_KP[piece]
        maps = [whole[piece] for whole in maps_KP]
        total, _ = _weighted(rule, weights, share, logits_KP[piece], target_KP[piece], mask, maps, out=slope_KP[piece])
        totals.append(total)
    return torch.stack(totals).sum(), slope_N1HW


def _weighted(rule, weights, share, logits, target, mask, maps, out: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The weighted sum of the rule's values, and its weighted slopes, written into `out` or over what the rule gave."""
    value, slope = rule(logits, target, *maps)
    weight = _weight(target, mask, weights, share)
    if weight is None:
        return value.sum() * share, slope.mul_(share) if out is None else torch.mul(slope, share, out=out)
    return value.mul_(weight).sum(), slope.mul_(weight) if out is None else torch.mul(slope, weight, out=out)


def _weight(target: Tensor, mask: Tensor | None, weights: tuple[float, float] | Tensor, share: Tensor | float) -> Tensor | None:
    """Weight of the class, mask and share in one factor, so that each costs no pass of its own. None where it is the share everywhere."""
    positive, negative = weights
    if not isinstance(weights, Tensor) and positive == negative == 1.0:
        return None if mask is None else mask * share
    positive, negative = positive * share, negative * share
    if isinstance(positive, Tensor) or isinstance(negative, Tensor):
        weight = (target * (positive - negative)).add_(negative)
    else:
        weight = torch.rsub(target, negative, alpha=negative - positive)
    return weight if mask is None else weight.mul_(mask)


def pieces(tensor_KP: Tensor) -> Iterator[tuple[slice, slice]]:
    """The row and pixel ranges in which to walk over a [K, P] tensor: everything at once where no cache is to be filled."""
    if at_once(tensor_KP):
        yield slice(None), slice(None)
        return
    rows, pixels = tensor_KP.shape
    width = PIECE * torch.get_num_threads()
    group = max(width // pixels, 1)
    for row in range(0, rows, group):
        for start in range(0, pixels, width):
            yield slice(row, row + group), slice(start, start + width)


def at_once(tensor: Tensor) -> bool:
    """Whether a tensor is worked on in one piece: on a GPU, under torch.compile, or because it is small."""
    return not on_cpu(tensor) or tensor.numel() <= PIECE * torch.get_num_threads()


def on_cpu(tensor: Tensor) -> bool:
    """Whether the tensor's numbers are at hand, in a CPU's memory: not on a GPU, and not a stand-in under torch.compile."""
    return tensor.device.type == "cpu" and not torch.compiler.is_compiling()


def softplus(logits: Tensor) -> Tensor:
    """ln(1 + e^z), which is -ln(1 - p): exact for every finite z, where the logarithm of a probability is not."""
    # Beyond 40 the 1 is lost even in fp64, and e^z would overflow in fp32 beyond 88.
    return functional.softplus(logits, threshold=40.0)
