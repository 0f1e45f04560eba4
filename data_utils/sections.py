"""Sections one at a time, whatever they are kept in: a TIFF stack, a PNG, or a folder of either.

    with open_sections(path) as sections:
        for section_HW in sections: ...

Every header is checked before the first pixel is decoded, and memory holds one section, however many there are.
"""

import bisect
import contextlib
import itertools
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from data_utils.errors import DataError
from data_utils.grey import as_grey, grey_dtype
from data_utils.png import SIGNATURE, OpenPng
from data_utils.section_files import section_files
from data_utils.tiff import empty_stack
from data_utils.tiff_file import OpenTiff
from data_utils.voxel_size import VoxelSize

_MAX_SECTION_BYTES = 8 * 2**30


class SectionReader:
    """Sections whose headers were checked. Made by open_sections; for one thread at a time.

    Attributes:
        path: what was opened.
        name: its name without an ending.
        files: the files in order; one, or those of the folder.
        shape_ZHW: sections, rows, columns.
        stored_dtype: type of the pixels in the files, bool for 1-bit images.
        dtype: type of what `read` returns: uint8, uint16 or float32.
        voxel_size_nm: distance of voxels along z, y and x where the first file says so, else None.
        notes: what is worth showing about the first file.
    """

    def __init__(self, path: Path, files: list[Path], *, max_section_bytes: float) -> None:
        self.path, self.files = path, files
        self.name = path.resolve().name if path.is_dir() else path.stem
        self._max_section_bytes = max_section_bytes
        self._opened: OpenTiff | OpenPng | None = None
        try:
            first = self._open(files[0])
            self._ends = list(itertools.accumulate(self._counts(first)))
        except BaseException:
            self.close()
            raise
        self.shape_ZHW = (self._ends[-1], *first.shape_HW)
        self.stored_dtype, self.dtype = first.dtype, grey_dtype(first.dtype)
        self.voxel_size_nm: VoxelSize | None = first.voxel_size_nm
        self.notes = list(first.notes)

    def __len__(self) -> int:
        return self.shape_ZHW[0]

    def __iter__(self) -> Iterator[np.ndarray]:
        return map(self.read, range(len(self)))

    def read(self, section: int) -> np.ndarray:
        """Returns a section [H, W] as uint8, uint16 or float32, finite.

        Raises:
            DataError: its pixels are damaged, NaN or infinite.
        """
        grey_1HW, _ = as_grey(self.read_stored(section)[None], self.path, first=section)
        return grey_1HW[0]

    def read_stored(self, section: int) -> np.ndarray:
        """Returns a section [H, W] as it is stored, in the machine's byte order.

        Raises:
            DataError: its pixels are damaged.
        """
        if not 0 <= section < len(self):
            raise IndexError(f"{self.path}: has sections 0 to {len(self) - 1}, got {section}")
        number = bisect.bisect_right(self._ends, section)
        file = self.files[number]
        opened = self._opened if self._opened is not None and self._opened.path == file else self._open(file)
        if (opened.shape_HW, opened.dtype, opened.num_sections) != (self.shape_ZHW[1:], self.stored_dtype, self._count(number)):
            raise DataError(f"{file}: was changed while it was being read: read it again when it is whole")
        return opened.read(section - (self._ends[number] - self._count(number)))

    def read_all(self, *, max_bytes: int = 64 * 2**30) -> np.ndarray:
        """Returns all sections [Z, H, W] as they are stored.

        Raises:
            DataError: they would take more than `max_bytes`, or than there is memory; or pixels are damaged.
        """
        needed = np.prod(self.shape_ZHW, dtype=object) * self.stored_dtype.itemsize
        if needed > max_bytes:
            raise DataError(
                f"{self.path}: {len(self)} x {_px(self.shape_ZHW[1:], self.stored_dtype)} would take {needed / 2**30:.1f} GiB,"
                f" more than the {max_bytes / 2**30:.1f} GiB allowed: crop the stack, or raise max_bytes"
            )
        stack_ZHW = empty_stack(self.path, self.shape_ZHW, self.stored_dtype)
        for section in range(len(self)):
            stack_ZHW[section] = self.read_stored(section)
        return stack_ZHW

    def close(self) -> None:
        """Closes the file that is open."""
        if self._opened is not None:
            self._opened.close()

    def _counts(self, first: OpenTiff | OpenPng) -> Iterator[int]:
        """The number of sections in each file, once it is known to be like the first."""
        yield first.num_sections
        for file in self.files[1:]:
            opened = self._open(file)
            if (opened.shape_HW, opened.dtype) != (first.shape_HW, first.dtype):
                raise DataError(
                    f"{file}: is {_px(opened.shape_HW, opened.dtype)}, but {self.files[0].name} is"
                    f" {_px(first.shape_HW, first.dtype)}: all sections of a stack must be alike; crop or convert them"
                )
            yield opened.num_sections

    def _open(self, path: Path) -> OpenTiff | OpenPng:
        """Opens a file of the stack, and closes the one before: a folder may hold more files than may be open."""
        self.close()
        opener = OpenPng if _is_png(path) else OpenTiff
        self._opened = opener(path, max_section_bytes=self._max_section_bytes)
        return self._opened

    def _count(self, number: int) -> int:
        return self._ends[number] - (self._ends[number - 1] if number else 0)


@contextlib.contextmanager
def open_sections(path: Path, *, max_section_bytes: float = _MAX_SECTION_BYTES) -> Iterator[SectionReader]:
    """Opens a TIFF stack, a PNG, or a folder of one or the other, in natural order (section2 before section10).

    Args:
        path: the file or folder. A folder's files whose names do not end in .png, .tif or .tiff, and hidden ones, are left out.
        max_section_bytes: a larger decoded section is refused from its header.

    Raises:
        DataError: nothing there to read; a file is not grey, damaged, or not like the others (it is named).
    """
    path = Path(path)
    reader = SectionReader(path, section_files(path), max_section_bytes=max_section_bytes)
    try:
        yield reader
    finally:
        reader.close()


def _is_png(path: Path) -> bool:
    if not path.is_file():
        raise DataError(f"{path}: does not exist; a TIFF stack, a PNG or a folder of them is expected here")
    with path.open("rb") as file:
        return file.read(8) == SIGNATURE


def _px(shape_HW: tuple[int, ...], dtype: np.dtype) -> str:
    return f"{' x '.join(str(size) for size in shape_HW)} px {dtype}"
