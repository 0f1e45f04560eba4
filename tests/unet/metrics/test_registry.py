"""The registry of scores."""

import math

import pytest

from unet import metrics
from unet.metrics import METRICS


@pytest.mark.parametrize("name", list(METRICS))
def test_an_entry_says_everything(name):
    spec = METRICS[name]
    assert spec.name == name and spec.formula.isascii() and spec.source
    assert spec.goal in {"maximise", "minimise"} and spec.low < spec.high
    assert spec.perfect == (spec.high if spec.goal == "maximise" else spec.low)


def test_the_scores_of_the_protocol_are_there():
    assert set(METRICS) >= {"membrane_dice", "v_rand", "v_info"}
    assert METRICS["membrane_dice"].while_training and not METRICS["v_rand"].while_training


def test_better_knows_the_direction_and_refuses_a_nan():
    spec = METRICS["membrane_dice"]
    assert spec.better(0.8, 0.7) and not spec.better(0.7, 0.8) and not spec.better(0.7, 0.7)
    assert not spec.better(math.nan, 0.1)


def test_the_functions_are_found_through_the_package():
    for name in set(metrics.__all__) - {"METRICS"}:
        assert callable(getattr(metrics, name)), name
    with pytest.raises(AttributeError, match="has no attribute 'accuracy'; it offers METRICS"):
        metrics.accuracy  # noqa: B018
