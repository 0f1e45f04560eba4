"""A PNG is read as the specification says, or refused with a reason before anything of its size is allocated."""

import builtins
import re
import struct
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from data_utils.errors import DataError
from data_utils.png import OpenPng

from .pngs import GREY_ALPHA, PALETTE, RGB, RGB_ALPHA, SIGNATURE, chunk, header, palette, png_bytes, write_png


def read(path: Path, max_section_bytes: int = 2**24) -> np.ndarray:
    return OpenPng(path, max_section_bytes=max_section_bytes).read(0)


@pytest.mark.parametrize(("depth", "factor"), [(1, 1), (2, 85), (4, 17), (8, 1), (16, 1)])
@pytest.mark.parametrize("size", [(1, 1), (5, 7), (33, 16)])
def test_every_grey_depth_is_read(depth: int, factor: int, size: tuple[int, int], tmp_path: Path) -> None:
    samples_HW = np.random.default_rng(depth).integers(0, 2**depth, size)
    section_HW = read(write_png(tmp_path / "section.png", samples_HW, depth=depth))
    assert section_HW.dtype == {1: bool, 16: np.uint16}.get(depth, np.uint8)
    assert section_HW.dtype.isnative
    # sections 13.12: fewer bits are spread over 0 to 255
    assert np.array_equal(section_HW, samples_HW * factor)


def test_a_grey_palette_gives_its_grey_values(tmp_path: Path) -> None:
    greys = np.array([200, 0, 17, 255])
    samples_HW = np.random.default_rng(0).integers(0, 4, (6, 9))
    for depth in (2, 4, 8):
        path = write_png(tmp_path / "section.png", samples_HW, depth=depth, kind=PALETTE, extra=[palette(np.tile(greys[:, None], 3))])
        section_HW = read(path)
        assert section_HW.dtype == np.uint8
        assert np.array_equal(section_HW, greys[samples_HW])


@pytest.mark.parametrize("size", [(9, 13), (1, 1), (8, 8), (3, 20)])
def test_interlaced_sections_are_put_together(size: tuple[int, int], tmp_path: Path) -> None:
    samples_HW = np.random.default_rng(0).integers(0, 256, size, dtype=np.uint8)
    # section 8.2, Adam7: first row, first column, and the distances of rows and columns of each pass
    passes = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]
    parts = [samples_HW[row::rows, column::columns] for row, column, rows, columns in passes]
    lines = b"".join(b"\0" + line.tobytes() for part_HW in parts if part_HW.size for line in part_HW)
    head = chunk(b"IHDR", struct.pack(">IIBBBBB", size[1], size[0], 8, 0, 0, 0, 1))
    (tmp_path / "section.png").write_bytes(SIGNATURE + head + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))
    assert np.array_equal(read(tmp_path / "section.png"), samples_HW)


def test_texts_and_profiles_never_reach_the_decoder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A text of 20 kB that unpacks to 20 MB, a colour profile and a gamma: the pixels are the file's own."""
    import imagecodecs

    bomb = chunk(b"zTXt", b"Comment\0\0" + zlib.compress(bytes(20_000_000), 9))
    profile = chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(1000)))
    gamma = chunk(b"gAMA", struct.pack(">I", 20_000))
    samples_HW = np.arange(12).reshape(3, 4)
    path = write_png(tmp_path / "section.png", samples_HW, extra=[gamma, profile, bomb])
    handed: list[bytes] = []
    decode = imagecodecs.png_decode
    monkeypatch.setattr(imagecodecs, "png_decode", lambda content: handed.append(content) or decode(content))
    assert np.array_equal(read(path), samples_HW)
    assert handed == [png_bytes(samples_HW)]


