"""What tracking keeps in a trial's folder: W&B's run directories and `wandb/record.json`, which says how far the run is."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.record import read_json
from sweeps.tracking.settings import TrackingSettings

_RECORD = "wandb/record.json"


def is_recorded(folder: Path) -> bool:
    """Return whether the W&B run of a trial's folder was closed with the state that its result.json has."""
    state = (read_json(folder / "result.json") or {}).get("state")
    return state is not None and (read_json(folder / _RECORD) or {}).get("state") == state


def noted(settings: TrackingSettings) -> dict[str, Any]:
    """Return what the last attempt noted, or nothing."""
    return read_json(settings.folder / _RECORD) or {}


def note(settings: TrackingSettings, facts: Mapping[str, Any]) -> None:
    """Write how far the run is. Not durably: what is lost here is found open by `repair` and replayed."""
    path = settings.folder / _RECORD
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"run_id": settings.run_id, **facts}))


def run_folders(settings: TrackingSettings, kind: str) -> list[Path]:
    """Return W&B's directories of this run; `kind` is run (online) or offline-run."""
    return list((settings.folder / "wandb").glob(f"{kind}-*-{settings.run_id}"))


def stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what tells one version of a file from another, or None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
