"""Watershed basins of a binary section, as the ISBI 2012 challenge's scores need them, a whole layer of pixels at a time.

A watershed of a binary image has nothing to sort: the basins are the 4-connected components of the cells, and they grow into the membrane
one layer of pixels a round, first come, first served. A pixel that touches another basin when its turn comes is line. This is what
`skimage.segmentation.watershed(..., watershed_line=True)` does when its seeds enter in raster order, pixel for pixel (a test says so);
layers in place of a heap, and only the rims of the cells as seeds, take a quarter of its time.
"""

from typing import Any

import numpy as np
from scipy import ndimage

_UP_LEFT_RIGHT_DOWN = ((-1, 0), (0, -1), (0, 1), (1, 0))


def flood_section(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the basin of each pixel as int32 [H, W], 1, 2, ... in raster order and 0 for line pixels, and the number of basins.

    `cell_HW` is bool [H, W], True inside cells; all cells keep the number of their 4-connected component. A section without any cell
    has no basin and is 0 everywhere; one that is cell everywhere is one basin without lines.

    Source: flooding in order of arrival, Soille & Ansoult 1990, Signal Processing 20:171, on a binary image.
    """
    height, width = cell_HW.shape
    padded_HW = np.zeros((height + 2, width + 2), dtype=np.int32)
    ndimage.label(cell_HW, output=padded_HW[1:-1, 1:-1])
    num_basins = int(padded_HW.max())
    open_HW = np.zeros(padded_HW.shape, dtype=bool)  # membrane that nothing has reached yet; the padding never is
    open_HW[1:-1, 1:-1] = ~cell_HW
    if num_basins:
        offsets = np.array([row * (width + 2) + column for row, column in _UP_LEFT_RIGHT_DOWN])
        _flood(padded_HW.reshape(-1), open_HW.reshape(-1), offsets)
    return padded_HW[1:-1, 1:-1], num_basins


def _flood(basin: np.ndarray, is_open: np.ndarray, offsets: np.ndarray) -> None:
    """Grow the basins into the open pixels, in place; everything is a flat index into the padded section."""
    turn = np.empty(basin.size, dtype=np.int64)  # place in the queue of the layer; only ever read for pixels of the layer
    waiting = np.zeros(basin.size, dtype=bool)
    rim = np.zeros(basin.size, dtype=bool)
    for offset in offsets:
        rim |= np.roll(is_open, offset)
    layer = np.flatnonzero(rim & (basin > 0))
    carried = basin[layer]
    while layer.size:
        reached = (layer[:, None] + offsets).ravel()
        arrivals = np.flatnonzero(is_open[reached])
        reached, carried = reached[arrivals], carried[arrivals // len(offsets)]
        place = np.arange(reached.size)
        turn[reached[::-1]] = place[::-1]  # of repeated indices the last assignment holds: each pixel keeps its first arrival
        first = turn[reached] == place
        layer, carried = reached[first], carried[first]
        is_open[layer] = False
        around = basin[layer + offsets[:, None]]
        alone = ~((around > 0) & (around != carried)).any(axis=0)
        basin[layer[alone]] = carried[alone]
        _settle_meetings(basin, layer[alone], turn, waiting, offsets)  # line pixels hand the flood on as well, so all of the layer goes on


def _settle_meetings(basin: np.ndarray, reached: np.ndarray, turn: np.ndarray, waiting: np.ndarray, offsets: np.ndarray) -> None:
    """Where two pixels of one layer touch and belong to different basins, the later becomes line (0), in place.

    A pixel waits until every earlier neighbour that could turn it into line is settled; the earliest never waits, so each round
    settles at least one.
    """
    beside = reached + offsets[:, None]
    around = basin[beside]
    rivals = (around > 0) & (around != basin[reached])
    reached, beside, rivals = _choose(rivals.any(axis=0), reached, beside, rivals)
    rivals &= turn[beside] < turn[reached]
    reached, beside, rivals = _choose(rivals.any(axis=0), reached, beside, rivals)
    waiting[reached] = True
    while reached.size:
        unsettled = waiting[beside]
        is_line = (rivals & ~unsettled & (basin[beside] > 0)).any(axis=0)
        settled = is_line | ~(rivals & unsettled).any(axis=0)
        basin[reached[is_line]] = 0
        waiting[reached[settled]] = False
        reached, beside, rivals = _choose(~settled, reached, beside, rivals)


def _choose(chosen: Any, *arrays: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the chosen pixels (last axis) of each array."""
    return tuple(array[..., chosen] for array in arrays)
