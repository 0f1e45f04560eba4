"""A stack written section by section opens everywhere with its shape, its voxel size and its pixels; or it is not there at all."""

import json
import os
import subprocess
import sys
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_utils import tiff_writer
from data_utils.errors import DataError
from data_utils.sections import open_sections
from data_utils.tiff import read_tiff
from data_utils.tiff_writer import SectionWriter

SIZE_NM = (50.0, 4.0, 5.0)
DTYPES = ("uint8", "uint16", "uint32", "float32")


def stack_of(dtype: str, shape: tuple[int, int, int] = (4, 9, 14)) -> np.ndarray:
    return (np.random.default_rng(0).random(shape) * 200).astype(dtype)


def write(path: Path, array_ZHW: np.ndarray, **options: object) -> Path:
    with SectionWriter(path, array_ZHW.shape, array_ZHW.dtype, **options) as writer:  # pyright: ignore[reportArgumentType]
        for section_HW in array_ZHW:
            writer.write(section_HW)
    return path


@pytest.mark.parametrize("shape", [(4, 9, 14), (1, 9, 14), (3, 1, 2), (1, 1, 5), (3, 16, 3), (4, 4, 4)])
@pytest.mark.parametrize("big", [None, True])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_reader_finds_shape_pixels_and_voxel_size(dtype: str, big: bool | None, shape, tmp_path: Path) -> None:
    array_ZHW = stack_of(dtype, shape)
    path = write(tmp_path / "stack.tif", array_ZHW, big=big, voxel_size_nm=SIZE_NM, description={"model": "best"})
    assert np.array_equal(read_tiff(path), array_ZHW)
    assert read_tiff(path).dtype == dtype
    with open_sections(path) as sections:
        assert (sections.shape_ZHW, sections.voxel_size_nm) == (shape, SIZE_NM)
    with tifffile.TiffFile(path) as tif:
        assert tif.is_bigtiff == bool(big)
        assert tif.is_imagej == (dtype != "uint32" and not big)
        assert len(tif.pages) == shape[0]
        (series,) = tif.series
        assert np.squeeze(series.asarray()).shape == np.squeeze(array_ZHW).shape
        assert np.array_equal(series.asarray().reshape(shape), array_ZHW)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("dtype", ["float32", "uint32"])
def test_the_description_is_kept(dtype: str, tmp_path: Path) -> None:
    told = {"threshold": 0.37, "model": "best.safetensors", "of": ["dice", "b\N{LATIN SMALL LETTER E WITH ACUTE}ta"]}
    path = write(tmp_path / "stack.tif", stack_of(dtype), description=told, voxel_size_nm=SIZE_NM)
    with tifffile.TiffFile(path) as tif:
        if dtype == "float32":
            assert tif.imagej_metadata is not None
            assert json.loads(tif.imagej_metadata["Info"]) == told
            assert tif.imagej_metadata["slices"] == 4
        else:
            assert json.loads(tif.pages.first.description) == {
                "axes": "ZYX",
                "shape": [4, 9, 14],
                "info": told,
                "voxel_size_nm": list(SIZE_NM),
            }
            assert tif.pages.first.resolution == (1e7 / 5.0, 1e7 / 4.0)
            assert tif.pages.first.resolutionunit == tifffile.RESUNIT.CENTIMETER


def test_what_does_not_fit_into_classic_tiff_becomes_big_tiff(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tiff_writer, "_CLASSIC_BYTES", 300_000)
    large, small = stack_of("float32", (4, 128, 128)), stack_of("float32", (2, 64, 64))
    for array_ZHW, big in ((large, True), (small, False)):
        path = write(tmp_path / "stack.tif", array_ZHW, voxel_size_nm=SIZE_NM)
        with tifffile.TiffFile(path) as tif:
            assert tif.is_bigtiff == big
        assert np.array_equal(read_tiff(path), array_ZHW)
    with pytest.raises(DataError, match="more than the 4 GiB of a classic TIFF: leave `big` out"):
        write(tmp_path / "stack.tif", large, big=False)


def test_many_pages_fit_into_the_room_kept_for_them(tmp_path: Path) -> None:
    """The margin below 4 GiB is an estimate: what one page takes beside its pixels must be less."""
    array_ZHW = np.zeros((2000, 2, 2), np.uint8)
    path = write(tmp_path / "stack.tif", array_ZHW, voxel_size_nm=SIZE_NM, description={"a": "b" * 1000})
    assert path.stat().st_size < array_ZHW.nbytes + tiff_writer._ENTRY_BYTES * (2000 + 256)


def test_memory_holds_one_section(tmp_path: Path) -> None:
    section_HW = np.zeros((512, 512), np.float32)
    tracemalloc.start()
    try:
        with SectionWriter(tmp_path / "stack.tif", (40, 512, 512), np.float32) as writer:
            for _ in range(40):
                writer.write(section_HW)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 2 * section_HW.nbytes


def test_nothing_is_there_until_all_is_there(tmp_path: Path) -> None:
    path = tmp_path / "stack.tif"
    array_ZHW = stack_of("uint8")
    with SectionWriter(path, array_ZHW.shape, array_ZHW.dtype) as writer:
        for section_HW in array_ZHW:
            assert not path.exists()
            writer.write(section_HW)
    assert path.exists()
    with pytest.raises(ValueError, match="not open for writing"):
        writer.write(array_ZHW[0])


