"""How far each pixel of a hard prediction is from the other class: exact, and a few times as fast as one transform for each class.

The squared Euclidean distance is a sum over rows and columns: with r the distance to the other class along a pixel's own row,
d^2(y, x) = min over k of k^2 + r^2(y + k, x), as in Felzenszwalb and Huttenlocher 2012 (doi 10.4086/toc.2012.v008a019), eq. 6. One pass
serves both classes. Where y + k is of the pixel's own class, r there is what is wanted; where it is not, the term ought to be k^2 and is
larger, but then the other class begins nearer in the column itself, and that distance is put in from the start. Only k below the largest
distance found so far can improve anything, so the cost follows the distances, not the size of the image.

H rows, W columns.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

_FAR = 181
"""Distances below this, in px, are found here: _FAR^2 + _FAR^2 is the largest sum, and still a uint16."""
_PATIENCE = 64
"""Rows away after which a pixel that has found nothing is given up: what it looks for is then mostly beyond _FAR."""
_TILE = 2**17
"""Pixels in a tile of whole columns, so that three arrays of uint16 stay in a core's second-level cache."""


def squared_distances(class_N1HW: Tensor) -> Tensor:
    """The squared distance of each pixel to the nearest pixel of the other class of its image, px^2; float32, on the tensor's device.

    At least 1; 0 everywhere in an image of one class, which has no border to be distant from. Computed on the CPU: a GPU is waited for.

    Args:
        class_N1HW: bool.
    """
    return _transformed(class_N1HW)


def _transform(class_N1HW: Tensor) -> Tensor:
    images = class_N1HW.detach()[:, 0].cpu().numpy()
    squared_NHW = np.zeros(images.shape, np.float32)
    for class_HW, squared_HW in zip(images, squared_NHW, strict=True):
        if class_HW.any() and not class_HW.all():
            squared_HW[...] = squared_distance(class_HW)
    return torch.from_numpy(squared_NHW[:, None]).to(class_N1HW.device)


# NumPy and SciPy work on real numbers: no compiler can trace them.
_transformed = cast("Callable[[Tensor], Tensor]", torch.compiler.disable(_transform))


def squared_distance(class_HW: np.ndarray) -> np.ndarray:
    """`squared_distances` of one image that holds both classes."""
    row_HW, column_HW = (np.square(_in_line(class_HW, axis)) for axis in (1, 0))
    squared_HW = np.empty_like(row_HW)
    width = max(1, _TILE // len(class_HW))
    for start in range(0, class_HW.shape[1], width):
        tile = np.s_[:, start : start + width]
        squared_HW[tile] = _lowest(np.ascontiguousarray(row_HW[tile]), column_HW[tile])
        if squared_HW[tile].max() >= _FAR**2:
            # Rare once a network has learnt anything, and then a transform for each class is no slower.
            inside_HW, outside_HW = (np.asarray(ndimage.distance_transform_edt(side_HW)) for side_HW in (class_HW, ~class_HW))
            return np.square(inside_HW + outside_HW)
    return squared_HW


def _in_line(class_HW: np.ndarray, axis: int) -> np.ndarray:
    """Distance to the nearest pixel of the other class along one axis, at most _FAR; uint16.

    Pixels beside a border have 1; each doubling of the step carries that twice as far. What comes from across the border is larger than
    what comes from the own side, and never chosen.
    """
    line_HW = np.full(class_HW.shape, _FAR, np.uint16)
    before, after = _pair(line_HW, axis, 1)
    border = np.where(np.not_equal(*_pair(class_HW, axis, 1)), np.uint16(1), np.uint16(_FAR))
    np.minimum(before, border, out=before)
    np.minimum(after, border, out=after)
    step = 1
    while step < min(_FAR, class_HW.shape[axis]):
        before, after = _pair(line_HW, axis, step)
        np.minimum(after, before + np.uint16(step), out=after)
        np.minimum(before, after + np.uint16(step), out=before)
        step *= 2
    return line_HW


def _lowest(row_HW: np.ndarray, column_HW: np.ndarray) -> np.ndarray:
    """min over k of k^2 + row^2(y + k, x), and column^2(y, x); _FAR^2 stands for what was not found. The arguments are squares."""
    lowest_HW = np.minimum(row_HW, column_HW)
    shifted_HW = np.empty_like(row_HW)
    largest, step = int(lowest_HW.max()), 1
    while step < len(row_HW) and step**2 < largest and not (step > _PATIENCE and largest == _FAR**2):
        shifted, square = shifted_HW[step:], np.uint16(step**2)
        for target, source in (lowest_HW[step:], row_HW[:-step]), (lowest_HW[:-step], row_HW[step:]):
            np.add(source, square, out=shifted)
            np.minimum(target, shifted, out=target)
        if step % 4 == 0:
            largest = int(lowest_HW.max())
        step += 1
    return lowest_HW


def _pair(array_HW: np.ndarray, axis: int, step: int) -> tuple[np.ndarray, np.ndarray]:
    """Two views of an array, the second `step` further along the axis than the first."""
    if axis == 0:
        return array_HW[:-step], array_HW[step:]
    return array_HW[:, :-step], array_HW[:, step:]
