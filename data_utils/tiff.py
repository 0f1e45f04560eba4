"""Stacks of grey sections in TIFF files: every check before anything is decoded, so that no fault passes silently.

tifffile reads a truncated stack as one page, or fills missing strips with zeros, and only logs it. Here pages are counted
against what the file says of itself, every strip must lie inside the file, and whatever tifffile logs is an error.
"""

import contextlib
import logging
import math
import os
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from data_utils.errors import DataError
from data_utils.tiff_pages import Plan, plan_decoding

_IMAGEJ_KINDS = ("uint8", "uint16", "float32")
# classic and BigTIFF, of either byte order
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LOOKS_LIKE = {
    b"\x89PNG": "a PNG",
    b"\xff\xd8\xff": "a JPEG",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"\x89HDF": "an HDF5 file",
}


def read_tiff(path: Path, *, max_bytes: int = 64 * 2**30) -> np.ndarray:
    """Reads a grey TIFF stack, one page a section, after checking that all of it is there.

    Reads classic and BigTIFF of either byte order, strips and tiles, every compression that imagecodecs knows, and stacks
    with a single page entry for contiguous sections (ImageJ, beyond 4 GiB). Values are returned as stored.

    Args:
        path: the file.
        max_bytes: a larger decoded stack is refused from the header.

    Returns:
        Array [Z, H, W] in the machine's byte order, of the file's own type (bool for 1-bit pages).

    Raises:
        DataError: the file is missing, empty, not TIFF, truncated or damaged; pages differ, or are not grey; the header
            promises more than `max_bytes` or 10,000 times the file's size.
    """
    path = Path(path)
    _check_magic(path)
    with _complaints() as complaints:
        try:
            with tifffile.TiffFile(path) as tif:
                stack_ZHW = _decode(path, plan_decoding(path, tif, complaints, max_bytes=max_bytes))
        except DataError:
            raise
        except MemoryError as error:
            raise DataError(f"{path}: the decoded stack does not fit into memory ({error}): crop it, or use a larger machine") from error
        except Exception as error:
            # a decoder on damaged bytes may raise anything, and all of it means this
            raise DataError(f"{path}: damaged, or no TIFF that can be read here: {type(error).__name__}: {str(error)[:300]}") from error
        if complaints:
            raise DataError(f"{path}: damaged: {complaints[0]}; save the stack again from its source")
    return stack_ZHW


def write_tiff(path: Path, array_ZHW: np.ndarray, *, voxel_size_nm: tuple[float, float, float] | None = None) -> None:
    """Writes a stack [Z, H, W] that ImageJ and read_tiff open; bool is written as 0 and 255. The file appears whole or not at all.

    Args:
        path: the file; its folder must exist, an older file is replaced.
        array_ZHW: bool, or any integer or float type (ImageJ knows uint8, uint16 and float32; others are plain TIFF).
        voxel_size_nm: distance of voxels along z, y and x in nm, kept in ImageJ's own fields.

    Raises:
        DataError: not three axes, an empty axis, sections 1 px wide, or a type TIFF cannot hold.
    """
    path = Path(path)
    # tifffile drops a last axis of length 1, and would write something else
    if array_ZHW.ndim != 3 or 0 in array_ZHW.shape or array_ZHW.shape[2] < 2 or array_ZHW.dtype.kind not in "buif":
        raise DataError(
            f"{path}: a stack to write must be [Z, H, W], not empty, at least 2 px wide, of numbers,"
            f" got {array_ZHW.dtype} {array_ZHW.shape}"
        )
    array_ZHW = array_ZHW.astype(np.uint8) * np.uint8(255) if array_ZHW.dtype == bool else array_ZHW
    options: dict = {"metadata": {"axes": "ZYX"}, "photometric": "minisblack", "imagej": array_ZHW.dtype.name in _IMAGEJ_KINDS}
    if voxel_size_nm is not None:
        options["metadata"] |= {"spacing": voxel_size_nm[0], "unit": "nm"}
        options["resolution"] = (1 / voxel_size_nm[2], 1 / voxel_size_nm[1])
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
    try:
        tifffile.imwrite(unfinished, array_ZHW, **options)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _check_magic(path: Path) -> None:
    if not path.is_file():
        kind = "is a folder" if path.is_dir() else "does not exist"
        raise DataError(f"{path}: {kind}; a TIFF stack is expected here")
    with path.open("rb") as file:
        head = file.read(16)
    if not head:
        raise DataError(f"{path}: the file is empty (0 bytes): copy or download it again")
    if head[:4] not in _MAGIC:
        looks = next((f", it looks like {kind}" for start, kind in _LOOKS_LIKE.items() if head.startswith(start)), "")
        raise DataError(f"{path}: not a TIFF: it begins with {head[:4]!r}{looks}; save the stack as TIFF")


@contextlib.contextmanager
def _complaints() -> Iterator[list[str]]:
    """Collects what tifffile logs in this thread at warning level or above: it logs damage instead of raising."""
    heard: list[str] = []
    thread = threading.get_ident()

    def listen(record: logging.LogRecord) -> bool:
        if record.thread != thread or record.levelno < logging.WARNING:
            return True
        heard.append(re.sub(r"^<[^>]*> ", "", record.getMessage())[:300])
        return False  # it becomes part of our own message, and must not stand on the terminal a second time

    logger = logging.getLogger("tifffile")
    logger.addFilter(listen)
    try:
        yield heard
    finally:
        logger.removeFilter(listen)


def _decode(path: Path, plan: Plan) -> np.ndarray:
    first = plan.pages[0]
    if len(plan.pages) < plan.num_sections:
        with path.open("rb") as file:
            file.seek(first.dataoffsets[0])
            stored = plan.dtype.newbyteorder("<" if first.parent.byteorder == "<" else ">")
            flat = np.fromfile(file, dtype=stored, count=math.prod(plan.shape_ZHW))
        return flat.reshape(plan.shape_ZHW).astype(plan.dtype, copy=False)
    stack_ZHW = np.empty(plan.shape_ZHW, dtype=plan.dtype)
    for section, page in enumerate(plan.pages):
        # one thread: complaints are told apart by thread
        stack_ZHW[section] = page.asarray(maxworkers=1)
    return stack_ZHW