GOOD = png_bytes(np.arange(64).reshape(8, 8))
SMALL = np.zeros((4, 4, 1), int)
CORPUS = {
    "0 bytes": (b"", r"the file is empty \(0 bytes\)"),
    "signature alone": (SIGNATURE, "not a whole PNG: it begins with"),
    "RGB": (png_bytes(np.zeros((4, 5, 3), int), kind=RGB), r"not a grey section \(RGB, 4 x 5 px\): convert it to 8-bit or 16-bit grey"),
    "16-bit RGB": (png_bytes(np.zeros((4, 5, 3), int), kind=RGB, depth=16), r"not a grey section \(RGB, "),
    "RGBA": (png_bytes(np.zeros((4, 5, 4), int), kind=RGB_ALPHA), r"not a grey section \(RGBA, 4 x 5 px\)"),
    "grey with alpha": (png_bytes(np.zeros((4, 5, 2), int), kind=GREY_ALPHA), "has an alpha channel.*flatten it"),
    "transparent grey": (png_bytes(SMALL, extra=[chunk(b"tRNS", b"\0\1")]), "has transparent pixels.*flatten it"),
    "colour palette": (png_bytes(SMALL, kind=PALETTE, extra=[palette(np.array([[255, 0, 0]]))]), "has a colour palette: convert it"),
    "no palette": (png_bytes(SMALL, kind=PALETTE), "damaged, or no PNG"),
    "animated": (png_bytes(SMALL, extra=[chunk(b"acTL", bytes(8))]), "an animated PNG: save each of its pictures"),
    "unheard-of depth": (SIGNATURE + header(4, 4, 3, 0), "a PNG of colour type 0 and 3 bits does not exist"),
    "unheard-of colours": (SIGNATURE + header(4, 4, 8, 9), "a PNG of colour type 9 and 8 bits does not exist"),
    "no rows": (SIGNATURE + header(0, 4, 8, 0), "the PNG's header does not hold together"),
    "header's checksum": (GOOD[:30] + b"\0" + GOOD[31:], "the PNG's header does not hold together"),
    "pixels' checksum": (GOOD[:60] + bytes([GOOD[60] ^ 1]) + GOOD[61:], r"the checksum of its b'IDAT' chunk at byte 33 is wrong"),
    "no end": (GOOD[:-12], r"truncated: a part of the PNG ends at byte \d+, but the file has \d+ bytes: the file was cut off"),
    "half the pixels": (GOOD[:60], "truncated: a part of the PNG ends at byte"),
    "no pixels": (SIGNATURE + header(4, 4, 8, 0) + chunk(b"IEND", b""), "holds no pixels"),
    "too few lines": (SIGNATURE + header(9, 8, 8, 0) + GOOD[33:], "damaged, or no PNG that can be read here"),
}


@pytest.mark.parametrize("fault", CORPUS)
def test_what_is_no_grey_section_is_refused_with_its_reason(fault: str, tmp_path: Path) -> None:
    content, message = CORPUS[fault]
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(caught.value).startswith(str(path))


places = st.floats(min_value=0, max_value=1, exclude_max=True)


@given(place=places)
@example(place=0.0)
@example(place=0.9999)
@settings(max_examples=60, deadline=None)
def test_a_file_cut_anywhere_is_refused(tmp_path_factory, place: float) -> None:
    path = tmp_path_factory.mktemp("cut") / "section.png"
    path.write_bytes(GOOD[: int(place * len(GOOD))])
    with pytest.raises(DataError, match=re.escape(str(path))):
        read(path)


@given(flips=st.lists(st.tuples(places, st.integers(min_value=1, max_value=255)), min_size=1, max_size=3, unique_by=lambda flip: flip[0]))
@settings(max_examples=100, deadline=None)
def test_flipped_bytes_are_refused_or_lie_where_no_pixel_is_made(tmp_path_factory, flips: list[tuple[float, int]]) -> None:
    path = tmp_path_factory.mktemp("flipped") / "section.png"
    damaged = bytearray(GOOD)
    for where, bits in flips:
        damaged[int(where * len(damaged))] ^= bits
    path.write_bytes(damaged)
    try:
        assert np.array_equal(read(path), np.arange(64).reshape(8, 8))
    except DataError as error:
        assert str(path) in str(error)


@pytest.mark.parametrize(
    ("rows", "columns", "message"),
    [
        (100_000, 100_000, r"100000 x 100000 px uint8 in \d+ bytes would take 9\.3 GiB, more than the 8\.0 GiB allowed: crop the sections"),
        (50_000, 50_000, "bytes cannot hold 50000 x 50000 px uint8: more than 10000 times the file's size is not believed"),
        (2_000, 2_000, "bytes cannot hold 2000 x 2000 px uint8"),
        (2**31, 1, "the PNG's header does not hold together"),
    ],
)
def test_a_bomb_is_refused_from_its_header(rows: int, columns: int, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(SIGNATURE + header(rows, columns, 8, 0) + GOOD[33:])
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=message):
            read(path, max_section_bytes=8 * 2**30)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


def test_a_file_that_grew_since_its_header_was_checked_is_refused(tmp_path: Path) -> None:
    opened = OpenPng(write_png(tmp_path / "section.png", np.zeros((4, 4), int)), max_section_bytes=2**20)
    write_png(tmp_path / "section.png", np.zeros((400, 400), int))
    with pytest.raises(DataError, match="was changed while it was being read"):
        opened.read(0)


def test_the_decoder_that_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write_png(tmp_path / "section.png", np.zeros((4, 4), int))
    found = builtins.__import__

    def without(name: str, *rest: object, **options: object) -> object:
        if name == "imagecodecs":
            raise ImportError(name)
        return found(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(DataError, match="PNGs are read by imagecodecs, which is not installed: pip install imagecodecs"):
        read(path)
