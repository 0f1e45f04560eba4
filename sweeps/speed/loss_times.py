"""speed.json: what the losses that ranked cost on this machine, measured once at the sweep's end, or again when somebody asks.

Never while trials run, never in their process, and never by itself on a machine where none of them ran: a loss's cost on another device
says nothing of theirs. Whatever goes wrong is a reason in the file, and costs no sweep its verdict.
"""

import json
import logging
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from sweeps.folder import write_json
from sweeps.record import SweepRecord, read_json
from sweeps.speed.rounds import OVERTIME
from sweeps.verdict.contenders import Contender, gather, objective_of, section

logger = logging.getLogger(__name__)

FILE = "speed.json"
MOST_S = 10.0
SHARE = 0.02
"""Of the sweep's wall time, at most, up to MOST_S."""
LEAST_S = 1.0
"""Below this nothing is worth saying, and nothing is measured."""
_START_S = 120.0  # to load torch, take a GPU and make the sections, on a slow file system


def measure_at_the_end(record: SweepRecord) -> None:
    """Write speed.json, unless it is there for these very losses; where nothing is measured, the file says why."""
    try:
        wanted, stored = request_of(record), read_json(record.folder / FILE)
        if fits(stored, wanted):
            return
        why = _why_not(record, wanted)
        write_json(record.folder / FILE, _reason(why) if why else measured(wanted | {"budget_s": budget_of(record)}))
    except Exception:  # the sweep's verdict matters more than what its losses cost
        logger.warning("what the losses cost could not be measured", exc_info=True)


def measure_again(record: SweepRecord, *, budget_s: float, device: str = "auto") -> dict[str, Any]:
    """Measure on this machine whatever it is, write speed.json and return its content.

    Raises ValueError where no loss has a place in the ranking yet.
    """
    wanted = request_of(record)
    if not wanted["losses"]:
        raise ValueError(
            f"{record.folder}: no loss has a score yet, so there is none whose cost could be measured; sweeps status tells more"
        )
    found = measured(wanted | {"budget_s": budget_s, "device": device})
    if found["reason"] is None:
        write_json(record.folder / FILE, found)
    return found


def request_of(record: SweepRecord) -> dict[str, Any]:
    """Return what is to be measured: the ranked losses as they were built, at the sweep's batch and crop."""
    field = gather(record, objective_of(record))
    crops, train = section(record.recipe, "data"), section(record.recipe, "train")
    return {
        "losses": {c.loss: {"function": c.function, "parameters": built} for c in field.contenders if (built := _built(c)) is not None},
        "batch": int(train.get("batch_size", 4)),
        "crop_px": int(crops.get("crop_px", 256)),
        "device": "cpu" if _devices(field.contenders) <= {"cpu"} else "cuda",
    }


def fits(stored: Any, wanted: Mapping[str, Any]) -> bool:
    """Whether a speed.json is of these very losses, parameters and shapes."""
    losses = section(stored, "losses")
    if not losses or any(section(stored).get(key) != wanted[key] for key in ("batch", "crop_px")):
        return False
    told = {name: {key: section(loss).get(key) for key in ("function", "parameters")} for name, loss in losses.items()}
    missed = section(stored, "not_measured")
    return told == {name: dict(loss) for name, loss in wanted["losses"].items() if name not in missed}


def budget_of(record: SweepRecord) -> float:
    """Return the seconds that measuring may take: 2% of the sweep's wall time, at most 10."""
    starts = [trial.started_at for trial in record.trials if trial.started_at is not None]
    ends = [trial.ended_at for trial in record.trials if trial.ended_at is not None]
    return min(MOST_S, SHARE * max(0.0, max(ends) - min(starts))) if starts and ends else 0.0


def measured(request: Mapping[str, Any]) -> dict[str, Any]:
    """Return the content of speed.json, measured in a process of its own; its `reason` says why there is nothing, and is None otherwise."""
    limit = _START_S + 2 * OVERTIME * float(request["budget_s"])
    try:
        ran = subprocess.run(
            [sys.executable, "-m", "sweeps.speed"], input=json.dumps(request), capture_output=True, text=True, timeout=limit, check=False
        )
    except subprocess.TimeoutExpired:
        return _reason(f"measuring had not ended after {limit:.0f} s and was stopped")
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or [f"exit code {ran.returncode}"])[-1]
        return _reason(f"measuring failed: {last[:300]}")
    return _reason(None) | json.loads(ran.stdout) | {"host": socket.gethostname()}


def _reason(why: str | None) -> dict[str, Any]:
    return {"schema": 1, "made": datetime.now(UTC).isoformat(timespec="seconds"), "reason": why, "losses": {}}


def _why_not(record: SweepRecord, wanted: Mapping[str, Any]) -> str | None:
    if not wanted["losses"]:
        return "no loss has a score"
    hosts = {str(host) for trial in record.trials if (host := section(trial.result, "environment").get("host"))}
    if hosts and socket.gethostname() not in hosts:
        return "the trials ran on another machine than this one, where the sweep ended, and a loss's cost here says nothing of theirs"
    if wanted["device"] == "cuda" and not _has_gpu():
        return "the trials ran on a GPU, which the machine where the sweep ended does not have"
    budget = budget_of(record)
    if budget < LEAST_S:
        return f"the sweep took less than {LEAST_S / SHARE:.0f} s, and measuring may take {SHARE:.0%} of that"
    return None


def _has_gpu() -> bool:
    import torch

    return torch.cuda.is_available()


def _built(contender: Contender) -> dict[str, Any] | None:
    built = section(contender.trials[0].result, "loss").get("parameters")
    return dict(built) if isinstance(built, Mapping) else None


def _devices(contenders: Sequence[Contender]) -> set[str]:
    found = {section(trial.result, "environment").get("device") for contender in contenders for trial in contender.trials}
    return {str(device) for device in found if device}
