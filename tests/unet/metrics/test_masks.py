"""Scores of a membrane mask: against loops over pixels, against MONAI, by hand, and at their limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from tests.reference.metrics import masks as reference
from tests.unet.metrics.masks_of import masks, picture, random_mask
from unet.metrics import METRICS, mask_scores
from unet.metrics.betti import betti_error, betti_numbers
from unet.metrics.edges import EdgeDistances, edge_pixels

NAMES = tuple(spec.name for spec in METRICS.values() if spec.of == "mask" and not spec.name.endswith("_at_half"))
POOLED = tuple(name for name in NAMES if METRICS[name].pooled)


def score(found: np.ndarray, membrane: np.ndarray, counted: np.ndarray | None = None, **sets) -> dict[str, float]:
    return mask_scores(found[None], membrane[None], None if counted is None else counted[None], **sets).values


def by_loops(found: np.ndarray, membrane: np.ndarray, counted: np.ndarray, tolerance_px: float) -> dict[str, float]:
    return reference.pixel_scores(found, membrane, counted) | {
        "boundary_f1": reference.boundary_f1(found, membrane, counted, tolerance_px),
        "hausdorff95": reference.hausdorff95(found, membrane, counted),
        "cldice": reference.cldice(found, membrane, counted),
        "betti_error": reference.betti_error(found, membrane, counted, 64),
    }


@settings(max_examples=120, deadline=None)
@given(three=masks(3), tolerance_px=st.sampled_from([0.0, 1.0, 1.5, 2.0]), all_known=st.booleans())
def test_every_score_agrees_with_loops_over_pixels(three, tolerance_px, all_known):
    found, membrane, counted = three
    counted = np.ones_like(found) if all_known else counted
    if not counted.any():
        counted[0, 0] = True
    scores = score(found, membrane, counted, tolerance_px=tolerance_px)
    assert tuple(scores) == NAMES
    assert scores == pytest.approx(by_loops(found, membrane, counted, tolerance_px), abs=1e-12)
    assert all(METRICS[name].low <= value <= METRICS[name].high for name, value in scores.items())


@settings(max_examples=60, deadline=None)
@given(three=masks(3), tile_px=st.integers(1, 5))
def test_tiles_have_the_betti_numbers_that_floods_find(three, tile_px):
    found, membrane, counted = three
    counted[-1, -1] = True
    assert betti_error(found, membrane, counted, tile_px) == pytest.approx(reference.betti_error(found, membrane, counted, tile_px))


def test_a_large_section_has_several_tiles():
    found, membrane = random_mask("sparse", (70, 130), 1), random_mask("sparse", (70, 130), 2)
    assert betti_error(found, membrane, np.ones_like(found)) == reference.betti_error(found, membrane, np.ones_like(found), 64)


@pytest.mark.parametrize(
    ("mask", "pieces", "holes"),
    [
        (picture("....", "....", "....", "...."), 0, 0),
        (picture("####", "####", "####", "####"), 1, 0),
        (picture("####", "#..#", "#..#", "####"), 1, 1),
        (picture("####", "#.##", "##.#", "####"), 1, 2),  # cells are 4-connected: two of them
        (picture("#..#", ".##.", "....", "#..#"), 3, 0),  # membrane is 8-connected: the first two rows are one piece
        (picture("###.", "#.#.", "###.", "...#"), 1, 1),
    ],
)
def test_pieces_and_holes_by_hand(mask, pieces, holes):
    assert betti_numbers(mask[None]).tolist() == [[pieces, holes]]


def test_four_by_four_by_hand():
    membrane = picture(".#..", ".#..", ".#..", ".#..")
    found = picture(".#..", ".##.", "....", ".#..")
    scores = score(found, membrane)  # TP 3, FP 1, FN 1, TN 11
    assert scores["membrane_dice"] == 6 / 8 and scores["membrane_iou"] == 3 / 5
    assert scores["membrane_precision"] == 3 / 4 and scores["membrane_recall"] == 3 / 4 and scores["pixel_error"] == 2 / 16
    # Every membrane pixel has a neighbour that is none, so all are edge: the found ones lie 0, 0, 1, 0 px off, the marked 0, 0, 1, 0.
    assert scores["boundary_f1"] == 1.0 and score(found, membrane, tolerance_px=0)["boundary_f1"] == 3 / 4
    assert scores["hausdorff95"] == pytest.approx(0.85)  # ranks 0, 1, 2, 3 of (0, 0, 0, 1): at 2.85
    assert scores["betti_error"] == 1.0  # two pieces in place of one, no hole in either
    # The marked line is its own centre line, and 3 of its 4 pixels are found; the found one takes the corner: 2 of its 3 pixels are marked.
    assert scores["cldice"] == pytest.approx(2 * (2 / 3) * (3 / 4) / (2 / 3 + 3 / 4))


def test_a_thicker_membrane_costs_dice_and_no_topology():
    membrane = np.zeros((20, 20), dtype=bool)
    membrane[9] = True
    found = ndimage.binary_dilation(membrane, iterations=1)
    scores = score(found, membrane)
    assert scores["membrane_dice"] == 0.5 and scores["membrane_recall"] == 1.0
    assert scores["cldice"] == pytest.approx(36 / 37)  # 18 of 19 pixels of the centre line: its end turns to a corner of the image
    assert scores["betti_error"] == 0.0 and scores["boundary_f1"] == 1.0 and scores["hausdorff95"] == 1.0


def test_a_gap_costs_topology_and_little_dice():
    membrane = np.zeros((20, 20), dtype=bool)
    membrane[9] = True
    found = membrane.copy()
    found[9, 7:13] = False
    scores = score(found, membrane)
    assert scores["betti_error"] == 1.0 and scores["cldice"] == pytest.approx(2 * 0.7 / 1.7)
    assert scores["hausdorff95"] == pytest.approx(reference.hausdorff95(found, membrane, np.ones_like(found)))


@pytest.mark.parametrize("kind", ["noise", "sparse", "blobs", "empty", "full", "pixel"])
def test_the_truth_is_perfect(kind):
    truth = random_mask(kind, (12, 10), 3)
    assert score(truth, truth) == {name: METRICS[name].perfect for name in NAMES}


def test_nothing_found_and_nothing_marked():
    nothing, pixel, everything = (random_mask(kind, (5, 4), 0) for kind in ("empty", "pixel", "full"))
    worst = {
        "membrane_dice": 0.0,
        "membrane_iou": 0.0,
        "membrane_precision": 0.0,
        "membrane_recall": 0.0,
        "boundary_f1": 0.0,
        "cldice": 0.0,
    }
    for found, membrane in ((nothing, pixel), (pixel, nothing)):
        assert score(found, membrane) == worst | {"pixel_error": 1 / 20, "hausdorff95": 5.0, "betti_error": 1.0}
    scores = score(everything, pixel)
    assert scores["membrane_recall"] == 1.0 and scores["membrane_precision"] == 1 / 20 and scores["boundary_f1"] == 0.0
    assert scores["hausdorff95"] == 5.0  # all membrane has no edge: the border of the image is none


def test_pooled_scores_count_all_pixels_and_the_others_are_means():
    found, membrane = (np.stack([random_mask("noise", (9, 9), seed), random_mask("sparse", (9, 9), seed + 1)]) for seed in (1, 5))
    both = mask_scores(found, membrane)
    for name in NAMES:
        each = [score(found[index], membrane[index])[name] for index in range(2)]
        assert both.sections[name] == tuple(each)
        flat = score(found.reshape(18, 9), membrane.reshape(18, 9))[name]
        assert both.values[name] == (flat if name in POOLED else pytest.approx(np.mean(each)))


def test_a_section_of_which_nothing_is_known_is_left_out():
    found, membrane = random_mask("noise", (2, 40), 1).reshape(2, 5, 8), random_mask("noise", (2, 40), 2).reshape(2, 5, 8)
    counted = np.stack([np.zeros((5, 8), dtype=bool), np.ones((5, 8), dtype=bool)])
    scores, alone = mask_scores(found, membrane, counted), score(found[1], membrane[1])
    assert scores.values == pytest.approx(alone)
    assert all(math.isnan(each[0]) and each[1] == alone[name] for name, each in scores.sections.items())
    none = mask_scores(found, membrane, np.zeros_like(found))
    assert all(math.isnan(value) for value in none.values.values())


@settings(max_examples=40, deadline=None)
@given(four=masks(4))
def test_unknown_pixels_change_nothing(four):
    found, membrane, counted, other = four
    counted[0, 0] = True
    scores = score(found, membrane, counted)
    assert score(found, np.where(counted, membrane, other), counted) == scores
    assert score(np.where(counted, found, other), membrane, counted) == scores


def test_a_known_corner_scores_like_the_corner_alone():
    found, membrane = random_mask("noise", (20, 20), 1), random_mask("blobs", (20, 20), 2)
    counted = np.zeros_like(found)
    counted[:11, :13] = True
    assert score(found, membrane, counted) == pytest.approx(score(found[:11, :13], membrane[:11, :13]))


def test_unknown_pixels_and_the_border_make_no_edge():
    mask = picture("####", "####", "....", "....")
    assert edge_pixels(mask, np.ones_like(mask)).tolist() == picture("....", "####", "....", "....").tolist()
    assert not edge_pixels(mask, mask).any()
    distances = EdgeDistances.between(mask, mask, mask)
    assert distances.f1(0.0) == 1.0 and distances.hausdorff95() == 0.0


def test_some_scores_can_be_chosen():
    found, membrane = random_mask("noise", (1, 30), 1).reshape(1, 5, 6), random_mask("noise", (1, 30), 2).reshape(1, 5, 6)
    every = mask_scores(found, membrane)
    for name in NAMES:
        one = mask_scores(found, membrane, names=[name])
        assert one.values == {name: every.values[name]} and one.sections == {name: every.sections[name]}
    with pytest.raises(ValueError, match="no score of this kind is called 'dice', 'v_rand'; there are membrane_dice, membrane_iou"):
        mask_scores(found, membrane, names=["dice", "membrane_iou", "v_rand"])


def test_what_is_no_mask_is_refused():
    mask = np.zeros((1, 4, 5), dtype=bool)
    with pytest.raises(ValueError, match=r"found float64 \(1, 4, 5\), membrane bool .* Compare probabilities with a threshold first"):
        mask_scores(np.zeros((1, 4, 5)), mask)
    with pytest.raises(ValueError, match=r"found, membrane, counted must be bool \[Z, H, W\] of one shape.*counted bool \(4, 5\)"):
        mask_scores(mask, mask, mask[0])
    with pytest.raises(ValueError, match=r"pass a single section as section\[None\]"):
        mask_scores(mask[0], mask[0])
    for tolerance_px in (-1.0, math.nan):
        with pytest.raises(ValueError, match=f"tolerance_px must be at least 0 pixels, got {tolerance_px}"):
            mask_scores(mask, mask, tolerance_px=tolerance_px)


# Since November 2026: MONAI 1.6 calls its own function with an argument that it has deprecated.
@pytest.mark.filterwarnings("ignore:.*get_mask_edges.always_return_as_numpy:FutureWarning")
@pytest.mark.parametrize("seed", range(6))
def test_monai_agrees(seed):
    from monai.metrics.confusion_matrix import compute_confusion_matrix_metric, get_confusion_matrix
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.meaniou import compute_iou

    rng = np.random.default_rng(seed)
    # MONAI takes the border of the image for an edge: nothing touches it here.
    found, membrane = (np.pad(ndimage.uniform_filter(rng.random((20, 24)), 3) < 0.45, 1) for _ in range(2))
    scores = score(found, membrane)
    tensors = [torch.from_numpy(mask)[None, None].float() for mask in (found, membrane)]
    assert compute_hausdorff_distance(*tensors, include_background=True, percentile=95).item() == pytest.approx(scores["hausdorff95"])
    assert compute_iou(*tensors).item() == pytest.approx(scores["membrane_iou"])
    matrix = get_confusion_matrix(*tensors)
    for name, ours in (("precision", "membrane_precision"), ("recall", "membrane_recall"), ("f1 score", "membrane_dice")):
        assert compute_confusion_matrix_metric(name, matrix).item() == pytest.approx(scores[ours])
