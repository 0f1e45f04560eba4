"""What is dark inside cells and is not membrane: mitochondria, vesicles, granules, endoplasmic reticulum.

Axes: H rows, W columns of one section; C cells. Lengths in px.
"""

import numpy as np
from scipy import ndimage

from data_utils.neuropil import Neuropil, smooth_field

_CYTOPLASM = 157.0


def draw_organelles(
    rng: np.random.Generator, neuropil: Neuropil, depth_index: int, cells_HW: np.ndarray, inside_HW: np.ndarray
) -> np.ndarray:
    """Grey values [H, W] of a section without its membranes.

    Args:
        rng: for what differs from section to section.
        neuropil: the cells, and what kind each is.
        depth_index: the depth of this section in `neuropil`.
        cells_HW: the cell of each pixel.
        inside_HW: distance from the inner face of the membrane, px; negative in the membrane.
    """
    dark_C, terminal_C = neuropil.kind_C < 0.1, neuropil.kind_C > 0.62
    grey_HW = _CYTOPLASM + np.where(dark_C, -26.0, 11 * neuropil.shade_C).astype(np.float32)[cells_HW]
    within_HW = np.clip(inside_HW / 3, 0, 1)
    grey_HW += within_HW * (_granules(rng, dark_C[cells_HW]) + _vesicles(rng, terminal_C[cells_HW]) + _reticulum(rng, cells_HW.shape))
    for cell in np.flatnonzero((neuropil.kind_C > 0.3) & (neuropil.radius_SC.mean(0) > 15)).tolist():
        _draw_mitochondrion(grey_HW, neuropil, depth_index, cell, cells_HW, inside_HW)
    return grey_HW


def _granules(rng: np.random.Generator, dense_HW: np.ndarray) -> np.ndarray:
    """Ribosomes and microtubules: small dark dots, many in dark cells."""
    dots_HW = (rng.uniform(size=dense_HW.shape) < np.where(dense_HW, 0.05, 0.012)).astype(np.float32)
    return -460 * ndimage.gaussian_filter(dots_HW, 1.2)


def _vesicles(rng: np.random.Generator, terminal_HW: np.ndarray) -> np.ndarray:
    """Rings some 8 px wide, crowded where a field says so, in the cells that are terminals."""
    size = [np.arange(length, dtype=float) for length in terminal_HW.shape]
    crowd_HW = smooth_field(rng, (size[0], 14.0), (size[1], 14.0)) > -0.2
    centres_HW = (rng.uniform(size=terminal_HW.shape) < 0.010) & terminal_HW & crowd_HW
    ball_HW = ndimage.gaussian_filter(centres_HW.astype(np.float32), 2.6)
    core_HW = ndimage.gaussian_filter(centres_HW.astype(np.float32), 1.4)
    return -4200 * ball_HW + 1500 * core_HW - 8 * (terminal_HW & crowd_HW)


def _reticulum(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Thin curved lines, fainter than membranes, here and there."""
    size = [np.arange(length, dtype=float) for length in shape]
    level_HW = smooth_field(rng, (size[0], 9.0), (size[1], 9.0))
    slope_HW = np.hypot(*np.gradient(level_HW)) + 1e-3
    where_HW = np.clip(smooth_field(rng, (size[0], 12.0), (size[1], 12.0)) - 0.7, 0, 1)
    return -45 * where_HW * np.exp(-0.5 * (level_HW / slope_HW / 1.1) ** 2)


def _draw_mitochondrion(
    grey_HW: np.ndarray, neuropil: Neuropil, depth_index: int, cell: int, cells_HW: np.ndarray, inside_HW: np.ndarray
) -> None:
    """A dark ellipse with an outline of its own and bright and dark stripes, a few sections long; drawn into `grey_HW`."""
    rng = np.random.default_rng(neuropil.seed_C[cell])
    middle, length = rng.uniform(neuropil.depths[0], neuropil.depths[-1]), rng.uniform(2.5, 6.0)
    extent = 1 - ((neuropil.depths[depth_index] - middle) / length) ** 2
    radius = min(0.55 * float(neuropil.radius_SC[depth_index, cell]), 20.0) * rng.uniform(0.85, 1.1) * np.sqrt(max(extent, 0))
    angle, stretch, period = rng.uniform(0, np.pi), rng.uniform(1.1, 1.6), rng.uniform(4.5, 6)
    row, column = neuropil.centre_SC2[depth_index, cell] - neuropil.warp_S2HW[depth_index].mean((1, 2))
    reach = 1.6 * radius + 4
    low, high = np.clip([[row - reach, column - reach], [row + reach, column + reach]], 0, len(grey_HW)).astype(int)
    if radius < 6 or (low >= high).any():
        return
    window = (slice(low[0], high[0]), slice(low[1], high[1]))
    rows, columns = np.ogrid[window]
    along = ((rows - row) * np.cos(angle) + (columns - column) * np.sin(angle)) / stretch
    across = ((columns - column) * np.cos(angle) - (rows - row) * np.sin(angle)) * stretch**0.5
    # never nearer to the membrane than 2 px, and never in another cell
    edge_hw = np.minimum(radius - np.hypot(along, across), np.where(cells_HW[window] == cell, inside_HW[window], -1) - 2)
    outline_hw = np.exp(-0.5 * ((edge_hw - 1.5) / 1.2) ** 2) * (edge_hw > -1)
    stripes_hw = np.sin(2 * np.pi * (across + 0.15 * along * np.sin(along / 5)) / period)
    grey_HW[window] += np.clip(edge_hw, 0, 1) * (-44 + 24 * stripes_hw) - 34 * outline_hw
