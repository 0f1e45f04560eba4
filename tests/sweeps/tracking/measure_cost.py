"""What W&B costs a trial: `python -m tests.sweeps.tracking.measure_cost`, for a server that works and for every way in which one fails.

Each trial is a real one (network, loss, files), as a worker runs it. Counted are the seconds that the trial's own thread spends in the
tracker, and the processor seconds of the tracker's threads, which can hold up Python, and of W&B's service. The latter two are shares of a
processor that a trial with a core to spare does not miss: all three together are the most that W&B can cost. None of them holds the wait at
the end of a worker's process (`Tracker.close`), which is a column of its own: it comes once a process, not once a trial.

Epochs are counted at the server: those that a run kept offline has are first sent there by `wandb sync`, when the server works again.
"""

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil

from sweeps.recipe.schema import Recipe, read_recipe
from sweeps.stacks import cached_stack
from sweeps.tracking import fallback, run
from sweeps.tracking.tracker import Tracker, tracker_for
from sweeps.trial import Trial
from tests.sweeps.small import plan_for
from tests.sweeps.tracking.wandb_runs import restart_service
from tests.sweeps.tracking.wandb_server import Fault, Received, wandb_server

CASES = (
    "disabled",
    "disabled again",
    "offline",
    "online",
    401,
    403,
    500,
    "hang",
    "cut",
    "403 midway",
    "500 midway",
    "hang midway",
    "cut midway",
)


class Threads:
    """Processor seconds of the tracker's threads that have ended."""

    seconds = 0.0

    @classmethod
    def watch(cls) -> None:
        """Count from now on."""
        work: Callable[[Any], None] = Tracker._work

        def counted(tracker: Tracker) -> None:
            begun = time.thread_time()
            try:
                work(tracker)
            finally:
                cls.seconds += time.thread_time() - begun

        Tracker._work = counted  # type: ignore[method-assign]


def service_seconds() -> float:
    """Processor seconds of W&B's service: of those that run, and of those that have ended."""
    ended = psutil.Process().cpu_times()
    running = [child.cpu_times() for child in psutil.Process().children() if child.name() == "wandb-core"]
    return ended.children_user + ended.children_system + sum(used.user + used.system for used in running)


def other_seconds() -> float:
    """Processor seconds of the threads that W&B has in this process, beside those of the trackers."""
    own = {thread.native_id for thread in threading.enumerate() if thread.name.startswith(("AsyncioManager", "NetStatThr", "wandb"))}
    return sum(used.user_time + used.system_time for used in psutil.Process().threads() if used.id in own)


@contextmanager
def surroundings(case: int | str) -> Iterator[Received]:
    """A server that behaves as the case says, and a process that has met none yet."""
    with wandb_server() as (address, received):
        os.environ |= {"WANDB_API_KEY": "c" * 40, "WANDB_BASE_URL": address, "WANDB_ERROR_REPORTING": "false"}
        restart_service()
        fallback.server_lost = threading.Event()
        kind, _, midway = str(case).partition(" ")
        if kind not in ("disabled", "offline", "online"):
            received.fault = Fault(kind=int(kind) if kind.isdigit() else kind, after_rows=2 if midway else 0)
        yield received
        received.fault = None
        restart_service()


def measure(folder: Path, recipe: Recipe, case: int | str) -> dict[str, float]:
    """Run one trial and return its seconds (wall, main, threads, service, end) and the number of epochs that W&B lacks or has twice."""
    mode = str(case).split()[0]
    mode = mode if mode in ("disabled", "offline") else "online"
    stack = cached_stack(recipe, "")
    plan = plan_for(folder, "bce", recipe.defaults("bce"), recipe, tracking=mode, data_sha256=stack.sha256())
    with surroundings(case) as received:
        threads, service, begun = Threads.seconds, service_seconds(), time.perf_counter()
        trial = Trial(plan, stack, device="cpu")
        entered = time.perf_counter()
        tracker = tracker_for(plan)
        tracker.start()
        main = time.perf_counter() - entered
        *_, result = trial.rows()
        assert result["state"] == "complete", result
        entered = time.perf_counter()
        tracker.finish(result["state"], result)
        main += time.perf_counter() - entered
        wall = time.perf_counter() - begun
        entered = time.perf_counter()
        tracker.close()
        end = time.perf_counter() - entered
        tracker.wait(120)
        threads, service = Threads.seconds - threads + other_seconds(), service_seconds() - service
        epochs = recipe.train.epochs
        wrong = 0 if mode == "disabled" else wrong_epochs(folder, received, epochs)
        return {"wall": wall, "main": main, "threads": threads, "service": service, "end": end, "wrong": wrong}


