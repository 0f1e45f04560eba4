"""The scores of one trained network, by measures that do not depend on the loss, from what it predicts.

Search: the block that prunes and chooses is also the one scored, at its best threshold. Finalists: thresholds and clean-up come from the
calibration sections, and the scores from test sections that nothing was chosen on; the scores at threshold 0.5, without a clean-up, stand
beside them. What is tuned, and at what cost, is the same for every loss (unet.metrics.tuning).

Three masks are scored: membrane at the threshold that is best for membrane Dice, cells as they are best for V_rand, and cells as they are
best for V_info; the challenge lets each have its own, too. Pixels whose label is unknown are in no score: pixel scores leave them out, and
for scores of cells, which are over the pixels of labelled cells, they are no cell.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from sweeps.predicted import Predicted, Prediction
from sweeps.verdict.contenders import TUNED
from unet.metrics import METRICS, calibration_error, cell_scores, mask_scores
from unet.metrics.challenge import mask_challenge
from unet.metrics.tuning import best_membrane_dice, clean_cells, mean_challenge, tune_cells

_AT_HALF = "_at_half"


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What scoring found."""

    scores: dict[str, Any]
    """On the test sections (in the search: the search's block): every name of METRICS, and the tuned thresholds and sizes."""
    calibration: dict[str, Any]
    """The tuned scores, thresholds and sizes on the calibration sections, where they come from."""
    per_section: list[dict[str, Any]]
    """One row a test section."""
    pictures: dict[str, np.ndarray]
    """The best, the worst and the middle test section: `section` [K], `raw` [K,H,W] uint8, `membrane` bool, `probability` uint8, the masks
    that are scored, `found` (membrane) and `cell`, both bool; and where labels are partial `counted` bool, True where known."""

    def tuning(self) -> dict[str, str]:
        """Return the tuned thresholds and sizes as a weights file keeps them."""
        return {name: repr(self.calibration[name]) for name in TUNED}


def quick_scores(prediction: Prediction) -> dict[str, Any]:
    """Return the part of the scores that takes no time: membrane Dice, its threshold, and Dice at 0.5. They are those of `score`."""
    tuned, test = _tune_membrane(prediction.calibration), prediction.test
    at = {name: _dice(test, threshold) for name, threshold in (("membrane_dice", tuned["threshold"]), ("membrane_dice_at_half", 0.5))}
    return _known(tuned | at)


def score(prediction: Prediction) -> Scored:
    """Return all scores. A section of which nothing is known has None for each."""
    tuned = _tune_membrane(prediction.calibration) | _tune_cells(prediction.calibration)
    test = prediction.test
    values, sections = _scores(test, tuned)
    per_section = [{"section": number, **{name: row[at] for name, row in sections.items()}} for at, number in enumerate(test.sections)]
    return Scored(
        scores=_known(tuned | values),
        calibration=_known(tuned),
        per_section=[_known(row) for row in per_section],
        pictures=_pictures(per_section, test, tuned),
    )


def _tune_membrane(calibration: Predicted) -> dict[str, Any]:
    dice, threshold = best_membrane_dice(calibration.probability_ZHW, calibration.membrane_ZHW, calibration.counted_ZHW)
    return {"membrane_dice": dice, "threshold": threshold, "membrane_dice_at_half": _dice(calibration, 0.5)}


def _tune_cells(calibration: Predicted) -> dict[str, Any]:
    rand, info = tune_cells(calibration.probability_ZHW, calibration.membrane_ZHW, calibration.counted_ZHW)
    return {
        "v_rand": rand.score,
        "v_rand_threshold": rand.threshold,
        "smallest_cell_px": rand.smallest_cell_px,
        "v_info": info.score,
        "v_info_threshold": info.threshold,
        "v_info_smallest_cell_px": info.smallest_cell_px,
    }


