"""The words of the W&B Report, as Markdown, from a sweep's record and verdict. Knows no wandb.

They are the local report's own words and figures. What the local report says of a folder, of files or of what was found in them is left
out: W&B is another place than one's own disk.
"""

from dataclasses import replace
from pathlib import Path

from data_utils.datasets import DATASETS
from sweeps.record import SweepRecord
from sweeps.report.answers import gaps, sentence
from sweeps.report.commands import commands
from sweeps.report.grid import Cell, Grid
from sweeps.report.methods import methods
from sweeps.report.overview import Overview
from sweeps.report.tables import leaderboard
from sweeps.report.wording import clean, dig, listed, short

#: columns of the leaderboard that belong into a table in words; the objective's is added
_KEPT = ("rank", "loss", "tie_group", "v_rand", "v_info", "seconds_to_target", "seconds_per_epoch", "finalists")
#: what Markdown would take for its own
_SIGNS = str.maketrans({sign: f"\\{sign}" for sign in "\\`*<>|[]#"})


def without_places(record: SweepRecord) -> SweepRecord:
    """Return the record without names and places of files: the data keep a name only where it is one of this program's own."""
    name = str(record.data.get("name") or "").partition(":")[0]
    data = record.data | {"name": name if name in DATASETS else "the sweep's own sections", "notes": [], "source": None}
    recipe = record.recipe | {"data": dict(record.recipe.get("data") or {}) | {"source": None, "images": None, "labels": None}}
    return replace(record, data=data, recipe=recipe)


def title(overview: Overview) -> str:
    """Return the report's title. It becomes a part of the address, so it has letters, digits and what a sweep's name may have."""
    return f"Losses compared in {overview.record.name}"[:128]


def answer(overview: Overview) -> str:
    """Return the verdict's answer, one sentence."""
    return sentence(overview)[0]


def reservations(overview: Overview) -> str:
    """Return what belongs to the answer: its other clauses, which losses tie, and what weakens the comparison."""
    lines = [*sentence(overview)[1]]
    groups = [group for group in dig(overview.verdict, "groups", ()) if isinstance(group, list | tuple) and group]
    for number, group in enumerate(groups):
        names = listed([short(name, 40) for name in group])
        lines.append(f"Group {chr(ord('A') + number) if number < 26 else number + 1}: {names}.")
    if rule := dig(overview.verdict, "groups_rule"):
        lines.append(f"How groups are made: {clean(rule, 500)}")
    parts = [_bullets(lines)]
    if weak := gaps(overview):
        parts.append(f"**What weakens the comparison**\n\n{_bullets(weak)}")
    return "\n\n".join(part for part in parts if part)


def finalists_table(overview: Overview) -> str:
    """Return the leaderboard as a Markdown table: a mean with its 95% interval, and what needs no network below."""
    grid = leaderboard(overview)
    keys = [*_KEPT[:2], overview.metric, *(key for key in _KEPT[2:] if key != overview.metric)]
    at = [number for key in keys for number, column in enumerate(grid.columns) if column.key == key]
    head = [grid.columns[number].title for number in at]
    rows = [[_cell(row[number], grid.columns[number].key == overview.metric) for number in at] for row in (*grid.rows, *grid.scale_rows)]
    aligned = ["---:" if grid.columns[number].numeric else "---" for number in at]
    lines = [head, aligned, *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + f"\n\n{_hints(grid, at)}"


def _cell(cell: Cell, with_interval: bool) -> str:
    return plain(f"{cell.text} ({cell.second})" if with_interval and cell.second else cell.text)


def _hints(grid: Grid, at: list[int]) -> str:
    hints = [f"{grid.columns[number].title}: {grid.columns[number].hint}" for number in at if grid.columns[number].hint]
    scale = [f"rows without a rank: {grid.scale_title[:1].lower()}{grid.scale_title[1:]}"] if grid.scale_rows else []
    return plain("; ".join([*hints, *scale]) + ".")


def methods_text(overview: Overview) -> str:
    """Return the Methods paragraph."""
    return "\n\n".join(plain(paragraph) for paragraph in methods(overview))


def reproduce(overview: Overview) -> str:
    """Return the commands that make it all again, each with what it is for; the folder is called as the sweep is, wherever it lies."""
    lines = [f"{command.line}  # {command.why}" for command in commands(overview, Path("results") / overview.record.name)]
    return "```bash\n" + "\n".join(lines) + "\n```"


def plain(text: str) -> str:
    """Return text that Markdown shows as it is."""
    return text.translate(_SIGNS)


def _bullets(lines: list[str]) -> str:
    return "\n".join(f"- {plain(' '.join(line.split()))}" for line in lines)
