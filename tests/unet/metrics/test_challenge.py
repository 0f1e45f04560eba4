"""V_rand and V_info: hand-worked cases, a slow oracle that shares no code, scikit-image's own watershed, and the real labels."""

import math
from collections import Counter, deque
from pathlib import Path

import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from skimage.segmentation import watershed

from data_utils.synthetic import make_synthetic
from unet.metrics.basins import flood_section
from unet.metrics.challenge import THRESHOLDS, challenge_scores, mask_challenge

masks = hnp.arrays(bool, st.tuples(st.integers(1, 9), st.integers(1, 9)))


def columns(*values: float) -> np.ndarray:
    """One 4 x 4 section whose columns are constant."""
    return np.tile(np.array(values, dtype=np.float32), (4, 1))[None]


def oracle_neighbours(pixel: tuple[int, int], shape: tuple[int, int]) -> list[tuple[int, int]]:
    row, column = pixel
    around = [(row - 1, column), (row, column - 1), (row, column + 1), (row + 1, column)]
    return [(r, c) for r, c in around if 0 <= r < shape[0] and 0 <= c < shape[1]]


def oracle_components(mask: np.ndarray) -> dict[tuple[int, int], int]:
    labels: dict[tuple[int, int], int] = {}
    for start in np.ndindex(mask.shape):
        if not mask[start] or start in labels:
            continue
        number, queue = max(labels.values(), default=0) + 1, [start]
        labels[start] = number
        while queue:
            for other in oracle_neighbours(queue.pop(), mask.shape):
                if mask[other] and other not in labels:
                    labels[other] = number
                    queue.append(other)
    return labels


def oracle_watershed(cell: np.ndarray) -> dict[tuple[int, int], int]:
    """Pixel -> basin, 0 for line: one queue, first come, first served; a pixel beside another basin at its turn is line."""
    basins, line = oracle_components(cell), set()
    queue = deque(
        (other, basins[pixel]) for pixel in np.ndindex(cell.shape) if cell[pixel] for other in oracle_neighbours(pixel, cell.shape)
    )
    while queue:
        pixel, basin = queue.popleft()
        if pixel in basins or pixel in line:
            continue
        around = oracle_neighbours(pixel, cell.shape)
        if {basins[other] for other in around if other in basins} - {basin}:
            line.add(pixel)
        else:
            basins[pixel] = basin
        queue.extend((other, basin) for other in around)
    return {pixel: basins.get(pixel, 0) for pixel in np.ndindex(cell.shape)}


def oracle_scores(labels: np.ndarray, cell: np.ndarray) -> tuple[float, float]:
    """V_rand and V_info of one section, with every line pixel written out as a segment of its own."""
    truth, basin = oracle_components(labels > 0), oracle_watershed(cell)
    segment = {pixel: basin[pixel] or ("line", pixel) for pixel in truth}
    n = len(truth)
    if not n:
        return math.nan, math.nan
    joint, rows, cols = (Counter(items) for items in ([(truth[p], segment[p]) for p in truth], truth.values(), segment.values()))
    square = [sum((count / n) ** 2 for count in counter.values()) for counter in (joint, rows, cols)]
    plogp = [sum(count / n * math.log(count / n) for count in counter.values()) for counter in (joint, rows, cols)]
    entropies = plogp[1] + plogp[2]
    return 2 * square[0] / (square[1] + square[2]), 2 * (entropies - plogp[0]) / entropies if entropies else 1.0


@given(cell=masks)
@settings(deadline=None, max_examples=200)
def test_basins_are_those_of_a_single_queue(cell):
    basin_HW, num_basins = flood_section(cell)
    expected = oracle_watershed(cell)
    assert num_basins == max(expected.values(), default=0)
    np.testing.assert_array_equal(basin_HW, np.array([expected[pixel] for pixel in np.ndindex(cell.shape)]).reshape(cell.shape))