def _scores(test: Predicted, tuned: Mapping[str, Any]) -> tuple[dict[str, float], dict[str, tuple[float, ...]]]:
    """Return every score of the test sections, and those that single sections have."""
    membrane_ZHW, counted_ZHW, probability_ZHW = test.membrane_ZHW, test.counted_ZHW, test.probability_ZHW
    found = mask_scores(probability_ZHW >= tuned["threshold"], membrane_ZHW, counted_ZHW)
    half = mask_scores(probability_ZHW >= 0.5, membrane_ZHW, counted_ZHW, names=_at_half_of("mask"))
    cell_ZHW = clean_cells(probability_ZHW, tuned["v_rand_threshold"], tuned["smallest_cell_px"])
    cells = cell_scores(cell_ZHW, membrane_ZHW, counted_ZHW)
    rand, _ = _challenge(test, cell_ZHW)
    _, info = _challenge(test, clean_cells(probability_ZHW, tuned["v_info_threshold"], tuned["v_info_smallest_cell_px"]))
    rand_half, info_half = _challenge(test, probability_ZHW < 0.5)
    challenge = {"v_rand": rand, "v_info": info, "v_rand_at_half": rand_half, "v_info_at_half": info_half}
    values = {**found.values, **_renamed(half.values), **cells.values, **{name: mean for name, (mean, _) in challenge.items()}}
    values["calibration_error"] = calibration_error(probability_ZHW, membrane_ZHW, counted_ZHW)
    sections = {**found.sections, **_renamed(half.sections), **cells.sections, **{name: each for name, (_, each) in challenge.items()}}
    if test.own_loss:
        sections["own_loss"] = test.own_loss
    return values, sections


def _at_half_of(kind: str) -> tuple[str, ...]:
    """Return the scores that are also told at 0.5."""
    return tuple(spec.name.removesuffix(_AT_HALF) for spec in METRICS.values() if spec.name.endswith(_AT_HALF) and spec.of == kind)


def _renamed(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {name + _AT_HALF: value for name, value in scores.items()}


def _challenge(test: Predicted, cell_ZHW: np.ndarray) -> tuple[tuple[float, tuple[float, ...]], tuple[float, tuple[float, ...]]]:
    """Return V_rand and V_info, each as the stack's value and those of its sections."""
    cell_truth_ZHW = ~test.membrane_ZHW if test.counted_ZHW is None else ~test.membrane_ZHW & test.counted_ZHW
    scores_Z2 = mask_challenge(cell_truth_ZHW, cell_ZHW)
    mean = mean_challenge(scores_Z2)
    rand, info = ((float(mean[index]), tuple(scores_Z2[:, index].tolist())) for index in (0, 1))
    return rand, info


def _dice(predicted: Predicted, threshold: float) -> float:
    names = ("membrane_dice",)
    found_ZHW = predicted.probability_ZHW >= threshold
    return mask_scores(found_ZHW, predicted.membrane_ZHW, predicted.counted_ZHW, names=names).values["membrane_dice"]


def _pictures(per_section: list[dict[str, Any]], test: Predicted, tuned: Mapping[str, Any]) -> dict[str, np.ndarray]:
    dice = np.array([row["membrane_dice"] for row in per_section])
    order = np.argsort(dice)[: np.count_nonzero(~np.isnan(dice))].tolist()  # NaN comes last: a section of which nothing is known
    known = sorted(order)
    # The middle one is the same section for every loss that is tested on this block.
    chosen = sorted({order[-1], order[0], known[len(known) // 2]}, key=lambda index: -dice[index])
    probability_KHW = test.probability_ZHW[chosen]
    pictures = {
        "section": np.array([test.sections[index] for index in chosen]),
        "raw": test.raw_ZHW[chosen],
        "membrane": test.membrane_ZHW[chosen],
        "probability": np.round(probability_KHW * 255.0).astype(np.uint8),
        "found": probability_KHW >= tuned["threshold"],
        "cell": clean_cells(probability_KHW, tuned["v_rand_threshold"], tuned["smallest_cell_px"]),
    }
    return pictures if test.counted_ZHW is None else pictures | {"counted": test.counted_ZHW[chosen]}


def _known(scores: Mapping[str, Any]) -> dict[str, Any]:
    """Return the scores with None for what is no finite number (a section without any cell has no V_rand): JSON has no NaN."""
    return {key: None if isinstance(value, float) and not math.isfinite(value) else value for key, value in scores.items()}
