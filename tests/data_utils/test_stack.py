"""Stacks are read with every check, written, and known by their hash."""

import hashlib
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_utils.errors import DataError
from data_utils.stack import Stack, read_stack, write_stack
from data_utils.tiff import write_tiff

from .pngs import write_png


@pytest.fixture
def membrane_ZHW(grey_ZHW: np.ndarray) -> np.ndarray:
    return grey_ZHW < 60


@pytest.fixture
def counted_ZHW(grey_ZHW: np.ndarray) -> np.ndarray:
    return grey_ZHW % 5 > 0


def stack_of(raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray | None, counted_ZHW: np.ndarray | None = None) -> Stack:
    return Stack(raw_ZHW=raw_ZHW, membrane_ZHW=membrane_ZHW, counted_ZHW=counted_ZHW, name="test", membrane_rule="by construction")


def written(array_ZHW: np.ndarray, path: Path) -> Path:
    tifffile.imwrite(path, array_ZHW, photometric="minisblack")
    return path


def test_what_is_written_is_read_again(grey_ZHW: np.ndarray, membrane_ZHW: np.ndarray, tmp_path: Path) -> None:
    stack = stack_of(grey_ZHW, membrane_ZHW)
    write_stack(tmp_path / "new" / "folder", stack)
    again = read_stack(tmp_path / "new/folder/train-volume.tif", tmp_path / "new/folder/train-labels.tif", membrane="zero")
    assert again.sha256() == stack.sha256()
    assert again.name == "train-volume"
    assert again.voxel_size_nm == (50.0, 4.0, 4.0)
    assert again.notes == ()
    assert again.membrane_rule.startswith("0 is membrane (")


def test_partial_labels_are_written_as_127_and_read_again(grey_ZHW, membrane_ZHW, counted_ZHW, tmp_path: Path) -> None:
    stack = stack_of(grey_ZHW, membrane_ZHW, counted_ZHW)
    write_stack(tmp_path, stack)
    labels_ZHW = tifffile.imread(tmp_path / "train-labels.tif")
    assert np.array_equal(labels_ZHW, np.where(counted_ZHW, np.where(membrane_ZHW, 0, 255), 127))
    again = read_stack(tmp_path / "train-volume.tif", tmp_path / "train-labels.tif", membrane="zero", ignore=127)
    assert again.counted_ZHW is not None and again.membrane_ZHW is not None
    assert np.array_equal(again.counted_ZHW, counted_ZHW)
    assert np.array_equal(again.membrane_ZHW, membrane_ZHW & counted_ZHW)
    assert again.sha256() == stack.sha256()
    assert ", 127 is unknown (" in again.membrane_rule
    assert again.notes == ()
    with pytest.raises(DataError, match=r"hold 3 values.*; or say `ignore: 127`, if"):
        read_stack(tmp_path / "train-volume.tif", tmp_path / "train-labels.tif")


def test_labels_that_are_all_known_make_the_same_stack_with_and_without_ignore(grey_ZHW, membrane_ZHW, tmp_path: Path) -> None:
    write_stack(tmp_path, stack_of(grey_ZHW, membrane_ZHW))
    files = tmp_path / "train-volume.tif", tmp_path / "train-labels.tif"
    plain, told = read_stack(*files, membrane="zero"), read_stack(*files, membrane="zero", ignore=127)
    assert told.counted_ZHW is None and told.sha256() == plain.sha256()
    assert told.notes == (f"{files[1]}: no pixel is 127, so `ignore: 127` leaves out nothing",)


