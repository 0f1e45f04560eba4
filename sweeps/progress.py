"""Progress of a sweep: a live table of at most 80 columns and 20 lines, plain lines for logs, or one JSON object a line.

    with SweepProgress("demo", {"bce": 4, "focal": 4}, mode="live") as progress:
        progress.started("focal-0000", "focal", "node1:gpu0")
        progress.measured("focal-0000", 1, 12, 0.71)
        progress.ended("focal-0000", "complete", 0.78)
        progress.stage("finalists", {"bce": 3, "focal": 3})

It is told what happened and decides nothing; scores are membrane Dice, so that higher is better.
"""

import json
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Literal, Self

from rich.console import Console, RenderableType
from rich.live import Live

from sweeps.pipe import write_line
from sweeps.progress_counts import Counts
from sweeps.progress_table import duration, one_line, table

Mode = Literal["live", "plain", "json"]
PLAIN_EVERY_S = 30.0


class SweepProgress:
    """What the driver tells it, shown. All methods may be called from any thread."""

    def __init__(
        self,
        name: str,
        planned: Mapping[str, int],
        mode: Mode = "live",
        console: Console | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Args:
        name: the sweep's.
        planned: trials of each loss in the first stage, those that ended before a resume among them.
        mode: live for a terminal, plain for a log, json for a machine.
        console: where to write; standard output by default.
        clock: seconds that never go back.
        """
        self._name, self._mode, self._clock = name, mode, clock
        self._console = console or Console()
        self._lock = threading.RLock()
        self._begin = clock()
        self._counts = Counts(title="search", planned=dict(planned), begin=self._begin)
        self._live: Live | None = None
        self._over = threading.Event()
        self._ticker: threading.Thread | None = None

    def __enter__(self) -> Self:
        if self._mode == "live":
            self._live = Live(get_renderable=self._render, console=self._console, refresh_per_second=1, transient=False)
            self._live.__enter__()
        elif self._mode == "plain":
            self._ticker = threading.Thread(target=self._tick, name="progress", daemon=True)
            self._ticker.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._over.set()
        if self._live is not None:
            self._live.__exit__(None, None, None)
            self._live = None
        if self._ticker is not None:
            self._ticker.join(timeout=5)

    def stage(self, title: str, planned: Mapping[str, int], *, summary: Literal["best", "mean"] = "mean") -> None:
        """The next stage begins: counts start again. `summary` says what a loss's one score is."""
        with self._lock:
            self._counts = Counts(title=title, planned=dict(planned), begin=self._clock(), summary=summary)
            self._say(f"stage {title}: {sum(planned.values())} trials", event="stage", title=title, planned=dict(planned))

    def started(self, trial_id: str, loss: str, worker: str | None = None) -> None:
        """A trial runs, for the first time or again."""
        with self._lock:
            self._counts.start(trial_id, loss, worker)
            self._emit(event="started", trial=trial_id, loss=loss, worker=worker)

    def measured(self, trial_id: str, epoch: int, epochs: int, score: float | None) -> None:
        """A trial has finished an epoch."""
        score = _finite(score)
        with self._lock:
            self._counts.measure(trial_id, epoch, epochs, score)
            self._emit(event="measured", trial=trial_id, epoch=epoch, epochs=epochs, score=score)

    def ended(
        self,
        trial_id: str,
        state: Literal["complete", "pruned", "failed"],
        score: float | None = None,
        reason: str | None = None,
        *,
        loss: str | None = None,
    ) -> None:
        """A trial is over. On resuming, tell it those that ended before, without `started`; they count, and cost no time."""
        score = _finite(score)
        with self._lock:
            # What ended before a resume is no event of now; a failure is always worth its line.
            old = not self._counts.any_started and state != "failed"
            self._counts.end(trial_id, state, score, reason, loss)
            if old:
                return
            text = f"{trial_id} {state}" + (f" {score:.4f}" if score is not None else "") + (f": {reason}" if reason else "")
            self._say(f"{self._summary()}   {text}", event="ended", trial=trial_id, state=state, score=score, reason=reason)

    def note(self, message: str) -> None:
        """Something worth a line of its own, above the table."""
        with self._lock:
            if self._live is not None:
                self._live.console.print(one_line(message), markup=False, highlight=False)
            self._say(message, event="note", message=message)

    def _render(self) -> RenderableType:
        with self._lock:
            return table(self._name, self._counts, now=self._clock(), begin=self._begin, width=self._console.width)

    def _summary(self) -> str:
        counts, now = self._counts, self._clock()
        left = counts.seconds_left(now)
        parts = [f"{self._name} {counts.title}", f"{counts.num_ended}/{counts.num_planned} trials", f"{len(counts.running)} running"]
        parts += [f"{counts.num_failed} failed"] if counts.num_failed else []
        parts += [f"{duration(now - self._begin)} elapsed"] + ([f"~{duration(left)} left"] if left is not None else [])
        return ", ".join(parts)

    def _say(self, line: str, **event: object) -> None:
        if self._mode == "plain":
            self._write(one_line(line))
        self._emit(**event)

    def _emit(self, **event: object) -> None:
        if self._mode == "json":
            stamped = {"seconds": round(self._clock() - self._begin, 3), "sweep": self._name} | event
            self._write(json.dumps(stamped, allow_nan=False))

    def _write(self, line: str) -> None:
        # Whole lines, however narrow the console: a log and a machine want no wrapping.
        write_line(self._console.file, line)

    def _tick(self) -> None:
        while not self._over.wait(PLAIN_EVERY_S):
            with self._lock:
                self._write(one_line(self._summary()))


def _finite(score: float | None) -> float | None:
    """A score that is not a number says no more than none, and JSON has no word for it."""
    return score if score is not None and math.isfinite(score) else None
