"""What tracking keeps beside W&B's own directories: how far a trial's run is, and that the sweep's server is lost.

The first is `wandb/record.json` in a trial's folder, the second the empty file `wandb/lost` in the sweep's.
"""

import json
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from sweeps.record import read_json
from sweeps.tracking.settings import TrackingSettings

_RECORD = "wandb/record.json"
_LOST = "wandb/lost"
LOST_FOR_S = 600.0


def is_recorded(folder: Path) -> bool:
    """Return whether the W&B run of a trial's folder was closed with the state that its result.json has."""
    state = (read_json(folder / "result.json") or {}).get("state")
    return state is not None and (read_json(folder / _RECORD) or {}).get("state") == state


def noted(settings: TrackingSettings) -> dict[str, Any]:
    """Return what the last attempt noted, or nothing."""
    return read_json(settings.folder / _RECORD) or {}


def note(settings: TrackingSettings, facts: Mapping[str, Any], *, at_a_server: bool = False) -> None:
    """Write how far the run is, and with `at_a_server` that a server has something of it, which stays noted.

    Not durably: what is lost here is found open by `repair` and replayed.
    """
    path, sent = settings.folder / _RECORD, ids_at_a_server(settings) | ({settings.run_id} if at_a_server else set())
    path.parent.mkdir(parents=True, exist_ok=True)
    whole = path.with_suffix(".part")
    whole.write_text(json.dumps({"run_id": settings.run_id, **facts, "at_a_server": sorted(sent)}))
    whole.replace(path)


def ids_at_a_server(settings: TrackingSettings) -> set[str]:
    """Return under which ids a server has something of this trial: online, or by `wandb sync`, which leaves a mark."""
    synced = {path.parent.name.rsplit("-", 1)[1] for path in (settings.folder / "wandb").glob("*run-*/*.wandb.synced")}
    return synced | set(noted(settings).get("at_a_server", ()))


def mark_lost(settings: TrackingSettings) -> None:
    """Tell the other processes of the sweep that the server is lost: they need not wait for it too."""
    if settings.sweep_folder is not None:
        path = settings.sweep_folder / _LOST
        with suppress(OSError):  # on a full disk, where each process finds out for itself
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()


def forget_loss(sweep_folder: Path) -> None:
    """Let the server be tried again: whoever resumes a sweep may have set right what was wrong."""
    (sweep_folder / _LOST).unlink(missing_ok=True)


def mode_after_a_loss(sweep_folder: Path, mode: str) -> str:
    """Return `mode`, or offline where one of the sweep's processes has lost the server not long ago."""
    made = stamp(sweep_folder / _LOST)
    lost = made is not None and time.time() - made[0] / 1e9 < LOST_FOR_S
    return "offline" if mode == "online" and lost else mode


def run_folders(settings: TrackingSettings, kind: str) -> list[Path]:
    """Return W&B's directories of a trial, whatever their id; `kind` is run (online) or offline-run."""
    return list((settings.folder / "wandb").glob(f"{kind}-*"))


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells one version of a file from another, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