def wrong_epochs(folder: Path, received: Received, count: int) -> int:
    """Return how many of the epochs 1 to `count` are not there exactly once, in the one run that the folder has."""
    received.fault = None
    (found,) = folder.glob("wandb/*run-*")
    if found.name.startswith("offline-run-"):
        subprocess.run([sys.executable, "-m", "wandb", "sync", str(found)], check=True, timeout=120, capture_output=True)
    there = received.epochs(found.name.rsplit("-", 1)[1])
    return sum(there.count(epoch) != 1 for epoch in range(1, count + 1))


def main() -> None:
    """Measure, interleaved, and write a table in Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--recipe", default="isbi2012-quick")
    options.add_argument("--data", default=None, help="as `sweeps launch --data`")
    options.add_argument("--set", action="append", default=[], help="as `sweeps launch --set`; may be repeated")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--cases", nargs="*", default=CASES)
    told = options.parse_args()
    recipe = read_recipe(told.recipe, overrides=told.set, data=told.data)
    run.QUIET["x_file_stream_transmit_interval"] = 1  # so that there is a midway
    Threads.watch()
    found: dict[Any, list[dict[str, float]]] = {case: [] for case in told.cases}
    for number in range(told.repeats + 1):
        for case in told.cases if number else ("online",):  # the first round warms up: imports, and the data
            folder = Path(tempfile.mkdtemp()) / "trials" / "bce-0001"
            taken = measure(folder, recipe, case)
            shutil.rmtree(folder.parents[1])
            if number:
                found[case].append(taken)
            sys.stderr.write(f"{number} {case} {taken}\n")
    columns = (
        "trial, s",
        "beside disabled, s",
        "own thread, ms",
        "share",
        "threads, CPU s",
        "service, CPU s",
        "all, share",
        "end, s",
        "epochs",
    )
    write(f"| server | n | {' | '.join(columns)} |\n|---{'|--:' * (len(columns) + 1)}|\n")
    for case, taken in found.items():
        write(row(case, taken, found.get("disabled", taken)))


def row(case: int | str, taken: list[dict[str, float]], rival: list[dict[str, float]]) -> str:
    """Return a line of the table: medians, and from where to where. The last column has the epochs that are not there exactly once."""
    rivals = zip(taken, rival, strict=True)
    every = [entry["main"] + entry["threads"] + entry["service"] for entry in taken]
    figures = (
        _spread([entry["wall"] for entry in taken], ".1f"),
        _spread([entry["wall"] - other["wall"] for entry, other in rivals], "+.2f"),
        _spread([entry["main"] * 1e3 for entry in taken], ".1f"),
        _spread([entry["main"] / entry["wall"] for entry in taken], ".3%"),
        _spread([entry["threads"] for entry in taken], ".2f"),
        _spread([entry["service"] for entry in taken], ".2f"),
        _spread([seconds / entry["wall"] for seconds, entry in zip(every, taken, strict=True)], ".2%"),
        _spread([entry["end"] for entry in taken], ".2f"),
        f"{sum(entry['wrong'] for entry in taken)} wrong",
    )
    return f"| {case} | {len(taken)} | {' | '.join(figures)} |\n"


def _spread(values: list[float], form: str) -> str:
    return f"{statistics.median(values):{form}} ({min(values):{form}} to {max(values):{form}})"


write = sys.stdout.write

if __name__ == "__main__":
    main()
