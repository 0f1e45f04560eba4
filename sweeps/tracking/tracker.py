"""W&B's run of a trial, made in the trial's own process from what already lies on the disk.

The trial writes metrics.jsonl and result.json. A side thread of the same process reads them and replays them to W&B: training never
waits for a server, and what happens to W&B happens to that thread alone. A failure is logged and the run made again, whole, offline; from
then on every later run of the process is offline from the start (`sweeps.tracking.fallback`).

A run is over when the trial says so (`Tracker.finish`), when a new result.json appears in its folder (the driver writes the one of a
pruned trial), some seconds after the next trial of this process has started, or when the interpreter ends. Every attempt replays from
the first row: offline into one fresh run, whose older directories are removed; online W&B resumes the run, and the epochs that it has
are left out. `sweeps.tracking.repair` makes good what a killed process left open.
"""

import logging
import math
import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from sweeps.plan import TrialPlan
from sweeps.record import is_pending, read_json
from sweeps.tracking.fallback import record
from sweeps.tracking.folder import mark_lost, mode_after_a_loss, note, noted, stamp
from sweeps.tracking.media import log_sections
from sweeps.tracking.rows import RowTail, summary_of, wandb_names
from sweeps.tracking.run import close_run, define_metrics, open_run
from sweeps.tracking.settings import TrackingSettings, settings_for

logger = logging.getLogger(__name__)

POLL_S = 0.5
RESULT_GRACE_S = 3.0
LATE_SCORES_S = 120.0
CLOSE_S = 3.0
EXIT_TIMEOUT_S = 20.0

_GUARD = "wandb-guard"

_open: list["Tracker"] = []


def tracker_for(plan: TrialPlan) -> "Tracker":
    """Return the tracker of a planned trial."""
    return Tracker(settings_for(plan))