@given(data=st.data())
@settings(deadline=None, max_examples=150)
def test_scores_are_those_of_the_slow_oracle(data):
    shape = data.draw(st.tuples(st.integers(1, 3), st.integers(1, 7), st.integers(1, 7)))
    labels = data.draw(hnp.arrays(np.uint8, shape, elements=st.sampled_from([0, 0, 255])))
    proposal = data.draw(hnp.arrays(np.float32, shape, elements=st.sampled_from([0.0, 0.25, 0.5, 0.85, 1.0])))
    thresholds = (0.0, 0.3, 0.5, 0.9)
    scores = challenge_scores(labels, proposal, thresholds)
    for threshold in thresholds:
        expected = np.array([oracle_scores(label, one > threshold) for label, one in zip(labels, proposal, strict=True)])
        np.testing.assert_allclose(scores.v_rand_sections_at[threshold], expected[:, 0], atol=1e-12)
        np.testing.assert_allclose(scores.v_info_sections_at[threshold], expected[:, 1], atol=1e-12)
        scored = expected[~np.isnan(expected[:, 0])]
        if len(scored):
            np.testing.assert_allclose(scores.v_rand_at[threshold], scored[:, 0].mean(), atol=1e-12)
            np.testing.assert_allclose(scores.v_info_at[threshold], scored[:, 1].mean(), atol=1e-12)
    if not math.isnan(scores.v_rand):
        assert scores.v_rand == max(scores.v_rand_at.values()) == scores.v_rand_at[scores.v_rand_threshold]
        assert scores.v_info == max(scores.v_info_at.values()) == scores.v_info_at[scores.v_info_threshold]


def test_two_cells_and_a_proposal_that_widens_the_membrane():
    scores = challenge_scores(columns(1, 1, 0, 1), columns(1, 0, 0, 1))
    assert (scores.v_rand, scores.v_info) == pytest.approx((1.0, 1.0), abs=1e-12)  # the flood closes the gap to one pixel of line


def test_two_cells_merged():
    scores = challenge_scores(columns(1, 1, 0, 1), columns(1, 1, 1, 1))  # a = (2/3, 1/3), b = (1)
    assert scores.v_rand == pytest.approx(2 * (5 / 9) / (5 / 9 + 1))
    assert scores.v_info == pytest.approx(0.0, abs=1e-12)


def test_one_cell_split_by_a_line():
    scores = challenge_scores(columns(1, 1, 1, 1), columns(1, 0, 1, 1))  # b = (1/4, 1/2), and four pixels of line, each alone
    assert scores.v_rand == pytest.approx(2 * (1 / 16 + 1 / 4 + 1 / 64) / (1 + 1 / 16 + 1 / 4 + 1 / 64))
    assert scores.v_info == pytest.approx(0.0, abs=1e-12)


def test_cell_split_and_merged_at_once():
    # n = 12; G: columns 0-1 (8 pixels) and 3 (4); S: column 0 (4), line (4), columns 2-3 (4 of them inside a cell)
    scores = challenge_scores(columns(1, 1, 0, 1), columns(1, 0, 1, 1))
    third, line = 1 / 3, (1 / 3) / 12
    assert scores.v_rand == pytest.approx(2 * (2 * third**2 + line) / (5 / 9 + 2 * third**2 + line))
    a = 2 / 3 * math.log(2 / 3) + third * math.log(third)
    b = 2 * third * math.log(third) - third * math.log(12)
    assert scores.v_info == pytest.approx(2 * (a + b - b) / (a + b))


def test_membrane_everywhere_makes_every_pixel_a_segment():
    scores = challenge_scores(columns(1, 1, 0, 1), columns(0, 0, 0, 0))
    a = 2 / 3 * math.log(2 / 3) + 1 / 3 * math.log(1 / 3)
    assert scores.v_rand == pytest.approx(2 * (1 / 12) / (5 / 9 + 1 / 12))
    assert scores.v_info == pytest.approx(2 * a / (a - math.log(12)))


def test_one_segment_in_both_is_perfect():
    scores = challenge_scores(columns(1, 1, 1, 1), columns(1, 1, 1, 1))
    assert (scores.v_rand, scores.v_info) == (1.0, 1.0)


def test_section_without_cells_is_left_out_of_the_mean():
    labels = np.concatenate([columns(1, 1, 0, 1), columns(0, 0, 0, 0)])
    proposal = np.concatenate([columns(1, 1, 1, 1), columns(1, 0, 1, 1)])
    scores = challenge_scores(labels, proposal)
    assert scores.v_rand == pytest.approx(10 / 14)
    assert scores.per_section[0] == pytest.approx(10 / 14)
    assert math.isnan(scores.per_section[1])
    assert math.isnan(scores.v_info_per_section[1])
    nothing = challenge_scores(labels[1:], proposal[1:])
    assert math.isnan(nothing.v_rand)
    assert math.isnan(nothing.v_info)


def test_binary_proposal_uses_threshold_zero_alone():
    labels, proposal = columns(1, 1, 0, 1), columns(1, 1, 0, 1)
    assert list(challenge_scores(labels, proposal).v_rand_at) == [0.0]
    assert list(challenge_scores(labels, proposal > 0).v_rand_at) == [0.0]
    assert list(challenge_scores(labels, proposal * 0.75).v_rand_at) == list(THRESHOLDS)


