"""The scores of one trained network: off the trial's clock, by measures that do not depend on the loss.

Search: the block that prunes and chooses is also the one scored, at its best threshold. Finalists: thresholds come from the calibration
sections, and the scores from test sections that nothing was chosen on; the score at threshold 0.5 stands beside it.

Pixels whose label is unknown are in no score: Dice leaves them out, and for the challenge's scores, which are over the pixels of labelled
cells, they are no cell.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

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
    """`section` [K], `raw` [K,H,W] uint8, `membrane` [K,H,W] bool, `probability` [K,H,W] uint8: the best and the worst test section. Where
    labels are partial also `counted` [K,H,W] bool, True where known."""


def _probability(run: Run, raw_ZHW: np.ndarray) -> np.ndarray:
    return predict_sections(
        run.model, raw_ZHW, normalisation=run.normalisation, positive=run.positive, precision=run.precision, device=run.device
    )


@dataclass(frozen=True, kw_only=True, eq=False)
class _Truth:
    """What is known of some sections."""

    membrane_ZHW: np.ndarray
    """bool, True = membrane; False where unknown."""
    counted_ZHW: np.ndarray | None
    """bool, True = known; None: all of it."""

    @classmethod
    def of(cls, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None, sections: Sequence[int]) -> Self:
        at = list(sections)
        if counted_ZHW is None:
            return cls(membrane_ZHW=membrane_ZHW[at], counted_ZHW=None)
        return cls(membrane_ZHW=membrane_ZHW[at] & counted_ZHW[at], counted_ZHW=counted_ZHW[at])

    def counts(self, probability_ZHW: np.ndarray) -> torch.Tensor:
        counted = None if self.counted_ZHW is None else torch.from_numpy(self.counted_ZHW)
        return probability_histogram(torch.from_numpy(probability_ZHW), torch.from_numpy(self.membrane_ZHW), counted=counted)

    def challenge(self, probability_ZHW: np.ndarray, thresholds: Sequence[float] | None = None) -> ChallengeScores:
        cell_ZHW = ~self.membrane_ZHW if self.counted_ZHW is None else ~self.membrane_ZHW & self.counted_ZHW
        return challenge_scores(cell_ZHW.astype(np.uint8), 1.0 - probability_ZHW, thresholds)

    def section_dice(self, index: int, probability_ZHW: np.ndarray, threshold: float) -> float:
        """Membrane Dice of one section, NaN where nothing of it is known."""
        one = _Truth.of(self.membrane_ZHW, self.counted_ZHW, [index])
        if one.counted_ZHW is not None and not one.counted_ZHW.any():
            return math.nan
        return dice_at(one.counts(probability_ZHW[[index]]), threshold)


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


def _pictures(per_section: list[dict[str, Any]], raw: np.ndarray, truth: _Truth, probability: np.ndarray) -> dict[str, np.ndarray]:
    dice = np.array([row["membrane_dice"] for row in per_section])
    order = np.argsort(dice)[: np.count_nonzero(~np.isnan(dice))]  # NaN comes last: a section of which nothing is known
    chosen = sorted({int(order[-1]), int(order[0])}, key=lambda index: -per_section[index]["membrane_dice"])
    raw = raw[chosen].astype(np.float32)
    low, high = float(raw.min()), float(raw.max())
    pictures = {
        "section": np.array([per_section[index]["section"] for index in chosen]),
        "raw": np.round((raw - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8),
        "membrane": truth.membrane_ZHW[chosen],
        "probability": np.round(probability[chosen] * 255.0).astype(np.uint8),
    }
    return pictures if truth.counted_ZHW is None else pictures | {"counted": truth.counted_ZHW[chosen]}


def score_run(run: Run, raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray, split: Split, counted_ZHW: np.ndarray | None = None) -> Scored:
    """Return the scores of the run's current weights.

    `raw_ZHW`, `membrane_ZHW` and `counted_ZHW` (True where the label is known; None: everywhere) are the whole stack; `split` says which
    sections are calibration and which are test. A section of which nothing is known has None for each score.
    """
    calibration_at, test_at = list(split.calibration), list(split.test)
    truth, probability = _Truth.of(membrane_ZHW, counted_ZHW, calibration_at), _probability(run, raw_ZHW[calibration_at])
    challenge = truth.challenge(probability)
    scores = calibration = _calibrate(truth.counts(probability), challenge)
    if calibration_at != test_at:
        truth, probability = _Truth.of(membrane_ZHW, counted_ZHW, test_at), _probability(run, raw_ZHW[test_at])
        challenge = truth.challenge(probability, sorted({calibration["v_rand_threshold"], calibration["v_info_threshold"]}))
        scores = _apply(truth.counts(probability), challenge, calibration)
    per_section = [
        {
            "section": section,
            "membrane_dice": truth.section_dice(index, probability, scores["threshold"]),
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
