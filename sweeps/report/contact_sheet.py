"""A contact sheet of a data set: its sections side by side, with the membranes as they were read and the blocks that folds are made of."""

import math
import textwrap
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data_utils import Stack
from data_utils.errors import DataError
from data_utils.folds import fold_block
from sweeps.report.panels import shrink
from sweeps.report.sheet import Sheet, Word
from sweeps.report.wording import clean, count, short
from unet.durable import write_durably

MOST_SECTIONS = 60
"""Of a longer stack so many are shown, evenly spaced, unless they are named."""
FOLDS = 5
"""As recipes divide a stack by default."""

_SMALL_PX, _LARGE_PX, _FEW, _COLUMNS = 256, 512, 6, 6
_MARGIN, _BETWEEN, _BAR, _LINE, _WORDS, _SIZE_PX = 24, 16, 8, 32, 30, 17.0
_MEMBRANE, _UNKNOWN = (213, 94, 0), (0, 114, 178)
_BLOCKS = ((0, 114, 178), (230, 159, 0), (0, 158, 115), (204, 121, 167), (86, 180, 233))
_LEVELS = 64


def save_contact_sheet(path: Path, stack: Stack, sections: Sequence[int] | None = None) -> list[int]:
    """Write the sheet as PNG and return the numbers of the sections that are on it.

    Args:
        path: the file; what is there is replaced.
        stack: the data set.
        sections: which ones; None: all, or of many MOST_SECTIONS.

    Raises:
        DataError: the stack has no such section.
        OSError: the file cannot be written.
    """
    shown = _chosen(len(stack.raw_ZHW), sections, stack.name)
    write_durably(path, _sheet(stack, shown).to_png())
    return shown


def _chosen(total: int, sections: Sequence[int] | None, name: str) -> list[int]:
    if sections is None:
        return sorted({round(number) for number in np.linspace(0, total - 1, min(total, MOST_SECTIONS))})
    strange = [number for number in sections if not 0 <= number < total]
    if strange or not sections:
        raise DataError(f"{name}: there is no section {', '.join(map(str, strange)) or 'to show'}; it has the sections 0 to {total - 1}")
    return list(sections)


