"""A TIFF stack written one section at a time, so that it may be larger than memory. It appears whole or not at all."""

import json
import math
import os
import platform
import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import numpy.typing as npt
import tifffile

from data_utils.errors import DataError
from data_utils.voxel_size import LEAST_NM, MOST_NM

_IMAGEJ_KINDS = ("uint8", "uint16", "float32")
# offsets in classic TIFF have 32 bits; what is not pixels takes at most this much beside them
_CLASSIC_BYTES = 2**32
_ENTRY_BYTES = 512
_PROGRAM = "unet-loss-sweeps"


class SectionWriter:
    """Writes a stack of known shape, section by section, uncompressed and contiguous.

        with SectionWriter(path, (30, 512, 512), np.float32, voxel_size_nm=(50.0, 4.0, 4.0)) as writer:
            for section_HW in sections:
                writer.write(section_HW)

    On the way out the file gets its name, replacing an older one; after an error, or with sections missing, nothing is left of it.

    Args:
        path: the file; its folder must exist.
        shape_ZHW: sections, rows, columns.
        dtype: any integer or float type; ImageJ knows uint8, uint16 and float32.
        voxel_size_nm: distance of voxels along z, y and x in nm: in ImageJ's own fields, or in the description's JSON and, per cm, in the
            resolution tags where ImageJ could not read the file.
        description: what else to keep, of JSON's types: in ImageJ's Info (Image > Show Info), or as "info" in the description's JSON.
        big: BigTIFF, which ImageJ opens through Bio-Formats alone; None: where the stack is too large for classic TIFF.

    Raises:
        DataError: not three axes, an empty axis, sections 1 px wide, or a type TIFF cannot hold; or too large for `big=False`.
    """

    def __init__(
        self,
        path: Path,
        shape_ZHW: Sequence[int],
        dtype: npt.DTypeLike,
        *,
        voxel_size_nm: tuple[float, float, float] | None = None,
        description: Mapping[str, Any] | None = None,
        big: bool | None = None,
    ) -> None:
        self.path = Path(path)
        self._dtype = np.dtype(dtype)
        self._shape_ZHW = tuple(int(size) for size in shape_ZHW)
        _check_stack(self.path, self._shape_ZHW, self._dtype)
        needed = math.prod(self._shape_ZHW) * self._dtype.itemsize + _ENTRY_BYTES * (self._shape_ZHW[0] + 256)
        if big is False and needed > _CLASSIC_BYTES:
            raise DataError(f"{path}: {needed / 2**30:.1f} GiB are more than the 4 GiB of a classic TIFF: leave `big` out, or set it")
        self._big = needed > _CLASSIC_BYTES if big is None else big
        self._options = self._header(voxel_size_nm, description)
        self._unfinished = _unfinished_name(self.path)
        self._file: BinaryIO | None = None
        self._written = 0

    def __enter__(self) -> Self:
        _remove_orphans(self.path)
        try:
            # the whole header, with room for the pixels behind it; file systems do not store what was not written yet
            where = tifffile.imwrite(self._unfinished, shape=self._shape_ZHW, dtype=self._dtype, returnoffset=True, **self._options)
            assert where is not None
            self._file = self._unfinished.open("r+b")
            self._file.seek(where[0])
        except BaseException:
            self._discard()
            raise
        return self

    def write(self, section_HW: np.ndarray) -> None:
        """Writes the next section.

        Raises:
            ValueError: the section has another shape or type than was announced, or there are more of them, or the file is not open.
        """
        if self._file is None:
            raise ValueError(f"{self.path}: not open for writing: use `with SectionWriter(...) as writer`")
        num_sections, *shape_HW = self._shape_ZHW
        if self._written == num_sections:
            raise ValueError(f"{self.path}: all {num_sections} sections that were announced are written, and here is one more")
        if list(section_HW.shape) != shape_HW or section_HW.dtype != self._dtype:
            raise ValueError(
                f"{self.path}, section {self._written}: must be {self._dtype} {tuple(shape_HW)} as was announced,"
                f" got {section_HW.dtype} {section_HW.shape}"
            )
        self._file.write(np.ascontiguousarray(section_HW, dtype=self._dtype.newbyteorder("<")).data)
        self._written += 1

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        try:
            if self._file is not None:
                self._file.close()
            if kind is None:
                if self._written < self._shape_ZHW[0]:
                    raise ValueError(f"{self.path}: only {self._written} of the {self._shape_ZHW[0]} sections announced were written")
                self._unfinished.replace(self.path)
        finally:
            self._discard()

    def _discard(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
        self._unfinished.unlink(missing_ok=True)

    def _header(self, voxel_size_nm: tuple[float, float, float] | None, description: Mapping[str, Any] | None) -> dict[str, Any]:
        imagej = self._dtype.name in _IMAGEJ_KINDS and not self._big
        metadata: dict[str, Any] = {"axes": "ZYX"}
        options: dict[str, Any] = {
            "photometric": "minisblack",
            "software": _PROGRAM,
            "byteorder": "<",
            "imagej": imagej,
            "bigtiff": self._big,
        }
        if description is not None:
            metadata |= {"Info": json.dumps(description, indent=1)} if imagej else {"info": dict(description)}
        if voxel_size_nm is not None:
            _check_voxel_size(self.path, voxel_size_nm)
            z, y, x = voxel_size_nm
            if imagej:
                metadata |= {"spacing": z, "unit": "nm"}
                options["resolution"] = (1 / x, 1 / y)
            else:
                metadata["voxel_size_nm"] = [z, y, x]
                options |= {"resolution": (1e7 / x, 1e7 / y), "resolutionunit": "CENTIMETER"}
        return options | {"metadata": metadata}


def _unfinished_name(path: Path) -> Path:
    # the machine's name, since a process number of another machine says nothing; cut, since a name of 255 bytes must have room for the rest
    return path.with_name(f".{path.name[:100]}.{platform.node()[:40]}.{os.getpid()}.{secrets.token_hex(3)}.unfinished")


def _remove_orphans(path: Path) -> None:
    """Removes what processes of this machine that were killed while they wrote this very file left of it."""
    start = f".{path.name[:100]}.{platform.node()[:40]}."
    for found in path.parent.iterdir():
        numbers = found.name.removeprefix(start).split(".")
        if found.name.startswith(start) and found.name.endswith(".unfinished") and numbers[0].isdigit() and not _is_alive(int(numbers[0])):
            found.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _check_stack(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> None:
    # tifffile drops a last axis of length 1, and would write something else
    if len(shape) != 3 or min(shape) < 1 or shape[2] < 2 or dtype.kind not in "uif":
        raise DataError(f"{path}: a stack to write must be [Z, H, W], not empty, at least 2 px wide, of numbers, got {dtype} {shape}")


def _check_voxel_size(path: Path, voxel_size_nm: tuple[float, float, float]) -> None:
    if len(voxel_size_nm) != 3 or not all(LEAST_NM <= nm <= MOST_NM for nm in voxel_size_nm):
        raise DataError(
            f"{path}: a voxel size must be three distances of {LEAST_NM:g} to {MOST_NM:g} nm, along z, y and x, got {voxel_size_nm}"
        )
