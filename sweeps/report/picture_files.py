"""Pictures as PNG files for papers: strips of panels with headings and a key, each panel's pixels as they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sweeps.report.common_section import Made
from sweeps.report.kept import KeptSection
from sweeps.report.label_places import text_width
from sweeps.report.panels import FALSE, KEY, MISSED, SPLIT, TINTS, UNKNOWN, Panel, given, made
from sweeps.report.sheet import LINE, TEXT_PX, Sheet, Word
from sweeps.report.wording import say, short
from unet.durable import write_durably

MAX_PX, MIN_PX = 512, 320
"""Of a panel's longer side: as the microscope's sections mostly are. Smaller ones are enlarged by a whole number."""
MOST_COLUMNS = 8
"""Losses beside each other in the file of the common section."""

_MARGIN, _BETWEEN, _CHIP = 20, 14, 22

Colour = tuple[int, int, int]
KeyEntry = tuple[str, tuple[Colour, ...]]
"""Words, and the colours they explain."""


@dataclass(frozen=True, kw_only=True)
class Band:
    """Panels beside each other, under a heading."""

    title: str
    panels: tuple[Panel | None, ...]
    heads: tuple[str, ...] = ()
    """Words above each panel; without them the panels' own labels."""


def save_plate(path: Path, titled: Sequence[tuple[str, KeptSection]]) -> None:
    """Write the sections of one loss, one below the other."""
    bands = [Band(title=title, panels=(*given(section, MAX_PX), *made(section, MAX_PX))) for title, section in titled]
    _save(path, bands, partial=any(section.partial for _, section in titled))


def save_common(path: Path, found: Sequence[Made]) -> None:
    """Write one section as the best losses have it: image and truth on the left, then a column a loss."""
    shown = found[:MOST_COLUMNS]
    columns: list[tuple[Panel | None, ...]] = [(*given(shown[0].section, MAX_PX), None)]
    room = int(max(MIN_PX, min(shown[0].section.raw_HW.shape[1], MAX_PX)) / text_width("m", TEXT_PX)) - len(", Dice .000")
    columns += [tuple(made(entry.section, MAX_PX)) for entry in shown]
    names = ("Image", *(f"{short(entry.loss.name, room)}, Dice {say(entry.section.dice)}" for entry in shown))
    heads = (names, ("Truth", *["Difference"] * len(shown)), ("", *["Cells"] * len(shown)))
    bands = [Band(title="", panels=panels, heads=head) for panels, head in zip(zip(*columns, strict=True), heads, strict=True)]
    _save(path, bands, partial=any(entry.section.partial for entry in shown))


def key(*, partial: bool) -> list[list[KeyEntry]]:
    """Return what colours mean, in difference and in cells: words and colours."""
    words = {
        "found": "found",
        "missed": "missed membrane",
        "thinner": "line too thin",
        "false": "false membrane",
        "thicker": "line too thick",
    }
    difference: list[KeyEntry] = [(words[name], (colour,)) for name, colour in KEY if name in words]
    unknown: list[KeyEntry] = [("label unknown", (UNKNOWN,))] if partial else []
    cells: list[KeyEntry] = [
        ("merged cells, one tint a segment", TINTS[:3]),
        ("border lost between them", (MISSED,)),
        ("split cell", (SPLIT,)),
        ("false border in it", (FALSE,)),
    ]
    return [[*difference, *unknown], cells]


def _save(path: Path, bands: Sequence[Band], *, partial: bool) -> None:
    write_durably(path, _composed(bands, key(partial=partial)).to_png())


def _composed(bands: Sequence[Band], keys: Sequence[Sequence[KeyEntry]]) -> Sheet:
    """Return everything on one sheet."""
    shapes = [panel.index_HW.shape for band in bands for panel in band.panels if panel is not None]
    times = -(-MIN_PX // max(max(shape) for shape in shapes))
    tall, wide = (times * max(shape[axis] for shape in shapes) for axis in (0, 1))
    columns = max(len(band.panels) for band in bands)
    heads = [LINE + (LINE if band.title else 0) for band in bands]
    lines, chips = _placed_key(keys)
    width = max(2 * _MARGIN + columns * wide + (columns - 1) * _BETWEEN, max(right for *_, right in lines))
    height = _MARGIN + sum(heads) + len(bands) * (tall + _BETWEEN) + LINE * len(keys)
    words, panels, top = [], [], _MARGIN
    for band, head in zip(bands, heads, strict=True):
        if band.title:
            words.append(Word(band.title, _MARGIN, top + LINE // 2, bold=True))
        for number, panel in enumerate(band.panels):
            if panel is not None:
                left, start = _MARGIN + number * (wide + _BETWEEN), top + head
                words.append(Word(band.heads[number] if band.heads else panel.label, left, start - LINE // 2))
                panels.append((start, left, panel))
        top += head + tall + _BETWEEN
    words += [Word(text, left, top + down) for text, left, down, _ in lines]
    sheet = Sheet(words, width, height)
    for start, left, panel in panels:
        sheet.lay(start, left, panel.index_HW.repeat(times, axis=0).repeat(times, axis=1), panel.palette_K3)
    for colour, left, down in chips:
        sheet.lay(top + down - _CHIP // 2, left, np.zeros((_CHIP, _CHIP), np.uint8), np.array([colour], np.uint8))
    return sheet


def _placed_key(keys: Sequence[Sequence[KeyEntry]]) -> tuple[list[tuple[str, int, int, int]], list[tuple[Colour, int, int]]]:
    """Return the key's words (with where they begin, their level, and where they end) and its chips, below the panels."""
    words, chips = [], []
    for number, line in enumerate(keys):
        left, down = _MARGIN, number * LINE + LINE // 2
        for text, colours in line:
            chips += [(colour, left + at * (_CHIP + 3), down) for at, colour in enumerate(colours)]
            left += len(colours) * (_CHIP + 3) + 7
            right = left + round(text_width(text, TEXT_PX)) + 20
            words.append((text, left, down, right))
            left = right
    return words, chips
