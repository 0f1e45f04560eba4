"""The catalogue's tables of recipes, data and findings for a terminal; the losses' are in losses_tables."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweeps.doctor import Finding

if TYPE_CHECKING:
    from data_utils.stack import Stack

FOLDERS = "a folder with train-volume.tif and train-labels.tif, or with folders images and labels of PNGs or TIFFs"
"""What data may be, beside a known name."""
_SIGNS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "error": ("error", "red")}


def recipes_table(rows: Iterable[Mapping[str, str]]) -> RenderableType:
    """Name, question and cost of each recipe."""
    blocks: list[RenderableType] = []
    for row in rows:
        blocks += [Text(row["name"], "cyan"), indented(row["answers"]), indented(f"Cost: {row['cost']}", "dim")]
    return Group(*blocks, Text(""), Text("The recipe itself: sweeps recipes NAME. To run it: sweeps launch NAME", "dim"))


def data_table(datasets: Mapping[str, str]) -> RenderableType:
    """The data sets known by name."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("name")
    table.add_column("what it is", overflow="fold")
    for name, description in datasets.items():
        table.add_row(Text(name, "cyan"), Text(description))
    return Group(table, Text(f"Or {FOLDERS}: --data FOLDER", "dim"))


def stack_lines(stack: "Stack") -> dict[str, Any]:
    """What was read, for people and machines."""
    sections, height, width = stack.raw_ZHW.shape
    return {
        "name": stack.name,
        "sections": sections,
        "height_px": height,
        "width_px": width,
        "pixels": str(stack.raw_ZHW.dtype),
        "voxel_size_nm": list(stack.voxel_size_nm),
        "membrane": stack.membrane_rule,
        "sha256": stack.sha256(),
    }


def findings_table(findings: Iterable[Finding]) -> RenderableType:
    """The doctor's findings, advice below each."""
    table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
    for column in ("topic", "name"):
        table.add_column(column, no_wrap=True)
    table.add_column("value", overflow="fold", ratio=1)
    table.add_column("level", no_wrap=True)
    topic = None
    counts = dict.fromkeys(_SIGNS, 0)
    for finding in findings:
        counts[finding.level] += 1
        label, style = _SIGNS[finding.level]
        text = Text(finding.value)
        if finding.advice:
            text.append(f"\n{finding.advice}", style if finding.level != "ok" else "dim")
        table.add_row(Text(finding.topic if finding.topic != topic else "", "bold"), finding.name, text, Text(label, style))
        topic = finding.topic
    return Group(table, Text(f"{counts['error']} errors, {counts['warning']} warnings"))


def indented(text: str, style: str = "") -> Padding:
    """A paragraph two columns in, its further lines as well."""
    return Padding(Text(text, style), (0, 0, 0, 2), expand=False)
