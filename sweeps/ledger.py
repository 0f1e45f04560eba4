"""What happened in a sweep, durably: the one truth from which everything else in a results folder can be rebuilt.

The ledger is a file of JSON lines, one event a line, written by the driver alone. A line carries its number and a checksum, so a torn
last line (a crash in the middle of a write) is dropped with a notice, and damage anywhere else is an error that names the line.

Status words are ours; `STATES` maps them once to what Optuna and Ray call them.
"""

import json
import logging
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from unet.durable import append_durably, sync_folder

logger = logging.getLogger(__name__)

FORMAT = 1
FILE = "events.jsonl"

#: ours -> (optuna.trial.TrialState, ray.tune Trial.status)
STATES = {
    "waiting": ("WAITING", "PENDING"),
    "running": ("RUNNING", "RUNNING"),
    "complete": ("COMPLETE", "TERMINATED"),
    "pruned": ("PRUNED", "TERMINATED"),
    "failed": ("FAIL", "TERMINATED"),
}
FINISHED = ("complete", "pruned", "failed")
#: epoch events are also in the trial's own metrics.jsonl, so they need not reach the disk before the sweep goes on
UNSYNCED = ("epoch",)


class LedgerError(RuntimeError):
    """The ledger is damaged in a way that dropping its torn last line does not mend."""


@dataclass(frozen=True, kw_only=True)
class Event:
    """One thing that happened."""

    seq: int
    """Position in the ledger, from 1. Order is by this number, never by the clock."""
    time: float
    """Unix seconds on the driver: for people; clocks may jump."""
    event: str
    """sweep, asked, started, epoch, complete, pruned, failed, retried, stage or resumed."""
    trial: str | None
    """The trial's id, or None for events of the sweep."""
    data: dict[str, Any]
    """What the event carries."""


def _checksum(body: dict[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(body, sort_keys=True, separators=(',', ':')).encode()):08x}"


def encode(event: Event) -> bytes:
    """Return the event as one line of JSON with its checksum."""
    body = {"seq": event.seq, "time": event.time, "event": event.event, "trial": event.trial, "data": event.data}
    return (json.dumps(body | {"crc": _checksum(body)}, separators=(",", ":"), allow_nan=False) + "\n").encode()


def decode(line: bytes) -> Event:
    """Return the event of a line; ValueError when it is torn or altered."""
    body = json.loads(line)
    crc = body.pop("crc", None)
    if crc != _checksum(body):
        raise ValueError(f"checksum is {crc}, the content's is {_checksum(body)}")
    return Event(**body)


def read_events(folder: Path) -> tuple[list[Event], int]:
    """Return the events of the ledger in `folder` and how many bytes of the file they fill.

    A torn last line is left out. Damage elsewhere raises LedgerError with file, line and what is wrong.
    """
    path = folder / FILE
    if not path.exists():
        return [], 0
    raw = path.read_bytes()
    lines = raw.split(b"\n")
    events: list[Event] = []
    end = 0
    for number, line in enumerate(lines, 1):
        if not line:
            continue
        last = not any(lines[number:])
        try:
            if last and not raw.endswith(b"\n"):
                raise ValueError("no newline at its end")
            event = decode(line)
            if event.seq != len(events) + 1:
                raise ValueError(f"its number is {event.seq}, {len(events) + 1} was expected")
        except (ValueError, TypeError) as error:
            if last:
                logger.warning("%s: the last line (%d) is torn and is dropped: %s", path, number, error)
                break
            raise LedgerError(
                f"{path}, line {number}: {error}. The lines before it are whole: keep a copy, cut the file after line {number - 1}, "
                "and resume; trials that the cut lines told of are found again by their folders, and finished ones are not run again."
            ) from error
        events.append(event)
        end += len(line) + 1
    return events, end


class Ledger:
    """The driver's pen: opens the ledger, drops a torn tail, appends events durably."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.events, end = read_events(folder)
        path = folder / FILE
        created = not path.exists()
        # Unbuffered: what a full disk refuses must not lie in a buffer and reach the file with a later event.
        self._file = path.open("ab", buffering=0)
        self._file.truncate(end)
        self._end = end
        if created:
            sync_folder(folder)

    def append(self, event: str, trial: str | None = None, **data: Any) -> Event:
        """Write one event; it is on the disk when this returns (except epochs, which the trial's own file also holds).

        Raises OSError when it cannot be written; the ledger is then as it was before.
        """
        entry = Event(seq=len(self.events) + 1, time=time.time(), event=event, trial=trial, data=data)
        line = encode(entry)
        try:
            append_durably(self._file, line, sync=event not in UNSYNCED)
        except OSError:
            self._file.truncate(self._end)
            raise
        self._end += len(line)
        self.events.append(entry)
        return entry

    def close(self) -> None:
        """Close the file; the ledger can be opened again."""
        self._file.close()

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)
