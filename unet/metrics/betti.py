"""Pieces and holes of a membrane mask, tile by tile: the Betti numbers b0 and b1, and how far two masks differ in them.

Membrane is 8-connected, since cells are 4-connected. A hole is a cell, or a part of one, that membrane closes off within the tile.
"""

import numpy as np
from scipy import ndimage

TILE_PX = 64
"""Edge of the square tiles: numbers of a whole section would let a gap here make up for a piece too many there."""

_WITHIN_TILE = np.stack([np.zeros((3, 3), bool), np.ones((3, 3), bool), np.zeros((3, 3), bool)])


def betti_error(found_HW: np.ndarray, membrane_HW: np.ndarray, counted_HW: np.ndarray, tile_px: int = TILE_PX) -> float:
    """Return |b0(found) - b0(marked)| + |b1(found) - b1(marked)|, the mean over the tiles that have a known pixel; NaN without any.

    The tiles lie edge to edge from the first pixel on, and those at the far borders may be smaller. Pixels whose label is unknown are
    membrane in neither mask.

    Source: Hu et al. 2019, NeurIPS (arXiv 1906.05404), section 4, with all tiles in place of randomly drawn ones.
    """
    is_known = _tiles(counted_HW, tile_px).any(axis=(1, 2))
    if not is_known.any():
        return float("nan")
    found, marked = (betti_numbers(_tiles(mask_HW & counted_HW, tile_px)[is_known]) for mask_HW in (found_HW, membrane_HW))
    return float(np.abs(found - marked).sum(axis=1).mean())


def betti_numbers(mask_NHW: np.ndarray) -> np.ndarray:
    """Return b0 and b1 of N separate bool masks, int64 [N, 2].

    b0 counts 8-connected pieces; b1 = b0 - chi, with chi the Euler characteristic: corners - edges + pixels, each counted once, of the
    union of closed pixel squares.
    """
    padded = np.pad(mask_NHW, ((0, 0), (1, 1), (1, 1)))
    pieces = np.zeros(padded.shape, dtype=np.int32)
    ndimage.label(padded, structure=_WITHIN_TILE, output=pieces)
    home = np.zeros(int(pieces.max(initial=0)) + 1, dtype=np.int64)
    home[pieces] = np.arange(len(padded))[:, None, None]  # every pixel of a piece writes the same tile
    b0 = np.bincount(home[1:], minlength=len(padded))
    edges_down, edges_right = padded[:, 1:] | padded[:, :-1], padded[:, :, 1:] | padded[:, :, :-1]
    corners = edges_down[:, :, 1:] | edges_down[:, :, :-1]
    num_corners, num_down, num_right, num_pixels = (
        np.count_nonzero(part, axis=(1, 2)) for part in (corners, edges_down, edges_right, padded)
    )
    return np.stack([b0, b0 - (num_corners - num_down - num_right + num_pixels)], axis=1)


def _tiles(mask_HW: np.ndarray, tile_px: int) -> np.ndarray:
    """Return the tiles as [N, tile_px, tile_px]; False fills those at the far borders."""
    height, width = mask_HW.shape
    mask_HW = np.pad(mask_HW, ((0, -height % tile_px), (0, -width % tile_px)))
    rows, columns = (size // tile_px for size in mask_HW.shape)
    return mask_HW.reshape(rows, tile_px, columns, tile_px).swapaxes(1, 2).reshape(-1, tile_px, tile_px)
