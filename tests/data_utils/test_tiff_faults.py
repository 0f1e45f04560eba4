"""Damaged, foreign and hostile TIFFs: a DataError that names the file and the section, never a wrong stack and never a crash."""

import logging
import re
import struct
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_utils.errors import DataError
from data_utils.tiff import read_tiff

from .test_tiff import KINDS, image_of

# The largest of the whole files below is 8 kB: a fixed range is enough for cuts and flips in all of them.
places = st.floats(min_value=0, max_value=1, exclude_max=True)


def test_tifffile_itself_reads_a_truncated_stack_as_fewer_pages(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    """The reason for the checks; if this fails some day, tifffile has begun to raise, and they may be simplified."""
    path = image_of("ImageJ", grey_ZHW, tmp_path / "stack.tif")
    path.write_bytes(path.read_bytes()[:3000])
    logging.getLogger("tifffile").addHandler(silence := logging.NullHandler())
    try:
        assert tifffile.imread(path).shape != grey_ZHW.shape
    finally:
        logging.getLogger("tifffile").removeHandler(silence)
    with pytest.raises(DataError, match=r"stack\.tif: truncated or damaged: only 1 pages can be read"):
        read_tiff(path)


@pytest.fixture(scope="module", params=[kind for kind in KINDS if kind not in ("zstd", "PackBits", "LZMA", "ImageJ with axes")])
def whole(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, bytes, np.ndarray]:
    """A file to damage, its bytes, and the stack in it."""
    array_ZHW = np.random.default_rng(1).integers(0, 256, (5, 20, 32), dtype=np.uint8)
    path = image_of(request.param, array_ZHW, tmp_path_factory.mktemp("whole") / "stack.tif")
    return path.with_name("damaged.tif"), path.read_bytes(), array_ZHW


@given(place=places)
@example(place=0.0)
@example(place=0.9999)
@settings(max_examples=40, deadline=None)
def test_a_file_cut_anywhere_is_never_read_as_something_else(whole: tuple[Path, bytes, np.ndarray], place: float) -> None:
    path, content, array_ZHW = whole
    path.write_bytes(content[: int(place * len(content))])
    try:
        read_ZHW = read_tiff(path)
    except DataError as error:
        assert str(path) in str(error)
    else:
        # only padding at the end was lost
        assert np.array_equal(read_ZHW, array_ZHW)


@given(place=places, flips=st.lists(st.tuples(places, st.integers(min_value=1, max_value=255)), min_size=1, max_size=3))
@settings(max_examples=40, deadline=None)
def test_flipped_bytes_are_read_or_refused_but_never_crash(whole: tuple[Path, bytes, np.ndarray], place: float, flips) -> None:
    path, content, _ = whole
    damaged = bytearray(content)
    # half of the flips go where structure is: into the first and the last 300 bytes
    for where, bits in flips:
        position = int(where * len(content)) if place < 0.5 else int(where * 600) - 300
        damaged[position] ^= bits
    path.write_bytes(damaged)
    try:
        assert read_tiff(path, max_bytes=2**24).ndim == 3
    except DataError as error:
        assert str(path) in str(error)


def corpus(write: Callable[[Path], None], message: str, name: str):
    return pytest.param(write, message, id=name)


def _two_sizes(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        for rows in (16, 16, 17):
            tif.write(np.ones((rows, 16), np.uint8), contiguous=False, metadata=None, photometric="minisblack")


def _two_types(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        for dtype in (np.uint8, np.uint16):
            tif.write(np.ones((16, 16), dtype), contiguous=False, metadata=None, photometric="minisblack")


def _fewer_pages_than_said(path: Path) -> None:
    with tifffile.TiffWriter(path) as tif:
        for description in ("ImageJ=1.54\nimages=4\nslices=4\n", None, None):
            page = np.ones((16, 16), np.uint8)
            tif.write(page, description=description, contiguous=False, metadata=None, photometric="minisblack", software=False)


def _missing_tile(path: Path) -> None:
    tifffile.imwrite(path, np.ones((2, 32, 32), np.uint8), tile=(16, 16), metadata=None, photometric="minisblack")
    with tifffile.TiffFile(path, mode="r+b") as tif:
        tif.pages[1].tags["TileByteCounts"].overwrite([256, 0, 256, 256])


def _colours(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((4, 16, 16, 3), np.uint8), photometric="rgb")


def _palette(path: Path) -> None:
    colormap = np.random.default_rng(0).integers(0, 65535, (3, 256), dtype=np.uint16)
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), photometric="palette", colormap=colormap)


def _channels(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((4, 2, 16, 16), np.uint8), imagej=True, metadata={"axes": "ZCYX"})


def _complex(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((2, 16, 16), np.complex64), photometric="minisblack")


def _hidden_behind_one_entry(path: Path) -> None:
    tifffile.imwrite(path, np.ones((6, 16, 16), np.uint8), truncate=True, photometric="minisblack")
    path.write_bytes(path.read_bytes()[: -3 * 256 + 10])


CORPUS = [
    corpus(lambda path: path.write_bytes(b""), r"the file is empty \(0 bytes\)", "0 bytes"),
    corpus(lambda path: path.write_bytes(b"II*\0"), "damaged, or no TIFF that can be read here", "magic alone"),
    corpus(lambda path: path.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(99)), "not a TIFF: it begins with .* it looks like a PNG", "PNG"),
    corpus(lambda path: path.write_bytes(b"<html>404</html>"), "not a TIFF: it begins with b'<htm'; save the stack as TIFF", "a web page"),
    corpus(lambda path: path.mkdir(), "is a folder; a TIFF stack is expected here", "a folder"),
    corpus(lambda path: None, "does not exist; a TIFF stack is expected here", "nothing there"),
    corpus(_two_sizes, r"section 2: is 17 x 16 px uint8, but section 0 is 16 x 16 px uint8: all sections of a stack", "page sizes"),
    corpus(_two_types, r"section 1: is 16 x 16 px uint16, but section 0 is 16 x 16 px uint8", "page types"),
    corpus(_fewer_pages_than_said, "says it has 4 sections, but 3 pages are in the file", "fewer pages"),
    corpus(_hidden_behind_one_entry, "truncated: says it has 6 sections, but the file holds 3 whole ones", "fewer sections"),
    corpus(_missing_tile, "section 1: 3 of 4 strips or tiles have data", "missing tile"),
    corpus(_colours, r"section 0: not a grey section \(RGB, shape \(16, 16, 3\)\): convert it to 8-bit", "RGB"),
    corpus(_palette, "section 0: has a colour palette: convert it to grey", "palette"),
    corpus(_channels, "has 2 channels: save the one that shows membranes alone", "channels"),
    corpus(_complex, "section 0: pixels of type complex64 cannot be used", "complex"),
]


