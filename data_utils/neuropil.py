"""Where the generated cells are: soft round bodies pressed together, which drift, bend, come and go from section to section.

Axes: Z sections, H rows, W columns; lengths in pixels, depths in sections. No file, no grey value: only geometry.
"""

from dataclasses import dataclass

import numpy as np

_MEDIAN_RADIUS_PX = 16.0
_RADIUS_RANGE_PX = (6.5, 52.0)
_MARGIN_PX = 40.0
_ROUNDNESS = 0.8
_PIECE_PX = 2**14


def smooth_field(rng: np.random.Generator, *axes: tuple[np.ndarray, float]) -> np.ndarray:
    """Gaussian noise of mean 0 and variance 1, smooth along each axis.

    Args:
        rng: where the noise comes from.
        axes: for each axis its positions (any order, any spacing) and the length over which values are alike.

    Returns:
        float32 array with one axis a pair.
    """
    kernels = []
    for positions, length in axes:
        first, last = positions.min() - 3 * length, positions.max() + 3 * length
        knots = np.arange(first, last + length, length)
        kernel = np.exp(-0.5 * ((positions[:, None] - knots) / length) ** 2)
        # every position sums the squares of its weights to 1: variance 1 everywhere, at the rim too
        kernels.append(kernel / np.sqrt(np.square(kernel).sum(1, keepdims=True)))
    field = rng.standard_normal([kernel.shape[1] for kernel in kernels])
    for axis, kernel in enumerate(kernels):
        field = np.moveaxis(np.tensordot(kernel, field, (1, axis)), 0, axis)
    return field.astype(np.float32)


