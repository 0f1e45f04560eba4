"""How far a pixel is from the two cells next to it, in time that does not grow with the number of cells.

The usual way, one distance transform a cell, takes minutes for a noisy section with thousands of cells. The squared distance is a sum
over rows and columns, so the two nearest cells of a pixel can be found along its row first and then along its column: the two nearest
of a whole section are among the two nearest of each row. No distance beyond CAP_PX is looked at.

H rows, W columns.
"""

import math

import numpy as np
from scipy import ndimage

CAP_PX = 64
"""Where distances end. exp(-(d1 + d2)^2 / (2 sigma^2)) is below 1e-8 there for sigma up to 10 px."""


def cell_gap(cell_HW: np.ndarray) -> np.ndarray:
    """d1 + d2, the distances to the nearest and the second nearest 4-connected component; float32 [H, W], px.

    d1 is 0 inside a cell, and each distance is at most CAP_PX. With fewer than two cells nothing lies between two of them: the gap is the
    diagonal hypot(H, W) everywhere. A cell that unknown pixels cut counts as several. Ronneberger et al. 2015 (arXiv 1505.04597), eq. 2.
    """
    labels_HW = np.zeros(cell_HW.shape, np.int32)
    ndimage.label(cell_HW, output=labels_HW)
    if labels_HW.max() < 2:
        return np.full(cell_HW.shape, math.hypot(*cell_HW.shape), np.float32)
    in_row = _nearest_two([(np.where(labels_HW > 0, 0, CAP_PX**2).astype(np.int16), labels_HW)], axis=1)
    (first_HW, _), (second_HW, _) = _nearest_two(in_row, axis=0)
    return np.sqrt(first_HW, dtype=np.float32) + np.sqrt(second_HW, dtype=np.float32)


_Found = tuple[np.ndarray, np.ndarray]  # squared distance (int16), label (int32; 0 is none)


def _nearest_two(candidates: list[_Found], *, axis: int) -> list[_Found]:
    """The nearest two different labels along an axis, each with its squared distance, CAP_PX^2 where there is none so near.

    A candidate's own squared distance, in the other direction, is added to that along the axis.
    """
    shape = candidates[0][0].shape
    first, second = ((np.full(shape, CAP_PX**2, np.int16), np.zeros(shape, np.int32)) for _ in range(2))
    reach = min(CAP_PX, shape[axis])
    for shift in sorted(range(1 - reach, reach), key=abs):
        here, there = _overlap(shape, axis, shift)
        best, next_best = (first[0][here], first[1][here]), (second[0][here], second[1][here])
        for squared_HW, label_HW in candidates:
            _improve(best, next_best, (squared_HW[there] + np.int16(shift * shift), label_HW[there]))
    return [first, second]


def _improve(first: _Found, second: _Found, new: _Found) -> None:
    """Takes a new candidate into the two nearest, in place. A label never stands in both."""
    nearer, other = new[0] < first[0], new[1] != first[1]
    overtakes, follows = nearer & other, other & ~nearer & (new[0] < second[0])
    for kept, behind, candidate in zip(first, second, new, strict=True):
        np.copyto(behind, kept, where=overtakes)
        np.copyto(behind, candidate, where=follows)
        np.copyto(kept, candidate, where=nearer)


def _overlap(shape: tuple[int, ...], axis: int, shift: int) -> tuple[tuple[slice, ...], tuple[slice, ...]]:
    """Where pixels lie that have one `shift` further along the axis, and where these are."""
    size = shape[axis]
    here, there = [slice(None)] * len(shape), [slice(None)] * len(shape)
    here[axis] = slice(max(0, -shift), min(size, size - shift))
    there[axis] = slice(max(0, shift), min(size, size + shift))
    return tuple(here), tuple(there)
