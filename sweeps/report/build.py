"""Puts the report together: each part on its own, so that one that fails leaves a note and the rest stands."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from sweeps.report import (
    answers,
    circumstances,
    citations,
    common_section,
    contours,
    critical_difference,
    curves,
    differences,
    front,
    history,
    importance,
    methods,
    metrics_table,
    page,
    parallel,
    picture_files,
    pictures,
    published,
    published_figure,
    sanity,
    slices,
    speed_figure,
    speed_tables,
    spending,
    statistics,
    strips,
    tables,
    timeline,
)
from sweeps.report.canvas import NARROW, WIDE, NothingToShow, to_svg
from sweeps.report.commands import commands, recipe_text
from sweeps.report.csv_table import CsvTable, to_csv
from sweeps.report.grid import Grid
from sweeps.report.overview import LossView, Overview, survey
from sweeps.report.png import data_uri
from sweeps.report.svg import for_file, for_page
from sweeps.report.wording import clean, dig, with_scores
from unet.durable import write_durably

if TYPE_CHECKING:
    from sweeps.record import SweepRecord, TrialRecord

logger = logging.getLogger(__name__)

PLOTS: tuple[ModuleType, ...] = (
    front,
    speed_figure,
    strips,
    history,
    curves,
    spending,
    differences,
    critical_difference,
    timeline,
    published_figure,
    importance,
    slices,
    contours,
    parallel,
)
EMBEDDED_BYTES = 200_000


@dataclass(frozen=True, kw_only=True)
class Note:
    """What stands in place of a part that is not there."""

    title: str
    text: str
    fault: bool
    """True when it failed, False when there was nothing to show."""


@dataclass(frozen=True, kw_only=True)
class Data:
    """The CSV behind a figure or a table."""

    path: str
    """Relative to the page."""
    uri: str
    """The same file inside the page, or empty when it is too large for that."""


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure in both forms, with its data."""

    name: str
    title: str
    caption: str
    wide: Markup
    narrow: Markup
    file: str
    data: Data


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table with its data."""

    grid: Grid
    data: Data


def build_report(record: SweepRecord, verdict: Mapping[str, Any], folder: Path) -> Path:
    """Write `folder/report/` and return the page's path; see sweeps.report.write_report."""
    place = Path(folder) / "report"
    for part, ending in (("figures", "svg"), ("figures", "png"), ("tables", "csv")):
        (place / part).mkdir(parents=True, exist_ok=True)
        for old in (place / part).glob(f"*.{ending}"):  # a figure that cannot be made today must not leave yesterday's
            old.unlink()
    overview = survey(record, verdict)
    parts: dict[str, Any] = {
        "masthead": attempt("Name", lambda: answers.masthead(overview)),
        "sentence": attempt("Verdict", lambda: answers.sentence(overview)),
        "cards": [attempt(title, lambda make=make: make(overview)) for title, make in _CARDS],
        "facts": attempt("The sweep in numbers", lambda: answers.facts(overview)),
        "gaps": attempt("What is missing", lambda: answers.gaps(overview)),
        "sanity": attempt("Against no network", lambda: sanity.statement(overview)),
        "plots": {plot.NAME: attempt(plot.TITLE, lambda plot=plot: _plot(plot, overview, place)) for plot in PLOTS},
        "tables": {title: attempt(title, lambda make=make: _table(make(overview), place)) for title, make in _TABLES},
        "plates": attempt("Pictures", lambda: _plates(overview, place)),
        "common": attempt("One section for all losses", lambda: _common(overview, place)),
        "statistics": attempt("How it was judged", lambda: statistics.statements(overview)),
        "speed": attempt("Fastest, three ways", lambda: speed_tables.section(overview)),
        "parameters": attempt("Which parameters mattered", lambda: importance.statements(overview)),
        "has_parameters": "parameters" in verdict,
        "published": attempt("Published figures", lambda: published.section(overview)),
        "methods": attempt("Methods", lambda: methods.methods(overview)),
        "citations": attempt("Citations", lambda: citations.citations(overview)),
        "taken": attempt("What was taken from each paper", lambda: citations.taken(overview)),
        "commands": attempt("Commands", lambda: commands(overview, folder)),
        "recipe": attempt("Recipe", lambda: recipe_text(overview)),
        "losses": overview.losses,
        "rule": with_scores(clean(overview.verdict.get("groups_rule") or "", 500)) if dig(overview.verdict, "pairs") else "",
    }
    index = place / "index.html"
    write_durably(index, page.render(parts).encode())
    return index


