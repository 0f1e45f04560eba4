"""Cells of a section: what membranes cut apart. 4-connected, as in the ISBI 2012 challenge; H rows, W columns."""

import numpy as np
from scipy import ndimage


def label_cells(cell_HW: np.ndarray, smallest_px: int = 0) -> np.ndarray:
    """Return the number of each pixel's cell, int32 [H, W]: 1, 2, ... in raster order of their first pixels, 0 for membrane.

    Args:
        cell_HW: bool [H, W], True inside cells.
        smallest_px: components with fewer pixels become membrane.
    """
    labels_HW = np.zeros(cell_HW.shape, dtype=np.int32)
    ndimage.label(cell_HW, output=labels_HW)
    num_cells = int(labels_HW.max(initial=0))
    if smallest_px <= 1 or num_cells == 0:
        return labels_HW
    kept = np.bincount(labels_HW.reshape(-1), minlength=num_cells + 1) >= smallest_px
    kept[0] = False
    renumbered = np.where(kept, np.cumsum(kept), 0).astype(np.int32)
    return renumbered[labels_HW]


def remove_small_cells(cell_HW: np.ndarray, smallest_px: int) -> np.ndarray:
    """Return the cells, bool [H, W], without the components of fewer than `smallest_px` pixels."""
    if smallest_px <= 1:
        return cell_HW.copy()
    return label_cells(cell_HW, smallest_px) > 0
