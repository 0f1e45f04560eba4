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
from sweeps.report.comparison_sides import Side, Unread, read_sides
from sweeps.report.comparison_tables import (
    agreement_grid,
    gain_in_words,
    name_of,
    scores_grid,
    settings_grid,
    sweeps_grid,
    transfer_csv,
    transfer_grid,
)
from sweeps.report.comparison_transfer import Transfer, data_sets, matrix
from sweeps.report.csv_table import CsvTable, to_csv
from sweeps.report.grid import Grid
from sweeps.report.png import data_uri
from sweeps.report.wording import count, listed, say
from unet.durable import write_durably


class NothingToCompare(NoSweep):
    """None of the folders holds a sweep that can be read; the CLI exits with 4."""


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

    A folder that cannot be read is said on the page. Raises NothingToCompare when none can be, OSError when the page cannot be written.
    """
    sides, unread = read_sides(folders)
    if not sides:
        told = "\n  ".join(f"{each.folder}: {each.why}" for each in unread)
        raise NothingToCompare(f"none of these folders can be read as a sweep:\n  {told}")
    path = out or default_page([side.folder for side in sides])
    path.parent.mkdir(parents=True, exist_ok=True)
    tables = path.with_name(f"{path.stem}-tables")
    cells = tuple(tuple(row) for row in matrix(sides))
    clauses = tuple(_clauses(sides, cells))
    makers = {
        "sweeps": lambda: _table(sweeps_grid(sides), tables),
        "scores": lambda: _table(scores_grid(sides), tables),
        "agreement": lambda: _table(agreement_grid(sides), tables),
        "transfer": lambda: _table(transfer_grid(sides, cells), tables, transfer_csv(cells)),
        "settings": lambda: _table(settings_grid(sides), tables),
    }
    parts: dict[str, Any] = {
        "title": f"{listed([side.label for side in sides])} side by side" if len(sides) > 1 else f"{sides[0].label} alone",
        "clauses": clauses,
        "masthead": [count(len(sides), "sweep"), f"{count(len(data_sets(sides)), 'data set')}, told apart by their pixels"],
        "unread": [f"{each.folder}: {each.why}" for each in unread],
        "tables": {name: attempt(name, make) for name, make in makers.items()},
        "commands": list(dict.fromkeys(cell.command for row in cells for cell in row if cell.command and cell.found is None)),
    }
    write_durably(path, page.render(parts, "comparison.html.j2").encode())
    return Compared(page=path, sides=tuple(sides), unread=tuple(unread), cells=cells, clauses=clauses)


def default_page(folders: Sequence[Path]) -> Path:
    """Return where the page is put when nothing says so: beside the first folder, under the folders' names."""
    names = list(dict.fromkeys(folder.resolve().name for folder in folders))
    told = "-and-".join(names) if len(names) < 4 else f"{names[0]}-and-{len(names) - 1}-others"
    return folders[0].resolve().parent / f"comparison-of-{told[:120]}.html"


def _table(grid: Grid, folder: Path, table: CsvTable | None = None) -> Table:
    payload = to_csv(table or grid.csv())
    folder.mkdir(exist_ok=True)
    write_durably(folder / f"{grid.name}.csv", payload)
    uri = data_uri(payload, "text/csv") if len(payload) <= EMBEDDED_BYTES else ""
    return Table(grid=grid, data=Data(path=f"{folder.name}/{grid.name}.csv", uri=uri))


def _clauses(sides: Sequence[Side], cells: Sequence[Sequence[Transfer]]) -> list[str]:
    """Return what the matrix says, a sentence a transfer; that it is empty, or that there is nothing to transfer to."""
    moved = [cell for row in cells for cell in row if not cell.own]
    if not moved:
        return ["All sweeps are on the same data, so there is nothing that a winner could transfer to."] if len(sides) > 1 else []
    said = []
    for cell in moved:
        if cell.found is None or cell.side.best is None:
            continue
        told = gain_in_words(cell) or cell.note
        said.append(
            f"{cell.side.best.name_shown}, the winner of {cell.side.label}, scores {say(cell.found['mean'])} on {name_of(cell.data)}"
            f"{f': {told}' if told else ''}."
        )
    empty = sum(cell.found is None for cell in moved)
    if empty:
        runs = count(empty, "transfer has", "transfers have")
        said.append(f"{runs} not been run; the commands stand below the matrix.")
    return said


__all__ = ["Compared", "NothingToCompare", "default_page", "write_comparison"]
