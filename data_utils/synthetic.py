"""A generated stack that looks like neuropil in serial-section TEM: the embedded default, with exact labels.

Cells of many sizes drift along z; membranes vary in width and contrast and are smeared where they run obliquely through a
section; mitochondria, vesicles, granules and endoplasmic reticulum are dark too, and are not membrane. No threshold on grey
values finds the membranes.
"""

import numpy as np
from scipy import ndimage

from data_utils.errors import DataError
from data_utils.neuropil import Neuropil, grow_neuropil, smooth_field
from data_utils.organelles import draw_organelles
from data_utils.stack import Stack

# Depths within a section, in sections, and how much of each is seen: a micrograph shows the whole thickness at once.
_CUTS = {-0.35: 0.28, 0.0: 0.44, 0.35: 0.28}
_MIDDLE = len(_CUTS) // 2
_MIN_SIZE_PX = 32
_MIN_PIECE_PX = 20


def make_synthetic(*, sections: int = 20, size_px: int = 256, seed: int = 0) -> Stack:
    """Generates a stack of sections x size_px x size_px, uint8, with its membranes; the same arguments give the same stack.

    Raises:
        DataError: no section, sections smaller than 32 px, or a negative seed.
    """
    if sections < 1 or size_px < _MIN_SIZE_PX or seed < 0:
        raise DataError(
            f"synthetic: `sections >= 1`, `size_px >= {_MIN_SIZE_PX}` and `seed >= 0` must hold, got {sections=}, {size_px=}, {seed=}"
        )
    rng = np.random.default_rng(seed)
    depths = (np.arange(sections)[:, None] + np.array(list(_CUTS))).ravel()
    neuropil = grow_neuropil(rng, depths, size_px)
    axes = [(np.arange(size, dtype=float), length) for size, length in ((sections, 2.0), (size_px, 18.0), (size_px, 18.0))]
    half_width_ZHW = 1.9 * np.exp(0.28 * smooth_field(rng, *axes))
    contrast_ZHW = 88 * np.exp(0.28 * smooth_field(rng, *axes))
    # synapses and membranes cut flat: dark clouds a few sections deep
    cloud_ZHW = np.clip(smooth_field(rng, *axes) - 1.5, 0, 1)
    raw_ZHW = np.empty((sections, size_px, size_px), np.uint8)
    membrane_ZHW = np.empty(raw_ZHW.shape, bool)
    for section in range(sections):
        cells_HW, depth_HW, density_HW, membrane_HW = _cut(neuropil, section, half_width_ZHW[section])
        tissue_HW = draw_organelles(rng, neuropil, section * len(_CUTS) + _MIDDLE, cells_HW, depth_HW - half_width_ZHW[section])
        near_HW = cloud_ZHW[section] * np.exp(-0.5 * (depth_HW / 6) ** 2)
        raw_ZHW[section] = _expose(rng, tissue_HW - contrast_ZHW[section] * np.maximum(density_HW, 0.9 * near_HW))
        membrane_ZHW[section] = _fill_slivers(membrane_HW | (near_HW > 0.5))
    share = membrane_ZHW.mean()
    return Stack(
        raw_ZHW=raw_ZHW,
        membrane_ZHW=membrane_ZHW,
        name="synthetic",
        membrane_rule=f"generated with the sections: membrane is {100 * share:.2f}% of pixels",
    )


def _cut(neuropil: Neuropil, section: int, half_width_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """One section: cells, depth inside the cell (px), membrane density in [0, 1] over the thickness, and the membrane mask."""
    cells_SHW = [neuropil.cells_at(section * len(_CUTS) + cut) for cut in range(len(_CUTS))]
    depth_SHW = [_distance_to_edge(cells_HW) for cells_HW in cells_SHW]
    density_SHW = np.clip(half_width_HW + 0.5 - np.stack(depth_SHW), 0, 1)
    density_HW = np.tensordot(np.array(list(_CUTS.values()), np.float32), density_SHW, 1)
    # whoever marks membranes by hand draws an unbroken line, a little wide, and fills what is dark through most of the thickness
    marked_SHW = [depth_HW < half_width_HW + 0.5 for depth_HW in depth_SHW]
    membrane_HW = marked_SHW[_MIDDLE] | (np.sum(marked_SHW, axis=0) > len(_CUTS) / 2)
    return cells_SHW[_MIDDLE], depth_SHW[_MIDDLE], density_HW, membrane_HW


def _distance_to_edge(cells_HW: np.ndarray) -> np.ndarray:
    edge_HW = np.zeros(cells_HW.shape, bool)
    edge_HW[1:] |= cells_HW[1:] != cells_HW[:-1]
    edge_HW[:, 1:] |= cells_HW[:, 1:] != cells_HW[:, :-1]
    if not edge_HW.any():
        return np.full(cells_HW.shape, np.float32(max(cells_HW.shape)))
    return np.asarray(ndimage.distance_transform_edt(~edge_HW), dtype=np.float32)


def _fill_slivers(membrane_HW: np.ndarray) -> np.ndarray:
    """Membrane with the specks of cell filled that nobody would outline."""
    pieces_HW = np.empty(membrane_HW.shape, np.int32)
    ndimage.label(~membrane_HW, output=pieces_HW)
    return membrane_HW | (np.bincount(pieces_HW.ravel()) < _MIN_PIECE_PX)[pieces_HW]


def _expose(rng: np.random.Generator, tissue_HW: np.ndarray) -> np.ndarray:
    """The micrograph of a section: uneven brightness, blur, correlated noise, 8 bits."""
    size = np.arange(len(tissue_HW), dtype=float)
    uneven_HW = 7 * smooth_field(rng, (size, 70.0), (size, 70.0))
    noise_HW = ndimage.gaussian_filter(rng.standard_normal(tissue_HW.shape), 1.1) * 3.9
    coarse_HW = ndimage.gaussian_filter(rng.standard_normal(tissue_HW.shape), 3.0) * 10.6
    seen_HW = ndimage.gaussian_filter(tissue_HW, 0.8) * rng.normal(1.0, 0.03) + uneven_HW + 17.5 * noise_HW + 7 * coarse_HW
    return np.clip(np.rint(seen_HW), 0, 255).astype(np.uint8)
