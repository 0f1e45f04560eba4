"""Sections that users have: read right, one at a time, or refused with a reason that names the file."""

import re
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_utils.errors import DataError
from data_utils.sections import open_sections
from data_utils.tiff import write_tiff

from .pngs import GREY_ALPHA, PALETTE, RGB, SIGNATURE, chunk, header, palette, write_png
from .test_tiff import KINDS, image_of
from .test_tiff_faults import CORPUS

FACTORS = {"uint8": 1, "uint16": 257, "float32": 1.5}
NO_PAGE_ENTRIES = [kind for kind in KINDS if kind.startswith("one entry")]


def kept_in_one_file(kind: str) -> Callable[[Path, np.ndarray], Path]:
    return lambda folder, array_ZHW: image_of(kind, array_ZHW, folder / "stack.tif")


def tiff_folder(kind: str, per_file: int = 1) -> Callable[[Path, np.ndarray], Path]:
    def write(folder: Path, array_ZHW: np.ndarray) -> Path:
        for start in range(0, len(array_ZHW), per_file):
            # ten before two, were it not for natural order; the ending is in capitals as often as not
            image_of(kind, array_ZHW[start : start + per_file], folder / f"s{start + 8}.TIF")
        return folder

    return write


def png_folder(folder: Path, array_ZHW: np.ndarray) -> Path:
    for number, section_HW in enumerate(array_ZHW):
        write_png(folder / f"section_{number + 8}.png", section_HW, depth=8 * array_ZHW.itemsize)
    return folder


WAYS = (
    {f"one file, {kind}": kept_in_one_file(kind) for kind in KINDS}
    | {f"a folder, {kind}": tiff_folder(kind) for kind in KINDS if kind not in NO_PAGE_ENTRIES}
    | {
        f"a folder of stacks, {kind}": tiff_folder(kind, per_file=4)
        for kind in ("ImageJ", "OME", "big-endian", "one entry for all sections")
    }
    | {"a folder of PNGs": png_folder}
)


