"""The summary run of a sweep on W&B: its tables, and as artifacts the report, the winners' weights and the data's hash.

It is made when the sweep closes and again by `sweeps report DIR --wandb`, under an id of the sweep's own, in a process of its own
(`summary_process`), which is ended when its time is over: W&B's client asks some questions without a time limit.
"""

import logging
import os
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from sweeps.record import read_json
from sweeps.tracking.settings import run_id

logger = logging.getLogger(__name__)

#: the trial id of the summary, as it were
NAME = "summary"
#: how W&B tells a process to use its parent's service, with which it would not end
_SERVICE = "WANDB_SERVICE"
#: the share of the time that a server gets; the rest is for keeping the run on the disk
ONLINE = 0.5


@dataclass(frozen=True, kw_only=True)
class SummaryRun:
    """What was made."""

    run_id: str
    """W&B's id, the same every time."""
    mode: str
    """online, or offline: kept in the results folder's `wandb/`."""


def record_summary(folder: Path, *, mode: str, timeout_s: float) -> SummaryRun | None:
    """Make the summary run of a sweep that has its verdict, or bring it up to date; None when W&B is off or has no record of it.

    Takes no longer than `timeout_s`, and raises nothing for W&B's sake. What a server does not take is kept offline.
    """
    provenance, until = read_json(folder / "provenance.json"), time.monotonic() + timeout_s
    if mode == "disabled" or not provenance or not (folder / "verdict.json").is_file():
        return None
    tries = {"online": (("online", ONLINE * timeout_s), ("offline", timeout_s)), "offline": (("offline", timeout_s),)}[mode]
    for attempt, seconds in tries:
        why = _made(folder, attempt, min(seconds, until - time.monotonic()))
        if not why:
            return SummaryRun(run_id=run_id(provenance["uuid"], NAME), mode=attempt)
        logger.warning("W&B's summary of %s, %s: %s", provenance["name"], attempt, why)
    return None


def _made(folder: Path, mode: str, seconds: float) -> str:
    """Run the process that makes the run; return why there is none, or nothing."""
    staging, before = folder / "wandb" / "staging", set(folder.glob("wandb/*run-*"))
    shutil.rmtree(staging, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix="wandb-", ignore_cleanup_errors=True) as temporary:
        # W&B copies what becomes an artifact. Online the copies are needed until the end alone, offline until `wandb sync`; never at home.
        data = str(staging.absolute()) if mode == "offline" else temporary
        places = {"WANDB_DATA_DIR": data, "WANDB_CACHE_DIR": temporary, "WANDB_ERROR_REPORTING": "false"}
        said = Path(temporary) / "errors.txt"  # no pipe: W&B's service would keep it open
        with said.open("wb") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", "sweeps.tracking.summary_process", str(folder.absolute()), mode, str(seconds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                env={name: value for name, value in os.environ.items() if name != _SERVICE} | places,
            )
        late = False
        try:
            process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            late = True
        finally:
            end_children(process.pid)
            process.kill()
            process.wait()
        lines = said.read_text(errors="replace").strip().splitlines()
    if process.returncode == 0:
        return ""
    for unfinished in set(folder.glob("wandb/*run-*")) - before:
        shutil.rmtree(unfinished, ignore_errors=True)
    return f"not done within {seconds:.0f} s" if late else (lines or [f"exit code {process.returncode}"])[-1][:300]


def end_children(pid: int) -> None:
    """End what a process has started. W&B's service is in no group of its parent's, and without it would go on asking a silent server."""
    with suppress(psutil.Error):
        for child in psutil.Process(pid).children(recursive=True):
            with suppress(psutil.Error):
                child.kill()