def test_one_threshold_for_the_stack_and_ties_go_to_the_middle():
    labels = np.concatenate([columns(1, 1, 0, 1)] * 2)
    proposal = np.concatenate([columns(1, 1, 0.2, 1), columns(0.9, 0.9, 0.45, 0.9)])
    scores = challenge_scores(labels, proposal)
    assert scores.v_rand == 1.0
    assert scores.v_rand_threshold == 0.5  # .5 to .8 are perfect
    assert scores.v_rand_at[0.3] == pytest.approx((1 + 10 / 14) / 2)  # at .3 the second section is still merged


def test_calibrated_thresholds_can_be_asked_for():
    scores = challenge_scores(columns(1, 1, 0, 1), columns(1, 1, 0.2, 1), thresholds=(0.1, 0.5))
    assert scores.v_rand_at == pytest.approx({0.1: 10 / 14, 0.5: 1.0})
    assert challenge_scores(columns(1, 1, 0, 1), columns(1, 1, 0.2, 1), thresholds=(0.1,)).v_rand == pytest.approx(10 / 14)


@pytest.mark.parametrize(
    ("labels", "proposal", "thresholds", "message"),
    [
        (columns(1, 1, 0, 1)[0], columns(1, 1, 0, 1)[0], None, r"section\[None\]"),
        (columns(1, 1, 0, 1), columns(1, 1, 0, 1)[:, :2], None, r"one shape, not empty, but got \(1, 4, 4\) and \(1, 2, 4\)"),
        (columns(1, 1, 0, 1), columns(1, 2, 0, 1), None, r"section 0 holds 2.0 \(4 such pixels\)"),
        (columns(1, 1, 0, 1), columns(1, math.nan, 0, 1), None, "section 0 holds nan"),
        (columns(1, 1, 0, 1), columns(1, 1, 0, 1), (), "at least one"),
        (columns(1, 1, 0, 1), columns(1, 1, 0, 1), (math.nan,), "finite"),
    ],
)
def test_refused(labels, proposal, thresholds, message):
    with pytest.raises(ValueError, match=message):
        challenge_scores(labels, proposal, thresholds)


def test_no_workers_are_refused():
    with pytest.raises(ValueError, match="workers must be at least 1 thread, got 0"):
        challenge_scores(columns(1, 1, 0, 1), columns(1, 1, 0, 1), workers=0)


