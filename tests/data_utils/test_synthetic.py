"""The generated stack is like the real one in the figures that make the task what it is."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from data_utils.errors import DataError
from data_utils.neuropil import smooth_field
from data_utils.stack import Stack
from data_utils.synthetic import make_synthetic


def dice(first: np.ndarray, second: np.ndarray) -> float:
    return float(2 * np.count_nonzero(first & second) / (np.count_nonzero(first) + np.count_nonzero(second)))


def best_threshold_dice(raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray) -> float:
    return max(dice(raw_ZHW < threshold, membrane_ZHW) for threshold in range(60, 160, 4))


def test_the_default_is_what_it_says(default_stack: Stack) -> None:
    assert default_stack.raw_ZHW.shape == (20, 256, 256)
    assert default_stack.raw_ZHW.dtype == np.uint8
    assert default_stack.name == "synthetic"
    share = 100 * default_stack.membrane_ZHW.mean()
    assert default_stack.membrane_rule == f"generated with the sections: membrane is {share:.2f}% of pixels"
    # the real stack has 21.96%, 17 to 27% a section
    assert 20 < share < 25
    assert all(0.14 < section_HW.mean() < 0.30 for section_HW in default_stack.membrane_ZHW)
    # as many greys are used as in the real one (1st and 99th percentile 30 and 204)
    low, high = np.percentile(default_stack.raw_ZHW, [1, 99])
    assert 10 < low < 60
    assert 180 < high < 230


def test_the_same_arguments_give_the_same_stack_and_others_another() -> None:
    small = {"sections": 3, "size_px": 48}
    assert make_synthetic(**small, seed=1).sha256() == make_synthetic(**small, seed=1).sha256()
    assert len({make_synthetic(**small, seed=seed).sha256() for seed in range(5)}) == 5


@pytest.mark.parametrize("seed", [0, 1, 2, 3])
def test_grey_values_alone_do_not_find_the_membranes(seed: int, default_stack: Stack) -> None:
    stack = default_stack if seed == 0 else make_synthetic(sections=3, seed=seed)
    plain = best_threshold_dice(stack.raw_ZHW, stack.membrane_ZHW)
    smoothed_ZHW = ndimage.gaussian_filter(stack.raw_ZHW.astype(float), (0, 1.5, 1.5))
    # the real stack: .65 and .68 on its first ten sections, .55 on its last six
    assert 0.5 < plain < 0.72
    assert best_threshold_dice(smoothed_ZHW, stack.membrane_ZHW) < 0.75


def test_sections_change_slowly(default_stack: Stack) -> None:
    membrane_ZHW = default_stack.membrane_ZHW
    alike = [np.mean([dice(membrane_ZHW[z], membrane_ZHW[z + apart]) for z in range(20 - apart)]) for apart in (1, 2, 5, 10)]
    # a random pair of masks has the share of membrane, .22
    assert 0.5 < alike[0] < 0.85
    assert alike == sorted(alike, reverse=True)
    assert alike[-1] < 0.35


def test_cells_come_in_many_sizes_and_each_is_closed(default_stack: Stack) -> None:
    areas = np.concatenate([np.bincount(ndimage.label(~section_HW)[0].ravel())[1:] for section_HW in default_stack.membrane_ZHW])
    cells_a_section = len(areas) / 20
    # the real stack has 33 in as many pixels
    assert 20 < cells_a_section < 60
    assert areas.min() >= 20
    assert np.percentile(areas, 90) > 6 * np.percentile(areas, 10)
    assert areas.max() < 0.5 * 256**2


def test_other_things_are_dark_too(default_stack: Stack) -> None:
    smooth_ZHW = ndimage.gaussian_filter(default_stack.raw_ZHW.astype(float), (0, 1.5, 1.5))
    inside_ZHW = np.stack([ndimage.distance_transform_edt(~section_HW) > 5 for section_HW in default_stack.membrane_ZHW])
    as_dark_as_membrane = smooth_ZHW < np.median(smooth_ZHW[default_stack.membrane_ZHW])
    assert np.count_nonzero(as_dark_as_membrane & inside_ZHW) / np.count_nonzero(inside_ZHW) > 0.01


@given(sections=st.integers(1, 3), size_px=st.integers(32, 100), seed=st.integers(0, 2**40))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_any_size_can_be_made_and_has_membranes(sections: int, size_px: int, seed: int) -> None:
    stack = make_synthetic(sections=sections, size_px=size_px, seed=seed)
    assert stack.raw_ZHW.shape == (sections, size_px, size_px)
    assert 0.02 < stack.membrane_ZHW.mean() < 0.75


@pytest.mark.parametrize("wrong", [{"sections": 0}, {"size_px": 31}, {"seed": -1}])
def test_numbers_out_of_range_are_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(DataError, match=f"must hold, got .*{next(iter(wrong))}={next(iter(wrong.values()))}"):
        make_synthetic(**wrong)


def test_smooth_fields_are_standard_normal_and_smooth() -> None:
    places = np.arange(400.0)
    field_HW = smooth_field(np.random.default_rng(0), (places, 4.0), (places, 12.0))
    assert field_HW.shape == (400, 400)
    assert field_HW.mean() == pytest.approx(0, abs=0.1)
    assert field_HW.std() == pytest.approx(1, abs=0.1)
    assert np.abs(np.diff(field_HW, axis=0)).mean() > 2 * np.abs(np.diff(field_HW, axis=1)).mean()
