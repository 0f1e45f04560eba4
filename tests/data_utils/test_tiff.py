"""Every kind of TIFF that holds a stack of grey sections is read as it was written."""

from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from data_utils.errors import DataError
from data_utils.tiff import read_tiff, write_tiff

DTYPES = ("bool", "uint8", "uint16", "int16", "uint32", "int32", "float32", "float64")
KINDS = {
    "by page, no description": {"metadata": None},
    "tifffile's own description": {},
    "ImageJ": {"imagej": True},
    "ImageJ with axes": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "OME": {"ome": True},
    "big-endian": {"byteorder": ">"},
    "BigTIFF": {"bigtiff": True},
    "big-endian BigTIFF": {"bigtiff": True, "byteorder": ">"},
    "LZW": {"compression": "lzw"},
    "deflate with a predictor": {"compression": "zlib", "predictor": True},
    "LZMA": {"compression": "lzma"},
    "zstd": {"compression": "zstd"},
    "PackBits": {"compression": "packbits"},
    "strips": {"rowsperstrip": 5},
    "strips, deflate": {"rowsperstrip": 5, "compression": "zlib"},
    "tiles": {"tile": (16, 16)},
    "tiles, LZW, big-endian": {"tile": (16, 16), "compression": "lzw", "byteorder": ">"},
    "one entry for all sections": {"truncate": True},
    "one entry for all sections, ImageJ": {"truncate": True, "imagej": True},
}


