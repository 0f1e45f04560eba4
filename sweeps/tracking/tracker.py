"""W&B's run of a trial, made in the trial's own process from what already lies on the disk. The only importer of wandb.

The trial writes metrics.jsonl and result.json. A side thread of the same process reads them and replays them to W&B: training never
waits for a server, and what happens to W&B happens to that thread alone. A failure is logged, the run is switched to offline, and from
then on every later run of the process is offline from the start.

A run is over when the trial says so (`Tracker.finish`), when a new result.json appears in its folder (the driver writes the one of a
pruned trial), some seconds after the next trial of this process has started, or when the interpreter ends. Every attempt replays from
the first row: offline into one fresh run, whose older directories are removed; online W&B resumes the run, and the epochs that it has
are left out. `sweeps.tracking.repair` makes good what a killed process left open.
"""

import atexit
import contextlib
import logging
import math
import os
import shutil
import threading
import time
from collections.abc import Mapping
from typing import Any

from sweeps.plan import TrialPlan
from sweeps.record import is_pending, read_json
from sweeps.tracking.folder import note, noted, run_folders, stamp
from sweeps.tracking.rows import RowTail, summary_of, wandb_names
from sweeps.tracking.settings import TrackingSettings, settings_for

logger = logging.getLogger(__name__)

POLL_S = 0.5
RESULT_GRACE_S = 3.0
LATE_SCORES_S = 120.0
EXIT_TIMEOUT_S = 20.0
#: nothing of the machine, the code or the terminal is sent; links would carry this machine's paths into a folder that can be shared
_QUIET: dict[str, Any] = {
    "console": "off",
    "disable_git": True,
    "disable_job_creation": True,
    "program": "sweeps",
    "save_code": False,
    "silent": True,
    "symlink": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_save_requirements": False,
}

_open: list["Tracker"] = []
_server_lost = threading.Event()


def tracker_for(plan: TrialPlan) -> "Tracker":
    """Return the tracker of a planned trial."""
    return Tracker(settings_for(plan))


class Tracker:
    """The W&B run of one trial. Nothing here raises for W&B's sake, and only `wait` waits."""

    def __init__(self, settings: TrackingSettings) -> None:
        self.settings = settings
        self._end: Mapping[str, Any] | None = None
        self._deadline: float | None = None
        self._pending_since: float | None = None
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._attempts = 0
        self._old_result = stamp(settings.folder / "result.json")  # an earlier attempt's, which says nothing about this one

    def start(self, *, new_attempt: bool = True) -> None:
        """Open the run in a side thread. Runs of this process that are still open are given some seconds to end.

        `new_attempt` is False when a trial that is over is replayed.
        """
        if self.settings.mode == "disabled":
            return
        self._attempts = noted(self.settings).get("attempts", 0) + new_attempt
        for tracker in _open[:]:
            tracker._release(RESULT_GRACE_S)
        _close_at_exit()
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
        mode = "offline" if _server_lost.is_set() else self.settings.mode
        try:
            if mode == "offline" or not self._record_online():
                self._record_offline()
        except Exception as error:  # noqa: BLE001 - whatever W&B does must not reach the trial
            logger.warning("W&B has no record of %s; the trial is unaffected (%s: %s)", self.settings.name, type(error).__name__, error)
        finally:
            _open.remove(self)

    def _record_online(self) -> bool:
        before = set(run_folders(self.settings, "run"))
        try:
            self._record("online")
        except Exception as error:  # noqa: BLE001 - as above
            if not _server_lost.is_set():
                _server_lost.set()
                logger.warning("W&B failed (%s: %s): this run and later ones of this process are kept offline", type(error).__name__, error)
            for folder in set(run_folders(self.settings, "run")) - before:
                shutil.rmtree(folder, ignore_errors=True)
            return False
        return True

    def _record_offline(self) -> None:
        try:
            self._record("offline")
        except Exception as error:  # noqa: BLE001 - W&B's service may have died under the run: once more with a new one
            logger.warning("W&B's record of %s begins again (%s: %s)", self.settings.name, type(error).__name__, error)
            _drop_service()
            self._record("offline")

    def _record(self, mode: str) -> None:
        note(self.settings, {"mode": mode, "attempts": self._attempts, "state": None})
        run = _init(self.settings, mode)
        tail, last = RowTail(self.settings.folder / "metrics.jsonl"), int(run.summary.get("epoch") or 0) if run.resumed else 0
        while True:
            end = self._over()  # before the rows are read, so that none that was written before the end is missed
            for row in tail.rows():
                if row["epoch"] > last:
                    run.log(wandb_names(row))
                    last = row["epoch"]
            if end is not None:
                break
            self._wake.wait(POLL_S if self._deadline is None else 0.1)
            self._wake.clear()
        _finish(run, end, self._attempts)
        # A run that had to end without its scores is replayed when they are there.
        state = "scores pending" if is_pending(end) else end["state"]
        note(self.settings, {"mode": mode, "attempts": self._attempts, "state": state})


def server_address() -> str:
    """Return the address of the W&B server that is set up on this machine."""
    import wandb

    address = wandb.setup().settings.base_url
    wandb.teardown()  # ends the service process that the question started
    return address


def _drop_service() -> None:
    import wandb

    with contextlib.suppress(Exception):
        wandb.teardown()


def _init(settings: TrackingSettings, mode: str) -> Any:
    if mode == "offline":
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else W&B's own telemetry would go out all the same
        for folder in run_folders(settings, "offline-run"):
            shutil.rmtree(folder, ignore_errors=True)
    import wandb

    run = wandb.init(
        mode=mode,  # type: ignore[arg-type]
        project=settings.project,
        entity=settings.entity,
        group=settings.group,
        job_type=settings.job_type,
        id=settings.run_id,
        name=settings.name,
        tags=settings.tags,
        config=dict(settings.config),
        dir=settings.folder,
        resume="allow" if mode == "online" else None,
        reinit="create_new",
        settings=wandb.Settings(
            init_timeout=settings.init_timeout_s, finish_timeout=settings.finish_timeout_s, finish_timeout_raises=True, **_QUIET
        ),
    )
    _close_at_exit()
    run.define_metric("epoch")
    for names in ("train/*", "val/*", "time/*"):
        run.define_metric(names, step_metric="epoch")
    run.define_metric("val/membrane_dice", step_metric="epoch", summary="max")
    return run


def _finish(run: Any, end: Mapping[str, Any], attempts: int) -> None:
    state, reason = end["state"], end.get("reason")
    run.summary.update(summary_of(end) | {"status": state, "reason": reason, "attempts": attempts})
    if state == "failed":
        run.tags = (*(run.tags or ()), f"failed:{reason or 'unknown'}"[:64])
    try:
        run.finish(exit_code=0 if state in ("complete", "pruned") else 1)
    except TimeoutError:
        _server_lost.set()
        logger.warning("W&B has not taken all of %s in time; the rest is on the disk: wandb sync %s", run.name, run.settings.sync_dir)


def _close_at_exit() -> None:
    """Put our exit hook before W&B's (the last one registered runs first), which would end the service under an open run."""
    atexit.unregister(_close_all)
    atexit.register(_close_all)


def _close_all() -> None:
    until = time.monotonic() + EXIT_TIMEOUT_S
    for tracker in _open[:]:
        tracker._release(0.0)
        tracker._pending_since = -math.inf  # late scores are not waited for any more
    for tracker in _open[:]:
        tracker.wait(max(0.0, until - time.monotonic()))
