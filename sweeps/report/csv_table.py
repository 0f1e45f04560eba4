"""A table of plain values, and its CSV.

A spreadsheet takes a text cell that begins with = + - @ (or their full-width forms) for a formula and runs it, so such text gets a leading
apostrophe. Numbers are numbers and stay as they are.
"""

import csv
import io
import math
from dataclasses import dataclass
from typing import Any

from sweeps.report.wording import clean

_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


@dataclass(frozen=True, kw_only=True)
class CsvTable:
    """Named columns and rows of plain values."""

    columns: tuple[str, ...]
    """The header line."""
    rows: tuple[tuple[Any, ...], ...]
    """As many values a row as there are columns."""


def guard(text: str) -> str:
    """Return text that no spreadsheet takes for a formula."""
    harmless = clean(text).replace("\u2212", "-")  # a typographic minus is for the page; a number must read back
    begin = harmless.lstrip()
    return f"'{harmless}" if begin.startswith(_FORMULA) or harmless.startswith(("\t", "\r", "\n")) else harmless


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if hasattr(value, "__float__"):
        return repr(float(value))
    return guard(str(value))


def to_csv(table: CsvTable) -> bytes:
    """Return the table as UTF-8 CSV with a header, NaN and None as empty cells, an infinity as `inf`."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([guard(name) for name in table.columns])
    for row in table.rows:
        if len(row) != len(table.columns):
            raise ValueError(f"a row of {len(row)} values in a table of {len(table.columns)} columns: {table.columns}")
        writer.writerow([_cell(value) for value in row])
    return out.getvalue().encode()