@pytest.mark.parametrize(
    ("way", "dtype"), [(way, dtype) for way in WAYS for dtype in FACTORS if (way, dtype) != ("a folder of PNGs", "float32")]
)
def test_every_way_to_keep_sections_is_read(way: str, dtype: str, grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    array_ZHW = grey_ZHW.astype(dtype) * np.dtype(dtype).type(FACTORS[dtype])
    with open_sections(WAYS[way](tmp_path, array_ZHW)) as sections:
        assert (sections.shape_ZHW, len(sections), sections.dtype, sections.stored_dtype) == ((6, 24, 32), 6, dtype, dtype)
        assert [section_HW.dtype.isnative for section_HW in sections] == [True] * 6
        assert np.array_equal(np.stack(list(sections)), array_ZHW)
        # in any order, and more than once
        for number in (5, 0, 4, 4, 2):
            assert np.array_equal(sections.read(number), array_ZHW[number])
        assert np.array_equal(sections.read_all(), array_ZHW)
        for number in (-1, 6):
            with pytest.raises(IndexError, match=f"has sections 0 to 5, got {number}"):
                sections.read(number)


def test_a_single_section_is_a_stack_of_one(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    write_png(tmp_path / "section.png", grey_ZHW[0])
    tifffile.imwrite(tmp_path / "section.tif", grey_ZHW[0], photometric="minisblack")
    for name in ("section.png", "section.tif"):
        with open_sections(tmp_path / name) as sections:
            assert (sections.name, sections.files) == ("section", [tmp_path / name])
            assert np.array_equal(sections.read_all(), grey_ZHW[:1])


def test_the_kind_is_told_by_the_content_not_by_the_name(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    write_png(tmp_path / "really_a_png.tif", grey_ZHW[0])
    write_tiff(tmp_path / "no_ending", grey_ZHW[:1])
    for name in ("really_a_png.tif", "no_ending"):
        with open_sections(tmp_path / name) as sections:
            assert np.array_equal(sections.read(0), grey_ZHW[0])


@pytest.mark.parametrize(
    ("stored", "given"),
    [("bool", "uint8"), ("int16", "float32"), ("uint32", "float32"), ("float64", "float32"), ("float16", "float32")],
)
def test_other_types_become_grey(stored: str, given: str, grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    array_ZHW = (grey_ZHW > 99) if stored == "bool" else grey_ZHW.astype(stored)
    tifffile.imwrite(tmp_path / "stack.tif", array_ZHW, photometric="minisblack")
    with open_sections(tmp_path / "stack.tif") as sections:
        assert (sections.stored_dtype, sections.dtype) == (stored, given)
        assert sections.read(3).dtype == given
        assert np.array_equal(sections.read(3), array_ZHW[3])
        assert sections.read_stored(3).dtype == stored


def test_pixels_that_are_not_numbers_are_refused_with_their_section(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    raw_ZHW = grey_ZHW.astype(np.float32)
    raw_ZHW[4, :2, 0] = np.nan
    write_tiff(tmp_path / "stack.tif", raw_ZHW)
    with open_sections(tmp_path / "stack.tif") as sections:
        assert np.array_equal(sections.read(3), raw_ZHW[3])
        with pytest.raises(DataError, match=r"stack\.tif: 2 pixels are NaN or infinite, in section 4 \(2\): replace them"):
            sections.read(4)


@pytest.mark.parametrize(
    ("write", "message"), [parameters for parameters in CORPUS if parameters.id not in ("PNG", "a folder", "nothing there")]
)
@pytest.mark.parametrize("alone", [True, False])
def test_faulty_tiffs_are_refused_by_name(
    write: Callable[[Path], None], message: str, alone: bool, grey_ZHW: np.ndarray, tmp_path: Path
) -> None:
    tifffile.imwrite(tmp_path / "00.tif", grey_ZHW[0, :16, :16], photometric="minisblack")
    write(tmp_path / "01.tif")
    with pytest.raises(DataError, match=message) as caught, open_sections(tmp_path / "01.tif" if alone else tmp_path):
        pass
    assert str(caught.value).startswith(str(tmp_path / "01.tif"))


def _other_size(path: Path) -> None:
    write_png(path, np.zeros((24, 31), int))


def _other_depth(path: Path) -> None:
    write_png(path, np.zeros((24, 32), int), depth=16)


def _coloured(path: Path) -> None:
    write_png(path, np.zeros((24, 32, 3), int), kind=RGB)


def _transparent(path: Path) -> None:
    write_png(path, np.zeros((24, 32, 2), int), kind=GREY_ALPHA)


def _colour_palette(path: Path) -> None:
    write_png(path, np.zeros((24, 32), int), kind=PALETTE, extra=[palette(np.array([[9, 8, 7]]))])


def _truncated(path: Path) -> None:
    write_png(path, np.zeros((24, 32), int))
    path.write_bytes(path.read_bytes()[:-20])


def _renamed(path: Path) -> None:
    path.write_bytes(b"\xff\xd8\xff\xe0" + bytes(90))


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (_other_size, r"is 24 x 31 px uint8, but section_8\.png is 24 x 32 px uint8: all sections of a stack must be alike; crop"),
        (_other_depth, r"is 24 x 32 px uint16, but section_8\.png is 24 x 32 px uint8"),
        (_coloured, r"not a grey section \(RGB, 24 x 32 px\)"),
        (_transparent, "has an alpha channel"),
        (_colour_palette, "has a colour palette"),
        (_truncated, "truncated: a part of the PNG ends at byte"),
        (_renamed, r"not a TIFF: it begins with .*, it looks like a JPEG"),
        (lambda path: path.write_bytes(b""), r"the file is empty \(0 bytes\)"),
    ],
)
def test_one_faulty_section_in_a_folder_is_named(write: Callable[[Path], None], message: str, grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    png_folder(tmp_path, grey_ZHW)
    write(tmp_path / "section_11.png")
    with pytest.raises(DataError, match=message) as caught, open_sections(tmp_path) as sections:
        list(sections)
    assert str(caught.value).startswith(str(tmp_path / "section_11.png"))


def test_a_folder_is_read_in_natural_order_and_without_what_is_no_section(tmp_path: Path) -> None:
    names = ["a2_1.png", "a2_02.png", "a2_10.png", "A3_1.png", "a10_0.png", "b.png"]
    for number, name in enumerate(names):
        write_png(tmp_path / name, np.full((4, 4), number))
    (tmp_path / "Thumbs.db").write_bytes(b"x")
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "._a2_1.png").write_bytes(b"what macOS leaves on other people's disks")
    (tmp_path / "more.png").mkdir()
    with open_sections(tmp_path) as sections:
        assert [file.name for file in sections.files] == names
        assert [int(section_HW[0, 0]) for section_HW in sections] == list(range(6))
        assert sections.name == tmp_path.name


@pytest.mark.parametrize(
    ("names", "message"),
    [
        ([], "holds no PNG and no TIFF, but no file: sections are read from"),
        (["a.jpg", "b.jpg", ".hidden.png"], r"holds no PNG and no TIFF, but a\.jpg, b\.jpg: sections are read from \.png, \.tif or \.tiff"),
        (["a.png", "b.png", "c.tif"], "holds 2 PNGs and 1 TIFFs: which are the sections"),
    ],
)
def test_a_folder_without_sections_is_refused(names: list[str], message: str, tmp_path: Path) -> None:
    for name in names:
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(DataError, match=re.escape(str(tmp_path)) + ": " + message), open_sections(tmp_path):
        pass


def test_what_is_not_there_is_said(tmp_path: Path) -> None:
    with (
        pytest.raises(DataError, match="nowhere: does not exist; a TIFF stack, a PNG or a folder of them"),
        open_sections(tmp_path / "nowhere"),
    ):
        pass


def test_a_file_that_changed_since_its_header_was_checked_is_refused(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    tiff_folder("ImageJ")(tmp_path, grey_ZHW)
    with open_sections(tmp_path) as sections:
        image_of("ImageJ", grey_ZHW[:1, :5], tmp_path / "s9.TIF")
        with pytest.raises(DataError, match=r"s9\.TIF: was changed while it was being read"):
            sections.read(1)
        assert np.array_equal(sections.read(2), grey_ZHW[2])


def test_sections_and_stacks_beyond_the_limits_are_refused_from_their_headers(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    png_folder(tmp_path, grey_ZHW)
    stack = image_of("LZW", grey_ZHW, tmp_path.parent / f"{tmp_path.name}.tif")
    message = r"more than the 0\.0 GiB allowed: crop the sections, or raise max_section_bytes"
    for path in (tmp_path, stack):
        with pytest.raises(DataError, match=message), open_sections(path, max_section_bytes=24 * 32 - 1):
            pass
        with open_sections(path, max_section_bytes=24 * 32) as sections:
            with pytest.raises(DataError, match=r"6 x 24 x 32 px uint8 would take .* crop the stack, or raise max_bytes"):
                sections.read_all(max_bytes=grey_ZHW.nbytes - 1)
            assert np.array_equal(sections.read_all(max_bytes=grey_ZHW.nbytes), grey_ZHW)


def test_a_bomb_in_a_folder_is_refused_before_a_pixel_is_decoded(tmp_path: Path) -> None:
    write_png(tmp_path / "0.png", np.zeros((4, 4), int))
    (tmp_path / "1.png").write_bytes(SIGNATURE + header(60_000, 60_000, 8, 0) + chunk(b"IDAT", bytes(99)) + chunk(b"IEND", b""))
    tracemalloc.start()
    try:
        with pytest.raises(DataError, match=r"1\.png: .* is not believed"), open_sections(tmp_path):
            pass
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2**20


@pytest.mark.parametrize("kind", ["strips", "strips, deflate", "tiles", "one entry for all sections"])
def test_memory_holds_one_section_of_many(kind: str, tmp_path: Path) -> None:
    array_ZHW = np.random.default_rng(0).integers(0, 256, (40, 256, 256), dtype=np.uint8)
    path = image_of(kind, array_ZHW, tmp_path / "stack.tif")
    tracemalloc.start()
    try:
        with open_sections(path) as sections:
            total = sum(int(section_HW.sum()) for section_HW in sections)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert total == array_ZHW.sum()
    assert peak < array_ZHW.nbytes / 2
