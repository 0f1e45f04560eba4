"""One grey PNG, its header checked before anything is decoded (PNG specification, third edition, W3C 2025, sections 5 and 11).

Only the chunks that make the pixels are handed to the decoder: what else may stand in a PNG, texts and colour profiles that unpack to
any size among them, never reaches it.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_utils.errors import DataError
from data_utils.tiff_pages import MAX_RATIO

SIGNATURE = b"\x89PNG\r\n\x1a\n"
_PIXEL_CHUNKS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
_GREY, _RGB, _PALETTE, _GREY_ALPHA, _RGB_ALPHA = 0, 2, 3, 4, 6
_DEPTHS = {_GREY: (1, 2, 4, 8, 16), _RGB: (8, 16), _PALETTE: (1, 2, 4, 8), _GREY_ALPHA: (8, 16), _RGB_ALPHA: (8, 16)}
_CUT_OFF = "the file was cut off, or never written to its end; copy or download it again"
_TO_GREY = "convert it to 8-bit or 16-bit grey (ImageJ: Image > Type > 8-bit)"


@dataclass(frozen=True)
class _Header:
    width: int
    height: int
    depth: int
    kind: int


class OpenPng:
    """A grey PNG: one section. 1-bit images are bool, 2- and 4-bit ones are spread over 0 to 255, grey palettes give their grey values.

    Args:
        path: the file.
        max_section_bytes: a larger decoded section is refused from the header.

    Raises:
        DataError: not a PNG, truncated, coloured, transparent or animated; or the header promises more than `max_section_bytes`, or
            10,000 times the file's size.
    """

    num_sections = 1
    notes: tuple[str, ...] = ()
    voxel_size_nm = None  # a PNG knows pixels per metre at most, and no distance of sections

    def __init__(self, path: Path, *, max_section_bytes: float) -> None:
        self.path = Path(path)
        self._max_bytes = max_section_bytes
        self._size = self.path.stat().st_size
        with self.path.open("rb") as file:
            start = file.read(33)
        self._header = _read_header(self.path, start)
        self.shape_HW = (self._header.height, self._header.width)
        one_bit = self._header.depth == 1 and self._header.kind == _GREY
        self.dtype = np.dtype(bool if one_bit else np.uint16 if self._header.depth == 16 else np.uint8)
        self._check_size()
        _check_complete(self.path, self._size)

    def read(self, section: int) -> np.ndarray:
        """Returns the section [H, W]; DataError where the pixels are damaged, or are not what the header says."""
        if section != 0:
            raise IndexError(f"{self.path}: a PNG has section 0 alone, got {section}")
        content = self.path.read_bytes()
        if len(content) != self._size or _read_header(self.path, content[:33]) != self._header:
            raise DataError(f"{self.path}: was changed while it was being read: read it again when it is whole")
        try:
            pixels = _decode(self.path, _pixels_only(self.path, content))
        except struct.error as error:
            raise DataError(
                f"{self.path}: damaged: its parts do not lie where its header was checked: read it again when it is whole"
            ) from error
        if self._header.kind == _PALETTE:
            if pixels.ndim != 3 or (pixels != pixels[..., :1]).any():
                raise DataError(f"{self.path}: has a colour palette: {_TO_GREY}")
            pixels = np.ascontiguousarray(pixels[..., 0])
        pixels = pixels > 0 if self.dtype == bool else pixels
        if pixels.shape != self.shape_HW or pixels.dtype != self.dtype:
            raise DataError(
                f"{self.path}: damaged: decoded to {pixels.dtype} {pixels.shape}, but its header says {self.dtype} {self.shape_HW}"
            )
        return pixels

    def close(self) -> None:
        """Nothing stays open."""

    def _check_size(self) -> None:
        # a palette is decoded to its colours
        decoded = self.shape_HW[0] * self.shape_HW[1] * (3 if self._header.kind == _PALETTE else self.dtype.itemsize)
        described = f"{self.shape_HW[0]} x {self.shape_HW[1]} px {self.dtype}"
        # the file is held as well, and of a small section the headers are most of it
        if decoded > self._max_bytes or self._size > max(self._max_bytes, 2**20):
            raise DataError(
                f"{self.path}: {described} in {self._size} bytes would take {max(decoded, self._size) / 2**30:.1f} GiB, more than the"
                f" {self._max_bytes / 2**30:.1f} GiB allowed: crop the sections, or raise max_section_bytes"
            )
        if decoded > MAX_RATIO * self._size:
            raise DataError(
                f"{self.path}: {self._size} bytes cannot hold {described}: more than {MAX_RATIO} times the file's size is not believed:"
                " the header is damaged or hostile"
            )


def _read_header(path: Path, start: bytes) -> _Header:
    if len(start) < 33 or start[:8] != SIGNATURE:
        kind = "the file is empty (0 bytes)" if not start else f"not a whole PNG: it begins with {start[:8]!r} and ends soon after"
        raise DataError(f"{path}: {kind}: copy or download it again")
    length, name, width, height, depth, kind = struct.unpack(">I4sIIBB", start[8:26])
    (sum_said,) = struct.unpack(">I", start[29:33])
    if (length, name) != (13, b"IHDR") or zlib.crc32(start[12:29]) != sum_said or not 0 < width < 2**31 or not 0 < height < 2**31:
        raise DataError(f"{path}: damaged: the PNG's header does not hold together; save it again from its source")
    if depth not in _DEPTHS.get(kind, ()):
        raise DataError(f"{path}: damaged: a PNG of colour type {kind} and {depth} bits does not exist; save it again from its source")
    if kind in (_RGB, _RGB_ALPHA):
        raise DataError(f"{path}: not a grey section (RGB{'A' * (kind == _RGB_ALPHA)}, {height} x {width} px): {_TO_GREY}")
    if kind == _GREY_ALPHA:
        raise DataError(f"{path}: has an alpha channel, so its grey values depend on what is behind it: flatten it, and save it as grey")
    return _Header(width, height, depth, kind)


def _check_complete(path: Path, size: int) -> None:
    """Steps from chunk to chunk without reading them: the last must be IEND, and lie inside the file."""
    seen: set[bytes] = set()
    position = 8
    with path.open("rb") as file:
        while b"IEND" not in seen:
            file.seek(position)
            head = file.read(8)
            position += 12 + int.from_bytes(head[:4], "big")
            if len(head) < 8 or position > size:
                raise DataError(f"{path}: truncated: a part of the PNG ends at byte {position}, but the file has {size} bytes: {_CUT_OFF}")
            seen.add(head[4:])
    if b"IDAT" not in seen:
        raise DataError(f"{path}: holds no pixels (no IDAT chunk): {_CUT_OFF}")
    if b"acTL" in seen:
        raise DataError(f"{path}: an animated PNG: save each of its pictures in a file of its own")
    if b"tRNS" in seen:
        raise DataError(f"{path}: has transparent pixels, whose grey values depend on what is behind them: flatten it, and save it as grey")


def _pixels_only(path: Path, content: bytes) -> bytes:
    return SIGNATURE + b"".join(bytes(chunk) for name, chunk in _chunks(path, content) if name in _PIXEL_CHUNKS)


def _chunks(path: Path, content: bytes) -> Iterator[tuple[bytes, memoryview]]:
    view, position, name = memoryview(content), 8, b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", content, position)
        end = position + 12 + length
        (sum_said,) = struct.unpack_from(">I", content, end - 4)
        if zlib.crc32(view[position + 4 : end - 4]) != sum_said:
            raise DataError(
                f"{path}: damaged: the checksum of its {name!r} chunk at byte {position} is wrong; save it again from its source"
            )
        yield name, view[position:end]
        position = end


def _decode(path: Path, content: bytes) -> np.ndarray:
    try:
        import imagecodecs  # a machine that only trains does without
    except ImportError as error:
        raise DataError(f"{path}: PNGs are read by imagecodecs, which is not installed: pip install imagecodecs") from error
    try:
        return imagecodecs.png_decode(content)
    except MemoryError as error:
        raise DataError(f"{path}: a decoded section does not fit into memory ({error}): crop it, or use a larger machine") from error
    except Exception as error:
        # a decoder on damaged bytes may raise anything, and all of it means this
        raise DataError(f"{path}: damaged, or no PNG that can be read here: {type(error).__name__}: {str(error)[:300]}") from error