def image_of(kind: str, array_ZHW: np.ndarray, path: Path) -> Path:
    tifffile.imwrite(path, array_ZHW, **({"photometric": "minisblack"} | KINDS[kind]))
    return path


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_every_kind_of_file_is_read(kind: str, dtype: str, grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    array_ZHW = (grey_ZHW * (1.5 if dtype == "float32" else 1)).astype(dtype)
    read_ZHW = read_tiff(image_of(kind, array_ZHW, tmp_path / "stack.tif"))
    assert read_ZHW.dtype == np.dtype(dtype)
    assert read_ZHW.dtype.isnative
    assert np.array_equal(read_ZHW, array_ZHW)


def test_jpeg_is_read_as_nearly_as_jpeg_keeps_it(tmp_path: Path) -> None:
    smooth_ZHW = np.broadcast_to(np.linspace(20, 230, 64).astype(np.uint8), (3, 48, 64))
    tifffile.imwrite(tmp_path / "stack.tif", smooth_ZHW, compression="jpeg", photometric="minisblack")
    assert np.abs(read_tiff(tmp_path / "stack.tif").astype(int) - smooth_ZHW).max() <= 4


def test_one_section_and_one_bit_and_grey_palettes_are_read(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "one.tif", grey_ZHW[0], photometric="minisblack")
    assert np.array_equal(read_tiff(tmp_path / "one.tif"), grey_ZHW[:1])
    tifffile.imwrite(tmp_path / "bits.tif", grey_ZHW > 127, photometric="minisblack")
    bits_ZHW = read_tiff(tmp_path / "bits.tif")
    assert bits_ZHW.dtype == bool
    assert np.array_equal(bits_ZHW, grey_ZHW > 127)
    ramp = np.tile(np.arange(256, dtype=np.uint16) * 257, (3, 1))
    tifffile.imwrite(tmp_path / "palette.tif", grey_ZHW, photometric="palette", colormap=ramp)
    assert np.array_equal(read_tiff(tmp_path / "palette.tif"), grey_ZHW)


@pytest.mark.parametrize("kind", ["by page, no description", "LZW", "strips", "tiles", "one entry for all sections", "big-endian"])
@pytest.mark.parametrize("dtype", ["bool", "uint8", "uint16"])
def test_values_are_turned_over_where_0_is_white(dtype: str, kind: str, grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    """TIFF 6.0, section 4: WhiteIsZero. ImageJ writes it for images with an inverting lookup table, fax coders for 1-bit masks."""
    black_is_0_ZHW = (grey_ZHW > 99) if dtype == "bool" else grey_ZHW.astype(dtype)
    white_is_0_ZHW = ~black_is_0_ZHW
    if dtype == "bool" and kind.startswith("one entry"):
        white_is_0_ZHW = white_is_0_ZHW[:1]
    tifffile.imwrite(tmp_path / "stack.tif", white_is_0_ZHW, **({"photometric": "miniswhite"} | KINDS[kind]))
    read_ZHW = read_tiff(tmp_path / "stack.tif")
    assert read_ZHW.dtype == dtype
    assert np.array_equal(read_ZHW, black_is_0_ZHW[: len(white_is_0_ZHW)])


def test_floats_have_no_white_to_turn_them_over_by(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", grey_ZHW.astype(np.float32), photometric="miniswhite")
    assert np.array_equal(read_tiff(tmp_path / "stack.tif"), grey_ZHW)


def test_pages_that_were_appended_one_by_one_are_read(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    with tifffile.TiffWriter(tmp_path / "stack.tif") as tif:
        for section_HW in grey_ZHW:
            tif.write(section_HW, contiguous=False, metadata=None, photometric="minisblack")
    assert np.array_equal(read_tiff(tmp_path / "stack.tif"), grey_ZHW)


@given(
    array_ZHW=st.sampled_from(DTYPES).flatmap(
        lambda dtype: arrays.arrays(
            dtype,
            st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(2, 9)),
            elements={"allow_nan": False} if dtype.startswith("float") else None,
        )
    ),
    voxel_size_nm=st.none() | st.tuples(*[st.floats(min_value=0.5, max_value=1000)] * 3),
)
@settings(max_examples=80, deadline=None)
def test_what_is_written_is_read_again(tmp_path_factory, array_ZHW: np.ndarray, voxel_size_nm) -> None:
    path = tmp_path_factory.mktemp("round") / "stack.tif"
    write_tiff(path, array_ZHW, voxel_size_nm=voxel_size_nm)
    read_ZHW = read_tiff(path)
    expected = array_ZHW.astype(np.uint8) * 255 if array_ZHW.dtype == bool else array_ZHW
    assert read_ZHW.dtype == expected.dtype
    assert np.array_equal(read_ZHW, expected)


def test_imagej_finds_the_voxel_size(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    write_tiff(tmp_path / "stack.tif", grey_ZHW, voxel_size_nm=(50.0, 4.0, 8.0))
    with tifffile.TiffFile(tmp_path / "stack.tif") as tif:
        assert tif.imagej_metadata is not None
        assert (tif.imagej_metadata["spacing"], tif.imagej_metadata["unit"]) == (50.0, "nm")
        assert tif.imagej_metadata["slices"] == 6
        columns_per_nm, rows_per_nm = (tif.pages.first.tags[f"{axis}Resolution"].value for axis in "XY")
    assert columns_per_nm[0] / columns_per_nm[1] == pytest.approx(1 / 8)
    assert rows_per_nm[0] / rows_per_nm[1] == pytest.approx(1 / 4)


def test_a_write_that_fails_leaves_the_older_file(grey_ZHW: np.ndarray, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "stack.tif"
    write_tiff(path, grey_ZHW)

    def full_disk(file: Path, *_: object, **__: object) -> None:
        file.write_bytes(b"half a file")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tifffile, "imwrite", full_disk)
    with pytest.raises(OSError, match="No space left on device"):
        write_tiff(path, grey_ZHW[:2])
    assert np.array_equal(read_tiff(path), grey_ZHW)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize(
    "array", [np.zeros((4, 4)), np.zeros((0, 4, 4)), np.zeros((3, 3, 1)), np.zeros((1, 2, 2), complex), np.zeros((1, 2, 2), "U3")]
)
def test_what_is_no_stack_is_not_written(array: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"a stack to write must be \[Z, H, W\], not empty, at least 2 px wide, of numbers, got"):
        write_tiff(tmp_path / "stack.tif", array)
    assert not list(tmp_path.iterdir())
