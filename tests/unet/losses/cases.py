"""Inputs that the tests of losses share."""

import torch
from torch import Tensor


def random_case(seed: int = 0, shape: tuple[int, ...] = (3, 1, 7, 5), dtype: torch.dtype = torch.float64) -> tuple[Tensor, Tensor, Tensor]:
    """Logits, target and mask; odd sides, about a third positive, and the second image without a positive pixel."""
    generator = torch.Generator().manual_seed(seed)
    logits = 2.0 * torch.randn(shape, generator=generator, dtype=torch.float64)
    target = (torch.rand(shape, generator=generator) < 0.3).double()
    target[1:2] = 0.0
    mask = (torch.rand(shape, generator=generator) < 0.7).double()
    return logits.to(dtype), target.to(dtype), mask.to(dtype)


def gradient(loss, logits: Tensor, target: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """The value of a loss and its gradient with regard to the logits."""
    logits = logits.detach().clone().requires_grad_()
    value = loss(logits, target, mask)
    value.backward()
    return value.detach(), logits.grad
