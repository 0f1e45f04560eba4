"""Scores that are computed after their trial has ended, so that no GPU waits for them.

The network's predictions are all that scores need. On a GPU a trial ends as soon as these lie in its folder (prediction.npz); its result
says `scores_pending` and holds membrane Dice alone, which takes no time and is all that the search asks for. A process beside the worker
(`LateScorer`, run as `python -m sweeps.late_scores`) computes the rest while the next trial trains. What is left when a worker ends or is
killed (Tune gives it ten seconds at the end of a stage) is settled when the sweep closes: whoever settles a trial writes the same
numbers, so it does not matter who.

On a CPU a process beside the next trial would slow it down, and its seconds would be no measure any more; there, trials score themselves.
"""

import contextlib
import fcntl
import json
import logging
import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sweeps.predicted import Prediction
from sweeps.record import PENDING, is_pending, read_json
from sweeps.result import save_pictures, with_scores
from sweeps.scoring import score
from unet.checkpoint import CheckpointError, annotate_weights
from unet.durable import write_durably

logger = logging.getLogger(__name__)

PREDICTION = "prediction.npz"


def settle(folder: Path) -> bool:
    """Compute the scores that a trial's folder waits for; whether there were any to compute.

    One process at a time settles a trial; the others find it settled. A prediction that is lost or damaged leaves the result with what it
    has, and a `scores_missing` that says why. Whatever else goes wrong (a full disk, no memory) is raised and leaves the trial waiting.
    """
    path = folder / PREDICTION
    try:
        kept = path.open("rb")
    except FileNotFoundError:
        # Whoever settled a trial wrote its result before he took the prediction away, so one that waits still has lost it.
        result = read_json(folder / "result.json")
        if is_pending(result):
            _give_up(folder, result, f"{PREDICTION} is gone")
        return is_pending(result)
    with kept:
        fcntl.flock(kept, fcntl.LOCK_EX)
        result = read_json(folder / "result.json")
        if is_pending(result):
            _settle(folder, result)
            path.unlink(missing_ok=True)
            return True
    if isinstance(result, dict) and result.get("state") == "complete" and "scores_missing" not in result:
        path.unlink(missing_ok=True)  # whoever settled it was cut before this; a trial that is about to end has no result yet
    return False


def _settle(folder: Path, result: dict[str, Any]) -> None:
    begun = time.monotonic()
    try:
        prediction = Prediction.load(folder / PREDICTION)
    except ValueError as error:
        _give_up(folder, result, str(error))
        return
    scored = score(prediction)
    save_pictures(folder / "sections.npz", scored)
    settled = with_scores({key: value for key, value in result.items() if key != PENDING}, scored)
    try:
        settled["weights"] = settled["weights"] | {"sha256": annotate_weights(folder / settled["weights"]["file"], scored.tuning())}
    except (FileNotFoundError, CheckpointError) as error:
        logger.warning("%s: its weights do not say how they were tuned: %s", folder.name, error)
    settled["seconds"] = settled["seconds"] | {"score_beside": time.monotonic() - begun}
    write_durably(folder / "result.json", json.dumps(settled, indent=1, allow_nan=False).encode())


def _give_up(folder: Path, result: dict[str, Any], why: str) -> None:
    logger.warning("%s keeps membrane Dice alone: %s", folder.name, why)
    settled = {key: value for key, value in result.items() if key != PENDING} | {"scores_missing": why}
    write_durably(folder / "result.json", json.dumps(settled, indent=1).encode())


def settle_all(sweep_folder: Path) -> int:
    """Settle the trials of a results folder that wait for their scores; return how many. What cannot be scored goes on waiting."""
    waiting = {path.parent for path in sweep_folder.glob(f"*/*/{PREDICTION}")}
    waiting |= {path.parent for path in sweep_folder.glob("*/*/result.json") if is_pending(read_json(path))}
    return sum(_settled(folder) for folder in sorted(waiting))


def _settled(folder: Path) -> bool:
    try:
        return settle(folder)
    except Exception:  # whatever it is, the other trials may be well, and this one is tried again whenever the sweep is closed
        logger.exception("%s could not be scored", folder.name)
        return False


class LateScorer:
    """One process beside a worker that settles its trials one after the other. Its failure costs nothing: the sweep settles the rest."""

    def __init__(self) -> None:
        self._tasks: queue.SimpleQueue[tuple[Path, Callable[[], None]] | None] = queue.SimpleQueue()
        self._process: subprocess.Popen[str] | None = None
        self._closing = False
        self._left = 0
        self._thread = threading.Thread(target=self._work, name="late-scores", daemon=True)
        self._thread.start()

    def submit(self, folder: Path, then: Callable[[], None]) -> None:
        """Settle a trial's folder some time, and call `then` from another thread when that is over, well or badly."""
        self._left += 1
        self._tasks.put((folder, then))

    def close(self, timeout: float) -> bool:
        """Return whether all that was submitted is settled, after waiting at most `timeout` seconds; the process is ended either way."""
        self._tasks.put(None)
        self._thread.join(timeout)
        self._closing = True
        if self._process is not None:
            if self._process.poll() is None:
                self._process.kill()
            _end(self._process)
        return self._left == 0

    def _work(self) -> None:
        while (task := self._tasks.get()) is not None:
            folder, then = task
            if self._closing:
                return
            try:
                self._settle(folder)
            except (OSError, ValueError) as error:  # the process has ended, or its pipes were closed
                logger.warning("%s is scored when the sweep closes: %s", folder.name, error)
            else:
                self._left -= 1
            then()
        if self._process is not None:
            _end(self._process)

    def _settle(self, folder: Path) -> None:
        if self._process is None or self._process.poll() is not None:
            if self._process is not None:
                _end(self._process)
            self._process = _start()
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(str(folder)) + "\n")
        self._process.stdin.flush()
        if not self._process.stdout.readline():
            raise BrokenPipeError("the process that computes scores has ended")


def _start() -> subprocess.Popen[str]:
    # No GPU for it: a context would take the device's memory from the trial that trains now.
    alone = {"CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-m", "sweeps.late_scores"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | alone,
    )


def _end(process: subprocess.Popen[str]) -> None:
    """Close the process's pipes, at which it ends by itself, and wait for it."""
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
    process.wait()


def main() -> None:
    """Settle the folders named on standard input, one JSON string a line, and answer each with a line; end with the input."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    os.nice(10)
    for line in sys.stdin:
        folder = Path(json.loads(line))
        _settled(folder)
        sys.stdout.write("settled\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
