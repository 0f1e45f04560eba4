"""The pixels of a section's pictures, and their key."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from sweeps.report import panels
from sweeps.report.cell_errors import NUM_TINTS
from sweeps.report.kept import KeptSection

NAMES = ["cell", *(name for name, _ in panels.KEY)]


def kept(truth: Any, found: Any, *, counted: Any = None, cell: Any = None) -> KeptSection:
    truth, found = np.asarray(truth, bool), np.asarray(found, bool)
    counted = np.ones_like(truth) if counted is None else np.asarray(counted, bool)
    return KeptSection(
        number=7,
        raw_HW=np.arange(truth.size, dtype=np.uint8).reshape(truth.shape),
        membrane_HW=truth & counted,
        counted_HW=counted,
        probability_HW=np.where(found, 200, 20).astype(np.uint8),
        found_HW=found & counted,
        cell_HW=(~found if cell is None else np.asarray(cell, bool)) & counted,
        threshold=0.5,
    )


def drawn(section: KeptSection, label: str, max_px: int = 320) -> panels.Panel:
    found = {panel.label: panel for panel in (*panels.given(section, max_px), *panels.made(section, max_px))}
    assert list(found) == ["Image", "Truth", "Prediction", "Difference", "Cells"]
    return found[label]


def test_each_class_of_the_difference_by_hand() -> None:
    truth = [[1, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]]
    found = [[0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 0, 0, 0]]
    said = [NAMES[number] for number in panels.classes(kept(truth, found))[0]]
    near = ["thinner", "thinner", "found", "found", "thicker", "thicker", "false"]
    assert said == [*near, "cell", "cell", "false", "cell", "cell", "missed", "missed"]


def test_a_line_that_lies_a_pixel_beside_is_too_thick_and_too_thin() -> None:
    truth, found = np.zeros((9, 9), bool), np.zeros((9, 9), bool)
    truth[4], found[5] = True, True
    classes = panels.classes(kept(truth, found))
    assert {NAMES[number] for number in classes[4]} == {"thinner"} and {NAMES[number] for number in classes[5]} == {"thicker"}


@given(arrays.arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12))), st.integers(0, 4))
def test_growing_is_by_distance(mask: np.ndarray, radius: int) -> None:
    distance = ndimage.distance_transform_edt(~mask) if mask.any() else np.full(mask.shape, np.inf)
    assert np.array_equal(panels.grown(mask, radius), distance <= radius)


@given(st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: st.tuples(*[arrays.arrays(bool, shape)] * 3)))
def test_classes_share_the_pixels_among_them(masks: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    section = kept(masks[0], masks[1], counted=masks[2])
    classes = panels.classes(section)
    truth, found = section.membrane_HW, section.found_HW
    wrong = np.isin(classes, [NAMES.index(name) for name in ("missed", "thinner", "false", "thicker")])
    assert np.array_equal(wrong, truth ^ found)
    assert np.array_equal(classes == NAMES.index("found"), truth & found)
    assert np.array_equal(classes == NAMES.index("unknown"), ~section.counted_HW)


def test_the_difference_has_the_key_s_colours_over_a_pale_image() -> None:
    section = kept([[1, 1, 0, 0, 0, 0, 0, 0]] * 4, [[0, 1, 1, 0, 0, 0, 0, 1]] * 4)
    rgb = drawn(section, "Difference").rgb_HW3
    key = dict(panels.KEY)
    expected = {0: "thinner", 1: "found", 2: "thicker", 7: "false"}
    assert all(tuple(rgb[0, column]) == key[name] for column, name in expected.items())
    assert rgb[0, 4:6].min() >= 205
    assert "found 12.5%, missed 0.0%, thinner 12.5%, false 12.5%, thicker 12.5%" in drawn(section, "Difference").alt


def test_cells_show_merges_and_splits() -> None:
    truth, cell = np.zeros((30, 61), bool), np.ones((30, 61), bool)
    truth[:, 20] = truth[:, 40] = True  # three cells; the first two merged, the last split
    cell[:, 40] = cell[14, 41:] = False
    section = kept(truth, ~cell, cell=cell)
    panel = drawn(section, "Cells")
    rgb = panel.rgb_HW3
    assert panel.alt == "Cells: 2 of 3 cells merged into 1, 1 split"
    assert tuple(rgb[5, 5]) == tuple(rgb[5, 30]) == panels.TINTS[0], "one tint on both sides of the border that is lost"
    assert tuple(rgb[5, 20]) == panels.MISSED and tuple(rgb[14, 50]) == panels.FALSE
    assert tuple(rgb[5, 50]) == tuple(rgb[25, 50]) == panels.SPLIT
    assert tuple(rgb[5, 40]) == panels.MEMBRANE


def test_no_line_is_lost_where_a_large_section_is_shrunk() -> None:
    truth = np.zeros((1000, 1000), bool)
    truth[:, 500] = True
    panel = drawn(kept(truth, np.zeros_like(truth)), "Cells", max_px=100)
    assert panel.index_HW.shape == (100, 100)
    assert (panel.rgb_HW3 == panels.MISSED).all(axis=2).any(axis=1).all(), "the lost border is there in each row"


def test_shrinking_keeps_masks_masks_and_means_means() -> None:
    section = np.arange(700 * 500).reshape(700, 500) % 251
    assert panels.shrink(section.astype(np.uint8), 320).shape == (320, 229)
    mean = panels.shrink(section.astype(np.uint8), 320, average=True)
    assert mean.shape == (320, 229)
    assert abs(float(mean.mean()) - float(section.mean())) < 1
    assert set(np.unique(panels.shrink(section > 100, 320))) <= {False, True}
    small = np.ones((5, 7), np.uint8)
    assert panels.shrink(small, 320, average=True).shape == panels.shrink(small, 320).shape == (5, 7)


@pytest.mark.parametrize("max_px", [10, 320])
def test_nothing_is_cell_and_nothing_is_membrane(max_px: int) -> None:
    """The pictures of a section of one value are made as well."""
    for truth in (False, True):
        for found in (False, True):
            section = kept(np.full((12, 17), truth), np.full((12, 17), found))
            assert all(panel.index_HW.max() < len(panel.palette_K3) for panel in panels.made(section, max_px))


def test_the_page_s_key_has_the_colours_of_the_pictures() -> None:
    style = (Path(panels.__file__).parent / "style.css").read_text()
    named = [*panels.KEY, ("split", panels.SPLIT), *((f"tint-{number}", tint) for number, tint in enumerate(panels.TINTS[:3]))]
    for name, colour in named:
        assert f".chip.{name} {{ background: #{bytes(colour).hex()}; }}" in style, name


def test_colours_differ() -> None:
    assert len(panels.TINTS) == NUM_TINTS
    colours = [
        panels.FOUND,
        panels.MISSED,
        panels.FALSE,
        panels.UNKNOWN,
        panels.THICKER,
        panels.THINNER,
        panels.CELL,
        panels.MEMBRANE,
        panels.SPLIT,
    ]
    assert len({*colours, *panels.TINTS}) == len(colours) + NUM_TINTS
