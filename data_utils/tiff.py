"""Whole stacks of grey sections, in and out of one TIFF file."""

import contextlib
from pathlib import Path

import numpy as np

from data_utils.errors import DataError
from data_utils.tiff_file import OpenTiff
from data_utils.tiff_writer import SectionWriter


def read_tiff(path: Path, *, max_bytes: int = 64 * 2**30) -> np.ndarray:
    """Reads a grey TIFF stack, one page a section, after checking that all of it is there.

    Reads classic and BigTIFF of either byte order, strips and tiles, every compression that imagecodecs knows, and stacks
    with a single page entry for contiguous sections (ImageJ, beyond 4 GiB). Values are returned as
    stored, turned over where the file says that 0 is white.

    Args:
        path: the file.
        max_bytes: a larger decoded stack is refused from the header.

    Returns:
        Array [Z, H, W] in the machine's byte order, of the file's own type (bool for 1-bit pages).

    Raises:
        DataError: the file is missing, empty, not TIFF, truncated or damaged; pages differ, or are not grey; the header
            promises more than `max_bytes` or 10,000 times the file's size.
    """
    with contextlib.closing(OpenTiff(path, max_bytes=max_bytes)) as tiff:
        stack_ZHW = empty_stack(tiff.path, (tiff.num_sections, *tiff.shape_HW), tiff.dtype)
        for section in range(tiff.num_sections):
            stack_ZHW[section] = tiff.read(section)
    return stack_ZHW


def empty_stack(path: Path, shape_ZHW: tuple[int, int, int], dtype: np.dtype) -> np.ndarray:
    """Returns an array for a stack that was checked; DataError names `path` where memory does not suffice."""
    try:
        return np.empty(shape_ZHW, dtype=dtype)
    except MemoryError as error:
        raise DataError(f"{path}: the decoded stack does not fit into memory ({error}): crop it, or use a larger machine") from error


def write_tiff(path: Path, array_ZHW: np.ndarray, *, voxel_size_nm: tuple[float, float, float] | None = None) -> None:
    """Writes a stack [Z, H, W] that ImageJ and read_tiff open; bool is written as 0 and 255. The file appears whole or not at all.

    Args:
        path: the file; its folder must exist, an older file is replaced.
        array_ZHW: bool, or any integer or float type (ImageJ knows uint8, uint16 and float32; others are plain TIFF).
        voxel_size_nm: distance of voxels along z, y and x in nm, kept in ImageJ's own fields.

    Raises:
        DataError: not three axes, an empty axis, sections 1 px wide, or a type TIFF cannot hold.
    """
    array_ZHW = array_ZHW.astype(np.uint8) * np.uint8(255) if array_ZHW.dtype == bool else array_ZHW
    with SectionWriter(path, array_ZHW.shape, array_ZHW.dtype, voxel_size_nm=voxel_size_nm) as writer:
        for section_HW in array_ZHW:
            writer.write(section_HW)
