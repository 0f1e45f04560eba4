"""The core of every overlap loss: soft counts of true and false positives, in three sums and with the gradient written out.

    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce="image")
    value_K = 1 - (2 * counts.tp + smooth) / (counts.predicted + counts.actual + smooth)
    return mean_over_sets(value_K, counts, empty)

K sets (the images, or the one batch) of P pixels. p is the sigmoid of the logit, g the target; a mask takes pixels out of every sum.
Whatever is made of the counts is arithmetic on K numbers, differentiated by torch; the only passes over pixels are a sigmoid, the sums and,
backward, (g dI + dP + 2 p dS) p (1 - p), which is written over the probabilities: one buffer of the logits' size, and part of a second.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce

import torch
from torch import Tensor

from unet.losses.pixels import on_cpu

STRETCH = 2**18
"""Pixels of an image that a CPU works on at a time: a temporary of 1 MiB in fp32."""
_SHORT = 2**14  # images with fewer pixels are worked on all together, since the calls would cost more than the memory


@dataclass(frozen=True, kw_only=True)
class SoftCounts:
    """Sums over the pixels of each of K sets; shape [K]. Only `tp`, `predicted` and `squared` depend on the logits."""

    tp: Tensor
    """sum(p g)."""
    predicted: Tensor
    """sum(p)."""
    actual: Tensor
    """sum(g)."""
    pixels: Tensor
    """Number of pixels that count."""
    squared: Tensor
    """sum(p^2); zeros unless it was asked for."""

    @property
    def fp(self) -> Tensor:
        """sum(p (1 - g))."""
        return self.predicted - self.tp

    @property
    def fn(self) -> Tensor:
        """sum((1 - p) g)."""
        return self.actual - self.tp

    @property
    def tn(self) -> Tensor:
        """sum((1 - p) (1 - g))."""
        return self.pixels - self.predicted - self.fn


def soft_counts(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, batch_reduce: str, squared: bool = False
) -> SoftCounts:
    """The counts of each image (batch_reduce "image") or of the whole batch ("batch"); `squared` asks for sum(p^2) as well."""
    target_KP, mask_KP = as_sets(batch_reduce, target_N1HW, mask_N1HW)
    if torch.compiler.is_compiling():  # the compiler joins the passes, forward and backward, by itself
        tp, predicted, *squares = _sums(torch.sigmoid(logits_N1HW).reshape(target_KP.shape), target_KP, mask_KP, squared)
    else:
        tp, predicted, *squares = SoftSums.apply(logits_N1HW, target_KP, mask_KP, squared)
    return SoftCounts(
        tp=tp,
        predicted=predicted,
        actual=sum_over_pixels(target_KP, mask_KP),
        pixels=torch.full_like(tp.detach(), target_KP.shape[1]) if mask_KP is None else mask_KP.sum(dim=1),
        squared=squares[0] if squared else torch.zeros_like(tp.detach()),
    )


def as_sets(batch_reduce: str, *tensors_N1HW: Tensor | None) -> list[Tensor]:
    """Each tensor as [K, P]: a row an image, or one row for the batch. None stays None."""
    rows = next(1 if batch_reduce == "batch" else len(tensor) for tensor in tensors_N1HW if tensor is not None)
    return [tensor if tensor is None else tensor.reshape(rows, -1) for tensor in tensors_N1HW]  # pyright: ignore[reportReturnType]


def mean_over_sets(value_K: Tensor, counts: SoftCounts, empty: str) -> Tensor:
    """The mean of the sets' losses, where a set with no positive pixel follows `empty`.

    smooth: the loss's own formula. skip: the set leaves the mean; 0 when no set is left. penalise: the set's mean probability instead.
    """
    if empty == "smooth":
        return value_K.mean()
    is_empty_K = counts.actual == 0
    if empty == "penalise":
        return torch.where(is_empty_K, counts.predicted / counts.pixels.clamp_min(1.0), value_K).mean()
    return torch.where(is_empty_K, 0.0, value_K).sum() / (~is_empty_K).sum().clamp_min(1)


class SoftSums(torch.autograd.Function):
    """logits_N1HW, target_KP, mask_KP or None, squared -> sum(p g), sum(p) and, if squared, sum(p^2), over the mask; each of shape [K].

    The logits come in their own shape, because a gradient that is a view of another shape is not added to in place by autograd.
    """

    @staticmethod
    def forward(ctx, logits_N1HW, target_KP, mask_KP, squared):
        ctx.save_for_backward(logits_N1HW, target_KP, mask_KP)
        ctx.probability_N1HW = torch.sigmoid(logits_N1HW.contiguous())
        return _sums(ctx.probability_N1HW.view(target_KP.shape), target_KP, mask_KP, squared)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_tp_K, grad_predicted_K, grad_squares_K=None):
        logits_N1HW, target_KP, mask_KP = ctx.saved_tensors
        # The probabilities become the gradient and are given away; who keeps the graph for another pass pays for them again.
        probability_N1HW, ctx.probability_N1HW = ctx.probability_N1HW, None
        if probability_N1HW is None:
            probability_N1HW = torch.sigmoid(logits_N1HW.contiguous())
        write_gradient(probability_N1HW.view(target_KP.shape), target_KP, mask_KP, grad_tp_K, grad_predicted_K, grad_squares_K)
        return probability_N1HW, None, None, None


def _sums(probability_KP: Tensor, target_KP: Tensor, mask_KP: Tensor | None, squared: bool) -> tuple[Tensor, ...]:
    sums = sum_over_pixels(probability_KP, target_KP, mask_KP), sum_over_pixels(probability_KP, mask_KP)
    return (*sums, sum_over_pixels(probability_KP, probability_KP, mask_KP)) if squared else sums


def sum_over_pixels(*factors_KP: Tensor | None) -> Tensor:
    """The sum over pixels of the product of all factors that are not None. Never torch.dot, whose fp32 sums are wrong by 1e-5."""
    first_KP, *others_KP = (factor for factor in factors_KP if factor is not None)
    if not others_KP:
        return first_KP.sum(dim=1)
    if not _by_row(first_KP):
        return reduce(torch.mul, others_KP, first_KP).sum(dim=1)
    parts = []
    for _, scratch, first, second, *rest in _stretches(first_KP, *others_KP):
        torch.mul(first, second, out=scratch)
        for factor in rest:
            scratch.mul_(factor)
        parts.append(scratch.sum())
    sums = torch.stack(parts)
    return sums if len(parts) == len(first_KP) else sums.view(len(first_KP), -1).sum(dim=1)


def write_gradient(
    probability_KP: Tensor,
    target_KP: Tensor,
    mask_KP: Tensor | None,
    grad_tp_K: Tensor,
    grad_predicted_K: Tensor,
    grad_squares_K: Tensor | None = None,
) -> None:
    """(g dI + dP + 2 p dS) m p (1 - p), the gradient by the logits, written over p."""
    write = _write_in_rows if _by_row(probability_KP) else _write_at_once
    write(probability_KP, target_KP, mask_KP, grad_tp_K, grad_predicted_K, grad_squares_K)


def _write_at_once(probability_KP, target_KP, mask_KP, grad_tp_K, grad_predicted_K, grad_squares_K) -> None:
    slope_KP = (target_KP * grad_tp_K[:, None]).add_(grad_predicted_K[:, None])
    if grad_squares_K is not None:
        slope_KP.addcmul_(probability_KP, grad_squares_K[:, None], value=2.0)
    if mask_KP is not None:
        slope_KP.mul_(mask_KP)
    _times_p_1_minus_p(slope_KP, probability_KP)


def _write_in_rows(probability_KP, target_KP, mask_KP, grad_tp_K, grad_predicted_K, grad_squares_K) -> None:
    """A stretch at a time: the factors are numbers then, and nothing has to be broadcast."""
    tp, squares = grad_tp_K.tolist(), None if grad_squares_K is None else (2.0 * grad_squares_K).tolist()
    predicted = grad_predicted_K.unbind()
    for row, slope, probability, target, *mask in _stretches(probability_KP, target_KP, *([] if mask_KP is None else [mask_KP])):
        torch.add(predicted[row], target, alpha=tp[row], out=slope)
        if squares is not None:
            slope.add_(probability, alpha=squares[row])
        if mask:
            slope.mul_(mask[0])
        _times_p_1_minus_p(slope, probability)


def _times_p_1_minus_p(slope: Tensor, probability: Tensor) -> None:
    torch.ops.aten.sigmoid_backward.grad_input(slope, probability, grad_input=probability)


def _by_row(tensor_KP: Tensor) -> bool:
    return on_cpu(tensor_KP) and tensor_KP.shape[1] > _SHORT


def _stretches(*tensors_KP: Tensor) -> Iterator[tuple]:
    """(row, scratch, a stretch of that row of each tensor), for all rows and stretches; the scratch is of the stretch's shape."""
    pixels = tensors_KP[0].shape[1]
    scratch = tensors_KP[0].new_empty(min(STRETCH, pixels))
    for row, whole in enumerate(zip(*(tensor.unbind() for tensor in tensors_KP), strict=True)):
        if pixels <= STRETCH:
            yield row, scratch, *whole
            continue
        for stretch in zip(*(tensor.split(STRETCH) for tensor in whole), strict=True):
            yield row, scratch[: len(stretch[0])], *stretch
