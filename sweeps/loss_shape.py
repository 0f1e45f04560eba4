"""The shape of a loss: its value and gradient while the logit of one pixel of a small scene goes from wrong to right.

The scene has 16 x 16 pixels and two membranes, 3 px wide, that cross in its middle. All other pixels are right with probability 0.88
(a logit of 2 or -2), so that a loss is seen where training spends most of its time: nearly there, one pixel in doubt.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch

from data_utils.maps import maps_of
from unet.losses import Loss, build_loss
from unet.losses.spec import Value

SIZE_PX = 16
#: on the middle line of a membrane, and in the middle of a cell
POSITIVE, NEGATIVE = (3, 8), (3, 3)
SURE = 2.0
ENDS = 8.0
NUM_POINTS = 33
PROGRESS = 0.5


@dataclass(frozen=True, kw_only=True)
class Curve:
    """What one pixel does to the loss."""

    pixel: str
    """membrane or cell."""
    logits: tuple[float, ...]
    """Of that pixel."""
    values: tuple[float, ...]
    """The loss of the scene."""
    gradients: tuple[float, ...]
    """d loss / d logit, times the number of pixels, so that a mean over pixels gives numbers near 1."""


@dataclass(frozen=True, kw_only=True)
class Shape:
    """A loss seen through two pixels."""

    name: str
    """As `build_loss` takes it."""
    curves: tuple[Curve, Curve]
    """The membrane's pixel, then the cell's."""
    caption: str
    """What is varied, and what stands still."""


def loss_shape(name: str, parameters: Mapping[str, Value] | None = None) -> Shape:
    """The shape of the loss `name` (a sum such as dice+focal as well), unnamed parameters at their defaults."""
    loss = build_loss(name, **dict(parameters or {}))
    moving = f"; the training is at {PROGRESS:g}" if loss.spec.uses_progress else ""
    sure = torch.sigmoid(torch.tensor(SURE)).item()
    caption = (
        f"One logit goes from {-ENDS:g} to {ENDS:g}: that of a pixel in the middle of a membrane, which is right at {ENDS:g}, or that of "
        f"one in the middle of a cell, right at {-ENDS:g}. The scene: {SIZE_PX} x {SIZE_PX} pixels, two membranes 3 px wide that cross; "
        f"all other pixels are right with probability {sure:.2f}. Parameters at their defaults{moving}. "
        f"The gradient is times {SIZE_PX**2}, the number of pixels."
    )
    curves = (_curve(loss, "membrane", POSITIVE), _curve(loss, "cell", NEGATIVE))
    return Shape(name=name, curves=curves, caption=caption)


def scene() -> torch.Tensor:
    """The target, [1, 1, H, W] in float64: 1 = membrane."""
    target_N1HW = torch.zeros(1, 1, SIZE_PX, SIZE_PX, dtype=torch.float64)
    target_N1HW[..., 7:10] = 1.0
    target_N1HW[..., 7:10, :] = 1.0
    return target_N1HW


def _curve(loss: Loss, pixel: str, at: tuple[int, int]) -> Curve:
    target_N1HW = scene()
    aux = maps_of(target_N1HW, loss.needs, positive="membrane")
    logits = torch.linspace(-ENDS, ENDS, NUM_POINTS, dtype=torch.float64)
    values, gradients = [], []
    for logit in logits:
        logits_N1HW = SURE * (2.0 * target_N1HW - 1.0)
        logits_N1HW[0, 0, at[0], at[1]] = logit
        logits_N1HW.requires_grad_()
        value = loss(logits_N1HW, target_N1HW, aux=aux, progress=PROGRESS)
        (gradient_N1HW,) = torch.autograd.grad(value, logits_N1HW)
        values.append(value.item())
        gradients.append(gradient_N1HW[0, 0, at[0], at[1]].item() * SIZE_PX**2)
    return Curve(pixel=pixel, logits=tuple(logits.tolist()), values=tuple(values), gradients=tuple(gradients))
