"""The first tables' scores: against loops at every threshold, by hand, and at their limits."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from data_utils.tiff import read_tiff
from tests.reference.metrics import cells as reference
from tests.reference.metrics.floods import components
from tests.reference.metrics.masks import counts
from tests.unet.metrics.masks_of import picture
from unet.metrics import cell_scores, older_scores

THRESHOLDS = [step / 10 for step in range(11)]


@settings(max_examples=12, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_threshold_agrees_with_loops(seed):
    rng = np.random.default_rng(seed)
    labels = (ndimage.uniform_filter(rng.random((2, 7, 8)), (0, 2, 2)) < 0.55).astype(np.uint8) * 255
    proposal = np.clip(0.5 * (labels > 0) + 0.5 * rng.random(labels.shape), 0, 1).astype(np.float32)
    scores = older_scores(labels, proposal)
    everywhere = np.ones(labels.shape, dtype=bool)
    for threshold in THRESHOLDS:
        cell, truth = proposal > threshold, labels > 0
        tp, fp, fn, _ = counts(cell, truth, everywhere)
        pairs = np.sum([reference.rand_pairs(components(t), components(c)) for t, c in zip(truth, cell, strict=True)], axis=0)
        wrong = sum(reference.warping_pixels(t, c) for t, c in zip(truth, cell, strict=True))
        assert scores.pixel_error_at[threshold] == pytest.approx(1 - 2 * tp / (2 * tp + fp + fn))
        assert scores.rand_error_at[threshold] == pytest.approx(reference.f_error(*pairs.tolist()))
        assert scores.warping_error_at[threshold] == pytest.approx(wrong / labels.size)
    for name in ("pixel_error", "rand_error", "warping_error"):
        assert getattr(scores, name) == min(getattr(scores, f"{name}_at").values())


def test_by_hand():
    labels = picture("##.##", "##.##", "##.##", "##.##", "##.##")[None]
    proposal = np.where(labels, 0.9, 0.4)
    proposal[0, 0, 2] = 0.85
    scores = older_scores(labels, proposal)
    assert scores.pixel_error == pytest.approx(1 - 40 / 41) and scores.pixel_error_at[0.2] == pytest.approx(1 - 40 / 45)
    assert scores.rand_error == pytest.approx(1 - 2 * 90 / (90 + 190)) and scores.warping_error == 1 / 25
    assert scores.warping_error_at[0.2] == 5 / 25
    # At 0.9 and 1 nothing is left: all of it counts as wrong, where splits and mergers alone would find nothing.
    assert scores.warping_error_at[0.9] == 1.0 and scores.rand_error_at[1.0] == 1.0 and scores.pixel_error_at[1.0] == 1.0


def test_the_labels_themselves_are_perfect_and_a_binary_proposal_has_one_threshold():
    labels = (np.random.default_rng(0).random((2, 9, 9)) < 0.6).astype(np.uint8)
    for proposal in (labels, labels.astype(bool), labels.astype(np.float32)):
        scores = older_scores(labels, proposal)
        assert (scores.pixel_error, scores.rand_error, scores.warping_error) == (0.0, 0.0, 0.0)
        assert list(scores.rand_error_at) == [0.0]
    assert list(older_scores(labels, labels, thresholds=[0.3, 0.5]).pixel_error_at) == [0.3, 0.5]


def test_labels_without_a_cell():
    scores = older_scores(np.zeros((1, 4, 4)), np.full((1, 4, 4), 0.35))
    assert scores.pixel_error == 0.0 and scores.pixel_error_at[0.3] == 1.0
    assert math.isnan(scores.rand_error) and scores.warping_error == 0.0


def test_one_threshold_has_the_errors_of_its_cells():
    rng = np.random.default_rng(3)
    labels, proposal = rng.random((2, 12, 12)) < 0.7, rng.random((2, 12, 12)).astype(np.float32)
    scores, cells = older_scores(labels, proposal), cell_scores(proposal > 0.3, ~labels).values
    assert scores.rand_error_at[0.3] == cells["rand_error"] and scores.warping_error_at[0.3] == cells["warping_error"]


def test_what_is_no_proposal_is_refused():
    labels = np.ones((1, 3, 3))
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\] .* reaches from 0.0 to 255.0. Pass probabilities"):
        older_scores(labels, np.array([[[0.0, 255.0, 1.0]] * 3]))
    with pytest.raises(ValueError, match=r"got \(1, 3, 3\) and \(3, 3\)"):
        older_scores(labels, labels[0])
    for thresholds in ([], [math.nan]):
        with pytest.raises(ValueError, match="thresholds must be finite numbers, at least one"):
            older_scores(labels, labels, thresholds=thresholds)


@pytest.mark.realdata
def test_thicker_membranes_cost_the_first_tables_scores_what_the_thinned_ones_forgive(isbi2012_folder):
    labels = read_tiff(isbi2012_folder / "train-labels.tif")[24:26]
    thicker = np.stack([ndimage.binary_erosion(section > 0, border_value=1) for section in labels])
    scores = older_scores(labels, thicker)
    assert 0.03 < scores.pixel_error < 0.045 and 0.02 < scores.rand_error < 0.06 and 0 < scores.warping_error < 1e-3
    cells = cell_scores(thicker, labels == 0).values
    assert cells["adapted_rand_error"] < 0.01 and cells["vi_split"] + cells["vi_merge"] < 0.1
