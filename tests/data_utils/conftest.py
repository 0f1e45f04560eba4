"""Stacks that several tests of this folder look at."""

import numpy as np
import pytest

from data_utils.stack import Stack
from data_utils.synthetic import make_synthetic


@pytest.fixture(scope="session")
def default_stack() -> Stack:
    """The embedded data set, made once: 20 sections of 256 x 256 px."""
    return make_synthetic()


@pytest.fixture
def grey_ZHW() -> np.ndarray:
    """Six sections of noise, not square, no two alike."""
    return np.random.default_rng(0).integers(0, 256, (6, 24, 32), dtype=np.uint8)
