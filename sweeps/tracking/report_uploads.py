"""What W&B has not got of a sweep when its report is published: runs that were kept offline, left open, or never sent."""

import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from sweeps.plan import TrialPlan
from sweeps.record import read_json
from sweeps.tracking.folder import is_recorded, noted
from sweeps.tracking.settings import TrackingSettings, settings_for
from sweeps.tracking.tracker import Tracker

#: so many runs are sent at once: each waits for the server most of its time
_AT_ONCE = 4


def missing_runs(folder: Path, there: Collection[str]) -> list[TrackingSettings]:
    """Return the ended trials that W&B lacks. `there` are the ids of the sweep's runs that it has.

    A run that was sent and is there no more was deleted by somebody, and stays so; but where none is there, it is another server or
    project, which gets them all. What the recipe says of W&B's mode is overruled: publishing is asked for by name.
    """
    ended = [
        settings for stage in ("finalists", "trials") for path in sorted(folder.glob(f"{stage}/*/plan.json")) for settings in _ended(path)
    ]
    elsewhere = not any(settings.run_id in there for settings in ended)

    def lacks(settings: TrackingSettings) -> bool:
        sent = noted(settings).get("mode") == "online" and not elsewhere
        return not is_recorded(settings.folder) or not (sent or settings.run_id in there)

    return [settings for settings in ended if lacks(settings)]


def _ended(path: Path) -> list[TrackingSettings]:
    plan = read_json(path)
    if plan is None or read_json(path.parent / "result.json") is None:
        return []
    try:
        return [settings_for(TrialPlan(**plan | {"folder": str(path.parent), "tracking": "online"}))]
    except (TypeError, ValueError):  # a plan of another version: `repair` says so when the sweep goes on
        return []


def upload(missing: list[TrackingSettings], *, until: float, sent: Callable[[str], None]) -> str:
    """Send runs, a few at a time, telling `sent` each one's id; return why not all of them, or nothing.

    `until` is in seconds of time.monotonic(). The first run that W&B does not take ends it: so would the others be.
    """
    waiting, under_way = list(reversed(missing)), []
    while waiting or under_way:
        while waiting and len(under_way) < _AT_ONCE:
            under_way.append(_begin(waiting.pop()))
        time.sleep(0.05)
        for tracker in [tracker for tracker in under_way if tracker.wait(0)]:
            under_way.remove(tracker)
            if noted(tracker.settings).get("mode") != "online":
                for other in under_way:
                    other.wait(max(0.0, until - time.monotonic()))
                return f"W&B did not take the run {tracker.settings.name}, which is kept offline in {tracker.settings.folder}/wandb"
            sent(tracker.settings.run_id)
        if time.monotonic() > until:
            left = len(waiting) + len(under_way)
            return f"{left} of {len(missing)} runs were not sent in time; the same command goes on with them"
    return ""


def _begin(settings: TrackingSettings) -> Tracker:
    tracker = Tracker(settings)
    tracker.start(new_attempt=False)
    result = read_json(settings.folder / "result.json")
    tracker.finish(result["state"], result)
    return tracker


def picture_keys(folder: Path) -> list[str]:
    """Return the keys under which runs of the sweep have logged pictures, from the summaries that W&B keeps of them on the disk."""
    kept = [path for stage in ("finalists/*", ".") for path in folder.glob(f"{stage}/wandb/*run-*/files/wandb-summary.json")]
    return sorted({key for path in kept for key, value in (read_json(path) or {}).items() if _is_picture(value)})


def _is_picture(value: Any) -> bool:
    return isinstance(value, dict) and str(value.get("_type", "")).startswith("image")
