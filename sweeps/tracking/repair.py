"""What W&B gets at a sweep's end: runs that a killed process left open, closed from the trials' own files."""

import logging
import time
from dataclasses import replace
from pathlib import Path

from sweeps.plan import TrialPlan
from sweeps.record import read_json
from sweeps.tracking.folder import is_recorded, mark_lost
from sweeps.tracking.settings import settings_for
from sweeps.tracking.tracker import Tracker

logger = logging.getLogger(__name__)


def seconds_at_the_end(sweep_seconds: float) -> float:
    """Return how long W&B may take when a sweep of so many seconds ends, for runs left open and for the summary together.

    A hundredth of them; at least 20 s, which is more than a hundredth where a sweep takes less than half an hour.
    """
    return max(20.0, 0.01 * sweep_seconds)


def record_missing(sweep_folder: Path, *, tracking: str, timeout_s: float = 60.0) -> list[str]:
    """Replay every ended trial of a results folder whose W&B run was left open (its process was killed) and return their ids.

    `tracking` is the mode of this run of the sweep (online, offline or disabled), whatever the trial's own was: `resume --offline` sends
    nothing. Trials that ran with W&B off, and those that are not over, are left alone. Returns early, with a warning, after `timeout_s`.
    """
    if tracking == "disabled":
        return []
    replayed, until = [], time.monotonic() + timeout_s
    for path in sorted(sweep_folder.glob("*/*/plan.json")):
        plan, result = read_json(path), read_json(path.parent / "result.json")
        if plan is None or result is None or plan.get("tracking") == "disabled" or is_recorded(path.parent):
            continue
        left = max(1.0, until - time.monotonic())
        try:
            settings = settings_for(TrialPlan(**plan | {"folder": str(path.parent), "tracking": tracking}))
        except (TypeError, ValueError) as error:
            logger.warning("%s is no plan that can be replayed: %s", path, error)
            continue
        # so that what a server does not take in time can be kept offline in time
        tracker = Tracker(replace(settings, init_timeout_s=min(30.0, left / 3), finish_timeout_s=min(30.0, left / 3)))
        tracker.start(new_attempt=False)
        tracker.finish(result["state"], result)
        tracker.close(max(0.0, until - time.monotonic()))
        if not tracker.wait(0):
            if tracking == "online":
                mark_lost(settings)
            logger.warning("W&B is too slow: after %.0f s %s and those after it are left as they are", timeout_s, plan["trial_id"])
            break
        replayed.append(plan["trial_id"])
    return replayed
