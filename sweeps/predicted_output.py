"""What a prediction is written as, and whether it can be written there."""

import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from sweeps.folder import FolderError


class OutputRefused(ValueError):
    """The output cannot be written there; the message says why, and what to do."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """What is written."""

    kind: Literal["probability", "mask", "cells"]
    """float32 in [0, 1], 1 = NOT membrane; uint8, 255 = NOT membrane; or the number of each pixel's cell, 0 = membrane."""
    threshold: float | None = None
    """A pixel is membrane where its probability of being membrane is at least this. For masks and cells."""
    smallest_cell_px: int = 0
    """Cells with fewer pixels become membrane. For cells."""

    def __post_init__(self) -> None:
        if (self.threshold is None) != (self.kind == "probability"):
            raise ValueError(f"a threshold belongs to masks and cells, and to them only; got {self.threshold} for {self.kind}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"threshold must be a membrane probability from 0 to 1, got {self.threshold}")
        if self.smallest_cell_px < 0:
            raise ValueError(f"smallest_cell_px must be at least 0, got {self.smallest_cell_px}")


def check_output(source: Path, out: Path) -> None:
    """Raise OutputRefused unless `out` can become a TIFF file beside `source`."""
    if out.suffix.lower() not in (".tif", ".tiff"):
        raise OutputRefused(f"{out}: what is written is a TIFF stack; name it so: {out.with_suffix('.tif').name}")
    if out.is_dir():
        raise OutputRefused(f"{out} is a folder; name a file in it: {out / 'membranes.tif'}")
    if not out.parent.is_dir():
        raise OutputRefused(f"{out}: there is no folder {out.parent}; make it first: mkdir -p {out.parent}")
    if out.exists() and source.exists() and out.samefile(source):
        raise OutputRefused(f"{out} is the stack itself, which would be lost; name another file for the output")
    if source.is_dir() and out.resolve().parent == source.resolve():
        raise OutputRefused(
            f"{out} lies in the folder of the sections and would be taken for one of them the next time; name another folder"
        )


def check_files(files: Iterable[Path], out: Path) -> None:
    """Raise OutputRefused when `out` is one of the files that are read, by whatever name: a folder may hold links."""
    for file in files:
        if out.exists() and out.samefile(file):
            raise OutputRefused(f"{out} is the same file as {file}, which is read and would be lost; name another file for the output")


def check_room(out: Path, needed: int) -> None:
    """Raise FolderError unless so many bytes are free where `out` is to be."""
    free = shutil.disk_usage(out.parent).free
    if needed > free:
        raise FolderError(
            f"{out} would take {needed / 2**30:.2f} GiB, and {free / 2**30:.2f} GiB are free there: make room, name another disk,"
            " or write a mask (--threshold), which takes a quarter of it. Nothing was written."
        )