@pytest.mark.parametrize(("write", "message"), CORPUS)
def test_what_cannot_be_a_stack_is_refused_with_its_reason(write: Callable[[Path], None], message: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.tif"
    write(path)
    with pytest.raises(DataError, match=message) as caught:
        read_tiff(path)
    assert str(caught.value).startswith(str(path))


def test_a_circle_of_pages_ends(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    path = image_of("by page, no description", grey_ZHW, tmp_path / "stack.tif")
    content = bytearray(path.read_bytes())
    with tifffile.TiffFile(path) as tif:
        (start,), (tags,) = struct.unpack_from("<I", content, 4), struct.unpack_from("<H", content, tif.pages[1].offset)
        struct.pack_into("<I", content, tif.pages[1].offset + 2 + 12 * tags, start)
    path.write_bytes(content)
    with pytest.raises(DataError, match="circular reference"):
        read_tiff(path)


def _bomb(path: Path, *, rows: int, columns: int, pages: int = 1, compression: int = 8) -> None:
    """A header that promises rows x columns on top of a few bytes of data."""
    data = b"x\x9c" + bytes(14)
    entries = [(256, 4, columns), (257, 4, rows), (258, 3, 8), (259, 3, compression), (262, 3, 1), (273, 4, 8), (277, 3, 1), (278, 4, rows)]
    entries.append((279, 4, len(data)))
    content = struct.pack("<2sHI", b"II", 42, 8 + len(data)) + data
    for page in range(pages):
        after = len(content) + 2 + 12 * len(entries) + 4
        content += struct.pack("<H", len(entries)) + b"".join(struct.pack("<HHII", tag, kind, 1, value) for tag, kind, value in entries)
        content += struct.pack("<I", after if page + 1 < pages else 0)
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"rows": 100_000, "columns": 100_000, "pages": 8}, r"8 x 100000 x 100000 px uint8 would take 74\.5 GiB, more than the 64\.0 GiB"),
        ({"rows": 100_000, "columns": 100_000}, "bytes cannot hold 1 x 100000 x 100000 px uint8: .* more than 10000 times is not believed"),
        ({"rows": 4_000, "columns": 4_000}, "times the file's size"),
        ({"rows": 30_000, "columns": 30_000, "compression": 1}, "times the file's size"),
        ({"rows": 300, "columns": 300, "compression": 1}, "has 16 of 90000 bytes of pixels"),
    ],
)
def test_a_bomb_is_refused_from_its_header(header: dict[str, int], message: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.tif"
    _bomb(path, **header)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read_tiff(path)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * 2**20


def test_data_that_unpack_to_more_than_the_header_says_are_cut_by_the_decoder(tmp_path: Path) -> None:
    """Deflate packs zeros 1,000 to 1: a small page with 50 MB behind it must not take 50 MB."""
    import zlib

    packed = zlib.compress(bytes(50_000_000), 9)
    path = tmp_path / "bomb.tif"
    tifffile.imwrite(path, iter([packed]), shape=(100, 100), dtype=np.uint8, compression="zlib", metadata=None, rowsperstrip=100)
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=re.escape(str(path))):
            read_tiff(path)
    finally:
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10 * 2**20