def _sheet(stack: Stack, shown: list[int]) -> Sheet:
    max_px, columns = (_LARGE_PX, math.isqrt(len(shown) - 1) + 1) if len(shown) <= _FEW else (_SMALL_PX, _COLUMNS)
    tall, wide = shrink(stack.raw_ZHW[0], max_px).shape
    width = max(2 * _MARGIN + columns * (wide + _BETWEEN) - _BETWEEN, 1100)
    lines = _heading(stack, shown, width)
    top = _MARGIN + _LINE * len(lines) + 10
    pitch = tall + _BAR + _WORDS + _BETWEEN
    height = top + -(-len(shown) // columns) * pitch + _MARGIN
    words = [Word(line, _MARGIN, _MARGIN + _LINE * at + _LINE // 2, bold=at == 0, size=_LINE * 0.6) for at, line in enumerate(lines)]
    folds = _folds(len(stack.raw_ZHW))
    spots = [(top + at // columns * pitch, _MARGIN + at % columns * (wide + _BETWEEN)) for at in range(len(shown))]
    for number, (down, left) in zip(shown, spots, strict=True):
        words.append(Word(_caption(stack, number, folds), left, down + _WORDS // 2, size=_SIZE_PX))
    sheet = Sheet(words, width, height)
    low, high = _range(stack)
    for number, (down, left) in zip(shown, spots, strict=True):
        if number in folds:
            bar = np.zeros((_BAR - 2, wide), np.uint8)
            sheet.lay(down + _WORDS, left, bar, np.array([_BLOCKS[folds[number] % len(_BLOCKS)]]))
        sheet.lay(down + _WORDS + _BAR, left, *_thumbnail(stack, number, max_px, low, high))
    return sheet


def _heading(stack: Stack, shown: list[int], width: int) -> list[str]:
    total, height, across = stack.raw_ZHW.shape
    voxel = " x ".join(f"{size:g}" for size in stack.voxel_size_nm)
    few = f", {len(shown)} of them here" if len(shown) < total else ""
    lines = [
        short(stack.name, 60),
        f"{count(total, 'section')} of {across} x {height} px (width x height){few}; {stack.raw_ZHW.dtype}; voxel {voxel} nm (z, y, x)",
        clean(stack.membrane_rule, 300),
    ]
    if stack.membrane_ZHW is not None:
        unknown = "; blue: label unknown" if stack.counted_ZHW is not None else ""
        lines.append(f"Orange: membrane; its share stands above each section{unknown}")
    if _folds(total):
        last = FOLDS - 1
        lines.append(f"Bars: {FOLDS} blocks, as folds; by default a search holds out block {last}, and finalists test on the others")
    most = int(width / (0.62 * 0.6 * _LINE))
    lines += [clean(note, 300) for note in stack.notes[:3]]
    return [piece for line in lines for piece in textwrap.wrap(line, most) or [""]]


def _folds(total: int) -> dict[int, int]:
    """Return the block of each section; nothing of a stack that is too short to be divided."""
    if total < FOLDS:
        return {}
    return {number: fold for fold in range(FOLDS) for number in fold_block(total, fold, folds=FOLDS)}


def _caption(stack: Stack, number: int, folds: dict[int, int]) -> str:
    parts = [f"section {number}"]
    if number in folds:
        parts.append(f"block {folds[number]}")
    if stack.membrane_ZHW is not None:
        parts.append(_share(stack, number))
    return ", ".join(parts)


def _share(stack: Stack, number: int) -> str:
    """The share of membrane among the pixels whose label is known."""
    assert stack.membrane_ZHW is not None
    membrane_HW = stack.membrane_ZHW[number]
    known = membrane_HW.size
    if stack.counted_ZHW is not None:
        membrane_HW, known = membrane_HW & stack.counted_ZHW[number], np.count_nonzero(stack.counted_ZHW[number])
    return f"{100 * np.count_nonzero(membrane_HW) / known:.1f}%" if known else "no label"


def _range(stack: Stack) -> tuple[float, float]:
    """Return the darkest and the brightest grey of the sheet: one for all sections, so that they can be compared."""
    step = max(1, stack.raw_ZHW.size // 2_000_000)
    low, high = np.percentile(stack.raw_ZHW.reshape(-1)[::step], (0.5, 99.5))
    return float(low), float(high)


def _thumbnail(stack: Stack, number: int, max_px: int, low: float, high: float) -> tuple[np.ndarray, np.ndarray]:
    raw_HW = shrink(stack.raw_ZHW[number].astype(np.float32), max_px, average=True)
    scaled_HW = np.clip((raw_HW - low) / ((high - low) or 1.0), 0.0, 1.0)
    index_HW = np.round(scaled_HW * (_LEVELS - 1)).astype(np.uint8)
    if stack.membrane_ZHW is not None:
        index_HW[shrink(stack.membrane_ZHW[number], max_px)] += _LEVELS
    if stack.counted_ZHW is not None:
        unknown_HW = ~shrink(stack.counted_ZHW[number], max_px)
        index_HW[unknown_HW] = index_HW[unknown_HW] % _LEVELS + 2 * _LEVELS
    return index_HW, _PALETTE_K3


def _palette() -> np.ndarray:
    """Greys as they are, under membrane, and where the label is unknown; the tinted ones in half as many levels."""
    grey = 4 * np.arange(_LEVELS) + np.arange(_LEVELS) // 16
    greys_K3 = np.stack([grey] * 3, axis=1)
    tinted = [((greys_K3 // 8 * 8) * (1 - part) + part * np.array(colour)) for colour, part in ((_MEMBRANE, 0.6), (_UNKNOWN, 0.45))]
    return np.concatenate([greys_K3, *tinted]).astype(np.uint8)


_PALETTE_K3 = _palette()
