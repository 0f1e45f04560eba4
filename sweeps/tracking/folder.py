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


def mode_of_the_last(sweep_folder: Path, mode: str) -> str:
    """Return `mode`, or offline where the run that was closed last is: a server that was lost is not waited for again at a sweep's end."""
    records = sorted(sweep_folder.glob(f"*/*/{_RECORD}"), key=lambda path: path.stat().st_mtime)
    last = next((record for path in reversed(records) if (record := read_json(path)) and record.get("state") is not None), None)
    return "offline" if mode == "online" and last is not None and last.get("mode") == "offline" else mode


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
