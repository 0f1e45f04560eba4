"""The process that trains: a Tune trainable that outlives its trials.

Torch, the device's context and the data in memory live on from trial to trial, which differ only in loss and numbers. Failures of a
trial are told as results, never raised: Tune sees an error only when a process or a node is lost, and then tries the trial again.
"""

import logging
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from ray import tune

from sweeps.late_scores import LateScorer
from sweeps.plan import TrialPlan
from sweeps.record import is_pending, read_json
from sweeps.tracking.tracker import Tracker, tracker_for
from sweeps.trial import Superseded, Trial, reason_of

logger = logging.getLogger(__name__)
_PACKAGES = ("sweeps", "unet", "data_utils", "cluster")


class TrialLog:
    """log.txt of the running trial: what our packages log goes there, and to no other trial's."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._handler = logging.FileHandler(folder / "log.txt", encoding="utf-8")
        self._handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        for name in _PACKAGES:
            package = logging.getLogger(name)
            package.addHandler(self._handler)
            package.setLevel(logging.INFO)

    def close(self) -> None:
        """Detach from the loggers and close the file."""
        for name in _PACKAGES:
            logging.getLogger(name).removeHandler(self._handler)
        self._handler.close()


class TrialWorker(tune.Trainable):
    """Runs one trial after the other; one call of `step` is one epoch, the last one scores and ends the trial."""

    def setup(self, config: dict[str, Any]) -> None:
        """Begin the trial of `config["plan"]`."""
        self._late: LateScorer | None = None
        self._begin(config)

    def reset_config(self, new_config: dict[str, Any]) -> bool:
        """End what is left of the last trial and begin the next in the same process."""
        self._end()
        self._begin(new_config)
        return True

    def _begin(self, config: dict[str, Any]) -> None:
        plan = TrialPlan(**config["plan"])
        self._plan = plan
        self._log = TrialLog(plan.path)
        self._trial: Trial | None = None
        self._tracker: Tracker | None = None
        self._rows: Iterator[dict[str, Any]] | None = None
        logger.info("%s begins on %s, process %d", plan.trial_id, socket.gethostname(), os.getpid())

    def _start(self) -> Iterator[dict[str, Any]]:
        """Build the trial; here rather than in setup, so that a fault is a result of this trial and not the loss of the process."""
        device = "cuda" if torch.cuda.is_available() else "cpu"
        self._trial = Trial(self._plan, device=device, late_scores=os.environ.get("SWEEPS_LATE_SCORES", str(int(device == "cuda"))) == "1")
        try:
            self._tracker = tracker_for(self._plan)
            self._tracker.start()
        except Exception:
            logger.exception("W&B has no record of %s", self._plan.trial_id)
        return self._trial.rows()

    def step(self) -> dict[str, Any]:
        """Return the next row: `state: running` an epoch, then `complete` or `failed` with `done`."""
        try:
            if self._rows is None:
                self._rows = self._start()
            row = next(self._rows)
        except Superseded as error:
            logger.warning("%s", error)
            return {"done": True, "state": "superseded"}
        except Exception as error:
            logger.exception("%s could not run", self._plan.trial_id)
            row = {"state": "failed", "reason": reason_of(error), "error": f"{type(error).__name__}: {error}"}
        worker = f"{socket.gethostname()}:{os.getpid()}"
        if row["state"] == "running":
            return row | {"worker": worker}
        if is_pending(row):
            self._settle_later()
        elif self._tracker is not None:
            self._tracker.finish(row["state"], row)
        told = {key: row.get(key) for key in ("state", "reason", "error", "scores")}
        return told | {"done": True, "worker": worker}

    def _settle_later(self) -> None:
        """Hand the trial's scores to the process beside this one; W&B hears of the end when they are there."""
        if self._late is None:
            self._late = LateScorer()
        folder, tracker = self._plan.path, self._tracker

        def finish() -> None:
            result = read_json(folder / "result.json")
            if tracker is not None and not is_pending(result):
                tracker.finish("complete", result)

        self._late.submit(folder, finish)

    def _end(self) -> None:
        """Close the trial. One that was cut before its end leaves a checkpoint; what the pruner stopped needs none."""
        result = read_json(self._plan.path / "result.json")
        if result is None and self._trial is not None:
            try:
                self._trial.save()
            except (Superseded, OSError) as error:
                logger.warning("%s leaves no checkpoint: %s", self._plan.trial_id, error)
        if self._tracker is not None and not is_pending(result):
            self._tracker.finish(result["state"] if result else "interrupted", result)
        if self._rows is not None:
            self._rows.close()  # type: ignore[attr-defined]
        self._rows = self._trial = None
        self._log.close()

    def cleanup(self) -> None:
        """End what is left of the last trial, and let late scores and W&B finish."""
        self._end()
        if self._late is not None:
            self._late.close(timeout=60.0)
        if self._tracker is not None:
            self._tracker.close()