def noisy_cells(seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    return ndimage.gaussian_filter(generator.random((48, 40)), generator.uniform(0.7, 2.0)) > generator.uniform(0.48, 0.55)


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_basins_are_scikit_images_when_its_seeds_enter_in_raster_order(seed):
    cell = noisy_cells(seed)
    in_raster_order = np.where(cell, np.arange(cell.size).reshape(cell.shape), cell.size)
    theirs = watershed(in_raster_order, ndimage.label(cell)[0], connectivity=1, watershed_line=True)
    np.testing.assert_array_equal(flood_section(cell)[0], theirs)


@given(seed=st.integers(0, 2**32 - 1))
@settings(deadline=None, max_examples=25)
def test_basins_differ_from_scikit_images_on_the_binary_image_by_ties_alone(seed):
    cell = noisy_cells(seed)
    theirs = watershed(~cell, ndimage.label(cell)[0], connectivity=1, watershed_line=True)
    ours, _ = flood_section(cell)
    np.testing.assert_array_equal(ours[cell], theirs[cell])
    assert np.mean(ours != theirs) < 0.15
    for axis in (0, 1):  # no two basins touch without a line between them
        a, b = np.delete(ours, -1, axis), np.delete(ours, 0, axis)
        assert not ((a != b) & (a > 0) & (b > 0)).any()


def scikit_image_flood(cell_HW: np.ndarray) -> tuple[np.ndarray, int]:
    markers, num_components = ndimage.label(cell_HW)
    return watershed(~cell_HW, markers, connectivity=1, watershed_line=True), num_components


@pytest.fixture(scope="module")
def neuropil_ZHW() -> np.ndarray:
    """Cells of four generated sections, True inside."""
    return ~make_synthetic(sections=4, size_px=256).membrane_ZHW


def thicker(cell_ZHW: np.ndarray) -> np.ndarray:
    """Membranes one pixel thicker on each side; the border of the image is none."""
    return np.stack([ndimage.binary_erosion(cell_HW, border_value=1) for cell_HW in cell_ZHW])


def test_generated_labels_one_pixel_thicker_score_as_with_scikit_image(neuropil_ZHW):
    proposal = thicker(neuropil_ZHW).astype(np.float32)
    ours, theirs = challenge_scores(neuropil_ZHW, proposal), challenge_scores(neuropil_ZHW, proposal, flood=scikit_image_flood)
    assert ours.v_rand == pytest.approx(theirs.v_rand, abs=1e-4)
    assert ours.v_info == pytest.approx(theirs.v_info, abs=1e-4)
    assert 0.99 < ours.v_rand < 1 and 0.99 < ours.v_info < 1


def test_generated_labels_as_their_own_proposal_are_perfect(neuropil_ZHW):
    np.testing.assert_allclose(mask_challenge(neuropil_ZHW, neuropil_ZHW), 1.0, rtol=0, atol=1e-12)


def test_a_mask_scores_section_by_section_as_the_stack_does(neuropil_ZHW):
    mask = thicker(neuropil_ZHW)
    mask[2] = True
    labels = neuropil_ZHW.copy()
    labels[1] = False
    scores_Z2 = mask_challenge(labels, mask)
    stack = challenge_scores(labels, mask.astype(np.float32))
    assert scores_Z2.shape == (4, 2) and scores_Z2.dtype == np.float64
    np.testing.assert_array_equal(scores_Z2, np.column_stack([stack.per_section, stack.v_info_per_section]))
    assert np.isnan(scores_Z2).tolist() == [[False] * 2, [True] * 2, [False] * 2, [False] * 2]
    assert scores_Z2[2, 1] == pytest.approx(0.0, abs=1e-12), "one segment tells nothing of many cells"


def test_a_mask_that_is_no_mask_is_refused():
    with pytest.raises(ValueError, match=r"must be bool \(True = not membrane\), got uint8"):
        mask_challenge(columns(1, 1, 0, 1), columns(1, 1, 0, 1).astype(np.uint8))
    with pytest.raises(ValueError, match="one shape"):
        mask_challenge(columns(1, 1, 0, 1), columns(1, 1, 0, 1)[:, 1:] > 0)


@pytest.mark.parametrize("workers", [2, 3, 16])
def test_threads_change_no_score(neuropil_ZHW, workers):
    labels = neuropil_ZHW.copy()
    labels[1] = False
    noise = np.random.default_rng(0).random(labels.shape, dtype=np.float32)
    proposal = np.clip(0.7 * neuropil_ZHW + 0.3 * noise, 0, 1)
    alone, shared = challenge_scores(labels, proposal), challenge_scores(labels, proposal, workers=workers)
    assert repr(shared) == repr(alone)  # not ==: a section is NaN


def test_a_section_that_fails_in_a_thread_is_told(neuropil_ZHW):
    def broken(cell_HW):
        raise RuntimeError("no flood today")

    with pytest.raises(RuntimeError, match="no flood today"):
        challenge_scores(neuropil_ZHW, neuropil_ZHW.astype(np.float32), workers=2, flood=broken)


@pytest.fixture(scope="module")
def labels_ZHW(isbi2012_folder: Path) -> np.ndarray:
    return tifffile.imread(isbi2012_folder / "train-labels.tif")


@pytest.mark.realdata
def test_real_labels_as_their_own_proposal(labels_ZHW):
    scores = challenge_scores(labels_ZHW, (labels_ZHW > 0).astype(np.float32))
    assert (scores.v_rand, scores.v_info) == pytest.approx((1.0, 1.0), abs=1e-12)


@pytest.mark.realdata
def test_real_labels_with_membranes_one_pixel_thicker(labels_ZHW):
    """The organisers' program gives .99918 and .99875."""
    scores_Z2 = mask_challenge(labels_ZHW, thicker(labels_ZHW > 0))
    assert scores_Z2.mean(axis=0) == pytest.approx((0.99918, 0.99875), abs=1e-4)


@pytest.mark.realdata
def test_real_proposal_scores_as_with_scikit_image(labels_ZHW):
    """Its watershed differs in the order of ties alone; mirroring the images moves its own score by 1e-4."""
    labels = labels_ZHW[:3]
    blurred = np.stack([ndimage.gaussian_filter((section > 0).astype(np.float32), 3) for section in labels]).clip(0, 1)
    ours = challenge_scores(labels, blurred, (0.5, 0.6, 0.7))
    theirs = challenge_scores(labels, blurred, (0.5, 0.6, 0.7), flood=scikit_image_flood)
    assert theirs.v_rand_at == pytest.approx(ours.v_rand_at, abs=3e-4)
    assert theirs.v_info_at == pytest.approx(ours.v_info_at, abs=3e-4)
    assert theirs.v_rand_threshold == ours.v_rand_threshold
