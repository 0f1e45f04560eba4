"""Scores of a prediction: thresholds from the calibration sections, unknown pixels in none of them, all of the registry's names."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from sweeps.predicted import Predicted, Prediction
from sweeps.scoring import Scored, quick_scores, score
from sweeps.verdict.contenders import TUNED
from unet.metrics import METRICS
from unet.metrics.challenge import challenge_scores
from unet.metrics.tuning import clean_cells

SEARCH = ((3, 4, 5), (3, 4, 5))
FINALIST = ((1, 2), (3, 4, 5))
SPLITS = pytest.mark.parametrize("split", [SEARCH, FINALIST], ids=["search", "finalist"])


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


def prediction(
    stack: SimpleNamespace,
    split: tuple[tuple[int, ...], tuple[int, ...]],
    *,
    membrane_ZHW: np.ndarray | None = None,
    counted_ZHW: np.ndarray | None = None,
) -> Prediction:
    truth_ZHW = stack.membrane_ZHW if membrane_ZHW is None else membrane_ZHW

    def part(sections: tuple[int, ...]) -> Predicted:
        at = list(sections)
        known_ZHW = None if counted_ZHW is None else counted_ZHW[at]
        return Predicted(
            sections=sections,
            raw_ZHW=(255 * stack.probability_ZHW[at]).astype(np.uint8),
            membrane_ZHW=truth_ZHW[at] if known_ZHW is None else truth_ZHW[at] & known_ZHW,
            counted_ZHW=known_ZHW,
            probability_ZHW=stack.probability_ZHW[at],
            own_loss=tuple(section / 10 for section in sections),
        )

    calibration, test = split
    tested = part(test)
    return Prediction(calibration=tested if calibration == test else part(calibration), test=tested)


def dice(mask: np.ndarray, truth: np.ndarray) -> float:
    return 2 * (mask & truth).sum() / (mask.sum() + truth.sum())


def told(scored: Scored) -> tuple[object, ...]:
    return scored.scores, scored.calibration, scored.per_section


@SPLITS
def test_every_score_of_the_registry_is_told(split: tuple[tuple[int, ...], tuple[int, ...]], stack: SimpleNamespace) -> None:
    scored = score(prediction(stack, split))
    assert set(scored.scores) == {*METRICS, *TUNED}
    assert all(isinstance(value, int | float) for value in scored.scores.values())
    for name, spec in METRICS.items():
        assert spec.low <= scored.scores[name] <= spec.high, name
    assert [row["section"] for row in scored.per_section] == [3, 4, 5]
    assert [row["own_loss"] for row in scored.per_section] == [0.3, 0.4, 0.5]
    json.dumps(scored.per_section, allow_nan=False)
    assert set(TUNED) <= set(scored.calibration) and set(scored.tuning()) == set(TUNED)


@SPLITS
def test_quick_scores_are_those_of_the_whole(split: tuple[tuple[int, ...], tuple[int, ...]], stack: SimpleNamespace) -> None:
    for counted_ZHW in (None, stack.counted_ZHW):
        whole = score(prediction(stack, split, counted_ZHW=counted_ZHW)).scores
        quick = quick_scores(prediction(stack, split, counted_ZHW=counted_ZHW))
        assert set(quick) == {"membrane_dice", "threshold", "membrane_dice_at_half"}
        assert quick == {name: whole[name] for name in quick}


@SPLITS
def test_labels_that_are_all_known_score_as_ever(split: tuple[tuple[int, ...], tuple[int, ...]], stack: SimpleNamespace) -> None:
    known = np.ones_like(stack.counted_ZHW)
    assert told(score(prediction(stack, split))) == told(score(prediction(stack, split, counted_ZHW=known)))


@SPLITS
def test_what_stands_where_labels_are_unknown_changes_no_score(
    split: tuple[tuple[int, ...], tuple[int, ...]], stack: SimpleNamespace
) -> None:
    spoilt_ZHW = stack.membrane_ZHW ^ ~stack.counted_ZHW
    one = score(prediction(stack, split, counted_ZHW=stack.counted_ZHW))
    other = score(prediction(stack, split, membrane_ZHW=spoilt_ZHW, counted_ZHW=stack.counted_ZHW))
    assert told(one) == told(other)
    assert one.scores != score(prediction(stack, split)).scores


@SPLITS
def test_scores_are_of_known_pixels(split: tuple[tuple[int, ...], tuple[int, ...]], stack: SimpleNamespace) -> None:
    scored = score(prediction(stack, split, counted_ZHW=stack.counted_ZHW))
    at = list(split[1])
    probability_ZHW, known = stack.probability_ZHW[at], stack.counted_ZHW[at]
    mask_ZHW, truth_ZHW = probability_ZHW >= scored.scores["threshold"], stack.membrane_ZHW[at]
    assert scored.scores["membrane_dice"] == pytest.approx(dice(mask_ZHW[known], truth_ZHW[known]))
    for index, row in enumerate(scored.per_section):
        assert row["membrane_dice"] == pytest.approx(dice(mask_ZHW[index][known[index]], truth_ZHW[index][known[index]]))
    cell_ZHW = clean_cells(probability_ZHW, scored.scores["v_rand_threshold"], scored.scores["smallest_cell_px"])
    expected = challenge_scores(np.where(known, ~truth_ZHW, 0), cell_ZHW.astype(np.uint8))
    assert scored.scores["v_rand"] == pytest.approx(expected.v_rand)
    half = challenge_scores(np.where(known, ~truth_ZHW, 0), (probability_ZHW < 0.5).astype(np.uint8))
    assert scored.scores["v_rand_at_half"] == pytest.approx(half.v_rand)
    assert scored.scores["v_info_at_half"] == pytest.approx(half.v_info)


def test_thresholds_come_from_the_calibration_sections_alone(stack: SimpleNamespace) -> None:
    before = score(prediction(stack, FINALIST))
    stack.probability_ZHW[3:] = np.sqrt(stack.probability_ZHW[3:])
    after = score(prediction(stack, FINALIST))
    assert after.calibration == before.calibration
    assert {name: after.scores[name] for name in TUNED} == {name: before.scores[name] for name in TUNED}
    assert after.scores["membrane_dice"] != before.scores["membrane_dice"]


def test_a_section_of_which_nothing_is_known_has_no_score_and_no_picture(stack: SimpleNamespace) -> None:
    stack.counted_ZHW[4] = False
    scored = score(prediction(stack, FINALIST, counted_ZHW=stack.counted_ZHW))
    row = scored.per_section[1]
    assert row["section"] == 4 and row["membrane_dice"] is None and row["v_rand"] is None and row["v_info"] is None
    assert 4 not in scored.pictures["section"] and set(scored.pictures["section"].tolist()) == {3, 5}


def test_the_best_the_worst_and_the_middle_section_are_shown(stack: SimpleNamespace) -> None:
    stack.probability_ZHW[5] = stack.membrane_ZHW[5]
    stack.probability_ZHW[3] = ~stack.membrane_ZHW[3]
    pictures = score(prediction(stack, FINALIST)).pictures
    assert pictures["section"].tolist() == [5, 4, 3]
    assert pictures["probability"].dtype == np.uint8 and "counted" not in pictures


def test_the_masks_to_look_at_are_those_that_are_scored(stack: SimpleNamespace) -> None:
    scored = score(prediction(stack, FINALIST))
    for at, section in enumerate(scored.pictures["section"].tolist()):
        row = next(row for row in scored.per_section if row["section"] == section)
        assert dice(scored.pictures["found"][at], stack.membrane_ZHW[section]) == pytest.approx(row["membrane_dice"])
        rand = challenge_scores(~stack.membrane_ZHW[[section]], scored.pictures["cell"][[at]].astype(np.uint8)).v_rand
        assert rand == pytest.approx(row["v_rand"])


@SPLITS
def test_a_kept_prediction_scores_the_same(split: tuple[tuple[int, ...], tuple[int, ...]], stack: SimpleNamespace, tmp_path: Path) -> None:
    for counted_ZHW in (None, stack.counted_ZHW):
        kept = prediction(stack, split, counted_ZHW=counted_ZHW)
        kept.save(tmp_path / "prediction.npz")
        restored = Prediction.load(tmp_path / "prediction.npz")
        assert (restored.calibration is restored.test) == (split == SEARCH)
        assert told(score(restored)) == told(score(kept))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 torn", b"\x80\x04N."], ids=["empty", "torn", "pickle"])
def test_a_damaged_prediction_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "prediction.npz").write_bytes(content)
    with pytest.raises(ValueError, match="no prediction that was kept here, or a damaged one"):
        Prediction.load(tmp_path / "prediction.npz")
