"""A smooth surface over the plane of two parameters, the others out of the way.

At each point of the plane the others, the learning rate among them, have the values that the surface likes best there: a loss's parameters
change the size of its gradients, so that each pair has a learning rate of its own, and a mean over all of them would tell of the bad ones.
"""

from dataclasses import dataclass

import numpy as np

from sweeps.search.surface import KNOWN, Surface
from sweeps.space import Choice

_OTHERS = 32


@dataclass(frozen=True, kw_only=True)
class Plane:
    """Heights over a grid: first axis y, second x, both on the unit scale."""

    at: tuple[float, ...]
    """The grid's places, the same along both axes."""
    height_YX: np.ndarray
    """More is better."""
    spread_YX: np.ndarray
    """How far each can be wrong, one standard deviation."""
    known_YX: np.ndarray
    """Where a trial is near enough to tell."""


def plane(surface: Surface, x: str, y: str, steps: int = 21) -> Plane:
    """Return the surface over the parameters `x` and `y`, which are numbers."""
    scale, at = surface.scale, np.linspace(0, 1, steps)
    others = scale.columns(scale.drawn(_OTHERS)) if len(scale.names) > 2 else np.zeros((1, len(scale.owner)))
    columns = [int(np.flatnonzero(scale.owner == scale.names.index(name))[0]) for name in (x, y)]
    assert not any(isinstance(scale.space[name], Choice) for name in (x, y))
    x_YX, y_YX = np.meshgrid(at, at)
    points_NOD = np.broadcast_to(others, (steps * steps, *others.shape)).copy()
    points_NOD[:, :, columns[0]], points_NOD[:, :, columns[1]] = x_YX.reshape(-1, 1), y_YX.reshape(-1, 1)
    height, spread = surface.over(points_NOD.reshape(-1, others.shape[1]))
    height_NO, spread_NO = height.reshape(-1, len(others)), spread.reshape(-1, len(others))
    # of what is known where anything is: the surface's mean is its guess where it knows nothing, and would pass for good there
    known_NO = spread_NO < KNOWN * surface.spread
    best_N = np.where(known_NO | ~known_NO.any(axis=1, keepdims=True), height_NO, -np.inf).argmax(axis=1)
    rows, shape = np.arange(len(best_N)), (steps, steps)
    return Plane(
        at=tuple(map(float, at)),
        height_YX=height_NO[rows, best_N].reshape(shape),
        spread_YX=spread_NO[rows, best_N].reshape(shape),
        known_YX=known_NO[rows, best_N].reshape(shape),
    )
