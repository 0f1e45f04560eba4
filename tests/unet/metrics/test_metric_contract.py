"""What holds for every score of the registry: it says all there is to say, is computed, keeps to its range, and knows the better mask."""

import math

import numpy as np
import pytest
from scipy import ndimage

from unet.metrics import METRICS, calibration_error, cell_scores, mask_scores
from unet.metrics.challenge import mask_challenge
from unet.metrics.registry import AT_HALF

EXPECTED = {
    *("membrane_dice", "membrane_iou", "membrane_precision", "membrane_recall", "pixel_error", "boundary_f1", "hausdorff95", "cldice"),
    *("membrane_dice_at_half", "membrane_iou_at_half", "membrane_precision_at_half", "membrane_recall_at_half", "pixel_error_at_half"),
    *("betti_error", "calibration_error", "v_rand", "v_rand_at_half", "v_info", "v_info_at_half", "rand_error", "warping_error"),
    *("adapted_rand_error", "vi_split", "vi_merge"),
}


@pytest.fixture(scope="module")
def membrane_ZHW() -> np.ndarray:
    """Walls between round cells, two sections."""
    rng = np.random.default_rng(0)
    sections = []
    for _ in range(2):
        seeds = np.zeros((96, 100), dtype=bool)
        seeds[rng.integers(0, 96, 14), rng.integers(0, 100, 14)] = True
        numbers, _ = ndimage.label(seeds)
        nearest = ndimage.distance_transform_edt(~seeds, return_distances=False, return_indices=True)
        cells = numbers[tuple(nearest)]
        wall = ndimage.maximum_filter(cells, 3) != ndimage.minimum_filter(cells, 3)
        sections.append(wall)
    return np.stack(sections)


def scores_of(probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray) -> dict[str, float]:
    """Every score, as if 0.5 were the tuned threshold."""
    mask = mask_scores(probability_ZHW >= 0.5, membrane_ZHW).values
    rand, info = mask_challenge(~membrane_ZHW, probability_ZHW < 0.5).mean(axis=0)
    told = mask | cell_scores(probability_ZHW < 0.5, membrane_ZHW).values | {"v_rand": rand, "v_info": info}
    told["calibration_error"] = calibration_error(probability_ZHW, membrane_ZHW)
    return told | {name: told[name.removesuffix(AT_HALF)] for name in METRICS if name.endswith(AT_HALF)}


def noisy(membrane_ZHW: np.ndarray, noise: float) -> np.ndarray:
    field = ndimage.gaussian_filter(np.random.default_rng(1).standard_normal(membrane_ZHW.shape), (0, 1.5, 1.5))
    return np.clip(membrane_ZHW + noise * field / field.std(), 0, 1).astype(np.float32)


def test_the_names():
    assert set(METRICS) == EXPECTED
    assert {name for name, spec in METRICS.items() if spec.while_training} == {"membrane_dice", "membrane_dice_at_half"}


@pytest.mark.parametrize("name", list(METRICS))
def test_an_entry_says_everything(name):
    spec = METRICS[name]
    assert spec.name == name and spec.unit in {"", "px", "bits"} and spec.of in {"probability", "mask", "cells"}
    for text in (spec.title, spec.formula, spec.edge, spec.source):
        assert text and text.isascii() and text == text.strip()
    assert len(spec.title) <= 25 and spec.low == 0.0 and (spec.high == 1.0 or spec.high == math.inf)
    assert any(year.isdigit() and len(year) == 4 for year in spec.source.replace(",", " ").replace(";", " ").split())
    if spec.goal == "maximise":
        assert math.isfinite(spec.perfect)


def test_titles_are_told_apart():
    assert len({spec.title for spec in METRICS.values()}) == len(METRICS)


def test_a_score_at_half_is_its_score_but_for_the_threshold():
    for name, spec in METRICS.items():
        if name.endswith(AT_HALF):
            base = METRICS[name.removesuffix(AT_HALF)]
            for field in ("goal", "low", "high", "unit", "of", "pooled", "edge", "source", "while_training", "perfect"):
                assert getattr(spec, field) == getattr(base, field)
            assert spec.title == f"{base.title} at 0.5"


def test_every_score_is_computed_and_the_truth_is_perfect(membrane_ZHW):
    told = scores_of(membrane_ZHW.astype(np.float32), membrane_ZHW)
    assert told == pytest.approx({name: spec.perfect for name, spec in METRICS.items()}, abs=1e-9)


def test_more_noise_is_worse_in_every_score(membrane_ZHW):
    better, worse = (scores_of(noisy(membrane_ZHW, noise), membrane_ZHW) for noise in (0.3, 0.6))
    for name, spec in METRICS.items():
        assert spec.low <= worse[name] <= spec.high and spec.better(better[name], than=worse[name]), name


def test_values_are_plain_numbers(membrane_ZHW):
    mask, cells = mask_scores(membrane_ZHW, ~membrane_ZHW), cell_scores(membrane_ZHW, membrane_ZHW)
    for scores in (mask, cells):
        assert all(type(value) is float for value in scores.values.values())
        assert all(type(value) is float for each in scores.sections.values() for value in each)
        assert all(len(each) == 2 for each in scores.sections.values())
