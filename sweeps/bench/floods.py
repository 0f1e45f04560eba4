"""The watersheds that V_rand and V_info are measured with: ours, and scikit-image's in the ways it can be called.

Where a pixel of membrane lies equally near to two basins, the order of a queue decides. Ours goes in raster order. scikit-image's, given a
binary image, leaves the order of equal seeds to its heap; given the raster order as grey values it settles every tie as ours does.
"""

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from unet.metrics.basins import flood_section
from unet.metrics.challenge import Flood


def binary_flood(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """The usual call: the binary image, its 4-connected components as markers, and lines between basins."""
    markers_HW, num_cells = _components(cell_HW)
    return watershed(~cell_HW, markers_HW, connectivity=1, watershed_line=True), num_cells


def raster_flood(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """The same watershed with the cells numbered through in raster order in place of all equal."""
    markers_HW, num_cells = _components(cell_HW)
    order_HW = np.where(cell_HW, np.arange(cell_HW.size).reshape(cell_HW.shape), cell_HW.size)
    return watershed(order_HW, markers_HW, connectivity=1, watershed_line=True), num_cells


def turned_flood(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    """The usual call on the section turned by half a turn: other ties, nothing else."""
    basin_HW, num_cells = binary_flood(cell_HW[::-1, ::-1])
    return basin_HW[::-1, ::-1], num_cells


def _components(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    markers_HW = np.zeros(cell_HW.shape, dtype=np.int32)
    ndimage.label(cell_HW, output=markers_HW)
    return markers_HW, int(markers_HW.max())


OURS, BINARY, RASTER, TURNED = "ours", "scikit-image", "scikit-image, raster", "scikit-image, turned"
FLOODS: dict[str, Flood] = {OURS: flood_section, BINARY: binary_flood, RASTER: raster_flood, TURNED: turned_flood}
