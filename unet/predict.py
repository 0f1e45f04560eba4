"""Probability maps of whole sections.

Axes: Z sections of H rows and W columns, N of them at a time. The network sees each section whole, mirrored at its border up to the next
size that it can halve, or in overlapping tiles that come out as the whole would (data_utils.tiles); once, or in eight flips and turns.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from torch import Tensor, nn

from data_utils.tiles import Tile
from unet.context import plan_tiles
from unet.folding import folded
from unet.precision import autocast, resolve_precision

if TYPE_CHECKING:
    from data_utils.batches import Normalisation
    from unet.model import UNet

Sections = TypeVar("Sections", Tensor, np.ndarray)

NUM_VIEWS = 8
"""Flips and turns of a section: what test-time augmentation averages over."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Member:
    """A network and how it was trained: one voice of a prediction."""

    model: "UNet"
    """On the device that computes. `folded(model)`, once, saves doing so for every section."""
    normalisation: "Normalisation | None" = None
    """The one that it was trained with; None: the sections are normalised already."""
    positive: str = "membrane"
    """What its logits are about, membrane or cell."""

    def __post_init__(self) -> None:
        if self.positive not in ("membrane", "cell"):
            raise ValueError(f"positive must be membrane or cell, got {self.positive!r}")


def predict_sections(
    model: "UNet",
    raw_ZHW: Sections,
    *,
    normalisation: "Normalisation | None" = None,
    positive: str = "membrane",
    precision: str = "fp32",
    device: torch.device | str | None = None,
    batch_size: int = 1,
    tile_px: int | None = None,
    tta: bool = False,
) -> Sections:
    """Return the membrane probability of each pixel, float32 [Z, H, W], in [0, 1].

    A tensor comes back as a tensor on the device, an array as an array. The model computes in evaluation mode and without gradients, its
    batch normalisation folded into its convolutions, and is itself left as it was.

    Args:
        model: On `device` already.
        raw_ZHW: Grey values, with `normalisation`; without it they are taken as normalised.
        normalisation: The one that the model was trained with.
        positive: What the model's logits are about, membrane or cell.
        precision: fp32, bf16 or auto; the sigmoid is fp32 either way.
        device: None: where the model is.
        batch_size: Sections at a time.
        tile_px: Side of tiles for sections larger than that; None: sections are seen whole, whatever their size.
        tta: Mean of the probabilities over the eight flips and turns, at eight times the cost.

    Raises:
        ValueError: Not [Z, H, W], no sections, an unknown `positive` or `precision`, `batch_size` below 1, or a `tile_px` that the network
            cannot use.
    """
    if batch_size < 1:
        raise ValueError(f"batch_size must be at least 1, got {batch_size}")
    _check_shape(raw_ZHW)
    member = Member(model=folded(model), normalisation=normalisation, positive=positive)
    options = {"precision": precision, "device": device, "tile_px": tile_px, "tta": tta}
    batches = [raw_ZHW[start : start + batch_size] for start in range(0, raw_ZHW.shape[0], batch_size)]
    probability_ZHW = torch.cat([predict_membrane([member], batch_NHW, **options) for batch_NHW in batches])
    if isinstance(raw_ZHW, Tensor):
        return probability_ZHW
    return probability_ZHW.cpu().numpy()


def predict_stack(
    model: "UNet",
    raw_ZHW: np.ndarray,
    *,
    normalisation: "Normalisation",
    positive: str = "membrane",
    precision: str = "auto",
    device: torch.device | str | None = None,
    batch_size: int = 1,
    tile_px: int | None = None,
    tta: bool = False,
) -> np.ndarray:
    """Return what the ISBI 2012 challenge wants, float32 [Z, H, W] in [0, 1]: 1 = NOT membrane. Otherwise as `predict_sections`."""
    membrane_ZHW = predict_sections(
        model,
        raw_ZHW,
        normalisation=normalisation,
        positive=positive,
        precision=precision,
        device=device,
        batch_size=batch_size,
        tile_px=tile_px,
        tta=tta,
    )
    return np.float32(1.0) - membrane_ZHW


