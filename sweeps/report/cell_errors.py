"""Which cells of a section a proposal merges, and which it splits: counted, and placed so that they can be drawn.

A found segment holds a true cell where it covers at least a tenth of the cell's pixels. A segment that holds two or more cells merges them;
a cell that two or more segments hold is split. Cells of fewer than SMALLEST_PX pixels are specks of the labels and count for neither.
Segments and cells are 4-connected, as for the challenge's scores; H rows, W columns.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from unet.cells import label_cells

ONE_IN = 10
"""Of a cell's pixels: fewer than one in ten in a segment are a ragged edge, not the cell."""
SMALLEST_PX = 20
NUM_TINTS = 5
"""Colours for merged segments: enough for neighbours to differ, nearly always."""

# All pixels that have a next one, and those next ones.
_BESIDE = (np.s_[:, :-1], np.s_[:, 1:])
_BELOW = (np.s_[:-1], np.s_[1:])


@dataclass(frozen=True, kw_only=True, eq=False)
class CellErrors:
    """Merges and splits of one section."""

    num_cells: int
    """Cells of the truth that count."""
    num_merged: int
    """Those of them that share a segment with another one."""
    num_merges: int
    """Segments that hold two or more of them."""
    num_split: int
    """Cells that two or more segments hold."""
    tint_HW: np.ndarray
    """uint8: 0, or 1 to NUM_TINTS inside a merging segment; segments next to each other differ as far as tints go."""
    split_HW: np.ndarray
    """bool: split cells."""
    lost_HW: np.ndarray
    """bool: the line along which two merged cells should have been apart."""
    false_HW: np.ndarray
    """bool: the line along which a split cell was cut."""

    def describe(self) -> str:
        """Return the counts in words: `9 of 61 cells merged into 3, 2 split`."""
        if not self.num_cells:
            return "no cell to merge or split"
        merged = f"{self.num_merged} of {self.num_cells} cells merged into {self.num_merges}" if self.num_merges else ""
        split = f"{self.num_split} split" if self.num_split else "none split"
        return f"{merged or f'none of {self.num_cells} cells merged'}, {split}"


def cell_errors(truth_HW: np.ndarray, cell_HW: np.ndarray) -> CellErrors:
    """Return the merges and splits of a proposal.

    Args:
        truth_HW: bool, True inside cells of the truth.
        cell_HW: bool, True inside cells of the proposal.
    """
    true_HW, found_HW = label_cells(truth_HW), label_cells(cell_HW)
    sizes = np.bincount(true_HW.reshape(-1))
    sizes[0] = 0
    cells, segments = _held(true_HW, found_HW, sizes)
    merging, merged = _in_two(segments), _in_two(cells)  # segments that hold several cells; cells that several segments hold
    in_merge = np.isin(segments, merging)
    in_split = np.isin(cells, merged)
    lost_HW = _seams(true_HW, found_HW, cells[in_merge], segments[in_merge])
    return CellErrors(
        num_cells=int(np.count_nonzero(sizes >= SMALLEST_PX)),
        num_merged=len(np.unique(cells[in_merge])),
        num_merges=len(merging),
        num_split=len(merged),
        tint_HW=_tints(found_HW, merging),
        split_HW=np.isin(true_HW, merged),
        lost_HW=lost_HW,
        false_HW=_seams(found_HW, true_HW, segments[in_split], cells[in_split]),
    )


def _held(true_HW: np.ndarray, found_HW: np.ndarray, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs (cell, segment that holds it)."""
    both_HW = (true_HW > 0) & (found_HW > 0)
    base = int(found_HW.max()) + 1
    keys, overlaps = np.unique(true_HW[both_HW].astype(np.int64) * base + found_HW[both_HW], return_counts=True)
    cells, segments = keys // base, keys % base
    held = (ONE_IN * overlaps >= sizes[cells]) & (sizes[cells] >= SMALLEST_PX)
    return cells[held], segments[held]


def _in_two(numbers: np.ndarray) -> np.ndarray:
    """Return the numbers that occur more than once."""
    values, times = np.unique(numbers, return_counts=True)
    return values[times > 1]


def _seams(parts_HW: np.ndarray, whole_HW: np.ndarray, parts: np.ndarray, wholes: np.ndarray) -> np.ndarray:
    """Return where two parts that belong to the same whole would meet if each grew over what lies between them, inside that whole."""
    seam_HW = np.zeros(whole_HW.shape, bool)
    if not len(parts):
        return seam_HW
    kept_HW = np.where(np.isin(parts_HW, parts), parts_HW, 0)
    nearest_HW = _grown(kept_HW)
    base = int(parts_HW.max()) + 1
    belongs_HW = np.isin(whole_HW.astype(np.int64) * base + nearest_HW, wholes.astype(np.int64) * base + parts)
    for one, other in (_BESIDE, _BELOW):
        inside = belongs_HW[one] & belongs_HW[other] & (whole_HW[one] == whole_HW[other])
        met = inside & (nearest_HW[one] != nearest_HW[other])
        seam_HW[one] |= met
        seam_HW[other] |= met
    return seam_HW


def _tints(found_HW: np.ndarray, merging: np.ndarray) -> np.ndarray:
    """Return a tint for each merging segment: none that a segment next to it has, and of the rest the one that is rarest so far."""
    tints = np.zeros(int(found_HW.max()) + 1, np.uint8)
    if len(merging):
        kept_HW = np.where(np.isin(found_HW, merging), found_HW, 0)
        neighbours, used = _neighbours(kept_HW), [0] * (NUM_TINTS + 1)
        for segment in merging.tolist():
            taken = {int(tints[other]) for other in neighbours.get(segment, ())}
            tints[segment] = tint = min(range(1, NUM_TINTS + 1), key=lambda tint, taken=taken: (tint in taken, used[tint], tint))
            used[tint] += 1
    return tints[found_HW]


def _neighbours(labels_HW: np.ndarray) -> dict[int, set[int]]:
    """Return which labels meet if each grows over what lies between them."""
    grown_HW = _grown(labels_HW)
    met: dict[int, set[int]] = {}
    for here, there in (_BESIDE, _BELOW):
        one, other = grown_HW[here], grown_HW[there]
        pairs = np.unique(np.stack([one[one != other], other[one != other]], axis=1), axis=0)
        for a, b in pairs.tolist():
            met.setdefault(a, set()).add(b)
            met.setdefault(b, set()).add(a)
    return met


def _grown(labels_HW: np.ndarray) -> np.ndarray:
    """Return the label that is nearest to each pixel."""
    places = ndimage.distance_transform_edt(labels_HW == 0, return_distances=False, return_indices=True)
    assert isinstance(places, np.ndarray)
    return labels_HW[tuple(places)]