@pytest.mark.parametrize(
    ("sections", "message"),
    [(3, "only 3 of the 4 sections announced were written"), (0, "only 0 of the 4"), (5, "all 4 sections that were announced are written")],
)
def test_another_number_of_sections_leaves_the_older_file(sections: int, message: str, tmp_path: Path) -> None:
    path = write(tmp_path / "stack.tif", stack_of("uint8"))
    with pytest.raises(ValueError, match=message), SectionWriter(path, (4, 9, 14), np.uint8) as writer:
        for _ in range(sections):
            writer.write(np.zeros((9, 14), np.uint8))
    assert np.array_equal(read_tiff(path), stack_of("uint8"))
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    ("section_HW", "met"),
    [
        (np.zeros((9, 13), np.uint8), r"uint8 \(9, 13\)"),
        (np.zeros((1, 9, 14), np.uint8), r"uint8 \(1, 9, 14\)"),
        (np.zeros((9, 14)), r"float64 \(9, 14\)"),
    ],
)
def test_another_section_than_announced_is_refused(section_HW: np.ndarray, met: str, tmp_path: Path) -> None:
    with (
        pytest.raises(ValueError, match=rf"stack\.tif, section 0: must be uint8 \(9, 14\) as was announced, got {met}"),
        SectionWriter(tmp_path / "stack.tif", (4, 9, 14), np.uint8) as writer,
    ):
        writer.write(section_HW)
    assert not list(tmp_path.iterdir())


def test_a_fault_on_the_way_is_raised_as_it_is_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), SectionWriter(tmp_path / "stack.tif", (4, 9, 14), np.uint8) as writer:
        writer.write(np.zeros((9, 14), np.uint8))
        (unfinished,) = tmp_path.iterdir()
        assert unfinished.name.startswith(".stack.tif.") and f".{os.getpid()}." in unfinished.name
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_sections_that_lie_otherwise_in_memory_are_written_right(tmp_path: Path) -> None:
    array_ZHW = stack_of("uint16")
    turned = np.asfortranarray(array_ZHW.astype(">u2"))
    with SectionWriter(tmp_path / "stack.tif", array_ZHW.shape, ">u2") as writer:
        for section_HW in turned:
            writer.write(section_HW)
    assert np.array_equal(read_tiff(tmp_path / "stack.tif"), array_ZHW)


@pytest.mark.parametrize(
    ("shape", "dtype", "size_nm", "message"),
    [
        ((4, 4), "uint8", None, r"must be \[Z, H, W\], not empty, at least 2 px wide, of numbers, got uint8 \(4, 4\)"),
        ((0, 4, 4), "uint8", None, r"got uint8 \(0, 4, 4\)"),
        ((2, 4, 1), "uint8", None, r"got uint8 \(2, 4, 1\)"),
        ((2, 4, 4), "complex64", None, r"got complex64"),
        ((2, 4, 4), "uint8", (0.0, 4.0, 4.0), r"three distances of .* nm, along z, y and x, got \(0\.0, 4\.0, 4\.0\)"),
        ((2, 4, 4), "uint8", (50.0, float("inf"), 4.0), "three distances of"),
    ],
)
def test_what_is_no_stack_is_refused(shape, dtype: str, size_nm, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message):
        SectionWriter(tmp_path / "stack.tif", shape, dtype, voxel_size_nm=size_nm)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_writer_of_this_machine_left_is_cleared_away(tmp_path: Path) -> None:
    script = (
        "import os, sys, numpy as np\nfrom pathlib import Path\nfrom data_utils.tiff_writer import SectionWriter\n"
        "with SectionWriter(Path(sys.argv[1]), (2, 8, 8), 'uint8') as writer:\n"
        "    writer.write(np.zeros((8, 8), np.uint8))\n    os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path / "stack.tif")], check=False, timeout=60)
    (orphan,) = tmp_path.iterdir()
    other_machine = tmp_path / ".stack.tif.elsewhere.1.abcdef.unfinished"
    other_machine.write_bytes(b"")
    with SectionWriter(tmp_path / "stack.tif", (1, 8, 8), "uint8") as writer:
        assert not orphan.exists() and other_machine.exists()
        with SectionWriter(tmp_path / "stack.tif", (1, 8, 8), "uint8") as second:  # a living one is left alone
            second.write(np.zeros((8, 8), np.uint8))
        writer.write(np.ones((8, 8), np.uint8))
    assert read_tiff(tmp_path / "stack.tif").max() == 1


def test_a_long_name_leaves_room_for_the_unfinished_one(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 250 + ".tif")
    with SectionWriter(path, (1, 8, 8), "uint8") as writer:
        writer.write(np.zeros((8, 8), np.uint8))
    assert path.is_file()


@pytest.mark.parametrize("size", [1e-3, 4e-9, 1e10, float("inf"), float("nan"), -1.0])
@pytest.mark.parametrize("dtype", ["uint8", "uint32"])
def test_voxel_sizes_that_no_rational_holds_are_refused(size: float, dtype: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a voxel size must be three distances of 0.0025 to 1e"):
        SectionWriter(tmp_path / "stack.tif", (1, 8, 8), dtype, voxel_size_nm=(50.0, size, 4.0))
