"""`sweeps report DIR --wandb`: one W&B Report of a sweep, made new or brought up to date.

The work is done by a process of its own (`report_process`), which is ended when its time is over: W&B's client walks through all projects
of an account, and waits for a server that is silent. Whatever happens there, the results folder has its local report all the same, and
the reason comes back in words.
"""

import importlib.util
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Literal

from sweeps.tracking.summary_run import end_children

#: begins each line of the process that is meant for us
MARK = "sweeps: "
COMMAND = (sys.executable, "-m", "sweeps.tracking.report_process")


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of a publication."""

    url: str | None = None
    """Where the W&B Report is; None when there is none."""
    action: Literal["created", "updated"] | None = None
    """Whether it is a new one; None when nothing was saved."""
    uploaded: tuple[str, ...] = ()
    """W&B's ids of the runs that were sent first."""
    reason: str | None = None
    """Why there is no report, or why not all runs are in it; None when all went well."""


def publish(folder: Path, *, say: Callable[[str], None], timeout_s: float = 120) -> Published:
    """Send what W&B lacks of the sweep in `folder`, then create its W&B Report or update the one that wandb-report.json names.

    `say` is told a line now and then. Nothing is raised for W&B's sake, and it takes no longer than `timeout_s`: what was not sent by then
    is sent by the next call.
    """
    lacking = [name for name in ("wandb", "wandb_workspaces") if importlib.util.find_spec(name) is None]
    if lacking:
        names = " ".join(name.replace("_", "-") for name in lacking)
        return Published(reason=f"{' and '.join(lacking)} cannot be imported. Install with: pip install {names}")
    if not (folder / "verdict.json").exists():
        return Published(reason=f"{folder} has no verdict.json yet. Make it first, with: sweeps report {folder}")
    until, uploaded, last = time.monotonic() + timeout_s, [], {}
    with tempfile.TemporaryFile() as words, _process(folder, timeout_s, words) as process:
        for message in _messages(process, until):
            if "uploaded" in message:
                uploaded.append(message["uploaded"])
            elif "say" in message:
                say(message["say"])
            else:
                last |= message
        if "end" not in last:
            last |= {"reason": _cut_short(process, last, words, timeout_s)}
    return Published(url=last.get("url"), action=last.get("action"), uploaded=tuple(uploaded), reason=last.get("reason"))


@contextmanager
def _process(folder: Path, timeout_s: float, words: IO[bytes]) -> Iterator[subprocess.Popen[str]]:
    """The process, in a group of its own; on leaving, it and whatever it has started are ended."""
    process = subprocess.Popen(
        [*COMMAND, str(folder.absolute()), str(timeout_s)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=words,
        text=True,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        end_children(process.pid)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _messages(process: subprocess.Popen[str], until: float) -> Iterator[dict[str, Any]]:
    """Yield what the process says, up to the end, its own or that of the time."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.put(line)
        lines.put("")

    threading.Thread(target=read, name="wandb-report", daemon=True).start()
    with suppress(queue.Empty):
        while line := lines.get(timeout=max(0.0, until - time.monotonic())):
            if line.startswith(MARK):  # W&B may say something on its own
                yield (message := json.loads(line.removeprefix(MARK)))
                if "end" in message:
                    return


def _cut_short(process: subprocess.Popen[str], last: dict[str, Any], words: IO[bytes], timeout_s: float) -> str:
    with suppress(subprocess.TimeoutExpired):
        process.wait(0.5)  # its pipe closes a moment before it is gone
    if process.poll() is None:
        saved = "; the report itself was saved" if "url" in last else ""
        return f"W&B did not answer within {timeout_s:.0f} s, while {last.get('step', 'its client was loaded')}: given up{saved}"
    words.seek(0)
    said = words.read().decode(errors="replace").strip().splitlines()
    return f"the process that publishes ended with exit code {process.returncode}: {said[-1] if said else 'it said nothing'}"
