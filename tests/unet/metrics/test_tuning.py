"""Threshold and clean-up are chosen from what was found, not from how sure a network is; and at one cost."""

from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from unet.metrics import tuning
from unet.metrics.challenge import mask_challenge
from unet.metrics.tuning import (
    SHARES,
    SMALLEST_CELLS_PX,
    best_membrane_dice,
    clean_cells,
    mean_challenge,
    share_thresholds,
    tune_cells,
)

LEVELS = st.integers(0, 8).map(lambda level: level / 8)


def grid_stack(seed: int = 0, size: int = 48) -> tuple[np.ndarray, np.ndarray]:
    """Two sections of square cells, and a soft, noisy prediction in 200 levels, so that curves keep the levels apart."""
    rng = np.random.default_rng(seed)
    membrane_ZHW = np.zeros((2, size, size), bool)
    membrane_ZHW[:, ::12] = membrane_ZHW[:, :, ::12] = True
    soft_ZHW = np.clip(0.6 * membrane_ZHW + rng.normal(0.2, 0.12, membrane_ZHW.shape), 0.01, 0.99)
    return np.round(soft_ZHW * 200).astype(np.float32) / np.float32(200), membrane_ZHW


def brute_dice(probability: np.ndarray, membrane: np.ndarray, counted: np.ndarray) -> float:
    probability, membrane = probability[counted], membrane[counted]
    masks = [probability >= value for value in (*np.unique(probability), np.inf)]
    totals = [mask.sum() + membrane.sum() for mask in masks]
    return max(2 * (mask & membrane).sum() / total if total else 1.0 for mask, total in zip(masks, totals, strict=True))


@given(
    probability=arrays(np.float32, (2, 3, 4), elements=LEVELS),
    membrane=arrays(bool, (2, 3, 4)),
    counted=arrays(bool, (2, 3, 4)),
)
def test_best_dice_is_that_of_all_thresholds(probability: np.ndarray, membrane: np.ndarray, counted: np.ndarray) -> None:
    counted[0, 0, 0] = True
    dice, threshold = best_membrane_dice(probability, membrane, counted)
    assert dice == pytest.approx(brute_dice(probability, membrane, counted))
    mask = (probability >= threshold) & counted
    total = mask.sum() + (membrane & counted).sum()
    assert dice == pytest.approx(2 * (mask & membrane).sum() / total if total else 1.0)


def test_best_dice_takes_the_equal_threshold_that_finds_as_much_as_is_marked() -> None:
    probability = np.array([[[0.9, 0.6, 0.2, 0.1]]], np.float32)
    # at .9 the one that is found is right (2 of 3 pixels), at .1 two of four (4 of 6); two are marked
    assert best_membrane_dice(probability, np.array([[[True, False, False, True]]])) == (pytest.approx(2 / 3), pytest.approx(0.9))
    assert best_membrane_dice(probability, np.array([[[True, True, False, False]]])) == (1.0, pytest.approx(0.6))


@pytest.mark.parametrize("zero", [0.0, -0.0])
def test_both_zeros_are_the_smallest_probability(zero: float) -> None:
    probability = np.array([[[zero, 0.5, 1.0]]], np.float32)
    assert best_membrane_dice(probability, np.array([[[False, True, True]]])) == (1.0, 0.5)


def test_without_membrane_the_best_threshold_finds_nothing() -> None:
    probability = np.full((1, 2, 2), 0.25, np.float32)
    dice, threshold = best_membrane_dice(probability, np.zeros((1, 2, 2), bool))
    assert dice == 1.0 and 0.25 < threshold < 0.2501


@pytest.mark.parametrize("bad", [-0.1, 1.5, np.nan, np.inf])
def test_logits_are_refused(bad: float) -> None:
    probability = np.array([[[0.5, bad]]], np.float32)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]"):
        best_membrane_dice(probability, np.array([[[True, False]]]))


def test_shapes_and_unknown_labels_are_refused() -> None:
    probability, membrane = grid_stack()
    with pytest.raises(ValueError, match="must have one shape"):
        best_membrane_dice(probability[:1], membrane)
    with pytest.raises(ValueError, match="nothing can be tuned"):
        best_membrane_dice(probability, membrane, np.zeros_like(membrane))


