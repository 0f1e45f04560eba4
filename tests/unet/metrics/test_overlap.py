"""Dice from a histogram against Dice from masks, and by hand."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from unet.metrics.overlap import best_dice, dice_at, probability_histogram


def mask_dice(predicted: np.ndarray, membrane: np.ndarray) -> float:
    total = predicted.sum() + membrane.sum()
    return 2.0 * (predicted & membrane).sum() / total if total else 1.0


@settings(max_examples=50, deadline=None)
@given(seed=st.integers(0, 10_000), bins=st.sampled_from([1, 2, 7, 100, 1000]), share=st.sampled_from([0.0, 0.2, 1.0]))
def test_every_threshold_agrees_with_masks(seed, bins, share):
    rng = np.random.default_rng(seed)
    # Halfway between two thresholds: whether p == k / bins belongs to bin k would be a question of rounding, not of Dice.
    probability = ((rng.integers(0, bins, (2, 5, 7)) + 0.5) / bins).astype(np.float32)
    membrane = rng.random((2, 5, 7)) < share
    counts = probability_histogram(torch.from_numpy(probability), torch.from_numpy(membrane), bins)
    assert counts.shape == (2, bins) and counts.sum() == 70 and counts[1].sum() == membrane.sum()
    expected = [mask_dice(probability >= k / bins, membrane) for k in range(bins)]
    assert [dice_at(counts, k / bins) for k in range(bins)] == pytest.approx(expected, abs=1e-15)
    dice, threshold = best_dice(counts)
    assert dice == pytest.approx(max(expected), abs=1e-15)
    assert mask_dice(probability >= threshold, membrane) == pytest.approx(dice, abs=1e-15)


def test_by_hand():
    probability = torch.tensor([0.9, 0.8, 0.6, 0.1])
    membrane = torch.tensor([True, False, True, False])
    counts = probability_histogram(probability, membrane)
    assert dice_at(counts, 0.85) == pytest.approx(2 / 3)
    assert dice_at(counts, 0.5) == pytest.approx(4 / 5)
    assert best_dice(counts) == pytest.approx((4 / 5, 0.5))


def test_among_equal_thresholds_the_middle_one_is_taken():
    membrane = torch.tensor([True, False])
    assert best_dice(probability_histogram(torch.tensor([1.0, 0.0]), membrane)) == (1.0, 0.5)
    dice, threshold = best_dice(probability_histogram(torch.tensor([0.3, 0.1]), membrane))
    assert dice == 1.0 and threshold == 0.3


def test_no_membrane_at_all():
    nothing = torch.zeros(4, dtype=torch.bool)
    assert best_dice(probability_histogram(torch.full((4,), 0.2), nothing)) == (1.0, 0.5)
    assert dice_at(probability_histogram(torch.full((4,), 0.9), nothing), 0.5) == 0.0


def test_all_membrane_has_the_dice_of_the_sanity_row():
    membrane = torch.zeros(100, dtype=torch.bool)
    membrane[:22] = True
    assert best_dice(probability_histogram(torch.full((100,), 0.7), membrane))[0] == pytest.approx(2 * 22 / 122)


def test_sections_can_be_counted_apart_and_added():
    generator = torch.Generator().manual_seed(0)
    probability, membrane = torch.rand(4, 9, 9, generator=generator), torch.rand(4, 9, 9, generator=generator) < 0.3
    parts = sum(probability_histogram(p, m) for p, m in zip(probability, membrane, strict=True))
    assert torch.equal(parts, probability_histogram(probability, membrane))


def test_halves_and_ends_are_counted():
    counts = probability_histogram(torch.tensor([0.0, 1.0], dtype=torch.bfloat16), torch.tensor([False, True]))
    assert counts[0, 0] == 1 and counts[1, -1] == 1


def test_shapes_and_thresholds_are_checked():
    with pytest.raises(ValueError, match=r"must have the same shape, got \[2\] and \[2, 1\]"):
        probability_histogram(torch.zeros(2), torch.zeros(2, 1, dtype=torch.bool))
    with pytest.raises(ValueError, match="must lie in 0 to 1, got 1.5"):
        dice_at(torch.zeros(2, 10), 1.5)


def test_pixels_that_do_not_count_are_left_out():
    rng = np.random.default_rng(0)
    probability, membrane, counted = rng.random((3, 5, 7)).astype(np.float32), rng.random((3, 5, 7)) < 0.3, rng.random((3, 5, 7)) < 0.6
    tensors = [torch.from_numpy(array) for array in (probability, membrane, counted)]
    counts = probability_histogram(*tensors[:2], 20, counted=tensors[2])
    assert counts.sum() == counted.sum()
    assert torch.equal(counts, probability_histogram(torch.from_numpy(probability[counted]), torch.from_numpy(membrane[counted]), 20))
    assert torch.equal(
        probability_histogram(*tensors[:2], counted=torch.ones(3, 5, 7, dtype=torch.bool)), probability_histogram(*tensors[:2])
    )
    assert probability_histogram(*tensors[:2], counted=torch.zeros(3, 5, 7, dtype=torch.bool)).sum() == 0
    with pytest.raises(ValueError, match=r"counted must be bool \[3, 5, 7\] like the probability, got torch.bool \[5, 7\]"):
        probability_histogram(*tensors[:2], counted=tensors[2][0])
    with pytest.raises(ValueError, match=r"got torch.float32 \[3, 5, 7\]"):
        probability_histogram(*tensors[:2], counted=tensors[0])
