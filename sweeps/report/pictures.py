"""The best and the worst kept test sections of each loss: what was given, what was made of it, and what is wrong.

A run keeps few sections, so those that the pictured run did not keep are shown as the loss's next best run has them.
"""

from __future__ import annotations

import logging
import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar

from sweeps.report.kept import KeptSection, has_kept, read_kept
from sweeps.report.overview import LossView, Overview
from sweeps.report.panels import Panel, given, made
from sweeps.report.png import data_uri, to_png
from sweeps.report.wording import clean, dig, say
from sweeps.verdict.contenders import calibration_of, finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

logger = logging.getLogger(__name__)

MAX_PX = 320
MAX_LOSSES = 8
MOST_ENDS = 3
"""So many best and so many worst sections of a loss."""
MAX_BYTES = 5_000_000
"""Of all plates in the page; the best and the worst section of each loss are there in any case."""

T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One panel, inside the page."""

    label: str
    alt: str
    uri: str
    width_px: int
    height_px: int
    """Told to the page, so that nothing moves when a picture comes late."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One section."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Plate:
    """The sections of one loss."""

    loss: LossView
    source: str
    rows: tuple[Row, ...]
    partial: bool
    """Whether some labels of these sections are unknown."""
    file: str
    """The same as a file, relative to the page."""


def shown(overview: Overview) -> list[tuple[LossView, list[TrialRecord]]]:
    """Return the losses that are shown, best first, each with its runs, the pictured one first; without stored sections it is left out."""
    found = ((loss, runs_kept(loss, overview)) for loss in overview.losses)
    return [(loss, runs) for loss, runs in found if runs][:MAX_LOSSES]


def runs_kept(loss: LossView, overview: Overview) -> list[TrialRecord]:
    """Return the runs of a loss that kept sections: those that rank, or trials of the search; the best first.

    Best on the calibration sections: by its test score it would be the luckiest.
    """
    sign = 1.0 if overview.maximise else -1.0
    for trials in (loss.runs, loss.search):
        kept = [(sign * score, trial) for trial in trials if (score := calibration_of(trial, overview.metric)) is not None]
        kept = [(score, trial) for score, trial in kept if has_kept(trial)]
        if kept:
            return [trial for _, trial in sorted(kept, key=lambda pair: -pair[0])]
    return []


def titled_sections(runs: Sequence[TrialRecord]) -> list[tuple[str, KeptSection]]:
    """Return a loss's kept sections, best first, each with its heading: of many the MOST_ENDS best and worst.

    `runs` are its runs, the pictured one first; a section is that of the first run that kept it. Raises what `read_kept` raises, of the
    first run.
    """
    found: dict[int, tuple[float, str, KeptSection]] = {}
    for number, trial in enumerate(runs):
        rows, of = section_rows(trial), f" ({clean(trial.trial_id, 60)})" if number else ""
        for section in tried(read_kept, trial) if number else read_kept(trial):
            found.setdefault(section.number, (_dice(section, rows), f"{section.number}{of}: {say_section(section, rows)}", section))
    scored = sorted(found.values(), key=lambda entry: -entry[0])
    if len(scored) > 2 * MOST_ENDS:
        scored = [*scored[:MOST_ENDS], *scored[-MOST_ENDS:]]
    words = _places(len(scored))
    return [(f"{word} {title}", section) for word, (_, title, section) in zip(words, scored, strict=True)]


def _places(total: int) -> list[str]:
    """Return what the sections are called: from both ends inwards, the middle one of an odd number nothing in particular."""
    orders = ("", "2nd ", "3rd ")[: total // 2]
    best = [f"{order}best section".capitalize() for order in orders]
    return [*best, *["Section"] * (total % 2), *[f"{order}worst section".capitalize() for order in reversed(orders)]]


def tried(read: Callable[[TrialRecord], list[T]], trial: TrialRecord) -> list[T]:
    """Return what `read` returns, nothing where the file is broken: the plate of the run's loss says why, where it is the pictured one."""
    try:
        return read(trial)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        logger.info("the sections of %s are left out: what it kept cannot be read", trial.trial_id, exc_info=True)
        return []


def section_rows(trial: TrialRecord) -> dict[Any, Mapping[str, Any]]:
    """Return a run's scores of each section by its number."""
    return {row.get("section"): row for row in dig(trial.result, "per_section", ()) if isinstance(row, Mapping)}


def say_section(section: KeptSection, rows: Mapping[Any, Mapping[str, Any]]) -> str:
    """Return a section's scores and errors in words."""
    v_rand = finite(rows.get(section.number, {}).get("v_rand"))
    scores = f"membrane Dice {say(_dice(section, rows))}" + (f", V_rand {say(v_rand)}" if v_rand is not None else "")
    return f"{scores}; {section.errors.describe()}"


def plate(loss: LossView, trial: TrialRecord, titled: list[tuple[str, KeptSection]], file: str, *, max_bytes: int = MAX_BYTES) -> Plate:
    """Return one loss's plate, of at most `max_bytes` beyond its best and its worst section; the file holds the rest."""
    rows: dict[int, Row] = {}
    for at in sorted(range(len(titled)), key=lambda at: min(at, len(titled) - 1 - at)):  # from both ends inwards
        title, section = titled[at]
        row = Row(title=title, pictures=in_page([*given(section, MAX_PX), *made(section, MAX_PX)]))
        size = sum(len(picture.uri) for kept in (*rows.values(), row) for picture in kept.pictures)
        if len(rows) >= 2 and size > max_bytes:
            break
        rows[at] = row
    shown, partial = tuple(rows[at] for at in sorted(rows)), any(section.partial for _, section in titled)
    return Plate(loss=loss, source=say_run(trial), rows=shown, partial=partial, file=file)


def say_run(trial: TrialRecord) -> str:
    """Return which run this is: its name, seed and fold."""
    fold = f", fold {trial.fold}" if trial.fold is not None else ""
    return clean(f"{trial.trial_id}, seed {trial.seed}{fold}")


def in_page(panels: Iterable[Panel]) -> tuple[Picture, ...]:
    """Return panels as pictures that the page holds itself."""
    return tuple(_picture(panel) for panel in panels)


def _picture(panel: Panel) -> Picture:
    height, width = panel.index_HW.shape
    uri = data_uri(to_png(panel.index_HW, panel.palette_K3), "image/png")
    return Picture(label=panel.label, alt=panel.alt, uri=uri, width_px=width, height_px=height)


def _dice(section: KeptSection, rows: Mapping[Any, Mapping[str, Any]]) -> float:
    stored = finite(rows.get(section.number, {}).get("membrane_dice"))
    return section.dice if stored is None else stored
