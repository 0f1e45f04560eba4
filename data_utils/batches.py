"""Random crops of a stack that lives on the device: no files, no worker processes, no state to save.

Axes: Z sections, H rows, W columns, N the batch. The stack stays on the device as uint8 (or float32), and crops are slices of
it: 30 to 90 times faster than one file a section and eight loader processes, and a slice is faster than a gather by index.
Maps that a loss asks for lie beside the stack and are cropped with it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Self

import numpy as np
import torch

from data_utils.augment import elastic_deformation, random_flips, random_quarter_turns
from data_utils.errors import DataError
from data_utils.maps import check_maps, maps_of, section_map


@dataclass(frozen=True, kw_only=True)
class CropConfig:
    """What a training batch is made of."""

    crop_px: int = 256
    """Side of the square crops, in pixels."""
    crops_per_section: int = 1
    """Random crops of each training section in an epoch (1: the thesis)."""
    batch_size: int = 4
    """Crops in a batch; the last batch of an epoch may be smaller."""
    flips: bool = True
    """Mirror each crop at random, top to bottom and left to right."""
    quarter_turns: bool = True
    """Turn each crop by 0, 90, 180 or 270 degrees at random."""
    elastic_px: float = 0.0
    """Standard deviation of the elastic displacement in pixels; 0 is none."""

    def __post_init__(self) -> None:
        problems = [
            f"`{name} >= 1` must hold, got {name}={getattr(self, name)}"
            for name in ("crop_px", "crops_per_section", "batch_size")
            if getattr(self, name) < 1
        ]
        if not 0 <= self.elastic_px < math.inf:
            problems.append(f"`elastic_px >= 0` must hold (pixels), got elastic_px={self.elastic_px}")
        if problems:
            raise ValueError("; ".join(problems))


@dataclass(frozen=True, kw_only=True)
class Normalisation:
    """Grey values become (value - mean) / std before the network sees them."""

    mean: float
    """Mean grey value of the training sections."""
    std: float
    """Standard deviation of the same pixels; a constant image gets 1, so that nothing is divided by zero."""

    def __post_init__(self) -> None:
        if not (math.isfinite(self.mean) and math.isfinite(self.std) and self.std > 0):
            raise ValueError(f"`std > 0` and finite numbers must hold, got mean={self.mean}, std={self.std}")

    @classmethod
    def of(cls, raw_ZHW: np.ndarray, sections: Sequence[int]) -> Self:
        """Measures the given sections (the training ones: the others must not leak into the scale)."""
        means, squares = [], []
        for section in sections:
            raw_HW = raw_ZHW[section].astype(np.float64)
            means.append(raw_HW.mean())
            squares.append(np.square(raw_HW).mean())
        mean = float(np.mean(means))
        variance = float(np.mean(squares)) - mean**2
        # rounding leaves a hair of variance on constant images, relative to their square
        constant = variance <= 1e-12 * max(float(np.mean(squares)), 1e-300)
        return cls(mean=mean, std=1.0 if constant else math.sqrt(variance))

    def apply(self, raw: np.ndarray) -> np.ndarray:
        """The normalised array as float32, of the same shape."""
        return (np.asarray(raw, dtype=np.float32) - np.float32(self.mean)) / np.float32(self.std)


@dataclass(frozen=True, kw_only=True, eq=False)
class Batch:
    """Some crops: all that a loss may ask of them, in float32 and in one layout."""

    image_N1HW: torch.Tensor
    """Normalised grey values."""
    target_N1HW: torch.Tensor
    """1 where the positive class is, 0 elsewhere and where the label is unknown."""
    mask_N1HW: torch.Tensor | None = None
    """1 where the label is known, 0 elsewhere; None where it is known everywhere."""
    aux: Mapping[str, torch.Tensor] = field(default_factory=dict)
    """The maps that were asked for, by name."""


class Crops:
    """Batches of random crops of some sections of a stack, resident on one device.

    Everything about epoch e (order, places, flips, turns, warps) depends on (seed, e) only: any epoch can be made again at
    any time, and resuming needs no state. On the CPU the same (seed, e) gives the same bits, whatever maps are asked for beside them.

    Maps are of whole sections, made once and then cropped, flipped and turned with the image: no border of a crop is in them. Only elastic
    deformation changes what they measure; with it they are made anew, of each warped crop by itself, on the CPU.

    Args:
        raw_ZHW: grey values, uint8, uint16 or float32; the whole stack.
        membrane_ZHW: bool, True where membrane; the same shape.
        sections: indices of the sections to crop from.
        config: sizes and augmentation.
        normalisation: mean and std of the training sections.
        device: where the stack is kept and the batches are made.
        seed: not negative.
        positive: the class that is 1 in the target, "membrane" or "cell".
        channels_last: batches are laid out as torch.channels_last.
        counted_ZHW: bool, True where the label is known; None: everywhere.
        maps: names of data_utils.maps.MAPS that each batch brings along.

    Raises:
        DataError: no sections, sections that do not exist, shapes that differ, or crops larger than a section.
        ValueError: an unknown `positive` or map, or a negative seed.
    """

    def __init__(
        self,
        raw_ZHW: np.ndarray,
        membrane_ZHW: np.ndarray,
        sections: Sequence[int],
        *,
        config: CropConfig,
        normalisation: Normalisation,
        device: torch.device | str,
        seed: int,
        positive: str = "membrane",
        channels_last: bool = False,
        counted_ZHW: np.ndarray | None = None,
        maps: Sequence[str] = (),
    ) -> None:
        check_maps(maps, positive)
        if seed < 0:
            raise ValueError(f"`seed >= 0` must hold, got {seed=}")
        _check_sections(raw_ZHW, membrane_ZHW, counted_ZHW, sections, config.crop_px)
        self.config = config
        self.normalisation = normalisation
        self.device = torch.device(device)
        self.seed = seed
        self.num_sections = len(sections)
        self.positive = positive
        self.maps = tuple(dict.fromkeys(maps))
        self._memory_format = torch.channels_last if channels_last else torch.contiguous_format
        chosen = list(sections)
        self._place(raw_ZHW[chosen], membrane_ZHW[chosen].astype(bool), None if counted_ZHW is None else counted_ZHW[chosen])

    def _place(self, raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None) -> None:
        """Puts what is cropped on the device."""
        target_ZHW = membrane_ZHW == (self.positive == "membrane")
        if counted_ZHW is not None:
            target_ZHW &= counted_ZHW
        # torch has few uint16 operations, and float32 holds every uint16
        self._raw_ZHW = self._on_device(raw_ZHW if raw_ZHW.dtype == np.uint8 else raw_ZHW.astype(np.float32))
        self._target_ZHW = self._on_device(target_ZHW.astype(np.uint8))
        self._counted_ZHW = None if counted_ZHW is None else self._on_device(counted_ZHW.astype(np.uint8))
        self._maps_ZHW: dict[str, torch.Tensor] = {}
        for name in () if self.config.elastic_px else self.maps:
            self._maps_ZHW[name] = self._on_device(self._map_of(name, target_ZHW, counted_ZHW))

    def _map_of(self, name: str, target_ZHW: np.ndarray, counted_ZHW: np.ndarray | None) -> np.ndarray:
        known_ZHW = [None] * len(target_ZHW) if counted_ZHW is None else counted_ZHW
        sections = zip(target_ZHW, known_ZHW, strict=True)
        return np.stack([section_map(target_HW, name, positive=self.positive, counted_HW=known) for target_HW, known in sections])

    def _on_device(self, array_ZHW: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(array_ZHW).to(self.device)

    @property
    def crops_per_epoch(self) -> int:
        """Crops in an epoch: `crops_per_section` of every section."""
        return self.num_sections * self.config.crops_per_section

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last may be smaller, none is empty."""
        return math.ceil(self.crops_per_epoch / self.config.batch_size)

    def epoch(self, epoch: int) -> Iterator[Batch]:
        """The batches of one epoch, counted from 0."""
        # SeedSequence mixes the pair, so that (1, 2) and (2, 1) or neighbouring seeds share nothing
        mixed = np.random.SeedSequence((self.seed, epoch)).generate_state(1, np.uint64)[0]
        generator = torch.Generator().manual_seed(int(mixed >> np.uint64(1)))
        order = torch.randperm(self.crops_per_epoch, generator=generator) % self.num_sections
        height, width = self._raw_ZHW.shape[1:]
        tops = torch.randint(height - self.config.crop_px + 1, (len(order),), generator=generator)
        lefts = torch.randint(width - self.config.crop_px + 1, (len(order),), generator=generator)
        places = list(zip(order.tolist(), tops.tolist(), lefts.tolist(), strict=True))
        for start in range(0, len(places), self.config.batch_size):
            yield self._batch(places[start : start + self.config.batch_size], generator)

    def _batch(self, places: list[tuple[int, int, int]], generator: torch.Generator) -> Batch:
        image_N1HW, target_N1HW = self._cut(self._raw_ZHW, places), self._cut(self._target_ZHW, places)
        mask_N1HW = None if self._counted_ZHW is None else self._cut(self._counted_ZHW, places)
        aux = {name: self._cut(map_ZHW, places) for name, map_ZHW in self._maps_ZHW.items()}
        image_N1HW.sub_(self.normalisation.mean).div_(self.normalisation.std)
        others = [*aux.values()] if mask_N1HW is None else [mask_N1HW, *aux.values()]
        if self.config.flips:
            random_flips(image_N1HW, target_N1HW, others, generator=generator)
        if self.config.quarter_turns:
            random_quarter_turns(image_N1HW, target_N1HW, others, generator=generator)
        if self.config.elastic_px:
            elastic_deformation(image_N1HW, target_N1HW, mask_N1HW, magnitude_px=self.config.elastic_px, generator=generator)
            aux = maps_of(target_N1HW, self.maps, positive=self.positive, mask_N1HW=mask_N1HW) if self.maps else {}
        return Batch(image_N1HW=image_N1HW, target_N1HW=target_N1HW, mask_N1HW=mask_N1HW, aux=aux)

    def _cut(self, stack_ZHW: torch.Tensor, places: list[tuple[int, int, int]]) -> torch.Tensor:
        side = self.config.crop_px
        crop_N1HW = torch.empty((len(places), 1, side, side), device=self.device, memory_format=self._memory_format)
        for sample, (section, top, left) in enumerate(places):
            # copy_ turns uint8 into float32 on the way: one pass, no intermediate
            crop_N1HW[sample, 0].copy_(stack_ZHW[section, top : top + side, left : left + side])
        return crop_N1HW


def _check_sections(
    raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None, sections: Sequence[int], crop_px: int
) -> None:
    if raw_ZHW.ndim != 3 or raw_ZHW.shape != membrane_ZHW.shape:
        raise DataError(f"sections and membranes must have one shape (Z, H, W), got {raw_ZHW.shape} and {membrane_ZHW.shape}")
    if counted_ZHW is not None and (counted_ZHW.dtype != bool or counted_ZHW.shape != raw_ZHW.shape):
        raise DataError(f"counted_ZHW must be bool {raw_ZHW.shape}, as the sections, got {counted_ZHW.dtype} {counted_ZHW.shape}")
    if not sections:
        raise DataError("no sections to crop from: the list of training sections is empty")
    missing = [section for section in sections if not 0 <= section < len(raw_ZHW)]
    if missing:
        raise DataError(f"the stack has sections 0 to {len(raw_ZHW) - 1}, but crops were asked of {missing}")
    height, width = raw_ZHW.shape[1:]
    if crop_px > min(height, width):
        fit = f"choose crop_px <= {min(height, width)}"
        raise DataError(f"crops of {crop_px} x {crop_px} px do not fit into sections of {height} x {width} px: {fit}")
