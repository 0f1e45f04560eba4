"""Which compressions of TIFF pages are read: those that decode into the room that the page's own header promises.

Other codecs (JPEG 2000, JPEG XL, LERC, PNG in TIFF, ...) have headers of their own inside the file and allocate what those say, gigabytes
for a file of a kilobyte; and where it is not what the page says, tifffile cuts it to size without a word. JPEG has such a header too, but
is common, so its sizes are compared before it is decoded.
"""

from pathlib import Path

import tifffile

from data_utils.errors import DataError

_JPEG = 7
_BOUNDED = {
    1: "none",
    2: "CCITT",
    3: "CCITT",
    4: "CCITT",
    5: "LZW",
    _JPEG: "JPEG",
    8: "deflate",
    32773: "PackBits",
    32946: "deflate",
    34925: "LZMA",
    50000: "zstd",
}
# Start-of-frame markers: baseline to lossless, Huffman and arithmetic; the codes between them are tables.
_FRAMES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}


def check_codec(where: str, path: Path, page: tifffile.TiffPage) -> None:
    """Raises DataError for a compression that is not read, and for a JPEG strip or tile that is larger than the page says.

    Args:
        where: file and section, for messages.
        path: the file.
        page: its page entry; its strips are known to lie inside the file.
    """
    if int(page.compression) not in _BOUNDED:
        name = getattr(page.compression, "name", page.compression)
        raise DataError(
            f"{where}: compressed by {name}, which is not read here, since its own header could ask for any amount of memory;"
            " save the stack with LZW, deflate, zstd or no compression"
        )
    if int(page.compression) != _JPEG:
        return
    height, width = page.chunks[0], page.chunks[1]
    with path.open("rb") as file:
        for number, (offset, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
            file.seek(offset)
            size = _jpeg_size(file.read(min(count, 2**16)))
            # the last strip of a page may be shorter than the others
            if size is not None and (size[0] > height or size[1] > width):
                raise DataError(
                    f"{where}: strip or tile {number} holds a JPEG of {size[0]} x {size[1]} px, where the page says {height} x {width}:"
                    " the file is damaged or hostile; save it again from its source"
                )


def _jpeg_size(head: bytes) -> tuple[int, int] | None:
    """Height and width in a JPEG's frame header; None where its first 64 KiB have none, and no decoder finds one either."""
    place = 2
    while place + 9 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker in _FRAMES:
            return int.from_bytes(head[place + 5 : place + 7], "big"), int.from_bytes(head[place + 7 : place + 9], "big")
        if marker == 0xFF:  # filling
            place += 1
        elif marker == 0x01 or 0xD0 <= marker <= 0xD8:  # markers without a length
            place += 2
        else:
            place += 2 + int.from_bytes(head[place + 2 : place + 4], "big")
    return None
