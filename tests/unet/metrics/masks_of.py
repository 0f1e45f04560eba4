"""Small masks that look like something, for tests: blobs, lines, noise, nothing, everything."""

import numpy as np
from hypothesis import strategies as st

SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9))
KINDS = ("noise", "sparse", "blobs", "empty", "full", "pixel")


@st.composite
def masks(draw, count: int, shapes=SHAPES) -> list[np.ndarray]:
    """`count` bool masks [H, W] of one shape."""
    shape = draw(shapes)
    return [random_mask(draw(st.sampled_from(KINDS)), shape, draw(st.integers(0, 10_000))) for _ in range(count)]


def random_mask(kind: str, shape: tuple[int, int], seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    if kind == "blobs":
        coarse = rng.random((shape[0] // 2 + 1, shape[1] // 2 + 1)) < 0.5
        return coarse.repeat(2, axis=0).repeat(2, axis=1)[: shape[0], : shape[1]]
    if kind == "pixel":
        mask = np.zeros(shape, dtype=bool)
        mask[rng.integers(shape[0]), rng.integers(shape[1])] = True
        return mask
    return rng.random(shape) < {"noise": 0.5, "sparse": 0.2, "empty": 0.0, "full": 1.0}[kind]


def picture(*rows: str) -> np.ndarray:
    """A mask from lines of text, True where there is a '#'."""
    return np.array([[letter == "#" for letter in row] for row in rows])
