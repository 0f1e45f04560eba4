"""A stack that is quick to make and not quite easy to learn, with no part of the package in it."""

import numpy as np
from scipy.ndimage import gaussian_filter

from data_utils.folds import Split
from data_utils.stack import Stack

SPLIT = Split(train=(0, 1, 2, 3, 4, 5), calibration=(8, 9), test=(8, 9))


def small_stack(sections: int = 10, size_px: int = 96, seed: int = 0) -> Stack:
    """Zero lines of a smooth random field are membranes: dark, thin, noisy, and beside dark blobs that are none."""
    rng = np.random.default_rng(seed)
    shape = (sections, size_px, size_px)
    field_ZHW = gaussian_filter(rng.standard_normal(shape), (1.0, 6.0, 6.0))
    membrane_ZHW = np.abs(field_ZHW) < 0.15 * field_ZHW.std()
    blobs_ZHW = gaussian_filter(rng.standard_normal(shape), (0.7, 3.0, 3.0))
    grey_ZHW = 150.0 - 60.0 * gaussian_filter(membrane_ZHW.astype(float), (0.0, 1.0, 1.0)) - 40.0 * (blobs_ZHW > 1.8 * blobs_ZHW.std())
    raw_ZHW = np.clip(grey_ZHW + 25.0 * rng.standard_normal(shape), 0, 255).astype(np.uint8)
    return Stack(raw_ZHW=raw_ZHW, membrane_ZHW=membrane_ZHW, name="small", membrane_rule="zero lines of a smooth field")