def test_the_hash_covers_which_labels_are_known_and_not_what_stands_where_they_are_not(grey_ZHW, membrane_ZHW, counted_ZHW) -> None:
    whole, partial = stack_of(grey_ZHW, membrane_ZHW), stack_of(grey_ZHW, membrane_ZHW, counted_ZHW)
    # as it was before labels could be partial
    digest = hashlib.sha256(b"uint8 (6, 24, 32)" + grey_ZHW.tobytes() + b"bool (6, 24, 32)" + membrane_ZHW.tobytes())
    assert whole.sha256() == digest.hexdigest()
    others = [whole, partial, stack_of(grey_ZHW, membrane_ZHW, np.ones_like(counted_ZHW)), stack_of(grey_ZHW, membrane_ZHW, ~counted_ZHW)]
    assert len({stack.sha256() for stack in others}) == 4
    assert stack_of(grey_ZHW, membrane_ZHW | ~counted_ZHW, counted_ZHW).sha256() == partial.sha256()
    assert stack_of(grey_ZHW, membrane_ZHW ^ counted_ZHW, counted_ZHW).sha256() != partial.sha256()


def test_a_stack_may_have_no_labels(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    write_stack(tmp_path, stack_of(grey_ZHW, None))
    assert not (tmp_path / "train-labels.tif").exists()
    stack = read_stack(tmp_path / "train-volume.tif", name="unlabelled", voxel_size_nm=(40.0, 5.0, 5.0))
    assert (stack.membrane_ZHW, stack.membrane_rule, stack.name, stack.voxel_size_nm) == (None, "no labels", "unlabelled", (40.0, 5.0, 5.0))


def test_the_hash_is_of_the_pixels_and_their_shape(grey_ZHW: np.ndarray, membrane_ZHW: np.ndarray) -> None:
    stacks = [
        stack_of(grey_ZHW, membrane_ZHW),
        stack_of(grey_ZHW, None),
        stack_of(grey_ZHW, ~membrane_ZHW),
        stack_of(grey_ZHW[::-1], membrane_ZHW),
        stack_of(grey_ZHW.astype(np.uint16), membrane_ZHW),
        stack_of(grey_ZHW.reshape(6, 32, 24), membrane_ZHW.reshape(6, 32, 24)),
    ]
    assert len({stack.sha256() for stack in stacks}) == len(stacks)
    # not of how they lie in memory
    assert stack_of(np.asfortranarray(grey_ZHW), membrane_ZHW.copy()).sha256() == stacks[0].sha256()


@pytest.mark.parametrize(("sections", "rows", "columns"), [(5, 24, 32), (6, 23, 32), (6, 32, 24)])
def test_labels_of_another_shape_are_refused_with_both(grey_ZHW, tmp_path: Path, sections: int, rows: int, columns: int) -> None:
    images = written(grey_ZHW, tmp_path / "images.tif")
    labels = written(np.zeros((sections, rows, columns), np.uint8), tmp_path / "labels.tif")
    both = rf"images\.tif is 6 x 24 x 32 \(sections x rows x columns\), but .*labels\.tif is {sections} x {rows} x {columns} "
    with pytest.raises(DataError, match=both):
        read_stack(images, labels)


def test_pixels_that_are_not_numbers_are_counted_by_section(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    raw_ZHW = grey_ZHW.astype(np.float32)
    raw_ZHW[1, 2, 3:6] = np.nan
    raw_ZHW[4, 0, 0] = -np.inf
    message = r"images\.tif: 4 pixels are NaN or infinite, in section 1 \(3\), section 4 \(1\): replace them by grey values"
    with pytest.raises(DataError, match=message):
        read_stack(written(raw_ZHW, tmp_path / "images.tif"))


def test_many_bad_sections_are_not_all_listed(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"48 pixels are NaN or infinite, in .*section 9 \(4\) and 2 more"):
        read_stack(written(np.full((12, 2, 2), np.nan, np.float32), tmp_path / "images.tif"))


def test_float64_beyond_float32_is_refused(tmp_path: Path) -> None:
    raw_ZHW = np.zeros((2, 4, 4))
    raw_ZHW[1, 0, 0] = 1e300
    with pytest.raises(DataError, match=r"1 pixels are NaN or infinite, in section 1 \(1\)"):
        read_stack(written(raw_ZHW, tmp_path / "images.tif"))


@pytest.mark.parametrize(
    ("dtype", "kept"),
    [("uint8", "uint8"), ("uint16", "uint16"), ("float32", "float32"), ("int16", "float32"), ("float64", "float32")],
)
def test_grey_types_are_kept_or_become_float32_and_it_is_said(dtype: str, kept: str, grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    stack = read_stack(written(grey_ZHW.astype(dtype), tmp_path / "images.tif"))
    assert stack.raw_ZHW.dtype == kept
    assert np.array_equal(stack.raw_ZHW, grey_ZHW)
    assert [f"{dtype} pixels are kept as float32" in note for note in stack.notes] == [True] * (dtype != kept)


def test_constant_images_are_noted(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    stack = read_stack(written(np.full((3, 8, 8), 9, np.uint8), tmp_path / "images.tif"))
    assert stack.notes == (f"{tmp_path / 'images.tif'}: the image is constant: every pixel is 9; nothing can be learnt from it",)
    grey_ZHW[2], grey_ZHW[5] = 0, 255
    stack = read_stack(written(grey_ZHW, tmp_path / "images.tif"))
    (note,) = stack.notes
    assert note.endswith("constant sections, in which there is nothing to see: section 2 (every pixel 0), section 5 (every pixel 255)")


def test_notes_and_errors_of_labels_reach_the_reader(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    images = written(grey_ZHW, tmp_path / "images.tif")
    stack = read_stack(images, written(np.zeros_like(grey_ZHW), tmp_path / "labels.tif"))
    assert stack.notes == (f"{tmp_path / 'labels.tif'}: labels are all 0: no pixel is membrane",)
    with pytest.raises(DataError, match=r"labels\.tif, section 0: labels must be \{0, 1\}"):
        read_stack(images, written(grey_ZHW, tmp_path / "labels.tif"))
    with pytest.raises(ValueError, match="membrane must be one of zero, nonzero, auto, got 'black'"):
        read_stack(images, membrane="black")


@pytest.mark.parametrize(
    ("raw_ZHW", "membrane_ZHW", "message"),
    [
        (np.zeros((4, 4), np.uint8), None, "test: sections must be an array (Z, H, W) with no empty axis, got shape (4, 4)"),
        (np.zeros((1, 4, 4)), None, "test: grey values must be uint8, uint16 or float32, got float64"),
        (np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 4)), "test: membrane_ZHW must be bool (True = membrane), got float64"),
        (np.zeros((1, 4, 4), np.uint8), np.zeros((1, 4, 5), bool), "but test labels is 1 x 4 x 5 (sections x rows x columns)"),
    ],
)
def test_arrays_that_are_no_stack_are_refused(raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray | None, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        stack_of(raw_ZHW, membrane_ZHW)


@pytest.mark.parametrize(
    ("membrane_ZHW", "counted_ZHW", "message"),
    [
        (None, np.ones((1, 4, 4), bool), "test: counted_ZHW says which labels are known, but there are no labels (membrane_ZHW is None)"),
        (np.ones((1, 4, 4), bool), np.ones((1, 4, 4)), "test: counted_ZHW must be bool (True = known), got float64"),
        (np.ones((1, 4, 4), bool), np.ones((1, 3, 4), bool), "but test counted_ZHW is 1 x 3 x 4 (sections x rows x columns)"),
    ],
)
def test_what_is_known_fits_the_labels(membrane_ZHW: np.ndarray | None, counted_ZHW: np.ndarray, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        stack_of(np.zeros((1, 4, 4), np.uint8), membrane_ZHW, counted_ZHW)


def test_a_damaged_label_file_is_named(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    images = written(grey_ZHW, tmp_path / "images.tif")
    write_tiff(tmp_path / "labels.tif", grey_ZHW > 0)
    (tmp_path / "labels.tif").write_bytes((tmp_path / "labels.tif").read_bytes()[:2000])
    with pytest.raises(DataError, match=re.escape(f"{tmp_path / 'labels.tif'}: truncated or damaged")):
        read_stack(images, tmp_path / "labels.tif")


def test_folders_of_pngs_and_tiffs_make_the_same_stack(grey_ZHW: np.ndarray, membrane_ZHW: np.ndarray, tmp_path: Path) -> None:
    whole = stack_of(grey_ZHW, membrane_ZHW)
    kinds = {"png8": (0, 255, 8), "png1": (0, 1, 1), "tiff": (0, 255, 8)}
    (tmp_path / "images").mkdir()
    for section, section_HW in enumerate(grey_ZHW):
        write_png(tmp_path / "images" / f"im{section + 7}.png", section_HW)
    for kind, (membrane, cell, depth) in kinds.items():
        (tmp_path / kind).mkdir()
        for section, section_HW in enumerate(np.where(membrane_ZHW, membrane, cell)):
            if kind == "tiff":
                tifffile.imwrite(tmp_path / kind / f"label{section + 7}.tif", section_HW.astype(np.uint8), photometric="minisblack")
            else:
                write_png(tmp_path / kind / f"label{section + 7}.png", section_HW, depth=depth)
        stack = read_stack(tmp_path / "images", tmp_path / kind, membrane="zero")
        assert (stack.sha256(), stack.name, stack.notes) == (whole.sha256(), "images", ())


def test_a_single_section_of_each_makes_a_stack(grey_ZHW: np.ndarray, membrane_ZHW: np.ndarray, tmp_path: Path) -> None:
    images = write_png(tmp_path / "em.png", grey_ZHW[0])
    labels = write_png(tmp_path / "marked.png", np.where(membrane_ZHW[0], 0, 255))
    stack = read_stack(images, labels, membrane="zero")
    assert (stack.sha256(), stack.name) == (stack_of(grey_ZHW[:1], membrane_ZHW[:1]).sha256(), "em")


def test_files_whose_numbers_differ_are_noted(grey_ZHW: np.ndarray, membrane_ZHW: np.ndarray, tmp_path: Path) -> None:
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for section, number in enumerate((0, 1, 2, 4, 5, 6)):
        write_png(tmp_path / "images" / f"v1_{section}.png", grey_ZHW[section])
        write_png(tmp_path / "labels" / f"v2_{number:03}.png", np.where(membrane_ZHW[section], 0, 255))
    (note,) = read_stack(tmp_path / "images", tmp_path / "labels", membrane="zero").notes
    assert note.startswith(
        f"{tmp_path / 'labels'}: files go together by their order, and these have other numbers: v1_3.png with v2_004.png,"
    )


def test_labels_of_another_shape_are_refused_before_they_are_decoded(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    images = written(grey_ZHW, tmp_path / "images.tif")
    labels = write_png(tmp_path / "labels.png", np.zeros((24, 32), int))
    labels.write_bytes(labels.read_bytes()[:60] + b"?" + labels.read_bytes()[61:])
    with pytest.raises(DataError, match=r"images\.tif is 6 x 24 x 32 .* but .*labels\.png is 1 x 24 x 32"):
        read_stack(images, labels)


def test_the_voxel_size_is_the_files_own_unless_another_is_given(grey_ZHW: np.ndarray, tmp_path: Path) -> None:
    write_tiff(tmp_path / "told.tif", grey_ZHW, voxel_size_nm=(40.0, 8.0, 7.5))
    assert read_stack(tmp_path / "told.tif").voxel_size_nm == (40.0, 8.0, 7.5)
    assert read_stack(tmp_path / "told.tif", voxel_size_nm=(30.0, 3.0, 3.0)).voxel_size_nm == (30.0, 3.0, 3.0)
    assert read_stack(written(grey_ZHW, tmp_path / "untold.tif")).voxel_size_nm == (50.0, 4.0, 4.0)


def test_sections_that_were_turned_over_are_noted(grey_ZHW: np.ndarray, membrane_ZHW: np.ndarray, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "images.tif", 255 - grey_ZHW, photometric="miniswhite")
    tifffile.imwrite(tmp_path / "labels.tif", np.where(membrane_ZHW, 255, 0).astype(np.uint8), photometric="miniswhite")
    stack = read_stack(tmp_path / "images.tif", tmp_path / "labels.tif", membrane="zero")
    assert stack.sha256() == stack_of(grey_ZHW, membrane_ZHW).sha256()
    assert [note.partition(": ")[2] for note in stack.notes] == [
        "white is 0 in this file: its values were turned over, so that 0 is black"
    ] * 2
