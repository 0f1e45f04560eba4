"""What W&B costs a whole sweep: `python -m tests.sweeps.tracking.measure_sweep`, for a server that works and for those that fail.

Seconds of `sweeps launch`, from its start to its exit, for a small sweep of the embedded data. The failing servers still answer the
question whether there is a server, since a sweep that finds none is offline from its start.
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sweeps.record import read_json
from tests.sweeps.tracking.wandb_reports_server import Reports, ReportsHandler
from tests.sweeps.tracking.wandb_server import Fault, Handler, Received, wandb_server

CASES = ("disabled", "disabled again", "offline", "online", "401", "403", "500", "hang", "cut")


class Failing(ReportsHandler):
    """Answers that it is there, and nothing else."""

    def do_GET(self) -> None:
        self._send({})

    def do_POST(self) -> None:
        if self.received.fault is None:
            super().do_POST()
        else:
            self._body()
            self._fails()


def _bound(received: Received) -> type[Handler]:
    return type("BoundHandler", (Failing,), {"received": received, "reports": Reports(received)})


def measure(case: str, changes: list[str]) -> tuple[float, int, int]:
    """Run one sweep; return its seconds, how many of its runs are closed, and how many the server has whole."""
    word = case.split()[0]
    with tempfile.TemporaryDirectory() as results, wandb_server(_bound) as (address, received):
        received.fault = None if word in ("disabled", "offline", "online") else Fault(kind=int(word) if word.isdigit() else word)
        told = [*changes, f"wandb.mode={word if word in ('disabled', 'offline') else 'auto'}"]
        command = [sys.executable, "-m", "sweeps.cli", "launch", "demo", "--results", results]
        command += [part for change in told for part in ("--set", change)]
        environment = os.environ | {"WANDB_BASE_URL": address, "WANDB_API_KEY": "c" * 40, "WANDB_ERROR_REPORTING": "false"}
        begun = time.perf_counter()
        subprocess.run(command, env=environment, check=True, capture_output=True, timeout=1000)
        seconds = time.perf_counter() - begun
        notes = [read_json(path) for path in Path(results).glob("*/*/*/wandb/record.json")]
        return seconds, sum(note["state"] == "complete" for note in notes), len(received.exit_code)


def main() -> None:
    """Measure, interleaved, and write a table in Markdown."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--cases", nargs="*", default=CASES)
    options.add_argument("--set", action="append", default=[], help="as `sweeps launch --set`; may be repeated")
    told = options.parse_args()
    found: dict[str, list[tuple[float, int, int]]] = {case: [] for case in told.cases}
    for _ in range(told.repeats):
        for case in told.cases:
            found[case].append(measure(case, told.set))
            sys.stderr.write(f"{case} {found[case][-1]}\n")
    sys.stdout.write("| server | n | sweep, s | from, s | to, s | runs closed | runs the server has |\n|---|--:|--:|--:|--:|--:|--:|\n")
    for case, taken in found.items():
        seconds = [entry[0] for entry in taken]
        figures = f"{statistics.median(seconds):.1f} | {min(seconds):.1f} | {max(seconds):.1f} | {taken[0][1]} | {taken[0][2]}"
        sys.stdout.write(f"| {case} | {len(taken)} | {figures} |\n")


if __name__ == "__main__":
    main()