@dataclass(frozen=True, kw_only=True, eq=False)
class Neuropil:
    """Cells of a block of tissue: C cells, S depths at which the block can be cut."""

    depths: np.ndarray
    """Depths [S] in sections, several within the thickness of each section."""
    centre_SC2: np.ndarray
    """Row and column of each cell's centre at each depth, in px."""
    radius_SC: np.ndarray
    """Radius of each cell at each depth, in px."""
    shape_C3: np.ndarray
    """Each cell's own metric: the entries rr, rc and cc of a symmetric matrix of determinant 1."""
    warp_S2HW: np.ndarray
    """Displacement of rows and columns at each depth, in px."""
    kind_C: np.ndarray
    """A number in [0, 1) for each cell that decides what is in it."""
    shade_C: np.ndarray
    """How much brighter than others each cell's cytoplasm is, -1 to 1."""
    seed_C: np.ndarray
    """A seed for each cell, for what must be the same in all its sections."""

    def cells_at(self, depth_index: int) -> np.ndarray:
        """Index of the cell that each pixel belongs to, [H, W].

        A pixel belongs to the cell with the smallest (d^2 - r^2) r^e, d its distance in the cell's metric. With e = 0 this is
        the power diagram, whose edges are straight; with e > 0 big cells stay round and small ones fill the gaps between them.
        It is quadratic in the pixel's place: one matrix product for all pixels and cells.
        """
        height, width = self.warp_S2HW.shape[2:]
        rows, columns = np.mgrid[0:height, 0:width].astype(np.float32) + self.warp_S2HW[depth_index]
        # in units of the block and about its middle, because float32 has to hold squares
        scale = np.float32(max(height, width))
        y, x = (rows.ravel() - height / 2) / scale, (columns.ravel() - width / 2) / scale
        monomials = np.stack((y * y, y * x, x * x, y, x, np.ones_like(y)), axis=1)
        cy, cx = (self.centre_SC2[depth_index] - np.array([height / 2, width / 2])).T / scale
        radius = self.radius_SC[depth_index] / scale
        rr, rc, cc = self.shape_C3.T
        coefficients = np.stack(
            (rr, 2 * rc, cc, -2 * (rr * cy + rc * cx), -2 * (rc * cy + cc * cx), rr * cy * cy + 2 * rc * cy * cx + cc * cx * cx)
        )
        coefficients[5] -= radius**2
        coefficients *= (radius / radius.mean()) ** _ROUNDNESS
        coefficients = coefficients.astype(np.float32)
        # in pieces, because all pixels times all cells is a third of a gigabyte for a section of 512 x 512 px
        pieces = np.array_split(monomials, max(1, len(monomials) // _PIECE_PX))
        return np.concatenate([(piece @ coefficients).argmin(axis=1) for piece in pieces]).reshape(height, width)


def grow_neuropil(rng: np.random.Generator, depths: np.ndarray, size_px: int) -> Neuropil:
    """Places cells of many sizes in a block of size_px x size_px, and lets them drift and change with depth."""
    start_C2, radius_C = _pack(rng, size_px)
    num_cells = len(radius_C)
    cells = np.arange(num_cells, dtype=float)
    # neighbours run together, each with a wander of its own
    flow_C2 = np.stack([smooth_field(rng, (start_C2[:, axis], 60.0)) for axis in (0, 1)], axis=1)
    travel_SC2 = (depths - depths.mean())[:, None, None] * (2.6 * flow_C2 + 1.3 * rng.standard_normal((num_cells, 2)))
    wander_SC2 = np.stack([smooth_field(rng, (depths, 2.5), (cells, 0.3)) for _ in range(2)], axis=-1)
    swelling_SC = smooth_field(rng, (depths, 4.0), (cells, 0.3))
    rows, columns = np.arange(size_px, dtype=float), np.arange(size_px, dtype=float)
    warp_S2HW = np.stack(
        [
            4.5 * smooth_field(rng, (depths, 3.0), (rows, 16.0), (columns, 16.0))
            + 1.4 * smooth_field(rng, (depths, 1.2), (rows, 5.0), (columns, 5.0))
            for _ in range(2)
        ],
        axis=1,
    )
    return Neuropil(
        depths=depths,
        centre_SC2=start_C2 + travel_SC2 + 4.0 * wander_SC2,
        radius_SC=radius_C * np.exp(0.18 * swelling_SC),
        shape_C3=_shapes(rng, num_cells),
        warp_S2HW=warp_S2HW,
        kind_C=rng.uniform(size=num_cells),
        shade_C=rng.uniform(-1, 1, num_cells),
        seed_C=rng.integers(2**32, size=num_cells),
    )


def _shapes(rng: np.random.Generator, num_cells: int) -> np.ndarray:
    """Metrics [C, 3] in which the cells are circles: stretched, most of them along one direction of the block."""
    stretch = np.exp(0.35 * rng.standard_normal(num_cells))
    angle = rng.normal(0.6, 0.7, num_cells)
    cos, sin = np.cos(angle), np.sin(angle)
    return np.stack((cos**2 * stretch + sin**2 / stretch, cos * sin * (stretch - 1 / stretch), sin**2 * stretch + cos**2 / stretch), axis=1)


def _pack(rng: np.random.Generator, size_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Centres [C, 2] and radii [C] of circles that hardly overlap, the biggest placed first, until the block is full."""
    side = size_px + 2 * _MARGIN_PX
    radii: list[float] = []
    # in a small block one cell could be all there is to see
    smallest, largest = _RADIUS_RANGE_PX[0], min(_RADIUS_RANGE_PX[1], 0.45 * size_px)
    while sum(np.pi * radius**2 for radius in radii) < 0.92 * side**2:
        radii.append(float(np.clip(_MEDIAN_RADIUS_PX * np.exp(0.7 * rng.standard_normal()), smallest, largest)))
    radius_C = np.sort(radii)[::-1]
    centre_C2 = np.empty((len(radius_C), 2))
    for cell, radius in enumerate(radius_C):
        candidates = rng.uniform(-_MARGIN_PX, size_px + _MARGIN_PX, (40, 2))
        if cell:
            distance = np.linalg.norm(candidates[:, None] - centre_C2[:cell], axis=-1)
            room = (distance - radius_C[:cell]).min(axis=1) - radius
            centre_C2[cell] = candidates[room.argmax() if room.max() < 0 else np.flatnonzero(room >= 0)[0]]
        else:
            centre_C2[cell] = candidates[0]
    return centre_C2, radius_C
