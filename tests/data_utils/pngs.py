"""PNGs made by hand from the specification, whole or with any fault: an encoder that shares nothing with the reader."""

import struct
import zlib
from collections.abc import Iterable
from pathlib import Path

import numpy as np

GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def header(height: int, width: int, depth: int, kind: int) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0))


def png_bytes(samples_HWC: np.ndarray, *, depth: int = 8, kind: int = GREY, extra: Iterable[bytes] = ()) -> bytes:
    """A PNG of samples [H, W] or [H, W, C] of `depth` bits, without filters, with `extra` chunks before the pixels."""
    height, width = samples_HWC.shape[:2]
    flat = samples_HWC.reshape(height, -1)
    if depth < 8:
        bits = (flat[..., None] >> np.arange(depth)[::-1]) & 1
        lines = np.packbits(bits.reshape(height, -1).astype(np.uint8), axis=1)
    else:
        lines = np.ascontiguousarray(flat, dtype=f">u{depth // 8}").view(np.uint8)
    pixels = b"".join(b"\0" + line.tobytes() for line in lines)
    parts = [header(height, width, depth, kind), *extra, chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b"")]
    return SIGNATURE + b"".join(parts)


def write_png(path: Path, samples_HWC: np.ndarray, *, depth: int = 8, kind: int = GREY, extra: Iterable[bytes] = ()) -> Path:
    path.write_bytes(png_bytes(samples_HWC, depth=depth, kind=kind, extra=extra))
    return path


def palette(colours: np.ndarray) -> bytes:
    """The chunk of a palette [N, 3]."""
    return chunk(b"PLTE", np.asarray(colours, np.uint8).tobytes())
