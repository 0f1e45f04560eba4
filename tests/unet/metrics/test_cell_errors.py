"""Scores of cells: against loops over pairs, against scikit-image, by hand, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from skimage.metrics import adapted_rand_error, variation_of_information

from tests.reference.metrics import cells as reference
from tests.reference.metrics.floods import components
from tests.unet.metrics.masks_of import masks, picture, random_mask
from unet.metrics import METRICS, cell_scores
from unet.metrics.cell_errors import fill_membrane

NAMES = ("rand_error", "warping_error", "adapted_rand_error", "vi_split", "vi_merge")


def score(cell: np.ndarray, membrane: np.ndarray, counted: np.ndarray | None = None, **sets) -> dict[str, float]:
    return cell_scores(cell[None], membrane[None], None if counted is None else counted[None], **sets).values


def filled(cell: np.ndarray) -> np.ndarray:
    return fill_membrane(components(cell))


@settings(max_examples=80, deadline=None)
@given(two=masks(2))
def test_every_score_agrees_with_loops_over_pairs(two):
    cell, membrane = two
    scores, truth = score(cell, membrane), components(~membrane)
    assert tuple(scores) == NAMES
    assert scores["warping_error"] == reference.warping_pixels(~membrane, cell) / cell.size
    if membrane.all():
        assert all(math.isnan(scores[name]) for name in NAMES if name != "warping_error")
        return
    split, merge = reference.bits(truth, filled(cell))
    expected = {
        "rand_error": reference.rand_error(cell, membrane, np.ones_like(cell)),
        "adapted_rand_error": reference.f_error(*reference.rand_pairs(truth, filled(cell))),
        "vi_split": split,
        "vi_merge": merge,
    }
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-12)
    assert all(METRICS[name].low <= value <= METRICS[name].high for name, value in scores.items())


@settings(max_examples=60, deadline=None)
@given(three=masks(3))
def test_partial_labels_agree_with_loops_over_pairs(three):
    cell, membrane, counted = three
    counted[0, 0], membrane[0, 0] = True, False
    scores, truth = score(cell, membrane, counted), components(~membrane & counted)
    assert scores["rand_error"] == pytest.approx(reference.rand_error(cell, membrane, counted))
    assert (scores["vi_split"], scores["vi_merge"]) == pytest.approx(reference.bits(truth, filled(cell)), abs=1e-12)
    assert scores["warping_error"] == reference.warping_pixels(~membrane, cell, counted) / np.count_nonzero(counted)


@pytest.mark.parametrize("seed", range(5))
def test_scikit_image_agrees(seed):
    rng = np.random.default_rng(seed)
    membrane, cell = rng.random((40, 50)) < 0.4, rng.random((40, 50)) < 0.55
    truth, found = components(~membrane), filled(cell)
    scores = score(cell, membrane)
    assert adapted_rand_error(truth, found, ignore_labels=(0,))[0] == pytest.approx(scores["adapted_rand_error"])
    assert variation_of_information(truth, found, ignore_labels=(0,)) == pytest.approx([scores["vi_split"], scores["vi_merge"]])
    # Found membrane is alone for the Rand error: as many segments of one pixel.
    alone = components(cell)
    alone[alone == 0] = alone.max() + 1 + np.arange(np.count_nonzero(~cell))
    assert adapted_rand_error(truth, alone, ignore_labels=(0,))[0] == pytest.approx(scores["rand_error"])


@settings(max_examples=60, deadline=None)
@given(one=masks(1))
def test_found_membrane_goes_to_a_nearest_cell(one):
    (cell,) = one
    ours = filled(cell)
    if not cell.any():
        assert len(np.unique(ours)) == cell.size and ours.min() > 0
        return
    nearest = reference.nearest_cells(cell)
    assert all(ours[at] in nearest[at[0]][at[1]] for at in np.ndindex(cell.shape))


TWO_CELLS = picture("....", "####", "....", "....")  # membrane; above 4 px, below 8 px


@pytest.mark.parametrize(
    ("cell", "expected"),
    [
        (~TWO_CELLS, {"rand_error": 0.0, "warping_error": 0.0, "adapted_rand_error": 0.0, "vi_split": 0.0, "vi_merge": 0.0}),
        # One segment of all: 6 + 28 true pairs, 66 found; every pixel of the lost line touches both cells.
        (
            np.ones((4, 4), dtype=bool),
            {
                "rand_error": 1 - 2 * 34 / (34 + 66),
                "warping_error": 4 / 16,
                "adapted_rand_error": 1 - 2 * 34 / (34 + 66),
                "vi_split": 0.0,
                "vi_merge": math.log2(12) - (4 * 2 + 8 * 3) / 12,  # H(4/12, 8/12)
            },
        ),
        # The lower cell cut in two rows of 4 px by a line in place of nothing: rows 0, 2 and 3 become 4, alone, 4.
        (
            picture("####", "....", "....", "####"),
            # Pairs: truth 6 + 28, found 6 + 6, both 12. The lost row goes to the nearer row below, so nothing is cut.
            {"rand_error": 1 - 2 * 12 / (34 + 12), "warping_error": 0.0, "adapted_rand_error": 0.0, "vi_split": 0.0, "vi_merge": 0.0},
        ),
        # The lower cell cut down its second column: 2 px and 4 px remain, 2 px of line.
        (
            picture("####", "....", "#.##", "#.##"),
            {
                "rand_error": 1 - 2 * (6 + 1 + 6) / (34 + 6 + 1 + 6),
                "warping_error": 1 / 16,  # the line grows from below, until its last pixel cuts
            },
        ),
        # Nothing found: every pixel is alone, and the warping error is whole.
        (
            np.zeros((4, 4), dtype=bool),
            {"rand_error": 1.0, "warping_error": 1.0, "adapted_rand_error": 1.0, "vi_split": (4 * 2 + 8 * 3) / 12, "vi_merge": 0.0},
        ),
    ],
)
def test_four_by_four_by_hand(cell, expected):
    scores = score(cell, TWO_CELLS)
    assert {name: scores[name] for name in expected} == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("kind", ["noise", "sparse", "blobs", "empty", "pixel"])
def test_the_truth_is_perfect(kind):
    membrane = random_mask(kind, (12, 10), 3)
    assert score(~membrane, membrane) == pytest.approx({name: METRICS[name].perfect for name in NAMES}, abs=1e-12)


def test_one_pixel_of_cell_has_no_pair():
    membrane = ~random_mask("pixel", (6, 6), 1)
    assert score(~membrane, membrane) == dict.fromkeys(NAMES, 0.0)
    assert score(np.ones_like(membrane), membrane)["rand_error"] == 0.0


def test_pairs_and_pixels_are_pooled_and_the_others_are_means():
    cell = np.stack([random_mask("blobs", (9, 8), 1), random_mask("noise", (9, 8), 2)])
    membrane = np.stack([random_mask("blobs", (9, 8), 3), random_mask("sparse", (9, 8), 4)])
    counted = np.ones_like(cell)
    counted[0, :, :5] = False
    both = cell_scores(cell, membrane, counted)
    each = [score(cell[index], membrane[index], counted[index]) for index in range(2)]
    assert both.sections == {name: (each[0][name], each[1][name]) for name in NAMES}
    for name in ("adapted_rand_error", "vi_split", "vi_merge"):
        assert both.values[name] == pytest.approx((each[0][name] + each[1][name]) / 2)
    pairs = [reference.rand_pairs(components(~membrane[z] & counted[z]), components(cell[z])) for z in range(2)]
    assert both.values["rand_error"] == pytest.approx(reference.f_error(*(sum(numbers) for numbers in zip(*pairs, strict=True))))
    known = counted.sum(axis=(1, 2))
    assert both.values["warping_error"] == pytest.approx(
        (each[0]["warping_error"] * known[0] + each[1]["warping_error"] * known[1]) / known.sum()
    )


def test_sections_without_a_cell_or_a_label_are_left_out():
    cell = np.stack([random_mask("noise", (6, 7), seed) for seed in range(3)])
    membrane = np.stack([random_mask(kind, (6, 7), 9) for kind in ("sparse", "full", "sparse")])
    counted = np.ones_like(cell)
    counted[2] = False
    scores, alone = cell_scores(cell, membrane, counted), score(cell[0], membrane[0])
    for name in set(NAMES) - {"warping_error"}:
        assert scores.values[name] == alone[name] and [math.isnan(value) for value in scores.sections[name]] == [False, True, True]
    assert [math.isnan(value) for value in scores.sections["warping_error"]] == [False, False, True]
    none = cell_scores(cell, membrane, np.zeros_like(cell))
    assert all(math.isnan(value) for value in none.values.values())


@settings(max_examples=40, deadline=None)
@given(four=masks(4))
def test_labels_of_unknown_pixels_change_nothing(four):
    cell, membrane, counted, other = four
    scores, spoilt = score(cell, membrane, counted), score(cell, np.where(counted, membrane, other), counted)
    assert scores == pytest.approx(spoilt, nan_ok=True, abs=0)


def test_some_scores_can_be_chosen():
    cell, membrane = random_mask("noise", (6, 7), 1), random_mask("sparse", (6, 7), 2)
    every = score(cell, membrane)
    for name in NAMES:
        assert score(cell, membrane, names=[name]) == {name: every[name]}
    with pytest.raises(ValueError, match="no score of this kind is called 'v_rand'; there are rand_error, warping_error"):
        score(cell, membrane, names=["v_rand"])
    with pytest.raises(ValueError, match="cell, membrane must be bool"):
        score(cell.astype(float), membrane)
