"""Progress of a prediction: a bar on a terminal, plain lines for logs, or one JSON object a line."""

import json
import sys
import time
from collections.abc import Callable
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from sweeps.pipe import write_line
from sweeps.predicting import Watch
from sweeps.progress import PLAIN_EVERY_S, Mode
from sweeps.progress_table import duration


class SectionsProgress(Watch):
    """What a prediction tells, shown. A section counts in passes of a network over a tile, so that large ones are seen to go on, too."""

    def __init__(self, mode: Mode, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Args:
        mode: live for a terminal, plain for a log, json for a machine.
        console: where the bar and plain lines go; JSON goes to standard output.
        clock: seconds that never go back.
        """
        self._mode, self._console, self._clock = mode, console, clock
        self._begin = self._told = clock()
        self._sections = self._done = self._passes = self._passed = 0
        self._bar: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None

    def begun(self, shape_ZHW: tuple[int, int, int], passes: int) -> None:
        """The stack is open."""
        self._sections, self._passes = shape_ZHW[0], passes
        self._begin = self._told = self._clock()
        self._emit("begun", shape=list(shape_ZHW), passes=passes)
        if self._mode == "live":
            columns = (BarColumn(), TaskProgressColumn(), TextColumn("{task.description}"), TimeElapsedColumn(), TimeRemainingColumn())
            self._bar = Progress(*columns, console=self._console, refresh_per_second=4)
            self._bar.add_task(self._standing(), total=self._sections * passes)
            self._bar.start()

    def passed(self) -> None:
        """One more pass is done."""
        self._passed += 1
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], advance=1, description=self._standing())
        elif self._clock() - self._told >= PLAIN_EVERY_S:
            self._tell()

    def section(self, done: int) -> None:
        """So many sections are done."""
        self._done, self._passed = done, 0
        self._emit("section", done=done, of=self._sections)
        if self._bar is not None:
            self._bar.update(self._bar.task_ids[0], completed=done * self._passes, description=self._standing())
        elif self._mode == "plain" and (done == self._sections or self._clock() - self._told >= PLAIN_EVERY_S):
            self._tell()

    def note(self, text: str) -> None:
        """Something worth a line of its own, above the bar."""
        if self._mode == "json":
            self._emit("note", text=text)
        elif self._bar is not None:
            self._bar.console.print(text, markup=False)
        else:
            write_line(self._console.file, text)

    def _standing(self) -> str:
        sections = f"section {min(self._done + 1, self._sections)} of {self._sections}"
        return sections + (f", tile pass {self._passed} of {self._passes}" if self._passes > 1 else "")

    def _tell(self) -> None:
        self._told = now = self._clock()
        if self._mode == "json":
            self._emit("passed", section=self._done, passed=self._passed, of=self._passes)
            return
        share = (self._done + self._passed / max(self._passes, 1)) / max(self._sections, 1)
        left = f", ~{duration((now - self._begin) / share * (1 - share))} left" if 0 < share < 1 else ""
        standing = self._standing() if share < 1 else f"all {self._sections} sections"
        write_line(self._console.file, f"{standing}, {duration(now - self._begin)} elapsed{left}")

    def _emit(self, event: str, **told: object) -> None:
        if self._mode == "json":
            write_line(sys.stdout, json.dumps({"event": event} | told))
