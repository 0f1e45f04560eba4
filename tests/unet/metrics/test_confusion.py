"""Counts of right and wrong pixels, and the histogram's scores against those of masks."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.metrics import masks as reference
from tests.unet.metrics.masks_of import masks
from unet.metrics import Confusion, confusion_at, dice_at, iou_at, precision_at, probability_histogram, recall_at


@settings(max_examples=60, deadline=None)
@given(three=masks(3))
def test_pixels_are_counted_one_by_one(three):
    confusion = Confusion.of(*three)
    counts = (confusion.true_positive, confusion.false_positive, confusion.false_negative, confusion.true_negative)
    assert counts == reference.counts(*three)
    assert confusion.total == np.count_nonzero(three[2])
    parts = [Confusion.of(*(mask[rows] for mask in three)) for rows in (np.s_[:1], np.s_[1:])]
    assert parts[0] + parts[1] == confusion


def test_no_pixel_has_no_score():
    nothing = Confusion(true_positive=0, false_positive=0, false_negative=0, true_negative=0)
    assert all(math.isnan(value) for value in (nothing.dice, nothing.iou, nothing.precision, nothing.recall, nothing.pixel_error))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10_000), bins=st.sampled_from([2, 7, 1000]), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_the_histogram_scores_every_threshold_like_a_mask(seed, bins, share):
    rng = np.random.default_rng(seed)
    probability = ((rng.integers(0, bins, (2, 5, 7)) + 0.5) / bins).astype(np.float32)
    membrane, everywhere = rng.random((2, 5, 7)) < share, np.ones((2, 5, 7), dtype=bool)
    counts = probability_histogram(torch.from_numpy(probability), torch.from_numpy(membrane), bins)
    for step in {0, bins // 3, bins - 1}:
        of_mask = Confusion.of(probability >= step / bins, membrane, everywhere)
        assert confusion_at(counts, step / bins) == of_mask
        assert (iou_at(counts, step / bins), precision_at(counts, step / bins)) == (of_mask.iou, of_mask.precision)
        assert recall_at(counts, step / bins) == of_mask.recall and dice_at(counts, step / bins) == pytest.approx(of_mask.dice)


def test_thresholds_of_the_histogram_are_checked():
    for function in (confusion_at, iou_at, precision_at, recall_at, dice_at):
        with pytest.raises(ValueError, match="must lie in 0 to 1, got 1.5"):
            function(torch.zeros(2, 10), 1.5)
