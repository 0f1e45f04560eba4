"""How trials that did not all go the same way compare: each trial's standing among the trials of its loss.

A trial that was stopped early has the score of an early epoch, which must not be held against the last epoch of another. So two trials are
compared at the last epoch that both have reached, by their best score up to there, and a trial's standing is the share of the others that
it beats (a draw counts half). Where all went to the end this is the order of their scores.

Not every trial counts: one that failed because its loss became NaN is the worst of all, since its parameters did that; one that failed for
any other reason, or is not done, says nothing about its parameters.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sweeps.record import TrialRecord
from sweeps.verdict.contenders import finite, maximises, score_of


@dataclass(frozen=True, kw_only=True)
class Standing:
    """One trial that counts."""

    trial: TrialRecord
    place: float
    """Share of the others that it beats, 0 to 1."""
    score: float | None
    """The score that it ended with; None where it was stopped early or failed."""
    reached: float | None
    """The same, and of one that was stopped early the best that it had come to."""

    @property
    def stopped(self) -> bool:
        """Whether it was stopped early."""
        return self.trial.state == "pruned"


def counts(trial: TrialRecord) -> bool:
    """Whether a trial of the search says something about its parameters."""
    return trial.stage == "search" and (trial.state in ("complete", "pruned") or (trial.state, trial.reason) == ("failed", "nan"))


def standings(trials: Sequence[TrialRecord], metric: str) -> list[Standing]:
    """Return the standing of every trial that counts, in their order."""
    counted = [trial for trial in trials if counts(trial)]
    scores = [score_of(trial, metric) if trial.state == "complete" else None for trial in counted]
    places = _places(counted, scores, metric)
    return [
        Standing(trial=trial, place=float(place), score=score, reached=None if trial.state == "failed" else score_of(trial, metric))
        for trial, place, score in zip(counted, places, scores, strict=True)
    ]


def _places(trials: Sequence[TrialRecord], scores: Sequence[float | None], metric: str) -> np.ndarray:
    """Return float [N]. A trial without any finite value, or one that failed, has minus infinity at every epoch."""
    sign = 1.0 if maximises(metric) else -1.0
    ends_N = np.array([_last_epoch(trial) for trial in trials], int)
    best_NE = np.full((len(trials), max(ends_N, default=0) + 1), -np.inf)
    for row, (trial, score) in enumerate(zip(trials, scores, strict=True)):
        if trial.state == "failed":
            continue
        for told in trial.curve:
            value, epoch = finite(told.get(metric)), finite(told.get("epoch"))
            if value is not None and epoch is not None:
                best_NE[row, int(epoch)] = max(best_NE[row, int(epoch)], sign * value)
        best_NE[row] = np.maximum.accumulate(best_NE[row])
        if score is not None:  # what it ended with is its result's: the curve's best, or scored anew
            best_NE[row, ends_N[row] :] = sign * score
    beaten_N = np.zeros(len(trials))
    rows = np.arange(len(trials))
    for row in rows:
        common_N = np.minimum(ends_N[row], ends_N)
        own_N, other_N = best_NE[row, common_N], best_NE[rows, common_N]
        beaten_N[row] = (own_N > other_N).sum() + 0.5 * ((own_N == other_N).sum() - 1)
    return beaten_N / max(1, len(trials) - 1)


def _last_epoch(trial: TrialRecord) -> int:
    return max((int(epoch) for row in trial.curve if (epoch := finite(row.get("epoch"))) is not None and epoch >= 0), default=0)
