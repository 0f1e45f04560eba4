"""A stack of sections of any size in, a TIFF stack out, one section at a time: probabilities, a mask, or cells with numbers.

In memory at any time: one section with its probabilities, and what a network needs for one tile.
"""

import math
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
import psutil

from data_utils.sections import SectionReader, open_sections
from data_utils.tiff_writer import SectionWriter
from sweeps.members import Loaded
from sweeps.predicted_output import Output, check_files, check_output, check_room
from unet.cells import label_cells
from unet.context import default_tile_px
from unet.predict import num_passes, predict_membrane

_UINT16_MOST = 65_535
_FAR_STDS, _FAR_TIMES = 2.5, 5.0
_SAMPLED_PX = 2**20
# Measured at 8192 x 8192, the networks apart: section, sums and probabilities; and labels, their counts and numbers.
_BYTES_PER_PX, _CELL_BYTES_PER_PX = 16, 25


class NoPrediction(ArithmeticError):
    """The network predicts NaN: there is nothing to write."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How it is computed."""

    tile_px: int | None = None
    """Side of the tiles of larger sections; None: what `default_tile_px` says; 0: sections are seen whole."""
    tta: bool = False
    """Mean over the eight flips and turns."""
    precision: str = "auto"
    """fp32, bf16 or auto."""

    def side_px(self, members: Sequence[Loaded]) -> int | None:
        """Return the side of tiles for these networks, None for whole sections."""
        if self.tile_px is None:
            return max(default_tile_px(loaded.member.model.depth) for loaded in members)
        return self.tile_px or None


class Watch:
    """What a prediction tells while it runs; this one is not listening."""

    def begun(self, shape_ZHW: tuple[int, int, int], passes: int) -> None:
        """The stack is open; each section takes so many passes of a network over a tile."""

    def passed(self) -> None:
        """One more pass is done."""

    def section(self, done: int) -> None:
        """So many sections are done."""

    def note(self, text: str) -> None:
        """Something worth a line."""


def predict_stack_file(
    members: Sequence[Loaded], source: Path, out: Path, output: Output, *, settings: Settings | None = None, watch: Watch | None = None
) -> dict[str, Any]:
    """Read the sections at `source`, write what the networks make of them to `out`, and return what was written, for people and machines.

    `out` appears whole or not at all, and replaces what stood there.

    Raises:
        DataError: `source` is not to be read.
        OutputRefused: `out` is no place for the output.
        FolderError: there is not enough room for it.
        TileError: a tile side that a network cannot use.
        NoPrediction: a network predicts NaN.
    """
    settings, watch = settings or Settings(), watch or Watch()
    check_output(source, out)
    with open_sections(source) as sections:
        check_files(sections.files, out)
        tile_px = settings.side_px(members)
        _, height, width = sections.shape_ZHW
        _check_memory(sections, output)
        passes = num_passes([loaded.member for loaded in members], height, width, tile_px=tile_px, tta=settings.tta)
        check_room(out, math.prod(sections.shape_ZHW) * {"probability": 4, "mask": 1, "cells": 2}[output.kind])
        watch.begun(sections.shape_ZHW, passes)
        found = _predicted(members, sections, tile_px, settings, watch)
        described = _described(members, output, settings)
        if output.kind == "cells":
            return described | _write_cells(found, sections, out, output, described)
        dtype = "float32" if output.kind == "probability" else "uint8"
        with SectionWriter(out, sections.shape_ZHW, dtype, voxel_size_nm=sections.voxel_size_nm, description=described) as writer:
            for membrane_HW in found:
                if output.kind == "probability":
                    writer.write(np.subtract(np.float32(1.0), membrane_HW, out=membrane_HW))
                else:
                    writer.write(_is_cell(membrane_HW, output).view(np.uint8) * np.uint8(255))
        return described | {"out": str(out), "shape": list(sections.shape_ZHW), "dtype": dtype}


def _check_memory(sections: SectionReader, output: Output) -> None:
    """Raise MemoryError for sections that the memory which is free cannot hold: the kernel would end the process without a word."""
    _, height, width = sections.shape_ZHW
    needed = height * width * (_CELL_BYTES_PER_PX if output.kind == "cells" else _BYTES_PER_PX)
    free = psutil.virtual_memory().available
    if needed > free:
        raise MemoryError(
            f"a section of {height} x {width} px takes about {needed / 2**30:.1f} GiB beside the network, and {free / 2**30:.1f} GiB are"
            " free: crop the sections, or use a larger machine"
        )


