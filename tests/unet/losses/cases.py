"""Inputs that the tests of losses share."""

import torch
from torch import Tensor

from data_utils.maps import maps_of
from unet.losses import Loss

HALF_WAY = 0.5
"""The progress that a loss is told where a test says nothing."""


def random_case(seed: int = 0, shape: tuple[int, ...] = (3, 1, 7, 5), dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, target and mask; odd sides, about a third positive, and the second image without a positive pixel."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2.0 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = (torch.rand(shape, generator=generator) < 0.3).double()
    target[1:2] = 0.0
    mask = (torch.rand(shape, generator=generator) < 0.7).double()
    return logits.to(dtype), target.to(dtype), mask.to(dtype)


def shaped_case() -> tuple[Tensor, Tensor]:
    """Logits and target with shapes that erosions, skeletons and distances can tell apart: a block, predicted 12 px off, and a line."""
    target = torch.zeros(2, 1, 48, 48, dtype=torch.float64)
    target[0, 0, 3:43, 3:43] = 1.0
    target[1, 0, 20:23] = 1.0
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    return 3.0 * (2.0 * target.roll(12, dims=-1) - 1.0) + 0.3 * noise, target


def value_of(loss: Loss, logits: Tensor, target: Tensor, mask: Tensor | None = None, progress: float = HALF_WAY) -> Tensor:
    """The loss, given the maps of the target that it needs."""
    return loss(logits, target, mask, aux=maps_of(target, loss.needs), progress=progress)


def gradient(loss, logits: Tensor, target: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The value of a loss and its gradient with regard to the logits. `loss` may also be any function of logits, target and mask."""
    logits = logits.detach().clone().requires_grad_()
    value = value_of(loss, logits, target, mask) if isinstance(loss, Loss) else loss(logits, target, mask)
    value.backward()
    assert logits.grad is not None
    return value.detach(), logits.grad
