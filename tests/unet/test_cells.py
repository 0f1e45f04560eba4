"""Cells: 4-connected, numbered in raster order, small ones removed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unet.cells import label_cells, remove_small_cells

DIAGONAL = np.array([[1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1, 0], [0, 1, 0, 1]], dtype=bool)


def flood(cell_HW: np.ndarray, smallest_px: int) -> np.ndarray:
    """Label pixel by pixel with a stack, and drop what is too small."""
    labels_HW = np.zeros(cell_HW.shape, dtype=np.int32)
    number = 0
    seen_HW = ~cell_HW
    for start in np.ndindex(cell_HW.shape):
        if seen_HW[start]:
            continue
        seen_HW[start] = True
        component, waiting = [], [start]
        while waiting:
            row, column = waiting.pop()
            component.append((row, column))
            for near in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
                if 0 <= near[0] < cell_HW.shape[0] and 0 <= near[1] < cell_HW.shape[1] and not seen_HW[near]:
                    seen_HW[near] = True
                    waiting.append(near)
        if len(component) >= smallest_px:
            number += 1
            labels_HW[tuple(np.transpose(component))] = number
    return labels_HW


def test_corners_do_not_connect() -> None:
    expected = [[1, 1, 0, 0], [1, 0, 0, 2], [0, 0, 3, 0], [0, 4, 0, 5]]
    np.testing.assert_array_equal(label_cells(DIAGONAL), expected)


@pytest.mark.parametrize(("smallest_px", "left"), [(0, 5), (1, 5), (2, 1), (3, 1), (4, 0)])
def test_a_cell_of_exactly_the_smallest_size_stays(smallest_px: int, left: int) -> None:
    labels_HW = label_cells(DIAGONAL, smallest_px)
    assert labels_HW.max() == left and labels_HW.dtype == np.int32
    np.testing.assert_array_equal(remove_small_cells(DIAGONAL, smallest_px), labels_HW > 0)


@settings(max_examples=60, deadline=None)
@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=9)), st.integers(0, 6))
def test_as_a_flood_pixel_by_pixel(cell_HW: np.ndarray, smallest_px: int) -> None:
    np.testing.assert_array_equal(label_cells(cell_HW, smallest_px), flood(cell_HW, smallest_px))


@pytest.mark.parametrize("value", [False, True])
def test_all_membrane_and_all_cell(value: bool) -> None:
    section_HW = np.full((3, 4), value)
    np.testing.assert_array_equal(label_cells(section_HW, 5), section_HW.astype(np.int32))


def test_the_section_itself_is_left_alone() -> None:
    cleaned_HW = remove_small_cells(DIAGONAL, 0)
    cleaned_HW[:] = False
    assert DIAGONAL.any()