def _described(members: Sequence[Loaded], output: Output, settings: Settings) -> dict[str, Any]:
    """Return what the file says of itself."""
    meaning = {"probability": "1 = not membrane", "mask": "255 = not membrane", "cells": "0 = membrane, others number the cells"}
    described: dict[str, Any] = {"values": meaning[output.kind], "models": [loaded.name for loaded in members], "tta": settings.tta}
    if output.threshold is not None:
        described["threshold"] = output.threshold
    return described | ({"smallest_cell_px": output.smallest_cell_px} if output.kind == "cells" else {})


def _predicted(
    members: Sequence[Loaded], sections: SectionReader, tile_px: int | None, settings: Settings, watch: Watch
) -> Iterator[np.ndarray]:
    """Yield the membrane probability of each section, float32 [H, W]."""
    voices = [loaded.member for loaded in members]
    for index in range(sections.shape_ZHW[0]):
        raw_HW = sections.read(index)
        if index == 0 and (far := _far_from_training(members, raw_HW)):
            watch.note(far)
        probability_1HW = predict_membrane(
            voices, raw_HW[None], precision=settings.precision, tile_px=tile_px, tta=settings.tta, on_pass=watch.passed
        )
        probability_HW = probability_1HW[0].cpu().numpy()
        if not np.isfinite(probability_HW).all():
            raise NoPrediction(
                f"{sections.name}, section {index}: the network predicts NaN. Its weights are not finite, or the grey values are far"
                " from those that it was trained on. Nothing was written."
            )
        yield probability_HW
        watch.section(index + 1)


def _is_cell(membrane_HW: np.ndarray, output: Output) -> np.ndarray:
    assert output.threshold is not None
    return membrane_HW < np.float32(output.threshold)


def _write_cells(
    found: Iterator[np.ndarray], sections: SectionReader, out: Path, output: Output, described: dict[str, Any]
) -> dict[str, Any]:
    """Number the cells through the whole stack. How wide their numbers must be shows only at the end, so masks are kept until then."""
    shape_ZHW = sections.shape_ZHW
    num_sections, height, width = shape_ZHW
    num_cells = 0
    with tempfile.TemporaryFile(dir=out.parent) as kept:  # has no name, so that nothing is left whatever happens
        for membrane_HW in found:
            labels_HW = label_cells(_is_cell(membrane_HW, output), output.smallest_cell_px)
            num_cells += int(labels_HW.max())
            kept.write(np.packbits(labels_HW > 0).tobytes())
        dtype = "uint16" if num_cells <= _UINT16_MOST else "uint32"
        check_room(out, math.prod(shape_ZHW) * np.dtype(dtype).itemsize)
        kept.seek(0)
        before = 0
        with SectionWriter(out, shape_ZHW, dtype, voxel_size_nm=sections.voxel_size_nm, description=described) as writer:
            for _ in range(num_sections):
                labels_HW = label_cells(_unpacked(kept, height, width))
                numbers_HW = labels_HW.astype(dtype)
                numbers_HW[labels_HW > 0] += before
                before += int(labels_HW.max())
                writer.write(numbers_HW)
    return {"out": str(out), "shape": list(shape_ZHW), "dtype": dtype, "cells": num_cells}


def _unpacked(kept: IO[bytes], height: int, width: int) -> np.ndarray:
    size = height * width
    return np.unpackbits(np.frombuffer(kept.read(-(-size // 8)), dtype=np.uint8), count=size).reshape(height, width).view(bool)


def _far_from_training(members: Sequence[Loaded], raw_HW: np.ndarray) -> str | None:
    """Return a warning when grey values look as if they were on another scale than those of the training."""
    step = max(1, math.isqrt(raw_HW.size // _SAMPLED_PX))  # a sample is enough, and a copy of a large section as float64 is not small
    sampled = raw_HW[::step, ::step]
    mean, std = float(sampled.mean(dtype=np.float64)), float(sampled.std(dtype=np.float64))
    for loaded in members:
        trained = loaded.member.normalisation
        assert trained is not None
        if abs(mean - trained.mean) > _FAR_STDS * trained.std or not 1 / _FAR_TIMES < std / trained.std < _FAR_TIMES:
            return (
                f"section 0 has grey values {mean:.4g} +- {std:.3g}, but {loaded.name} was trained on {trained.mean:.4g} +-"
                f" {trained.std:.3g}: on another scale the prediction means little; convert the stack to the scale of the training's"
            )
    return None