def predict_membrane(
    members: Sequence[Member],
    raw_NHW: Tensor | np.ndarray,
    *,
    precision: str = "auto",
    device: torch.device | str | None = None,
    tile_px: int | None = None,
    tta: bool = False,
    on_pass: Callable[[], None] = lambda: None,
) -> Tensor:
    """Return the membrane probability of a batch of sections, float32 [N, H, W] on the device: the mean over all members.

    Args:
        members: One network, or several whose probabilities are averaged, whatever losses trained them.
        raw_NHW: Grey values; normalised tile by tile, so that no second copy of large sections is made.
        precision, device, tile_px, tta: As for `predict_sections`.
        on_pass: Called after each pass of a network over a tile; there are `num_passes` of them.
    """
    _check_shape(raw_NHW)
    num_sections, height, width = raw_NHW.shape
    device = torch.device(device) if device is not None else next(members[0].model.parameters()).device
    precision = resolve_precision(precision, device)
    total_NHW = torch.zeros((num_sections, height, width), device=device)
    for member in members:
        with _evaluating(member.model), torch.no_grad(), autocast(precision, device):
            for tile in plan_tiles(member.model, height, width, tile_px):
                part_NHW = _view_mean(member.model, _batch(tile, raw_NHW, member.normalisation, device), tta, on_pass)
                tile.add(total_NHW, 1.0 - part_NHW if member.positive == "cell" else part_NHW, 1.0 / len(members))
    return total_NHW.clamp_(0.0, 1.0)  # weights that add up to 1 do so but for rounding


def num_passes(members: Sequence[Member], height: int, width: int, *, tile_px: int | None = None, tta: bool = False) -> int:
    """Return how many passes of a network over a tile one section takes; TileError for a side that a network cannot use."""
    return sum(len(plan_tiles(member.model, height, width, tile_px)) for member in members) * (NUM_VIEWS if tta else 1)


def _check_shape(raw_ZHW: Tensor | np.ndarray) -> None:
    if raw_ZHW.ndim != 3 or 0 in raw_ZHW.shape:
        raise ValueError(f"sections must be [Z, H, W] and not empty, got {list(raw_ZHW.shape)}. Pass a single section as section[None].")


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


def _batch(tile: Tile, raw_NHW: Tensor | np.ndarray, normalisation: "Normalisation | None", device: torch.device) -> Tensor:
    """Return what a tile sees of the sections, as normalised float32 [N, 1, H, W] on the device."""
    if isinstance(raw_NHW, np.ndarray):  # by NumPy as in training, so that the network sees the very same bits
        part_NHW = tile.cut(raw_NHW)
        part = torch.from_numpy(np.array(part_NHW, dtype=np.float32) if normalisation is None else normalisation.apply(part_NHW))
    else:
        part = tile.cut(raw_NHW)
        if normalisation is not None:
            part = (part.to(torch.float32) - normalisation.mean) / normalisation.std
    return part.to(device, torch.float32)[:, None]


def _view_mean(model: "UNet", image_N1HW: Tensor, tta: bool, on_pass: Callable[[], None]) -> Tensor:
    """Return the probability [N, H, W] of the positive class, the mean over the views."""
    if not tta:
        probability_NHW = _probability(model, image_N1HW)
        on_pass()
        return probability_NHW
    total_NHW = torch.zeros_like(image_N1HW[:, 0])
    for view in range(NUM_VIEWS):
        turns, mirror = view % 4, view >= 4
        seen_N1HW = image_N1HW.flip(3) if mirror else image_N1HW
        probability_NHW = _probability(model, seen_N1HW.rot90(turns, (2, 3))).rot90(-turns, (1, 2))
        total_NHW += probability_NHW.flip(2) if mirror else probability_NHW
        on_pass()
    return total_NHW / NUM_VIEWS


def _probability(model: "UNet", image_N1HW: Tensor) -> Tensor:
    """Return the probability [N, H, W] of the positive class; H and W divide as the network needs."""
    # .to and not .contiguous: the latter leaves the strides of a single channel as they are, and the first convolution picks the slow path
    return model(image_N1HW.to(memory_format=torch.channels_last))[:, 0].float().sigmoid()
