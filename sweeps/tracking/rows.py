"""From a trial's files to W&B's names. Knows no wandb."""

import json
import logging
import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)


def wandb_names(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return a row of metrics.jsonl under W&B's names: epoch, step, train/*, time/*_s; everything else is a score, val/*."""
    named = {}
    for key, value in row.items():
        if key in ("epoch", "step"):
            named[key] = value
        elif key.endswith("_seconds"):
            named[f"time/{key.removesuffix('_seconds')}_s"] = value
        elif key.startswith("train_"):
            named[f"train/{key.removeprefix('train_')}"] = value
        else:
            named[f"val/{key}"] = value
    return named


def summary_of(result: Mapping[str, Any], rows: Sequence[Mapping[str, Any]] = (), target: float | None = None) -> dict[str, Any]:
    """Return what W&B's summary says of a trial, from its result.json and its rows; without what is missing.

    best/* are scores and epoch, time/*_s the clocks, memory/peak_mib the peak of the device's memory (on a CPU the process's).
    time/epoch_s is train seconds an epoch, time/to_target_s train seconds until membrane Dice first reaches `target`, infinite for a miss.
    """
    summary = {f"best/{name}": value for name, value in (result.get("scores") or {}).items()}
    summary |= {f"time/{name}_s": value for name, value in (result.get("seconds") or {}).items()}
    summary |= {"best/epoch": result.get("best_epoch"), "memory/peak_mib": result.get("peak_memory_mib")}
    if rows:
        summary["time/epoch_s"] = rows[-1]["train_seconds"] / rows[-1]["epoch"]
    if rows and target is not None:
        summary["time/to_target_s"] = to_target(rows, target)
    return {name: value for name, value in summary.items() if value is not None}


def to_target(rows: Iterable[Mapping[str, Any]], target: float | None) -> float | None:
    """Return train seconds until membrane Dice first reaches the target: infinity for a miss, None without a target."""
    if target is None:
        return None
    return next((row["train_seconds"] for row in rows if row["membrane_dice"] >= target), math.inf)


class RowTail:
    """The whole lines that a growing file of JSON lines has gained since the last look."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield the new rows. A torn last line waits for its end; a damaged one is left out and said."""
        for line in self._new_bytes().splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                logger.warning("%s has a damaged line, which W&B does not get: %r", self.path.name, line[:80])

    def _new_bytes(self) -> bytes:
        try:
            with self.path.open("rb") as file:
                if file.seek(0, os.SEEK_END) < self._offset:
                    self._offset = 0  # cut back to a checkpoint; the epochs already sent are known by their number
                file.seek(self._offset)
                block = file.read()
        except FileNotFoundError:
            return b""
        whole = block[: block.rfind(b"\n") + 1]
        self._offset += len(whole)
        return whole
