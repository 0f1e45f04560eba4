"""One stage of a sweep (the search, or the finalists): what to run next, what became of it, when to stop.

`Conductor` is the driver's side: it deals plans, keeps the ledger, tells the studies and the pruner, and feeds the progress display. Tune
reaches it through the small classes of `sweeps.dealing`; it knows nothing of Ray itself.
"""

import json
import logging
from dataclasses import dataclass
from typing import Any, Protocol

from sweeps.ledger import FINISHED, Ledger
from sweeps.plan import TrialPlan
from sweeps.progress import SweepProgress
from sweeps.record import read_rows
from unet.durable import write_durably

logger = logging.getLogger(__name__)


@dataclass
class Interrupt:
    """Whether somebody asked the sweep to stop."""

    signal: int | None = None
    """The signal's number, or None."""


class Source(Protocol):
    """Where plans come from: the studies in the search, a fixed list for the finalists."""

    def next_plan(self) -> TrialPlan | None:
        """Return the next trial to run, or None when there is none left."""
        ...

    def measured(self, plan: TrialPlan, row: dict[str, Any]) -> bool:
        """Take one epoch's row; True when the pruner stops the trial."""
        ...

    def ended(self, plan: TrialPlan, state: str, scores: dict[str, Any]) -> None:
        """Take the end of a trial: complete, pruned or failed."""
        ...


class Conductor:
    """The driver's side of a stage."""

    def __init__(self, source: Source, ledger: Ledger, progress: SweepProgress, interrupt: Interrupt, *, stop_after: int) -> None:
        self.source = source
        self.ledger = ledger
        self.progress = progress
        self.plans: dict[str, TrialPlan] = {}
        self.interrupt = interrupt
        self.too_many_failed = False
        self.fault: OSError | None = None
        self._asked = {event.trial for event in ledger if event.event == "asked"}
        self._ended: set[str] = set()
        self._stop_after = stop_after
        self._last_fault: tuple[str, int] = ("", 0)

    def next_plan(self) -> TrialPlan | None:
        """Return the next plan; it is in the ledger before anybody else hears of it."""
        if self.stopping:
            return None
        plan = self.source.next_plan()
        if plan is None:
            return None
        if plan.trial_id not in self._asked:
            self._note("asked", plan.trial_id, **plan.asked())
            self._asked.add(plan.trial_id)
        self.plans[plan.trial_id] = plan
        return plan

    @property
    def stopping(self) -> bool:
        """Whether no further trial should begin."""
        return self.interrupt.signal is not None or self.too_many_failed or self.fault is not None

    def _note(self, event: str, trial_id: str, **data: Any) -> None:
        """Write to the ledger. What it cannot hold must not go on: Tune would swallow the error, so the stage is stopped as well."""
        try:
            self.ledger.append(event, trial_id, **data)
        except OSError as error:
            self.fault = self.fault or error
            raise

    def started(self, trial_id: str) -> None:
        """Note that a worker has taken the trial."""
        self._note("started", trial_id)
        self.progress.started(trial_id, self.plans[trial_id].loss, "")

    def lost(self, trial_id: str, error: str) -> None:
        """Note that the trial's process or node was lost; Tune tries it again."""
        self._note("retried", trial_id, reason="node", error=error)

    def measured(self, trial_id: str, row: dict[str, Any]) -> bool:
        """Note one epoch; True when the pruner stops the trial."""
        plan = self.plans[trial_id]
        self._note("epoch", trial_id, epoch=row["epoch"], membrane_dice=row["membrane_dice"], worker=row["worker"])
        self.progress.measured(trial_id, row["epoch"], plan.recipe["train"]["epochs"], row["membrane_dice"])
        return self.source.measured(plan, row)

    def ended(self, trial_id: str, row: dict[str, Any]) -> None:
        """Note the end of a trial. A row that is still `running` is one that the pruner stopped, or that an interrupt cut."""
        if trial_id in self._ended or row.get("state") == "superseded":
            return
        state = row.get("state", "running")
        if state not in FINISHED:
            if self.stopping:
                return  # it was cut, not pruned: it goes on when the sweep is resumed
            state, row = "pruned", {"state": "pruned", "reason": "pruned", "error": None}
            self._write_end(self.plans[trial_id], row)
        self._note(state, trial_id, reason=row.get("reason"), error=row.get("error"))
        self._ended.add(trial_id)
        scores = {} if state == "failed" else row.get("scores") or self._best(self.plans[trial_id])
        self.source.ended(self.plans[trial_id], state, scores)
        self.progress.ended(trial_id, state, scores.get("membrane_dice"), row.get("error"))
        self._count_faults(state, row)

    def gave_up(self, trial_id: str, error: str) -> None:
        """Note a trial whose process was lost more often than is retried."""
        row = {"state": "failed", "reason": "node", "error": error}
        self._write_end(self.plans[trial_id], row)
        self.ended(trial_id, row)

    def _best(self, plan: TrialPlan) -> dict[str, Any]:
        """Return the row of the trial's best epoch, also of those before a resume; empty when none was measured."""
        return max(read_rows(plan.path / "metrics.jsonl"), key=lambda row: row["membrane_dice"], default={})

    def _write_end(self, plan: TrialPlan, row: dict[str, Any]) -> None:
        """Write the result of a trial that cannot write its own: the pruner stopped it, or its process is gone."""
        rows, best = read_rows(plan.path / "metrics.jsonl"), self._best(plan)
        scores = {key: best[key] for key in ("membrane_dice", "threshold", "membrane_dice_at_half") if key in best}
        result = {"schema": 1, "trial": plan.trial_id, "stage": plan.stage, **row, "suggestion": plan.suggestion, "scores": scores}
        result |= {"loss": {"name": plan.loss, "function": plan.function}, "best_epoch": best.get("epoch")}
        result |= {"epochs": rows[-1]["epoch"] if rows else 0, "steps": rows[-1]["step"] if rows else 0}
        plan.path.mkdir(parents=True, exist_ok=True)
        write_durably(plan.path / "result.json", json.dumps(result, indent=1).encode())
        (plan.path / "checkpoint.safetensors").unlink(missing_ok=True)

    def _count_faults(self, state: str, row: dict[str, Any]) -> None:
        if state != "failed" or row.get("reason") != "code":
            self._last_fault = ("", 0)
            return
        error = str(row.get("error"))
        count = self._last_fault[1] + 1 if error == self._last_fault[0] else 1
        self._last_fault = (error, count)
        if count >= self._stop_after:
            self.too_many_failed = True
