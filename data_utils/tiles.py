"""Overlapping tiles of a section of any size, mirrored at its border, and the weights that blend them into one.

The overlap-tile strategy of Ronneberger et al. 2015 (arXiv 1505.04597, figure 2), for a network that pads: what it makes of a tile's
margin depends on where the tile ends, so the margin is computed and thrown away. What is left fades over from one neighbour into the next.
N sections of H rows and W columns; positions are pixels of the section, and outside it, where its mirror image is, they go on counting.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TypeVar

import numpy as np
import torch

Sections = TypeVar("Sections", np.ndarray, torch.Tensor)


class TileError(ValueError):
    """Tiles of this side cannot cover a section; the message says which side can."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Span:
    """One axis of a tile."""

    start: int
    """First position that the network sees."""
    stop: int
    """Position after the last that it sees."""
    kept: slice
    """Where in the section the tile counts."""
    weight: np.ndarray
    """Its weight there, float32, one value a position; those of an axis's tiles add up to 1."""

    def seen(self, size: int) -> np.ndarray:
        """Return the index into an axis of `size` of each position, mirrored about the first and the last pixel (not repeating them).

        Works for axes shorter than what is added, too: the mirror images are mirrored again.
        """
        if size == 1:
            return np.zeros(self.stop - self.start, dtype=np.int64)
        period = 2 * (size - 1)
        position = np.arange(self.start, self.stop) % period
        return np.minimum(position, period - position)

    @property
    def inner(self) -> slice:
        """The part that counts, counted from the tile's own start."""
        return slice(self.kept.start - self.start, self.kept.stop - self.start)


@dataclass(frozen=True, kw_only=True, eq=False)
class Tile:
    """A part of every section of a batch."""

    rows: Span
    """Its extent along H."""
    columns: Span
    """Its extent along W."""

    def cut(self, sections_NHW: Sections) -> Sections:
        """Return what the network sees of the sections; a view where nothing is mirrored."""
        height, width = sections_NHW.shape[1:]
        part_NHW = _along(sections_NHW, 1, self.rows, height)
        return _along(part_NHW, 2, self.columns, width)

    def add(self, total_NHW: torch.Tensor, tile_NHW: torch.Tensor, share: float = 1.0) -> None:
        """Add the tile's values to what they are a part of, by their weights and `share`, in place."""
        weight_HW = torch.from_numpy(np.float32(share) * self.rows.weight[:, None] * self.columns.weight)
        part_NHW = tile_NHW[:, self.rows.inner, self.columns.inner] * weight_HW.to(tile_NHW.device)
        total_NHW[:, self.rows.kept, self.columns.kept] += part_NHW


def lay_tiles(height: int, width: int, *, divisor: int, tile_px: int | None = None, margin_px: int = 0) -> list[Tile]:
    """Return the tiles of a section, in raster order.

    An axis that fits into a tile is seen whole, mirrored only up to the next multiple of `divisor`. Along a longer one each tile loses
    `margin_px` at both ends, beyond the section's border as well, and neighbours overlap by at least `divisor` more. All tiles begin at
    multiples of `divisor` from where the whole section would begin, so a network that halves sees the same blocks of pixels either way.

    Args:
        height, width: the section's, in pixels.
        divisor: what sides must divide by.
        tile_px: side of a tile; None: one tile, however large.
        margin_px: what lies less than this from a tile's end does not count.

    Raises:
        TileError: `tile_px` does not divide, or nothing would be left of a tile between its margins.
    """
    margin_px = -(-margin_px // divisor) * divisor
    if tile_px is not None:
        _check_side(tile_px, divisor, margin_px)
    rows, columns = (_spans(size, divisor, tile_px, margin_px) for size in (height, width))
    return [Tile(rows=row, columns=column) for row in rows for column in columns]


def smallest_tile_px(divisor: int, margin_px: int) -> int:
    """Return the smallest side that `lay_tiles` takes."""
    return (2 * -(-margin_px // divisor) + 4) * divisor


def _check_side(tile_px: int, divisor: int, margin_px: int) -> None:
    smallest = smallest_tile_px(divisor, margin_px)
    if tile_px < smallest or tile_px % divisor:
        nearest = max(round(tile_px / divisor) * divisor, smallest)
        raise TileError(
            f"tiles of {tile_px} px cannot be used: a side must be a multiple of {divisor} px, and at least {smallest} px, since"
            f" {margin_px} px at each of its ends are thrown away. Take {nearest}; larger tiles waste less and take more memory"
        )


def _spans(size: int, divisor: int, tile_px: int | None, margin_px: int) -> list[Span]:
    """Return the tiles along one axis."""
    missing = -size % divisor
    origin, whole = -(missing // 2), size + missing
    if tile_px is None or whole <= tile_px:
        return [Span(start=origin, stop=origin + whole, kept=slice(0, size), weight=np.ones(size, dtype=np.float32))]
    core = tile_px - 2 * margin_px
    gaps = -(-(whole - core) // (core - divisor))  # as few tiles as overlap by a divisor, spread evenly
    blocks = (whole - core) // divisor
    starts = [origin + blocks * index // gaps * divisor for index in range(gaps + 1)]
    # the places where one tile ends and the next begins: the middles of their overlaps
    seams = [(start + before + core) // 2 for before, start in pairwise(starts)]
    return [_span(index, start, seams, core=core, margin_px=margin_px, fade=divisor, size=size) for index, start in enumerate(starts)]


def _span(index: int, start: int, seams: Sequence[int], *, core: int, margin_px: int, fade: int, size: int) -> Span:
    first = seams[index - 1] - fade // 2 if index else 0
    last = seams[index] - fade // 2 + fade if index < len(seams) else size
    weight = np.ones(last - first, dtype=np.float32)
    ramp = ((np.arange(fade) + 0.5) / fade).astype(np.float32)
    if index:
        weight[:fade] = ramp
    if index < len(seams):
        weight[-fade:] = np.float32(1.0) - ramp
    return Span(start=start - margin_px, stop=start + core + margin_px, kept=slice(first, last), weight=weight)


def _along(sections_NHW: Sections, axis: int, span: Span, size: int) -> Sections:
    if span.start >= 0 and span.stop <= size:
        return sections_NHW[(slice(None),) * axis + (slice(span.start, span.stop),)]
    seen = span.seen(size)
    if isinstance(sections_NHW, torch.Tensor):
        return sections_NHW.index_select(axis, torch.from_numpy(seen).to(sections_NHW.device))
    return sections_NHW.take(seen, axis=axis)