def test_shares_find_what_they_say() -> None:
    rng = np.random.default_rng(1)
    probability, membrane = rng.random((2, 50, 50), np.float32), rng.random((2, 50, 50)) < 0.2
    for share, threshold in zip(SHARES, share_thresholds(probability, membrane, None, SHARES), strict=True):
        assert (probability >= threshold).sum() == pytest.approx(share * membrane.sum(), abs=1)


CURVES: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "cube": lambda p: p**3,
    "root": np.sqrt,
    "surer": lambda p: p**2 / (p**2 + (0.7 * (1 - p)) ** 2),
    "shyer": lambda p: 0.4 + 0.1 * p,
}


@pytest.mark.parametrize("curve", CURVES.values(), ids=CURVES)
def test_a_monotone_curve_moves_no_tuned_score(curve: Callable[[np.ndarray], np.ndarray]) -> None:
    probability, membrane = grid_stack()
    bent = curve(probability.astype(np.float64)).astype(np.float32)
    assert len(np.unique(bent)) == len(np.unique(probability)), "the curve must keep the levels apart"
    assert best_membrane_dice(bent, membrane)[0] == best_membrane_dice(probability, membrane)[0]
    tuned, bent_tuned = tune_cells(probability, membrane), tune_cells(bent, membrane)
    for one, other in zip(tuned, bent_tuned, strict=True):
        assert (other.score, other.smallest_cell_px) == (one.score, one.smallest_cell_px)
        assert other.threshold == pytest.approx(curve(np.float64(one.threshold)), rel=1e-6)
        np.testing.assert_array_equal(clean_cells(bent, other.threshold, 0), clean_cells(probability, one.threshold, 0))
    half, bent_half = (mean_challenge(mask_challenge(~membrane, p < 0.5)) for p in (probability, bent))
    dices = [2 * ((p >= 0.5) & membrane).sum() / ((p >= 0.5).sum() + membrane.sum()) for p in (probability, bent)]
    assert dices[0] != dices[1], "only the score at 0.5 moves"
    assert bent_half.tolist() != half.tolist()


def test_every_network_is_tuned_at_the_same_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    costs = []

    def counted(labels: np.ndarray, cell: np.ndarray) -> np.ndarray:
        costs[-1] += 1
        return mask_challenge(labels, cell)

    monkeypatch.setattr(tuning, "mask_challenge", counted)
    probability, membrane = grid_stack()
    for candidate in (probability, probability > 0.5, np.full_like(probability, 0.3), 1 - probability):
        costs.append(0)
        tune_cells(candidate.astype(np.float32), membrane)
    assert set(costs) == {len(SHARES) + 2 * (len(SMALLEST_CELLS_PX) - 1)}


def test_specks_in_a_membrane_are_cleaned_away() -> None:
    _, membrane = grid_stack()
    thick = np.zeros_like(membrane)
    for shift in (-2, -1, 0, 1, 2):
        thick |= np.roll(membrane, shift, axis=1) | np.roll(membrane, shift, axis=2)
    probability = np.where(thick, 0.9, 0.1).astype(np.float32)
    probability[:, 12::12, 6::12] = 0.1  # a hole of one pixel in the middle of each horizontal membrane
    rand, info = tune_cells(probability, membrane)
    assert rand.smallest_cell_px > 1 and info.smallest_cell_px > 1
    raw = mean_challenge(mask_challenge(~membrane, probability < rand.threshold))
    assert rand.score > raw[0] and info.score > raw[1]


def test_without_a_labelled_cell_there_is_no_score() -> None:
    rand, info = tune_cells(np.full((1, 8, 8), 0.5, np.float32), np.ones((1, 8, 8), bool))
    assert np.isnan(rand.score) and np.isnan(info.score)


def test_unknown_pixels_are_in_no_share() -> None:
    probability, membrane = grid_stack()
    counted = np.ones_like(membrane)
    counted[:, :20] = False
    spoilt_probability, spoilt_membrane = probability.copy(), membrane.copy()
    spoilt_membrane[:, :20] = ~spoilt_membrane[:, :20]
    assert share_thresholds(probability, membrane, counted, SHARES) == share_thresholds(
        spoilt_probability, spoilt_membrane, counted, SHARES
    )
    assert tune_cells(probability, membrane, counted) == tune_cells(spoilt_probability, spoilt_membrane, counted)
