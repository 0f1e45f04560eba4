"""The warping error: how many pixels split or merge cells, once everything that leaves the topology alone has been forgiven.

The labels are warped towards the cells that were found by flipping simple points, pixels whose flip neither joins nor cuts nor makes nor
closes anything. What still differs then is a difference in topology. Cells are 4-connected and membrane is 8-connected; outside the
section is membrane. H rows, W columns.
"""

import numpy as np
from scipy import ndimage

_RING = ((-1, 0), (-1, 1), (0, 1), (1, 1), (1, 0), (1, -1), (0, -1), (-1, -1))  # the 8 neighbours, around the pixel; even ones share a side
_EIGHT = np.ones((3, 3), dtype=bool)


def _crossing_numbers() -> np.ndarray:
    """Return Yokoi's number of each of the 256 neighbourhoods: sum over the four sides k of x_k - x_k x_{k+1} x_{k+2}.

    It counts the parts of membrane around the pixel that cells keep apart, and is 1 exactly for simple points.
    """
    ring = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).astype(np.int64)
    sides, corners, next_sides = ring[:, 0::2], ring[:, 1::2], np.roll(ring, -2, axis=1)[:, 0::2]
    return (sides - sides * corners * next_sides).sum(axis=1)


_CROSSINGS = _crossing_numbers()


def split_and_merge_pixels(truth_HW: np.ndarray, cell_HW: np.ndarray, counted_HW: np.ndarray) -> int:
    """Return the number of known pixels that split or merge cells, once the true cells are warped to those found.

    A pixel that still differs merges when it is membrane and more than one warped cell is among its 8 neighbours, and splits when it is
    cell and without it more than one would be. Cells that vanish or appear, and holes, are not counted; but where not a single cell is
    found and some are true, every known pixel is. Pixels whose label is unknown are no cell, do not flip, and are not counted.

    Args:
        truth_HW: bool [H, W], True inside true cells.
        cell_HW: bool, True inside cells that were found.
        counted_HW: bool, True where the label is known.

    Source: Jain et al. 2010, CVPR (doi 10.1109/CVPR.2010.5539950), section 3; splits and mergers as the ISBI 2012 challenge's first tables
    count them, with another order of the flips. Simple points by Yokoi et al. 1975 (doi 10.1016/0146-664X(75)90007-X).
    """
    truth_HW = truth_HW & counted_HW
    if truth_HW.any() and not cell_HW.any():
        return int(np.count_nonzero(counted_HW))
    warped_HW = warp_to(truth_HW, cell_HW, counted_HW)
    return int(np.count_nonzero(_splits_or_merges(warped_HW, (warped_HW != cell_HW) & counted_HW)))


def warp_to(source_HW: np.ndarray, target_HW: np.ndarray, movable_HW: np.ndarray) -> np.ndarray:
    """Return `source_HW`, bool [H, W], made as like `target_HW` as flips of simple points can, so with as many cells and holes.

    Of each 2 x 2 pixels one after the other has its turn, in the whole section at once: pixels of one turn never touch, so each of them is
    still simple when the others have flipped. Pixels outside `movable_HW` stay. Which of several warped forms is reached is a matter of
    this order.
    """
    source, target, ring = _flat(source_HW), _flat(target_HW), _steps(source_HW)
    wrong = (source != target) & _flat(movable_HW)
    rows, columns = (np.arange(size + 2) % 2 for size in source_HW.shape)
    turns = (2 * rows[:, None] + columns).reshape(-1)
    first = np.flatnonzero(wrong)
    waiting = [[first[turns[first] == turn]] for turn in range(4)]  # a pixel is looked at again only when a neighbour has flipped
    while any(waiting):
        for turn in range(4):
            now = np.unique(np.concatenate([*waiting[turn], first[:0]]))
            now = now[wrong[now]]
            now = now[_crossings(source, now, ring) == 1]
            source[now] = target[now]
            wrong[now] = False
            beside = (now[:, None] + ring).reshape(-1)
            beside = beside[wrong[beside]]
            waiting[turn] = []
            for other in {0, 1, 2, 3} - {turn} if beside.size else ():
                waiting[other].append(beside[turns[beside] == other])
    return _section(source, source_HW.shape)


def _splits_or_merges(warped_HW: np.ndarray, wrong_HW: np.ndarray) -> np.ndarray:
    """Return of each wrong pixel whether its flip would split or merge cells, bool [N]."""
    warped, ring, at = _flat(warped_HW), _steps(warped_HW), np.flatnonzero(_flat(wrong_HW))
    padded_HW = warped.reshape(warped_HW.shape[0] + 2, -1)
    cells, membranes = np.zeros(padded_HW.shape, dtype=np.int32), np.zeros(padded_HW.shape, dtype=np.int32)
    ndimage.label(padded_HW, output=cells)
    ndimage.label(~padded_HW, structure=_EIGHT, output=membranes)
    own = cells.reshape(-1)[at]
    around = cells.reshape(-1)[at[:, None] + ring]
    others = _distinct(np.where(around == own[:, None], 0, around))
    # A cell falls into one part more than there are sides of membrane, less one for each membrane that the sides belong to:
    # membrane that goes round outside cuts the cell in two, membrane that does not come together again leaves it whole.
    parts = _crossings(warped, at, ring) - _distinct(membranes.reshape(-1)[at[:, None] + ring]) + 1
    return np.where(own > 0, others + parts, others) > 1


def _distinct(numbers_N8: np.ndarray) -> np.ndarray:
    """Return how many different numbers above 0 each row holds."""
    ordered = np.sort(numbers_N8, axis=1)
    is_new = np.diff(ordered, axis=1, prepend=0) > 0
    return np.count_nonzero(is_new, axis=1)


def _crossings(cell: np.ndarray, at: np.ndarray, ring: np.ndarray) -> np.ndarray:
    return _CROSSINGS[np.packbits(cell[at[:, None] + ring], axis=1)[:, 0]]


def _steps(mask_HW: np.ndarray) -> np.ndarray:
    """Return the ring as steps in the flat padded section."""
    return np.array([row * (mask_HW.shape[1] + 2) + column for row, column in _RING])


def _flat(mask_HW: np.ndarray) -> np.ndarray:
    return np.pad(mask_HW, 1).reshape(-1)


def _section(flat: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    return flat.reshape(shape[0] + 2, shape[1] + 2)[1:-1, 1:-1]
