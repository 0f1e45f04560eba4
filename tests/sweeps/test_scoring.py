"""Scores of a trial whose labels are partial: unknown pixels are in none of them."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from data_utils.folds import Split
from sweeps import scoring
from sweeps.scoring import score_run
from unet.metrics.challenge import challenge_scores

SEARCH = Split(train=(0, 1), calibration=(3, 4, 5), test=(3, 4, 5))
FINALIST = Split(train=(0,), calibration=(1, 2), test=(3, 4, 5))


@pytest.fixture
def stack() -> SimpleNamespace:
    """Six sections of cells 8 px wide, a prediction of them with mistakes, and a bar of unknown labels in each section."""
    rng = np.random.default_rng(0)
    membrane_ZHW = np.zeros((6, 32, 32), bool)
    membrane_ZHW[:, ::8] = membrane_ZHW[:, :, ::8] = True
    probability_ZHW = np.clip(0.8 * membrane_ZHW + rng.normal(0.1, 0.15, membrane_ZHW.shape), 0, 1).astype(np.float32)
    counted_ZHW = np.ones_like(membrane_ZHW)
    for section in range(6):
        counted_ZHW[section, 3 * section : 3 * section + 12] = False
    return SimpleNamespace(membrane_ZHW=membrane_ZHW, counted_ZHW=counted_ZHW, probability_ZHW=probability_ZHW)


@pytest.fixture
def score(stack: SimpleNamespace, monkeypatch: pytest.MonkeyPatch) -> Any:
    """score_run of the prediction; the image is the prediction itself."""
    monkeypatch.setattr(scoring, "_probability", lambda run, raw_ZHW: raw_ZHW)

    def scored(split: Split, membrane_ZHW: np.ndarray | None = None, counted_ZHW: np.ndarray | None = None) -> scoring.Scored:
        truth_ZHW = stack.membrane_ZHW if membrane_ZHW is None else membrane_ZHW
        return score_run(SimpleNamespace(), stack.probability_ZHW, truth_ZHW, split, counted_ZHW)  # pyright: ignore[reportArgumentType]

    return scored


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


@pytest.mark.parametrize("split", [SEARCH, FINALIST])
def test_labels_that_are_all_known_score_as_ever(split: Split, stack: SimpleNamespace, score: Any) -> None:
    plain, told = score(split), score(split, counted_ZHW=np.ones_like(stack.counted_ZHW))
    assert (plain.scores, plain.calibration, plain.per_section) == (told.scores, told.calibration, told.per_section)


@pytest.mark.parametrize("split", [SEARCH, FINALIST])
def test_what_stands_where_labels_are_unknown_changes_no_score(split: Split, stack: SimpleNamespace, score: Any) -> None:
    spoilt_ZHW = stack.membrane_ZHW ^ ~stack.counted_ZHW
    one, other = score(split, counted_ZHW=stack.counted_ZHW), score(split, spoilt_ZHW, stack.counted_ZHW)
    assert (one.scores, one.calibration, one.per_section) == (other.scores, other.calibration, other.per_section)
    assert one.scores != score(split).scores


@pytest.mark.parametrize("split", [SEARCH, FINALIST])
def test_scores_are_of_known_pixels(split: Split, stack: SimpleNamespace, score: Any) -> None:
    scored = score(split, counted_ZHW=stack.counted_ZHW)
    at = list(split.test)
    mask_ZHW, known = stack.probability_ZHW[at] >= scored.scores["threshold"], stack.counted_ZHW[at]
    truth_ZHW = stack.membrane_ZHW[at]
    assert scored.scores["membrane_dice"] == pytest.approx(dice(mask_ZHW[known], truth_ZHW[known]))
    for index, row in enumerate(scored.per_section):
        assert row["membrane_dice"] == pytest.approx(dice(mask_ZHW[index][known[index]], truth_ZHW[index][known[index]]))
    labels_ZHW = np.where(known, ~truth_ZHW, 0)
    threshold = scored.scores["v_rand_threshold"]
    expected = challenge_scores(labels_ZHW, 1 - stack.probability_ZHW[at], [threshold])
    assert scored.scores["v_rand"] == pytest.approx(expected.v_rand)


def test_a_section_of_which_nothing_is_known_has_no_score_and_no_picture(stack: SimpleNamespace, score: Any) -> None:
    stack.counted_ZHW[4] = False
    scored = score(FINALIST, counted_ZHW=stack.counted_ZHW)
    assert scored.per_section[1] == {"section": 4, "membrane_dice": None, "v_rand": None, "v_info": None}
    assert 4 not in scored.pictures["section"] and len(scored.pictures["section"]) == 2
    assert None not in scored.scores.values()


@pytest.mark.parametrize("split", [SEARCH, FINALIST])
def test_pictures_keep_which_labels_are_known(split: Split, stack: SimpleNamespace, score: Any) -> None:
    kept = score(split, ~stack.membrane_ZHW, stack.counted_ZHW).pictures
    at = kept["section"].tolist()
    assert kept["counted"].dtype == bool and len(at) == 2
    np.testing.assert_array_equal(kept["counted"], stack.counted_ZHW[at])
    np.testing.assert_array_equal(kept["membrane"], ~stack.membrane_ZHW[at] & stack.counted_ZHW[at])
    assert "counted" not in score(split).pictures, "where all is known nothing more is stored"
