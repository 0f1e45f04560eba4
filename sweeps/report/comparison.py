"""Several sweeps on one page: each one's verdict, their losses' scores side by side, and whether a winner transfers to other data.

    from sweeps.report.comparison import write_comparison
    write_comparison([Path("results/demo-001"), Path("results/demo-002")])    # -> results/comparison-of-demo-001-and-demo-002.html

Nothing in the sweeps' own folders is written. The CSV behind each table is in the page, and in a folder beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.record import NoSweep
from sweeps.report import page
from sweeps.report.build import EMBEDDED_BYTES, Data, Table, attempt
from sweeps.report.comparison_settings import settings_grid
from sweeps.report.comparison_sides import Side, Unread, read_sides
from sweeps.report.comparison_tables import agreement_grid, scores_grid, sweeps_grid, transfer_csv, transfer_grid
from sweeps.report.comparison_transfer import Transfer, data_sets, matrix
from sweeps.report.comparison_words import clauses, headline
from sweeps.report.csv_table import CsvTable, to_csv
from sweeps.report.grid import Grid
from sweeps.report.png import data_uri
from sweeps.report.wording import count, several
from unet.durable import write_durably


class NothingToCompare(NoSweep):
    """Fewer than two of the folders hold a sweep that can be read; the CLI exits with 4."""


class PageInSweep(ValueError):
    """The page would be written into the folder of a sweep, over what belongs to it; the CLI exits with 2."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What a comparison came to."""

    page: Path
    sides: tuple[Side, ...]
    unread: tuple[Unread, ...]
    cells: tuple[tuple[Transfer, ...], ...]
    clauses: tuple[str, ...]
    """What it found, in sentences."""


def write_comparison(folders: Sequence[Path], out: Path | None = None) -> Compared:
    """Write the page and the CSV behind its tables; `out` names the page, by default one beside the first folder.

    A folder that cannot be read is said on the page. Raises NothingToCompare when fewer than two can be, PageInSweep when `out` lies in one
    of them, OSError when the page cannot be written.
    """
    if out is not None:
        _check_outside(out, folders)
    sides, unread = read_sides(folders)
    if len(sides) < 2:
        raise NothingToCompare(_too_few(sides, unread))
    path = out or default_page([side.folder for side in sides])
    _check_outside(path, folders)
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = _tables_of(path)
    cells = tuple(tuple(row) for row in matrix(sides))
    makers = {
        "sweeps": lambda: _table(sweeps_grid(sides, path), tables),
        "scores": lambda: _table(scores_grid(sides), tables),
        "agreement": lambda: _table(agreement_grid(sides), tables),
        "transfer": lambda: _table(transfer_grid(sides, cells), tables, transfer_csv(cells)),
        "settings": lambda: _table(settings_grid(sides), tables),
    }
    parts: dict[str, Any] = {
        "title": f"{several([side.label for side in sides])} side by side",
        "headline": headline(sides, cells),
        "clauses": clauses(sides, cells),
        "masthead": [
            f"{several([side.label for side in sides])} side by side",
            f"{count(len(data_sets(sides)), 'data set')}, told apart by their pixels",
        ],
        "unread": [f"{each.folder}: {each.why}" for each in unread],
        "tables": {name: attempt(name, make) for name, make in makers.items()},
        "commands": list(dict.fromkeys(cell.command for row in cells for cell in row if cell.command and cell.found is None)),
    }
    write_durably(path, page.render(parts, "comparison.html.j2").encode())
    return Compared(page=path, sides=tuple(sides), unread=tuple(unread), cells=cells, clauses=(parts["headline"], *parts["clauses"]))


def default_page(folders: Sequence[Path]) -> Path:
    """Return where the page is put when nothing says so: beside the first folder, under the folders' names."""
    names = list(dict.fromkeys(folder.resolve().name for folder in folders))
    told = "-and-".join(names) if len(names) < 4 else f"{names[0]}-and-{len(names) - 1}-others"
    return folders[0].resolve().parent / f"comparison-of-{told[:120]}.html"


def _tables_of(page: Path) -> Path:
    return page.with_name(f"{page.stem}-tables")


def _check_outside(page: Path, folders: Sequence[Path]) -> None:
    for folder in folders:
        if any(place.resolve().is_relative_to(folder.resolve()) for place in (page, _tables_of(page))):
            raise PageInSweep(
                f"--out: {page} would be written into {folder}, over files of that sweep (its own report is "
                f"{folder / 'report' / 'index.html'}). Name a page outside of all the sweeps, such as both.html."
            )


def _too_few(sides: Sequence[Side], unread: Sequence[Unread]) -> str:
    told = "".join(f"\n  {each.folder}: {each.why}" for each in unread)
    if not sides:
        return f"none of these folders can be read as a sweep:{told}"
    alone = sides[0].folder
    return f"of these folders only {alone} can be shown, and a comparison takes two:{told}\n`sweeps report {alone}` reports it alone."


def _table(grid: Grid, folder: Path, table: CsvTable | None = None) -> Table:
    payload = to_csv(table or grid.csv())
    folder.mkdir(exist_ok=True)
    write_durably(folder / f"{grid.name}.csv", payload)
    uri = data_uri(payload, "text/csv") if len(payload) <= EMBEDDED_BYTES else ""
    return Table(grid=grid, data=Data(path=f"{folder.name}/{grid.name}.csv", uri=uri))


__all__ = ["Compared", "NothingToCompare", "PageInSweep", "default_page", "write_comparison"]
