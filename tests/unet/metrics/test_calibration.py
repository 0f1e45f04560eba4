"""The calibration error: against its definition, against MONAI, by hand, and at its limits."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference.metrics import masks as reference
from unet.metrics import METRICS, calibration_error


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10_000), bins=st.sampled_from([1, 3, 10, 15]), kind=st.sampled_from(["even", "sure", "steps"]))
def test_its_definition_says_the_same(seed, bins, kind):
    rng = np.random.default_rng(seed)
    uniform = rng.random((2, 4, 5))
    probability = {"even": uniform, "sure": np.round(uniform), "steps": np.round(uniform * 4) / 4}[kind].astype(np.float32)
    membrane, counted = rng.random((2, 4, 5)) < 0.3, rng.random((2, 4, 5)) < 0.7
    counted[0, 0, 0] = True
    expected = reference.calibration_error(probability, membrane, counted, bins)
    assert calibration_error(probability, membrane, counted, bins) == pytest.approx(expected, abs=1e-12)
    everywhere = np.ones_like(counted)
    assert calibration_error(probability, membrane, bins=bins) == calibration_error(probability, membrane, everywhere, bins)


def test_monai_agrees():
    from monai.metrics.calibration import CalibrationErrorMetric

    rng = np.random.default_rng(0)
    probability, membrane = rng.random((1, 30, 40)).astype(np.float32), rng.random((1, 30, 40)) < 0.4
    metric = CalibrationErrorMetric(num_bins=15, include_background=True)
    metric(torch.from_numpy(probability)[None], torch.from_numpy(membrane)[None].float())
    assert metric.aggregate().item() == pytest.approx(calibration_error(probability, membrane), abs=1e-6)


def test_by_hand():
    probability = np.array([0.1, 0.2, 0.9, 0.7])
    membrane = np.array([False, True, True, True])
    # Two bins: (0.1, 0.2) claims 0.15 and holds 0.5; (0.9, 0.7) claims 0.8 and holds 1.
    assert calibration_error(probability, membrane, bins=2) == pytest.approx(0.5 * 0.35 + 0.5 * 0.2)
    assert calibration_error(probability, membrane, np.array([True, True, False, False]), bins=2) == pytest.approx(0.35)


def test_limits():
    membrane = np.zeros((1, 10, 10), dtype=bool)
    membrane[0, :2] = True
    assert calibration_error(membrane.astype(np.float32), membrane) == METRICS["calibration_error"].perfect
    assert calibration_error((~membrane).astype(np.float32), membrane) == METRICS["calibration_error"].high
    assert calibration_error(np.full(membrane.shape, 0.2), membrane) == pytest.approx(0.0)  # says nothing, and claims nothing
    assert math.isnan(calibration_error(np.full(membrane.shape, 0.2), membrane, np.zeros_like(membrane)))


def test_what_is_no_probability_is_refused():
    membrane = np.zeros((1, 2, 2), dtype=bool)
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\], but reach from -3.0 to 4.0: pass no logits"):
        calibration_error(np.array([[[-3.0, 4.0], [0.0, 0.5]]]), membrane)
    with pytest.raises(ValueError, match="no NaN"):
        calibration_error(np.full((1, 2, 2), np.nan), membrane)
    with pytest.raises(ValueError, match=r"must be bool \(1, 2, 2\) like the probability, but got float64 \(1, 2, 2\)"):
        calibration_error(np.zeros((1, 2, 2)), membrane.astype(float))
    with pytest.raises(ValueError, match="bins must be at least 1, got 0"):
        calibration_error(np.zeros((1, 2, 2)), membrane, bins=0)
