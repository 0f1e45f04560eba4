"""The grey values that a network is fed: uint8, uint16 or float32, finite."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from data_utils.errors import DataError

_KEPT = ("uint8", "uint16", "float32")


def grey_dtype(stored: np.dtype) -> np.dtype:
    """The type that pixels of the type `stored` become: their own where it is one of the three, uint8 for 1-bit images, else float32."""
    return np.dtype(stored if stored.name in _KEPT else "uint8" if stored.kind == "b" else "float32")


def as_grey(array_ZHW: np.ndarray, path: Path, *, first: int = 0) -> tuple[np.ndarray, list[str]]:
    """Returns the array as uint8, uint16 or float32, and what is worth saying about it.

    Args:
        array_ZHW: sections as they are stored.
        path: where they come from, for messages.
        first: number of the first of these sections in its stack, for messages.

    Raises:
        DataError: pixels are NaN or infinite, or would be as float32; they are counted by section.
    """
    stored = array_ZHW.dtype
    if stored.kind == "f":
        _check_finite(array_ZHW, path, first)
    if stored.name in _KEPT:
        return array_ZHW, []
    if stored.kind == "b":
        return array_ZHW.astype(np.uint8), [f"{path}: sections are 1-bit images: are these labels?"]
    with np.errstate(over="ignore"):
        grey_ZHW = array_ZHW.astype(np.float32)
    _check_finite(grey_ZHW, path, first)
    return grey_ZHW, [f"{path}: {stored} pixels are kept as float32"]


def few(items: Iterable[str], most: int = 10) -> str:
    """Returns the items with commas between them, and how many more there are than `most`."""
    listed = list(items)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")


def _check_finite(array_ZHW: np.ndarray, path: Path, first: int) -> None:
    bad = {
        section: int(count) for section, section_HW in enumerate(array_ZHW, first) if (count := np.count_nonzero(~np.isfinite(section_HW)))
    }
    if bad:
        raise DataError(
            f"{path}: {sum(bad.values())} pixels are NaN or infinite, in {few(f'section {s} ({count})' for s, count in bad.items())}:"
            " replace them by grey values, or leave those sections out"
        )