def test_the_limit_can_be_set(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    path = image_of("LZW", grey_ZHW, tmp_path / "stack.tif")
    with pytest.raises(DataError, match=r"crop the stack, or raise max_bytes"):
        read_tiff(path, max_bytes=grey_ZHW.nbytes - 1)
    assert np.array_equal(read_tiff(path, max_bytes=grey_ZHW.nbytes), grey_ZHW)


def test_what_other_threads_log_does_not_matter(grey_ZHW: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    path = image_of("tifffile's own description", grey_ZHW, tmp_path / "stack.tif")
    asarray = tifffile.TiffPage.asarray

    def noisy(page: tifffile.TiffPage, **options: object) -> np.ndarray:
        other = threading.Thread(target=lambda: logging.getLogger("tifffile").warning("another file is damaged"))
        other.start()
        other.join()
        return asarray(page, **options)

    monkeypatch.setattr(tifffile.TiffPage, "asarray", noisy)
    assert np.array_equal(read_tiff(path), grey_ZHW)


def _jpeg_of(rows: int, columns: int) -> bytes:
    import imagecodecs

    return imagecodecs.jpeg8_encode(np.full((rows, columns), 7, np.uint8))


def test_a_jpeg_that_is_larger_than_its_page_says_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    import imagecodecs

    hostile = bytearray(_jpeg_of(16, 16))
    frame = next(place for place in range(len(hostile)) if hostile[place] == 0xFF and hostile[place + 1] in (0xC0, 0xC1, 0xC2))
    hostile[frame + 5 : frame + 9] = (65_500).to_bytes(2, "big") * 2
    for name, payload in (("hostile", bytes(hostile)), ("large", _jpeg_of(32, 16))):
        path = tmp_path / f"{name}.tif"
        tifffile.imwrite(path, iter([payload]), shape=(16, 16), dtype=np.uint8, compression="jpeg", metadata=None, rowsperstrip=16)
        with pytest.raises(DataError, match=r"section 0: strip or tile 0 holds a JPEG of .* px, where the page says 16 x 16"):
            read_tiff(path)
    whole = tmp_path / "whole.tif"
    tifffile.imwrite(whole, iter([_jpeg_of(16, 16)]), shape=(16, 16), dtype=np.uint8, compression="jpeg", metadata=None, rowsperstrip=16)
    np.testing.assert_array_equal(read_tiff(whole), np.full((1, 16, 16), 7))
    assert imagecodecs.JPEG8.available


@pytest.mark.parametrize("compression", ["jpeg2000", "jpegxl", "lerc", "png"])
def test_codecs_that_ask_for_memory_of_their_own_are_refused(compression: str, tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    tifffile.imwrite(path, np.zeros((16, 16), np.uint8), compression=compression, metadata=None)
    with pytest.raises(DataError, match=r"section 0: compressed by \w+, which is not read here.*save the stack with LZW"):
        read_tiff(path)
