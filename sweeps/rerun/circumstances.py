"""What differs between a record and a run of now: each part of the provenance that can move a number, and each that cannot.

A trial's own environment (device, precision, threads, torch, numpy) goes before the launch's, since a sweep may have been resumed with
other versions. Processor and system are those of the machine that launched the sweep: trials do not record their node's.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sweeps.record import SweepRecord, TrialRecord
from sweeps.rerun.running import Ran

#: what a score can depend on, the likeliest reason first
DECIDING = (
    "data",
    "code",
    "device",
    "precision",
    "threads",
    "torch",
    "numpy",
    "scipy",
    "scikit-image",
    "safetensors",
    "tifffile",
    "python",
    "processor",
    "system",
)


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One part of the provenance that is another one now."""

    what: str
    """Its name, such as torch."""
    recorded: Any
    """Then; None when that is not known."""
    now: Any
    """Now; None when that is not known."""
    decides: bool
    """Whether numbers can depend on it."""

    def __str__(self) -> str:
        return f"{self.what} is {_say(self.now)}, recorded {_say(self.recorded)}"


def recorded_circumstances(record: SweepRecord, trial: TrialRecord) -> dict[str, Any]:
    """Return what the record says the trial ran on."""
    environment = (trial.result or {}).get("environment") or {}
    return _flat(record.provenance, environment, str(record.data.get("sha256")))


def circumstances_now(ran: Ran, data_sha256: str) -> dict[str, Any]:
    """Return what a run of now ran on."""
    return _flat(ran.around, ran.environment, data_sha256)


def _flat(around: Mapping[str, Any], environment: Mapping[str, Any], data: str) -> dict[str, Any]:
    known = {"data": data, "code": around.get("code")} | dict(around.get("versions") or {}) | dict(around.get("hardware") or {})
    return known | {key: value for key, value in environment.items() if value is not None}


def differences(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[Difference]:
    """Return what differs, deciding parts first. A part that neither side knows is no difference; see `unknown`."""
    order = [*DECIDING, *sorted({*recorded, *now} - {*DECIDING})]
    return [
        Difference(what=what, recorded=recorded.get(what), now=now.get(what), decides=what in DECIDING)
        for what in order
        if recorded.get(what) != now.get(what)
    ]


def unknown(recorded: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """Return what may differ although nothing says so: deciding parts that neither side knows, and code with changes of its own."""
    blank = [what for what in DECIDING if recorded.get(what) is None and now.get(what) is None]
    code = recorded.get("code")
    if code is not None and code == now.get("code") and str(code).endswith("+"):
        blank.append("code (both had uncommitted changes, which its version does not tell apart)")
    return blank


def _say(value: Any) -> str:
    if value is None:
        return "not known"
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none"
    return str(value)
