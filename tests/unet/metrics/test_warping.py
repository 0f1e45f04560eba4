"""Warping by simple points: what it keeps, and the pixels of which a flip splits or merges."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.metrics import cells as reference
from tests.reference.metrics.floods import EIGHT, components
from tests.unet.metrics.masks_of import masks, picture
from unet.metrics import warping
from unet.metrics.warping import split_and_merge_pixels, warp_to

LARGER = st.tuples(st.integers(8, 24), st.integers(8, 24))


def errors(truth: np.ndarray, cell: np.ndarray) -> int:
    return split_and_merge_pixels(truth, cell, np.ones_like(truth))


@settings(max_examples=40, deadline=None)
@given(three=masks(3, LARGER))
def test_flips_one_by_one_find_the_same(three):
    source, target, counted = three
    assert (warp_to(source, target, counted) == reference.warp(source, target, counted)).all()
    assert split_and_merge_pixels(source, target, counted) == reference.warping_pixels(source, target, counted)
    assert errors(source, target) == reference.warping_pixels(source, target)


@settings(max_examples=40, deadline=None)
@given(two=masks(2, LARGER))
def test_warping_keeps_the_number_of_cells_and_of_membranes(two):
    source, target = two
    warped = warp_to(source, target, np.ones_like(source))
    assert components(warped).max() == components(source).max()
    outside, before = (components(np.pad(~mask, 1, constant_values=True), EIGHT) for mask in (warped, source))
    assert outside.max() == before.max()
    assert np.count_nonzero(warped != target) <= np.count_nonzero(source != target)
    assert (warped[source == target] == source[source == target]).all()


def test_a_pixel_is_simple_exactly_when_both_kinds_of_neighbours_hang_together():
    for code in range(256):
        cell = np.zeros((3, 3), dtype=bool)
        for bit, (row, column) in zip(np.unpackbits(np.array([code], dtype=np.uint8)), warping._RING, strict=True):
            cell[1 + row, 1 + column] = bit
        assert (warping._CROSSINGS[code] == 1) == reference.is_simple(cell, (1, 1)), code


ONE = picture("#####", "#####", "#####", "#####", "#####")
CUT = picture("##.##", "##.##", "##.##", "##.##", "##.##")


@pytest.mark.parametrize(
    ("truth", "cell", "pixels"),
    [
        (CUT, CUT, 0),
        (CUT, ONE, 5),  # each pixel of the lost line touches both cells
        (ONE, CUT, 1),  # the line is warped in from both ends until one pixel would cut
        (CUT, picture("##.##", "##.##", "##.##", "##.##", "#####"), 1),  # a gap of one pixel
        (ONE, picture("#.#.#", "#.#.#", "#.#.#", "#.#.#", "#.#.#"), 2),  # two cuts
        (CUT, picture("#...#", "#...#", "#...#", "#...#", "#...#"), 0),  # thicker
        (CUT, picture("#.###", "#.###", "#.###", "#.###", "#.###"), 0),  # moved
        (ONE, picture("#####", "#####", "##.##", "#####", "#####"), 0),  # a hole
        (picture("#####", "#...#", "#.#.#", "#...#", "#####"), picture("#####", "#...#", "#...#", "#...#", "#####"), 0),  # a lost cell
        (picture(".....", ".....", "..#..", ".....", "....."), picture("#....", ".....", "..#..", ".....", "....#"), 0),  # new cells
        (picture("#####", "#...#", "#...#", "#...#", "#####"), picture("#####", "#...#", "#...#", "#...#", "##.##"), 0),  # an opened ring
        (CUT, np.zeros((5, 5), dtype=bool), 25),  # nothing found at all
        (np.zeros((5, 5), dtype=bool), ONE, 0),  # no cell that could be split or merged
    ],
)
def test_splits_and_mergers_by_hand(truth, cell, pixels):
    assert errors(truth, cell) == pixels
    assert errors(truth.T, cell.T) == pixels and errors(truth[::-1, ::-1], cell[::-1, ::-1]) == pixels


def test_unknown_pixels_are_no_cell_and_no_error():
    counted = np.ones((5, 5), dtype=bool)
    counted[3:] = False
    assert split_and_merge_pixels(CUT, ONE, counted) == 3
    assert split_and_merge_pixels(ONE, CUT, counted) == 1 and split_and_merge_pixels(ONE, CUT, np.zeros_like(counted)) == 0
    assert split_and_merge_pixels(ONE, np.zeros_like(counted), counted) == 15
    # A gap in the line joins the cells where the line is known; where it is not, nobody can say so.
    gap = CUT.copy()
    gap[1, 2] = True
    assert split_and_merge_pixels(CUT, gap, counted) == 1 and split_and_merge_pixels(CUT, gap[::-1], counted) == 0
