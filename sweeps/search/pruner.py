"""One ASHA a loss, so that losses which start slowly are not cut by those which start fast.

Ray's own asynchronous successive halving (Li et al. 2020, arXiv:1810.05934) decides; each loss has a scheduler of its own, which sees
only that loss's trials and is rebuilt from the ledger.
"""

from dataclasses import dataclass
from typing import Any

from ray.tune.schedulers import AsyncHyperBandScheduler, TrialScheduler

from sweeps.record import TrialRecord


@dataclass(frozen=True)
class _Named:
    """What ASHA wants to know of a trial."""

    trial_id: str


class LossPruner:
    """ASHA for the trials of one loss."""

    def __init__(self, *, metric: str, mode: str, epochs: int, grace_epochs: int, factor: float) -> None:
        self.metric = metric
        self.epochs = epochs
        self._asha = AsyncHyperBandScheduler(
            time_attr="epoch", metric=metric, mode=mode, max_t=epochs, grace_period=min(grace_epochs, epochs), reduction_factor=factor
        )
        self._known: set[str] = set()
        self.stopped: set[str] = set()
        """Trials of the ledger that were to stop; the driver may have been cut before it said so."""

    def stops(self, trial_id: str, row: dict[str, Any]) -> bool:
        """Take one epoch's row; True when the trial is to stop. A trial at its last epoch is never stopped."""
        if trial_id in self.stopped:
            return row["epoch"] < self.epochs
        trial: Any = _Named(trial_id)
        controller: Any = None
        if trial_id not in self._known:
            self._asha.on_trial_add(controller, trial)
            self._known.add(trial_id)
        decision = self._asha.on_trial_result(controller, trial, {"epoch": row["epoch"], self.metric: row[self.metric]})
        return decision == TrialScheduler.STOP and row["epoch"] < self.epochs

    def replay(self, record: TrialRecord) -> None:
        """Feed a trial of the ledger, so that later trials are compared with it."""
        for row in record.curve:
            if self.stops(record.trial_id, row):
                self.stopped.add(record.trial_id)
