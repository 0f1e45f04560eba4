"""The scores of one trained network: off the trial's clock, by measures that do not depend on the loss.

Search: the block that prunes and chooses is also the one scored, at its best threshold. Finalists: thresholds come from the calibration
sections, and the scores from test sections that nothing was chosen on; the score at threshold 0.5 stands beside it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from data_utils.folds import Split
from unet.fit import Run
from unet.metrics.challenge import ChallengeScores, challenge_scores
from unet.metrics.overlap import best_dice, dice_at, probability_histogram
from unet.predict import predict_sections


@dataclass(frozen=True, kw_only=True)
class Scored:
    """What scoring found."""

    scores: dict[str, Any]
    """On the test sections (in the search: the search's block)."""
    calibration: dict[str, Any]
    """On the calibration sections, where the thresholds come from."""
    per_section: list[dict[str, Any]]
    """One row a test section."""
    pictures: dict[str, np.ndarray]
    """`section` [K], `raw` [K,H,W] uint8, `membrane` [K,H,W] bool, `probability` [K,H,W] uint8: the best and the worst test section."""


def _probability(run: Run, raw_ZHW: np.ndarray) -> np.ndarray:
    return predict_sections(
        run.model, raw_ZHW, normalisation=run.normalisation, positive=run.positive, precision=run.precision, device=run.device
    )


def _counts(probability_ZHW: np.ndarray, membrane_ZHW: np.ndarray) -> torch.Tensor:
    return probability_histogram(torch.from_numpy(probability_ZHW), torch.from_numpy(membrane_ZHW))


def _challenge(membrane_ZHW: np.ndarray, probability_ZHW: np.ndarray, thresholds: Sequence[float] | None = None) -> ChallengeScores:
    return challenge_scores((~membrane_ZHW).astype(np.uint8), 1.0 - probability_ZHW, thresholds)


def _calibrate(counts: torch.Tensor, challenge: ChallengeScores) -> dict[str, float]:
    """Return the scores at their best thresholds, and these thresholds."""
    dice, threshold = best_dice(counts)
    return {
        "membrane_dice": dice,
        "threshold": threshold,
        "membrane_dice_at_half": dice_at(counts, 0.5),
        "v_rand": challenge.v_rand,
        "v_rand_threshold": challenge.v_rand_threshold,
        "v_info": challenge.v_info,
        "v_info_threshold": challenge.v_info_threshold,
    }


def _apply(counts: torch.Tensor, challenge: ChallengeScores, calibration: dict[str, float]) -> dict[str, float]:
    """Return the scores at the thresholds of `calibration`."""
    return calibration | {
        "membrane_dice": dice_at(counts, calibration["threshold"]),
        "membrane_dice_at_half": dice_at(counts, 0.5),
        "v_rand": challenge.v_rand_at[calibration["v_rand_threshold"]],
        "v_info": challenge.v_info_at[calibration["v_info_threshold"]],
    }


def _pictures(per_section: list[dict[str, Any]], raw: np.ndarray, membrane: np.ndarray, probability: np.ndarray) -> dict[str, np.ndarray]:
    order = np.argsort([row["membrane_dice"] for row in per_section])
    chosen = sorted({int(order[-1]), int(order[0])}, key=lambda index: -per_section[index]["membrane_dice"])
    raw = raw[chosen].astype(np.float32)
    low, high = float(raw.min()), float(raw.max())
    return {
        "section": np.array([per_section[index]["section"] for index in chosen]),
        "raw": np.round((raw - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8),
        "membrane": membrane[chosen],
        "probability": np.round(probability[chosen] * 255.0).astype(np.uint8),
    }


def score_run(run: Run, raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray, split: Split) -> Scored:
    """Return the scores of the run's current weights.

    `raw_ZHW` and `membrane_ZHW` are the whole stack; `split` says which sections are calibration and which are test.
    """
    calibration_at, test_at = list(split.calibration), list(split.test)
    truth, probability = membrane_ZHW[calibration_at], _probability(run, raw_ZHW[calibration_at])
    challenge = _challenge(truth, probability)
    scores = calibration = _calibrate(_counts(probability, truth), challenge)
    if calibration_at != test_at:
        truth, probability = membrane_ZHW[test_at], _probability(run, raw_ZHW[test_at])
        challenge = _challenge(truth, probability, sorted({calibration["v_rand_threshold"], calibration["v_info_threshold"]}))
        scores = _apply(_counts(probability, truth), challenge, calibration)
    per_section = [
        {
            "section": section,
            "membrane_dice": dice_at(_counts(probability[[index]], truth[[index]]), scores["threshold"]),
            "v_rand": challenge.v_rand_sections_at[scores["v_rand_threshold"]][index],
            "v_info": challenge.v_info_sections_at[scores["v_info_threshold"]][index],
        }
        for index, section in enumerate(test_at)
    ]
    return Scored(
        scores=_known(scores),
        calibration=_known(calibration),
        per_section=[_known(row) for row in per_section],
        pictures=_pictures(per_section, raw_ZHW[test_at], truth, probability),
    )


def _known(scores: dict[str, Any]) -> dict[str, Any]:
    """Return the scores with None for NaN (a section without any cell has no V_rand): JSON has no NaN."""
    return {key: None if isinstance(value, float) and math.isnan(value) else value for key, value in scores.items()}
