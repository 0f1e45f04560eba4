"""The best, the worst and the middle test section of the best run of each loss: what was given, what was made of it, and what is wrong."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.report.kept import KeptSection, has_kept, read_kept
from sweeps.report.overview import LossView, Overview
from sweeps.report.panels import Panel, given, made
from sweeps.report.png import data_uri, to_png
from sweeps.report.wording import clean, dig, say
from sweeps.verdict.contenders import calibration_of, finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

MAX_PX = 320
MAX_LOSSES = 8


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


def shown(overview: Overview) -> list[tuple[LossView, TrialRecord]]:
    """Return the losses that are shown, best first, each with its run; a loss without stored sections is not among them."""
    found = ((loss, runs_kept(loss, overview)) for loss in overview.losses)
    return [(loss, runs[0]) for loss, runs in found if runs][:MAX_LOSSES]


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


def titled_sections(trial: TrialRecord) -> list[tuple[str, KeptSection]]:
    """Return a run's kept sections, best first, each with its heading. Raises what `read_kept` raises."""
    rows = section_rows(trial)
    scored = sorted(((_dice(section, rows), section) for section in read_kept(trial)), key=lambda pair: -pair[0])
    words = ["Best section", *["Section"] * (len(scored) - 2), "Worst section"] if len(scored) > 1 else ["Section"]
    return [(f"{word} {section.number}: {say_section(section, rows)}", section) for word, (_, section) in zip(words, scored, strict=True)]


def section_rows(trial: TrialRecord) -> dict[Any, Mapping[str, Any]]:
    """Return a run's scores of each section by its number."""
    return {row.get("section"): row for row in dig(trial.result, "per_section", ()) if isinstance(row, Mapping)}


def say_section(section: KeptSection, rows: Mapping[Any, Mapping[str, Any]]) -> str:
    """Return a section's scores and errors in words."""
    v_rand = finite(rows.get(section.number, {}).get("v_rand"))
    scores = f"membrane Dice {say(_dice(section, rows))}" + (f", V_rand {say(v_rand)}" if v_rand is not None else "")
    return f"{scores}; {section.errors.describe()}"


def plate(loss: LossView, trial: TrialRecord, titled: list[tuple[str, KeptSection]], file: str) -> Plate:
    """Return one loss's plate."""
    rows = tuple(Row(title=title, pictures=in_page([*given(section, MAX_PX), *made(section, MAX_PX)])) for title, section in titled)
    return Plate(loss=loss, source=say_run(trial), rows=rows, partial=any(section.partial for _, section in titled), file=file)


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
