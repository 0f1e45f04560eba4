"""Probability maps of whole sections.

Axes: Z sections of H rows and W columns. The network sees each section whole, mirrored at its border up to the next size that it can halve.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, overload

import numpy as np
import torch
from torch import Tensor, nn

from unet.precision import autocast, resolve_precision

if TYPE_CHECKING:
    from data_utils.batches import Normalisation
    from unet.model import UNet


@overload
def predict_sections(
    model: "UNet",
    raw_ZHW: Tensor,
    *,
    normalisation: "Normalisation | None" = None,
    positive: str = "membrane",
    precision: str = "fp32",
    device: torch.device | str | None = None,
    batch_size: int = 1,
) -> Tensor: ...
@overload
def predict_sections(
    model: "UNet",
    raw_ZHW: np.ndarray,
    *,
    normalisation: "Normalisation | None" = None,
    positive: str = "membrane",
    precision: str = "fp32",
    device: torch.device | str | None = None,
    batch_size: int = 1,
) -> np.ndarray: ...
def predict_sections(
    model: "UNet",
    raw_ZHW: Tensor | np.ndarray,
    *,
    normalisation: "Normalisation | None" = None,
    positive: str = "membrane",
    precision: str = "fp32",
    device: torch.device | str | None = None,
    batch_size: int = 1,
) -> Tensor | np.ndarray:
    """Return the membrane probability of each pixel, float32 [Z, H, W], in [0, 1].

    A tensor comes back as a tensor on the device, an array as an array. The model computes in evaluation mode and without gradients, and is
    left in the mode that it was in. Sides that do not divide by 2**(depth - 1) are mirrored at the border and cropped again.

    Args:
        model: On `device` already.
        raw_ZHW: Grey values, with `normalisation`; without it they are taken as normalised.
        normalisation: The one that the model was trained with.
        positive: What the model's logits are about, membrane or cell.
        precision: fp32, bf16 or auto; the sigmoid is fp32 either way.
        device: None: where the model is.
        batch_size: Sections at a time.

    Raises:
        ValueError: Not [Z, H, W], no sections, an unknown `positive` or `precision`, or `batch_size` below 1.
    """
    if raw_ZHW.ndim != 3 or 0 in raw_ZHW.shape:
        raise ValueError(f"sections must be [Z, H, W] and not empty, got {list(raw_ZHW.shape)}. Pass a single section as section[None].")
    if positive not in ("membrane", "cell"):
        raise ValueError(f"positive must be membrane or cell, got {positive!r}")
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    device = torch.device(device) if device is not None else next(model.parameters()).device
    precision = resolve_precision(precision, device)
    with _evaluating(model), torch.no_grad(), autocast(precision, device):
        batches = [
            _probability(model, _batch(raw_ZHW[start : start + batch_size], normalisation, device))
            for start in range(0, raw_ZHW.shape[0], batch_size)
        ]
    probability_ZHW = torch.cat(batches)
    if positive == "cell":
        probability_ZHW = 1.0 - probability_ZHW
    return probability_ZHW if isinstance(raw_ZHW, Tensor) else probability_ZHW.cpu().numpy()


def predict_stack(
    model: "UNet",
    raw_ZHW: np.ndarray,
    *,
    normalisation: "Normalisation",
    positive: str = "membrane",
    precision: str = "auto",
    device: torch.device | str | None = None,
    batch_size: int = 1,
) -> np.ndarray:
    """Return what the ISBI 2012 challenge wants, float32 [Z, H, W] in [0, 1]: 1 = NOT membrane. Otherwise as `predict_sections`."""
    membrane_ZHW = predict_sections(
        model, raw_ZHW, normalisation=normalisation, positive=positive, precision=precision, device=device, batch_size=batch_size
    )
    return np.float32(1.0) - membrane_ZHW


@contextmanager
def _evaluating(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode, and afterwards each of its modules back into its own."""
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


def _batch(raw_NHW: Tensor | np.ndarray, normalisation: "Normalisation | None", device: torch.device) -> Tensor:
    """Return the sections as normalised float32 [N, 1, H, W] on the device."""
    if isinstance(raw_NHW, np.ndarray):  # by NumPy as in training, so that the network sees the very same bits
        raw_NHW = torch.from_numpy(np.array(raw_NHW, dtype=np.float32) if normalisation is None else normalisation.apply(raw_NHW))
    elif normalisation is not None:
        raw_NHW = (raw_NHW.to(torch.float32) - normalisation.mean) / normalisation.std
    return raw_NHW.to(device, torch.float32)[:, None]


def _probability(model: "UNet", image_N1HW: Tensor) -> Tensor:
    """Return the probability [N, H, W] of the positive class."""
    divisor = 2 ** (model.depth - 1)
    padded_N1HW = image_N1HW
    starts = []
    for axis in (2, 3):
        indices, start = _mirrored(image_N1HW.shape[axis], divisor)
        starts.append(start)
        if len(indices) != image_N1HW.shape[axis]:
            padded_N1HW = padded_N1HW.index_select(axis, indices.to(image_N1HW.device))
    # .to and not .contiguous: the latter leaves the strides of a single channel as they are, and the first convolution picks the slow path
    logits_N1HW = model(padded_N1HW.to(memory_format=torch.channels_last))
    top, left = starts
    height, width = image_N1HW.shape[2:]
    return logits_N1HW[:, 0, top : top + height, left : left + width].float().sigmoid()


def _mirrored(size: int, divisor: int) -> tuple[Tensor, int]:
    """Return the indices of an axis, mirrored about its first and last pixel (not repeating them) up to a multiple of `divisor`, and where
    the original begins. Works for axes shorter than what is added, too: the mirror images are mirrored again.
    """
    missing = -size % divisor
    start = missing // 2
    period = max(2 * (size - 1), 1)
    position = (torch.arange(-start, size + missing - start)).remainder(period)
    return torch.minimum(position, (period - position).remainder(period)) if size > 1 else torch.zeros_like(position), start
