"""A table as the page shows it: each cell has a text for people and a value for sorting and for the CSV."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import Estimate, LossView
from sweeps.report.wording import ABSENT, say, say_range
from sweeps.verdict.contenders import finite


@dataclass(frozen=True, kw_only=True)
class Column:
    """One column."""

    key: str
    """Its name in the CSV; empty keeps it out of there."""
    title: str
    """Its heading; empty keeps the column out of the page and in the CSV."""
    numeric: bool = False
    """Numbers are set flush right."""
    lower_is_better: bool = False
    """The first click sorts smallest first."""
    hint: str = ""
    """What it means, said under the table and by the heading's title."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One cell."""

    text: str
    """What is read."""
    value: Any = None
    """What is sorted by and written to the CSV; None sorts last."""
    second: str = ""
    """A smaller line under the text."""
    loss: LossView | None = None
    """Puts the loss's marker before the text."""
    bar: "Bar | None" = None
    """A small interval drawn instead of text."""
    best: bool = False
    """Set in bold: none of its column is better."""

    @property
    def sort(self) -> str:
        """The key that the page's script sorts by."""
        number = finite(self.value)
        return "" if self.value is None else repr(number) if number is not None else str(self.value)


@dataclass(frozen=True, kw_only=True)
class Bar:
    """An interval in a box 120 wide: positions in that box."""

    low: float
    mean: float
    high: float


@dataclass(frozen=True, kw_only=True)
class Grid:
    """A table with a caption. `scale_rows` stay below the others however they are sorted."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    scale_rows: tuple[tuple[Cell, ...], ...] = ()
    scale_title: str = ""
    sortable: bool = False

    def paired(self, row: tuple[Cell, ...]) -> list[tuple[Column, Cell]]:
        """Return the cells that the page shows, each with its column."""
        return [(column, cell) for column, cell in zip(self.columns, row, strict=True) if column.title]

    def csv(self) -> CsvTable:
        """Return the values; columns that only draw are left out."""
        kept = [number for number, column in enumerate(self.columns) if column.key]
        rows = [tuple(row[number].value for number in kept) for row in (*self.rows, *self.scale_rows)]
        return CsvTable(columns=tuple(self.columns[number].key for number in kept), rows=tuple(rows))


def words(text: object, value: Any = None) -> Cell:
    """Return a cell of text."""
    return Cell(text=str(text), value=text if value is None else value)


def figure(value: object, digits: int = 3, text: str | None = None) -> Cell:
    """Return a cell of a number."""
    return Cell(text=say(value, digits) if text is None else text, value=finite(value))


def estimated(estimate: Estimate, digits: int = 3) -> Cell:
    """Return a cell of a mean with its interval under it."""
    interval = say_range(estimate.low, estimate.high, digits)
    return Cell(text=say(estimate.mean, digits), value=estimate.mean, second="" if interval == ABSENT else interval)


def bars(estimates: Sequence[Estimate]) -> list[Bar | None]:
    """Return the intervals on one common scale; None where there is no mean."""
    ends = [end for e in estimates for end in (e.low, e.mean, e.high) if end is not None]
    if not ends:
        return [None] * len(estimates)
    low, span = min(ends), max(ends) - min(ends) or 1.0

    def at(value: float) -> float:
        return round(6 + 108 * (value - low) / span, 2)

    return [
        None
        if e.mean is None
        else Bar(low=at(e.mean if e.low is None else e.low), mean=at(e.mean), high=at(e.mean if e.high is None else e.high))
        for e in estimates
    ]
