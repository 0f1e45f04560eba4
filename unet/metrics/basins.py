"""Watershed basins of a binary section, as the ISBI 2012 challenge's scores need them, a whole layer of pixels at a time.

A watershed of a binary image has nothing to sort: the basins are the 4-connected components of the cells, and they grow into the membrane
one layer of pixels a round, first come, first served. A pixel that touches another basin when its turn comes is line. This is what
`skimage.segmentation.watershed(..., watershed_line=True)` does when its seeds enter in raster order, pixel for pixel (a test says so);
layers in place of a heap, and only the rims of the cells as seeds, take a fifth of its time (docs/benchmarks).
"""

from typing import Any

import numpy as np
from scipy import ndimage

_UP_LEFT_RIGHT_DOWN = ((-1, 0), (0, -1), (0, 1), (1, 0))
_OPEN = -1
"""Membrane that nothing has reached yet; 0 is line, and the padding around the section."""


def flood_section(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the basin of each pixel as int32 [H, W], 1, 2, ... in raster order and 0 for line pixels, and the number of basins.

    `cell_HW` is bool [H, W], True inside cells; all cells keep the number of their 4-connected component. A section without any cell
    has no basin and is 0 everywhere; one that is cell everywhere is one basin without lines.

    Source: flooding in order of arrival, Soille & Ansoult 1990, Signal Processing 20:171, on a binary image.
    """
    height, width = cell_HW.shape
    padded_HW = np.zeros((height + 2, width + 2), dtype=np.int32)
    basin_HW = padded_HW[1:-1, 1:-1]
    ndimage.label(cell_HW, output=basin_HW)
    num_basins = int(basin_HW.max())
    if num_basins:
        basin_HW[~cell_HW] = _OPEN
        offsets = np.array([row * (width + 2) + column for row, column in _UP_LEFT_RIGHT_DOWN])
        _flood(padded_HW.reshape(-1), offsets)
    return basin_HW, num_basins


def _flood(basin: np.ndarray, offsets: np.ndarray) -> None:
    """Grow the basins into the open pixels, in place; everything is a flat index into the padded section.

    One look at the neighbours of a layer tells both where its pixels meet another basin and where the flood goes next.
    """
    turn = np.zeros(basin.size, dtype=np.int32)  # place in the queue; 0 in the cells, which are there from the start
    waiting = np.zeros(basin.size, dtype=bool)
    layer = _rim(basin, int(offsets[-1]))
    carried = basin[layer]
    around = basin.take(layer + offsets[:, None])
    num_turns = 1
    while (arrivals := np.flatnonzero((around < 0).T.ravel())).size:  # pixel by pixel of the layer, and of each up, left, right, down
        giver = arrivals >> 2
        reached = layer.take(giver) + offsets.take(arrivals & 3)
        place = np.arange(num_turns, num_turns + reached.size, dtype=np.int32)
        num_turns += reached.size
        turn[reached[::-1]] = place[::-1]  # of repeated indices the last assignment holds: each pixel keeps its first arrival
        first = np.flatnonzero(turn.take(reached) == place)
        layer, carried = reached.take(first), carried.take(giver.take(first))
        basin[layer] = carried  # line pixels hand the flood on as well, so all of the layer goes on
        beside = layer + offsets[:, None]
        around = basin.take(beside)
        rivals = (around > 0) & (around != carried)
        met = np.flatnonzero(rivals.any(axis=0))
        _settle_meetings(basin, layer.take(met), beside.take(met, axis=1), rivals.take(met, axis=1), turn, waiting)


def _rim(basin: np.ndarray, width: int) -> np.ndarray:
    """Return the cell pixels that touch an open one, in raster order; `width` is that of a padded row."""
    is_open = basin == _OPEN
    rim = np.zeros(basin.size, dtype=bool)
    for step in (1, width):
        rim[step:] |= is_open[:-step]
        rim[:-step] |= is_open[step:]
    return np.flatnonzero(rim & (basin > 0))


def _settle_meetings(
    basin: np.ndarray, reached: np.ndarray, beside: np.ndarray, rivals: np.ndarray, turn: np.ndarray, waiting: np.ndarray
) -> None:
    """Turn those reached pixels into line (0), in place, that touch an earlier pixel of another basin (`rivals` among those `beside`).

    A pixel waits until every earlier rival of its own layer is settled, for a line is nobody's rival; the earliest never waits, so each
    round settles at least one.
    """
    rivals = rivals & (turn.take(beside) < turn.take(reached))
    reached, beside, rivals = _choose(rivals.any(axis=0), reached, beside, rivals)
    waiting[reached] = True
    while reached.size:
        unsettled = waiting.take(beside)
        is_line = (rivals & ~unsettled & (basin.take(beside) > 0)).any(axis=0)
        settled = is_line | ~(rivals & unsettled).any(axis=0)
        basin[reached[is_line]] = 0
        waiting[reached[settled]] = False
        reached, beside, rivals = _choose(~settled, reached, beside, rivals)


def _choose(chosen: Any, reached: np.ndarray, beside: np.ndarray, rivals: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return the chosen pixels (last axis) of each array."""
    return reached[chosen], beside[:, chosen], rivals[:, chosen]
