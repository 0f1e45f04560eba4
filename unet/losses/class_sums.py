"""The core of losses that need more of a set than its counts: sums over its pixels of a function of the error, one for each class.

    sums = class_sums(error_power(2.0), logits_N1HW, target_N1HW, mask_N1HW, batch_reduce="image")
    value_K = (sums.missed + sums.spurious) / (2.0 * sums.tp + sums.missed + sums.spurious + smooth)
    return mean_over_sets(value_K, sums, empty)

K sets (the images, or the one batch). The error is e = |p - g| = sigmoid(z (1 - 2 g)), the probability of the wrong class. Counts come
with the sums, from the same pass. Whatever is made of them is arithmetic on K numbers, differentiated by torch; the gradient,
(a f'(e) + b + 2 c e) e (1 - e) (1 - 2 g) with a and b for each class, is written over the errors a piece at a time: one buffer of the
logits' size, and part of a second.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from unet.losses.counts import SoftCounts, as_sets, sum_over_pixels
from unet.losses.pixels import pieces

ErrorRule = Callable[[Tensor, bool], Tensor]
"""rule(error, slope) -> f(e), or f'(e) where `slope`: a new tensor, or the one that was given, which stays as it is."""


@dataclass(frozen=True, kw_only=True)
class ClassSums(SoftCounts):
    """The counts, and sum(f(e)) over either class; shape [K]."""

    missed: Tensor
    """sum(f(e) g)."""
    spurious: Tensor
    """sum(f(e) (1 - g))."""


def class_sums(
    rule: ErrorRule, logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, batch_reduce: str, squared: bool = False
) -> ClassSums:
    """The sums of each image (batch_reduce "image") or of the whole batch ("batch"); `squared` asks for sum(p^2) as well."""
    target_KP, mask_KP = as_sets(batch_reduce, target_N1HW, mask_N1HW)
    assert target_KP is not None
    missed, spurious, fn, fp, squares = ErrorSums.apply(rule, squared, logits_N1HW, target_KP, mask_KP)
    actual = sum_over_pixels(target_KP, mask_KP)
    tp = actual - fn
    return ClassSums(
        missed=missed,
        spurious=spurious,
        tp=tp,
        predicted=tp + fp,
        actual=actual,
        pixels=torch.full_like(actual, target_KP.shape[1]) if mask_KP is None else mask_KP.sum(dim=1),
        # p^2 is e^2 where g = 0, and 1 - 2 e + e^2 where g = 1.
        squared=squares + (tp - fn) if squared else squares,
    )


def error_power(power: float) -> ErrorRule:
    """f(e) = e^power, for a power of at least 1."""

    def rule(error: Tensor, slope: bool) -> Tensor:
        if power == 1.0:
            return torch.ones_like(error) if slope else error
        # For powers 2 and 1.5 this is e and its root; any other costs several times as much.
        less = error if power == 2.0 else error.pow(power - 1.0)
        return less * power if slope else less * error

    return rule


class ErrorSums(torch.autograd.Function):
    """rule, squared, logits_N1HW, target_KP, mask_KP or None -> sum(f(e)) where g = 1 and where g = 0, sum(e) likewise, and sum(e^2).

    Each of shape [K]; the last is zeros unless `squared`. The logits come in their own shape, because a gradient that is a view of another
    shape is not added to in place by autograd.
    """

    @staticmethod
    def forward(ctx, rule, squared, logits_N1HW, target_KP, mask_KP):
        ctx.rule, ctx.squared = rule, squared
        ctx.save_for_backward(logits_N1HW, target_KP, mask_KP)
        error_N1HW = torch.empty_like(logits_N1HW, memory_format=torch.contiguous_format)
        logits_KP, error_KP = logits_N1HW.reshape(target_KP.shape), error_N1HW.view(target_KP.shape)
        sums_5K = [logits_KP.new_zeros(len(logits_KP)) for _ in range(5)]
        for piece in pieces(logits_KP):
            error, target, mask = error_KP[piece], target_KP[piece], None if mask_KP is None else mask_KP[piece]
            _write_error(logits_KP[piece], target, out=error)
            for first, value in ((0, rule(error, False)), (2, error)):
                counted = value if mask is None else value * mask
                where_positive = counted * target
                sums_5K[first][piece[0]].add_(where_positive.sum(dim=1))
                sums_5K[first + 1][piece[0]].add_(torch.sub(counted, where_positive, out=where_positive).sum(dim=1))
            if squared:
                sums_5K[4][piece[0]].add_((error.square() if mask is None else error.square().mul_(mask)).sum(dim=1))
        # Under torch.compile nothing but tensors that were saved may be kept: the compiler computes the errors again.
        ctx.error_N1HW = None if torch.compiler.is_compiling() else error_N1HW
        return tuple(sums_5K)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_missed_K, grad_spurious_K, grad_fn_K, grad_fp_K, grad_squares_K):
        logits_N1HW, target_KP, mask_KP = ctx.saved_tensors
        # The errors become the gradient and are given away; who keeps the graph for another pass pays for them again.
        error_N1HW, ctx.error_N1HW = ctx.error_N1HW, None
        logits_KP, known = logits_N1HW.reshape(target_KP.shape), error_N1HW is not None
        if not known:
            error_N1HW = torch.empty_like(logits_N1HW, memory_format=torch.contiguous_format)
        error_KP = error_N1HW.view(target_KP.shape)
        # a and b in the form negative + target * difference, with the sign 1 - 2 g in them; and c.
        factors_5K1 = (grad_spurious_K, -grad_missed_K - grad_spurious_K, grad_fp_K, -grad_fn_K - grad_fp_K, 2.0 * grad_squares_K)
        factors_5K1 = [factor_K[:, None] for factor_K in factors_5K1]
        for piece in pieces(logits_KP):
            error, target = error_KP[piece], target_KP[piece]
            if not known:
                _write_error(logits_KP[piece], target, out=error)
            slope = _slope(ctx.rule, error, target, [factor_K1[piece[0]] for factor_K1 in factors_5K1], ctx.squared)
            if mask_KP is not None:
                slope.mul_(mask_KP[piece])
            torch.ops.aten.sigmoid_backward.grad_input(slope, error, grad_input=error)
        return None, None, error_N1HW, None, None


def _write_error(logits: Tensor, target: Tensor, out: Tensor) -> None:
    torch.sub(1.0, target, alpha=2.0, out=out)
    out.mul_(logits).sigmoid_()


def _slope(rule: ErrorRule, error: Tensor, target: Tensor, factors_5K1: list[Tensor], squared: bool) -> Tensor:
    """(a f'(e) + b + 2 c e) (1 - 2 g): what the sums' gradients make of each error, as a derivative by y = z (1 - 2 g), and so by z."""
    by_sums, by_sums_difference, by_counts, by_counts_difference, by_squares = factors_5K1
    slope = (target * by_sums_difference).add_(by_sums).mul_(rule(error, True))
    slope.add_((target * by_counts_difference).add_(by_counts))
    if squared:
        slope.add_(torch.sub(1.0, target, alpha=2.0).mul_(error).mul_(by_squares))
    return slope
