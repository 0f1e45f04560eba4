"""One section for all losses: image and truth once, and beside them what each loss made of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sweeps.report.canvas import NothingToShow
from sweeps.report.kept import KeptSection, numbers_kept, read_kept
from sweeps.report.overview import LossView, Overview
from sweeps.report.panels import given, made
from sweeps.report.pictures import MAX_PX, Picture, in_page, runs_kept, say_run, say_section, section_rows, tried

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

FEW, SMALL_PX = 12, 200
"""With more losses than FEW each is smaller, or the page could not be sent."""

_NOTHING = "no two losses have kept the same section."


@dataclass(frozen=True, kw_only=True, eq=False)
class Made:
    """What one loss made of the section."""

    loss: LossView
    source: str
    title: str
    section: KeptSection


@dataclass(frozen=True, kw_only=True)
class Entry:
    """The same, as pictures."""

    loss: LossView
    source: str
    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class CommonPlate:
    """One section as every loss has it."""

    title: str
    given: tuple[Picture, ...]
    entries: tuple[Entry, ...]
    partial: bool
    file: str
    """Relative to the page."""


def common(overview: Overview) -> list[Made]:
    """Return what the losses made of the section that most of them kept, best loss first; NothingToShow where no two kept the same."""
    number, chosen = _most_kept(overview)
    found = []
    for loss, trial in chosen:
        for section in tried(read_kept, trial):
            if section.number == number:
                found.append(Made(loss=loss, source=say_run(trial), title=say_section(section, section_rows(trial)), section=section))
    shapes = {entry.section.raw_HW.shape for entry in found}
    if len(shapes) > 1:
        raise ValueError(f"section {number} was kept in sizes that differ: {sorted(shapes)}; these runs are not of one stack")
    if len(found) < 2:
        raise NothingToShow(_NOTHING)
    return found


def common_plate(found: list[Made], file: str) -> CommonPlate:
    """Return the plate."""
    first, max_px = found[0].section, MAX_PX if len(found) <= FEW else SMALL_PX
    return CommonPlate(
        title=f"Section {first.number}, as {len(found)} losses have it",
        given=in_page(given(first, MAX_PX)),
        entries=tuple(
            Entry(loss=entry.loss, source=entry.source, title=entry.title, pictures=in_page(made(entry.section, max_px))) for entry in found
        ),
        partial=any(entry.section.partial for entry in found),
        file=file,
    )


def _most_kept(overview: Overview) -> tuple[int, list[tuple[LossView, TrialRecord]]]:
    """Return the section that most losses kept, among equals the middle one, and of each of these losses the best run that has it."""
    kept: dict[int, dict[str, tuple[LossView, TrialRecord]]] = {}
    for loss in overview.losses:
        for trial in runs_kept(loss, overview):
            for number in tried(numbers_kept, trial):
                kept.setdefault(number, {}).setdefault(loss.name, (loss, trial))
    most = max((len(found) for found in kept.values()), default=0)
    if most < 2:
        raise NothingToShow(_NOTHING)
    equals = sorted(number for number, found in kept.items() if len(found) == most)
    number = equals[len(equals) // 2]
    return number, list(kept[number].values())
