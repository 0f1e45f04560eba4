"""Small PNG files: one byte a pixel, with a palette of at most 256 colours (PNG specification, third edition, sections 5 and 11)."""

import base64
import struct
import zlib

import numpy as np


def to_png(indices_HW: np.ndarray, palette_K3: np.ndarray) -> bytes:
    """Return a paletted PNG.

    `indices_HW` is uint8 [H, W], `palette_K3` uint8 [K, 3] with K <= 256; an index of K or more is refused with ValueError.
    """
    if indices_HW.ndim != 2 or indices_HW.size == 0:
        raise ValueError(f"a picture has two axes and at least one pixel; got shape {indices_HW.shape}")
    if int(indices_HW.max()) >= len(palette_K3):
        raise ValueError(f"index {int(indices_HW.max())} in a palette of {len(palette_K3)} colours")
    height, width = indices_HW.shape
    lines = np.zeros((height, width + 1), np.uint8)  # each line begins with its filter: 0, none, which suits a palette
    lines[:, 1:] = indices_HW
    header = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"PLTE", palette_K3.astype(np.uint8).tobytes()),
        (b"IDAT", zlib.compress(lines.tobytes(), 9)),
        (b"IEND", b""),
    )
    body = b"".join(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)
    return b"\x89PNG\r\n\x1a\n" + body


def data_uri(payload: bytes, kind: str) -> str:
    """Return the payload as a data: address."""
    return f"data:{kind};base64,{base64.b64encode(payload).decode()}"