_CARDS = (("Best", answers.best_card), ("Fastest", answers.fastest_card))
_TABLES = (
    ("leaderboard", tables.leaderboard),
    ("metrics", metrics_table.grid),
    ("below_sanity", sanity.grid),
    ("pairs", tables.pairs),
    ("intervals", statistics.intervals),
    ("speed_loss", speed_tables.grid_loss),
    ("speed_step", speed_tables.grid_step),
    ("speed_target", speed_tables.grid_target),
    ("failures", tables.failures),
    ("circumstances", circumstances.grid),
    ("published_time", published.grid_time),
    ("published_loss", published.grid_loss),
)


def attempt(title: str, make: Callable[[], Any]) -> Any:
    """Return what `make` returns, or a Note. The one broad except of the program: a faulty part must never lose the report."""
    try:
        return make()
    except NothingToShow as reason:
        return Note(title=title, text=clean(reason, 300), fault=False)
    except Exception as error:  # whatever a part dies of, the rest of the report is wanted; logged with its trace
        logger.warning("report: %s could not be made", title, exc_info=True)
        return Note(title=title, text=clean(f"{type(error).__name__}: {error}", 300), fault=True)


def _plot(plot: ModuleType, overview: Overview, place: Path) -> Plot:
    wide, narrow = (to_svg(lambda layout=layout: plot.draw(overview, layout)) for layout in (WIDE, NARROW))
    label, file = clean(plot.alternative(overview), 1500), f"figures/{plot.NAME}.svg"
    write_durably(place / file, for_file(wide, title=plot.TITLE).encode())
    return Plot(
        name=plot.NAME,
        title=plot.TITLE,
        caption=clean(plot.caption(overview), 1500),
        wide=Markup(for_page(wide, name=f"{plot.NAME}-wide", label=label)),
        narrow=Markup(for_page(narrow, name=f"{plot.NAME}-narrow", label=label)),
        file=file,
        data=_write_csv(plot.table(overview), plot.NAME, place),
    )


def _plates(overview: Overview, place: Path) -> list[Any]:
    found = pictures.shown(overview)
    share = pictures.MAX_BYTES // max(len(found), 1)
    return [
        attempt(f"Pictures of {loss.label}", lambda number=number, loss=loss, runs=runs: _plate(number, loss, runs, place, share))
        for number, (loss, runs) in enumerate(found, start=1)
    ]


def _plate(number: int, loss: LossView, runs: list[TrialRecord], place: Path, share: int) -> pictures.Plate:
    titled = pictures.titled_sections(runs)
    file = f"figures/pictures-{number}{_for_file(loss.name)}.png"
    made = pictures.plate(loss, runs[0], titled, file, max_bytes=share)
    picture_files.save_plate(place / file, titled)
    return made


def _common(overview: Overview, place: Path) -> common_section.CommonPlate:
    found, file = common_section.common(overview), "figures/pictures-common.png"
    made = common_section.common_plate(found, file)
    picture_files.save_common(place / file, found)
    return made


def _for_file(name: str) -> str:
    """Return a loss's name as a part of a file's: what is no letter or digit is left out, and so may be all of it."""
    kept = re.sub(r"[^a-z0-9_]+", "", name.lower())[:40]
    return f"-{kept}" if kept else ""


def _table(grid: Grid, place: Path) -> Table:
    return Table(grid=grid, data=_write_csv(grid.csv(), grid.name, place))


def _write_csv(table: CsvTable, name: str, place: Path) -> Data:
    payload, path = to_csv(table), f"tables/{name}.csv"
    write_durably(place / path, payload)
    return Data(path=path, uri=data_uri(payload, "text/csv") if len(payload) <= EMBEDDED_BYTES else "")
