"""Three clocks that are never mixed: training, evaluation, and the wall.

A GPU answers before it has finished, so the device is synchronised whenever a clock is read; once an epoch is enough.
"""

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch


class Stopwatch:
    """Seconds of training and of evaluation, and those since the run began; all go on over a resume.

    with stopwatch.clock("train"):
        ...
    stopwatch.seconds("train")
    """

    CLOCKS = ("train", "eval")

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._elapsed: dict[str, float] = dict.fromkeys(self.CLOCKS, 0.0)
        self._wall_before = 0.0
        self._began = time.monotonic()

    @contextmanager
    def clock(self, name: str) -> Iterator[None]:
        """Let the clock `name` run inside the block. Clocks are never nested: a second inside two of them would be two seconds."""
        start = self._now()
        try:
            yield
        finally:
            self._elapsed[name] += self._now() - start

    def seconds(self, name: str) -> float:
        """What the clock "train", "eval" or "wall" shows, in seconds; blocks that are still running are not counted."""
        if name == "wall":
            return self._wall_before + self._now() - self._began
        return self._elapsed[name]

    def state(self) -> dict[str, float]:
        """All clocks, for a checkpoint."""
        return {**self._elapsed, "wall": self.seconds("wall")}

    def restore(self, state: Mapping[str, float]) -> None:
        """Go on from clocks that a checkpoint kept; the time in between counts on none of them."""
        self._elapsed = {name: float(state[name]) for name in self.CLOCKS}
        self._wall_before = float(state["wall"])
        self._began = time.monotonic()

    def _now(self) -> float:
        if self._device.type == "cuda":
            torch.cuda.synchronize(self._device)
        return time.monotonic()
