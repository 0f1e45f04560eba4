"""One plan, run where this process is: what came out, and what it ran on. `sweeps.rerun.remote` does the same on a cluster's node."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from data_utils import Stack
from sweeps.plan import TrialPlan
from sweeps.provenance import code_version, hardware, versions
from sweeps.record import read_rows
from sweeps.result import outline
from sweeps.trial import METRICS, Trial

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Ran:
    """One run: its curve, how it ended, and what it ran on."""

    curve: list[Row]
    """A row an epoch."""
    last: Row
    """The result; of a run that was cut, its last epoch."""
    environment: dict[str, Any]
    """Device, threads, precision, versions and host, as a result tells them."""
    around: dict[str, Any]
    """The machine's code, versions and hardware."""

    @property
    def state(self) -> str:
        """complete, failed, or pruned: a run that was cut where its record was pruned never says by itself that it is over."""
        return "pruned" if self.last["state"] == "running" else str(self.last["state"])

    @property
    def scores(self) -> dict[str, Any]:
        """Its scores; of a run without a result, those of its best epoch."""
        if self.last.get("scores"):
            return dict(self.last["scores"])
        if self.state == "failed" or not self.curve:
            return {}
        best = max(self.curve, key=lambda row: row["membrane_dice"])
        return {key: best[key] for key in ("membrane_dice", "threshold", "membrane_dice_at_half")}

    def ending(self) -> dict[str, Any]:
        """Return how it ended, and of a failure its reason and error."""
        return {"state": self.state} | {key: self.last[key] for key in ("reason", "error") if self.state == "failed" and key in self.last}


def ignore(row: Row) -> None:
    """Take a row and do nothing with it."""


def run_once(plan: TrialPlan, stack: Stack | None = None, *, epochs: int | None = None, on_row: Callable[[Row], None] = ignore) -> Ran:
    """Run a plan to its end, or for so many epochs; without `stack` the data that its recipe names are read."""
    trial = Trial(plan, stack, device="cuda" if torch.cuda.is_available() else "cpu")
    last: Row = {"state": "failed", "reason": "code", "error": "the trial gave nothing"}
    for last in trial.rows():
        if last["state"] == "running":
            on_row(last)
            if epochs is not None and last["epoch"] >= epochs:
                break
    environment = last.get("environment") or outline(plan, trial.run, trial.proof, str(last["state"]))["environment"]
    around = {"code": code_version(), "versions": versions(), "hardware": hardware(), "host": socket.gethostname()}
    # from the disk: a trial that was tried again from its checkpoint has told some rows twice
    return Ran(curve=read_rows(plan.path / METRICS), last=last, environment=environment, around=around)