class Tracker:
    """The W&B run of one trial. Nothing here raises for W&B's sake, and only `wait` and `close` wait."""

    def __init__(self, settings: TrackingSettings) -> None:
        self.settings = settings
        self._end: Mapping[str, Any] | None = None
        self._deadline: float | None = None
        self._pending_since: float | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._attempts, self._new_attempt = 0, True
        self._unanswered, self._given_up = False, False
        self._old_result = stamp(settings.folder / "result.json")  # an earlier attempt's, which says nothing about this one

    def start(self, *, new_attempt: bool = True) -> None:
        """Open the run in a side thread. Runs of this process that are still open are given some seconds to end.

        `new_attempt` is False when a trial that is over is replayed.
        """
        if self.settings.mode == "disabled":
            return
        self._new_attempt = new_attempt
        self._attempts = noted(self.settings).get("attempts", 0) + new_attempt
        for tracker in _open[:]:
            tracker._release(RESULT_GRACE_S)
        if all(thread.name != _GUARD for thread in threading.enumerate()):
            threading.Thread(target=_guard_the_end, name=_GUARD, daemon=False).start()
        self._thread = threading.Thread(target=self._work, name=f"wandb-{self.settings.name}", daemon=True)
        _open.append(self)
        self._thread.start()

    def finish(self, state: str, result: Mapping[str, Any] | None = None) -> None:
        """Say how the trial ended and return at once; the side thread does the rest.

        `state` is complete, pruned, failed or interrupted; `result` is what result.json holds (read from there when None): its scores
        and clocks become W&B's summary, its `reason` the tag of a failed run. For an interrupted trial a result.json of the driver is
        waited for some seconds, since a worker cannot tell pruned from cut off.
        """
        if state == "interrupted":
            self._release(RESULT_GRACE_S)
            return
        if self._end is None:
            self._end = dict(read_json(self.settings.folder / "result.json") or {} if result is None else result) | {"state": state}
        self._wake.set()

    def wait(self, timeout: float | None = None) -> bool:
        """Return whether the run is closed, after waiting at most `timeout` seconds."""
        if self._thread is not None:
            self._thread.join(timeout)
        return self._thread is None or not self._thread.is_alive()

    def close(self, timeout: float = CLOSE_S) -> None:
        """Wait a moment for this run, and others of this process, to be closed: for the end of a process.

        What is still open is left to the driver, which replays it (`sweeps.tracking.repair`). A server that has said nothing yet is given
        up for the whole sweep; one that has begun a run, and is slow to take the rest, is not.
        """
        until = time.monotonic() + timeout
        for tracker in [tracker for tracker in _open[:] if not tracker.wait(max(0.0, until - time.monotonic()))]:
            tracker._given_up = True
            if tracker._unanswered:
                mark_lost(tracker.settings)

    def _release(self, grace_s: float) -> None:
        deadline = time.monotonic() + grace_s
        self._deadline = deadline if self._deadline is None else min(self._deadline, deadline)
        self._wake.set()

    def _over(self) -> Mapping[str, Any] | None:
        path = self.settings.folder / "result.json"
        if self._end is None and stamp(path) not in (None, self._old_result):
            result = read_json(path)
            if is_pending(result):  # its scores are being computed, and a run that is finished cannot be told more
                self._pending_since = self._pending_since or time.monotonic()
                return result if time.monotonic() >= self._pending_since + LATE_SCORES_S else None
            self._end = result
        if self._end is None and self._deadline is not None and time.monotonic() >= self._deadline:
            self._end = {"state": "interrupted"}
        return self._end

    def _work(self) -> None:
        settings = self.settings
        if self._new_attempt and settings.sweep_folder is not None:  # a replay was asked for, whatever is known
            settings = replace(settings, mode=mode_after_a_loss(settings.sweep_folder, settings.mode))
        try:
            record(settings, self._record)
        except Exception as error:  # noqa: BLE001 - whatever W&B does must not reach the trial
            logger.warning("W&B has no record of %s; the trial is unaffected (%s: %s)", self.settings.name, type(error).__name__, error)
        finally:
            _open.remove(self)

    def _record(self, settings: TrackingSettings, mode: str) -> None:
        facts = {"mode": mode, "attempts": self._attempts}
        note(settings, facts | {"state": None})
        self._unanswered = mode == "online"
        try:
            run = open_run(settings, mode)
        finally:
            self._unanswered = False
        note(settings, facts | {"state": None}, at_a_server=mode == "online")
        define_metrics(run)
        rows, end = self._replay(run, int(run.summary.get("epoch") or 0) if run.resumed else 0)
        state, reason = end["state"], end.get("reason")
        log_sections(run, settings, end)
        summary = summary_of(end, rows, settings.target) | {"status": state, "reason": reason, "attempts": self._attempts}
        close_run(run, summary, state=state, reason=reason)
        # A run that had to end without its scores is replayed when they are there.
        note(settings, facts | {"state": "scores pending" if is_pending(end) else state})

    def _replay(self, run: Any, last: int) -> tuple[list[dict[str, Any]], Mapping[str, Any]]:
        """Log each epoch after `last` once, until the trial has ended; return all rows and how it ended."""
        tail, rows = RowTail(self.settings.folder / "metrics.jsonl"), []
        while True:
            end = self._over()  # before the rows are read, so that none that was written before the end is missed
            for row in tail.rows():
                rows.append(row)
                if row["epoch"] > last:
                    run.log(wandb_names(row))
                    last = row["epoch"]
            if end is not None:
                return rows, end
            self._wake.wait(POLL_S if self._deadline is None else 0.1)
            self._wake.clear()


def _guard_the_end() -> None:
    """Close what is open as soon as the main thread has ended.

    The interpreter waits for this thread before it calls exit hooks. One of them is W&B's, which ends its service under open runs, and is
    there from the middle of an opening on: no hook of ours could come before it for sure.
    """
    threading.main_thread().join()
    until = time.monotonic() + EXIT_TIMEOUT_S
    for tracker in _open[:]:
        tracker._release(0.0)
        tracker._pending_since = -math.inf  # late scores are not waited for any more
    for tracker in [tracker for tracker in _open if not tracker._given_up]:
        tracker.wait(max(0.0, until - time.monotonic()))
