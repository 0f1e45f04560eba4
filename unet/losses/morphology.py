"""Erosion, dilation and the soft skeleton of probabilities, with gradients; and the sum over a cross.

A minimum or maximum over neighbours hands its gradient to the one pixel that it took. Library pooling keeps 8 bytes a pixel to know which;
here the field itself is kept and compared again. Every step is a pass over memory in order, of one image at a time on a CPU, where the
passes then stay in the cache. Outside the image nothing is: a neighbour there is never taken. A masked pixel is as good as outside.

N images, one channel, H rows, W columns.
"""

import torch
from torch import Tensor

_ROWS, _COLUMNS = 2, 3


def soft_skeleton(probability_N1HW: Tensor, mask_N1HW: Tensor | None, *, iterations: int, core: str) -> Tensor:
    """s = 1 - prod_i (1 - d_i), d_i = max(x_i - opening(x_i), 0), x_0 = p, x_(i + 1) = erosion(x_i), i = 0 .. iterations.

    Shit et al. 2021, algorithm 1: the erosion takes the minimum over a cross, the opening the maximum of that over a square of 3.

    What is thicker than the iterations reach leaves no d_i at all, and neither does a constant p. With core "keep" the last erosion is one
    more d_i, so that what is left of a thick piece is its skeleton; with "drop", as in the paper, a thick piece has none.

    Args:
        probability_N1HW: 0 where masked.
        mask_N1HW: 1 where a pixel counts, or None.
        iterations: at least 0.
        core: "keep" or "drop".
    """
    if probability_N1HW.device.type != "cpu" or torch.compiler.is_compiling():
        return _skeleton(probability_N1HW, mask_N1HW, iterations, core)
    masks = [None] * len(probability_N1HW) if mask_N1HW is None else mask_N1HW.split(1)
    return torch.cat([_skeleton(image, mask, iterations, core) for image, mask in zip(probability_N1HW.split(1), masks, strict=True)])


def _skeleton(level_N1HW: Tensor, mask_N1HW: Tensor | None, iterations: int, core: str) -> Tensor:
    outside_N1HW = None if mask_N1HW is None else 1.0 - mask_N1HW
    skeleton_N1HW = torch.zeros_like(level_N1HW)
    for _ in range(iterations + 1):
        # 1 is never the minimum, 0 never the maximum.
        eroded_N1HW = _extreme(level_N1HW if outside_N1HW is None else level_N1HW + outside_N1HW, (_ROWS, _COLUMNS), largest=False)
        if mask_N1HW is not None:
            eroded_N1HW = eroded_N1HW * mask_N1HW
        opened_N1HW = _extreme(_extreme(eroded_N1HW, (_ROWS,), largest=True), (_COLUMNS,), largest=True)
        skeleton_N1HW = _union(skeleton_N1HW, torch.relu(level_N1HW - opened_N1HW))
        level_N1HW = eroded_N1HW
    return _union(skeleton_N1HW, level_N1HW) if core == "keep" else skeleton_N1HW


def dilate(binary_N1HW: Tensor, times: int) -> Tensor:
    """The maximum over a cross, `times` times: what is within `times` steps along rows and columns of a 1."""
    for _ in range(times):
        binary_N1HW = _extreme(binary_N1HW, (_ROWS, _COLUMNS), largest=True)
    return binary_N1HW


def cross_sum(field_N1HW: Tensor) -> Tensor:
    """The sum over a pixel and its four neighbours, 0 outside the image. Its transpose is itself."""
    total_N1HW = field_N1HW.clone()
    for axis, step in _steps((_ROWS, _COLUMNS)):
        _shifted(total_N1HW, axis, step).add_(_shifted(field_N1HW, axis, -step))
    return total_N1HW


def _union(one: Tensor, other: Tensor) -> Tensor:
    """1 - (1 - a) (1 - b) of two fields within 0 and 1."""
    return one + other * (1.0 - one)


def _extreme(field_N1HW: Tensor, axes: tuple[int, ...], *, largest: bool) -> Tensor:
    return Extreme.apply(field_N1HW, axes, largest)


class Extreme(torch.autograd.Function):
    """field_N1HW, axes, largest -> the maximum (or minimum) over a pixel and its two neighbours along each of the axes."""

    @staticmethod
    def forward(ctx, field_N1HW, axes, largest):
        ctx.axes, ctx.largest = axes, largest
        ctx.save_for_backward(field_N1HW)
        extreme_N1HW = field_N1HW.clone()
        for axis, step in _steps(axes):
            _take(_shifted(extreme_N1HW, axis, step), _shifted(field_N1HW, axis, -step), largest)
        return extreme_N1HW

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        (field_N1HW,) = ctx.saved_tensors
        extreme_N1HW = field_N1HW.clone()
        shares = []
        for axis, step in _steps(ctx.axes):
            here, there = _shifted(extreme_N1HW, axis, step), _shifted(field_N1HW, axis, -step)
            shares.append(_beats(there, here, ctx.largest))
            _take(here, there, ctx.largest)
        # The last comparison decided; what it did not take goes back to the one before, and at last to the pixel itself.
        left_N1HW = grad_output.clone()
        for (axis, step), share in zip(reversed(_steps(ctx.axes)), reversed(shares), strict=True):
            here = _shifted(left_N1HW, axis, step)
            here -= share.mul_(here)
        for (axis, step), share in zip(_steps(ctx.axes), shares, strict=True):
            _shifted(left_N1HW, axis, -step).add_(share)
        return left_N1HW, None, None


def _take(here: Tensor, there: Tensor, largest: bool) -> None:
    """here = the larger (or smaller) of both."""
    further = torch.maximum if largest else torch.minimum
    if torch.compiler.is_compiling():
        here.copy_(further(here, there))
    else:
        further(here, there, out=here)


def _beats(there: Tensor, here: Tensor, largest: bool) -> Tensor:
    """1 where `there` would be taken, else 0, in the type of both: a comparison that writes bools is several times as slow."""
    compare = torch.gt if largest else torch.lt
    if torch.compiler.is_compiling():
        return compare(there, here).to(here.dtype)
    return compare(there, here, out=torch.empty_like(here, memory_format=torch.contiguous_format))


def _steps(axes: tuple[int, ...]) -> list[tuple[int, int]]:
    return [(axis, step) for axis in axes for step in (1, -1)]


def _shifted(tensor: Tensor, axis: int, step: int) -> Tensor:
    """The view without the first pixel along the axis (step 1), or without the last (-1)."""
    return tensor.narrow(axis, max(step, 0), tensor.shape[axis] - 1)
