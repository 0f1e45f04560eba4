"""One TIFF, open: its header checked before anything is decoded, its sections read one at a time.

tifffile reads a truncated stack as one page, or fills missing strips with zeros, and only logs it. Here pages are counted
against what the file says of itself, every strip must lie inside the file, and whatever tifffile logs is an error.
"""

import contextlib
import logging
import math
import re
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import tifffile

from data_utils.errors import DataError
from data_utils.tiff_pages import plan_decoding
from data_utils.voxel_size import VoxelSize, voxel_size_of

# classic and BigTIFF, of either byte order
_MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_LOOKS_LIKE = {
    b"\x89PNG": "a PNG",
    b"\xff\xd8\xff": "a JPEG",
    b"PK\x03\x04": "a zip archive",
    b"\x1f\x8b": "gzip",
    b"\x89HDF": "an HDF5 file",
}


class OpenTiff:
    """A grey TIFF stack whose header agrees with itself and with the file's size. For one thread at a time; close it.

    Args:
        path: the file.
        max_bytes: a larger decoded stack is refused from the header.
        max_section_bytes: so is a larger section.

    Raises:
        DataError: as read_tiff, for all that can be told without decoding.
    """

    def __init__(self, path: Path, *, max_bytes: float = math.inf, max_section_bytes: float = math.inf) -> None:
        self.path = Path(path)
        _check_magic(self.path)
        with _faults(self.path) as complaints:
            self._tif = tifffile.TiffFile(self.path)
            try:
                self._plan = plan_decoding(self.path, self._tif, complaints, max_bytes=max_bytes, max_section_bytes=max_section_bytes)
                self.voxel_size_nm: VoxelSize | None = voxel_size_of(self._tif)
            except BaseException:
                self._tif.close()
                raise
        self.num_sections = self._plan.num_sections
        self.shape_HW = self._plan.shape_ZHW[1:]
        self.dtype = self._plan.dtype
        turned = [section for section, page in enumerate(self._plan.pages) if _white_is_zero(page)]
        self.notes = [f"{self.path}: white is 0 in this file: its values were turned over, so that 0 is black"] if turned else []

    def read(self, section: int) -> np.ndarray:
        """Returns a section [H, W] as it is stored, in the machine's byte order; turned over where the file says that 0 is white."""
        with _faults(self.path):
            has_entry = section < len(self._plan.pages)
            page = self._plan.pages[section if has_entry else 0]
            # one thread: complaints are told apart by thread
            section_HW = page.asarray(maxworkers=1) if has_entry else self._without_entry(section)
            if _white_is_zero(page):
                section_HW = ~section_HW if self.dtype.kind == "b" else self.dtype.type(2**page.bitspersample - 1) - section_HW
            return section_HW

    def _without_entry(self, section: int) -> np.ndarray:
        first = self._plan.pages[0]
        with self.path.open("rb") as file:
            file.seek(first.dataoffsets[0] + section * self._plan.section_bytes)
            stored = self.dtype.newbyteorder("<" if first.parent.byteorder == "<" else ">")
            flat = np.fromfile(file, dtype=stored, count=math.prod(self.shape_HW))
        return flat.reshape(self.shape_HW).astype(self.dtype, copy=False)

    def close(self) -> None:
        """Closes the file."""
        self._tif.close()


def _white_is_zero(page: tifffile.TiffPage) -> bool:
    """Whether 0 is to be seen as white; says nothing for floats and signed numbers, which have no whitest value."""
    return page.photometric == tifffile.PHOTOMETRIC.MINISWHITE and page.dtype is not None and page.dtype.kind in "bu"


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
def _faults(path: Path) -> Iterator[list[str]]:
    """Makes a DataError of whatever is raised or logged inside."""
    with _complaints() as complaints:
        try:
            yield complaints
        except DataError:
            raise
        except MemoryError as error:
            raise DataError(f"{path}: a decoded section does not fit into memory ({error}): crop it, or use a larger machine") from error
        except Exception as error:
            # a decoder on damaged bytes may raise anything, and all of it means this
            raise DataError(f"{path}: damaged, or no TIFF that can be read here: {type(error).__name__}: {str(error)[:300]}") from error
        if complaints:
            raise DataError(f"{path}: damaged: {complaints[0]}; save the stack again from its source")


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
