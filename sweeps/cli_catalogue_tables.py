"""The catalogue's tables for a terminal."""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from sweeps.doctor import Finding

if TYPE_CHECKING:
    from data_utils.stack import Stack

_SIGNS = {"ok": ("ok", "green"), "warning": ("warning", "yellow"), "error": ("error", "red")}


def losses_tables(rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    """A table a family: name, parameters, when one would take it."""
    families: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    blocks: list[RenderableType] = []
    for family, members in families.items():
        table = Table(title=f"{family} losses", title_justify="left", title_style="bold", box=None, padding=(0, 2, 0, 0))
        for column in ("loss", "searched by itself", "take it"):
            table.add_column(column, overflow="fold")
        for row in members:
            table.add_row(Text(row["name"], "cyan"), Text(_searched(row) or "nothing"), Text(row["when"]))
        blocks += [table, Text("")]
    return Group(*blocks, Text("One of them in full: sweeps losses NAME", "dim"))


def loss_page(row: Mapping[str, Any]) -> RenderableType:
    """Everything about one loss."""
    lines = [Text.assemble((row["name"], "bold"), f"  a {row['family']} loss"), _indented(row["formula"])]
    facts = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("source", row["source"]),
        ("take it", row["when"]),
        ("cost", row["cost"]),
        ("needs", ", ".join(row["needs"]) or "logits and target only"),
        ("perfect prediction", f"{row['perfect']:g}"),
    ):
        facts.add_row(Text(name, "dim"), Text(str(value)))
    blocks: list[RenderableType] = [*lines, Text(""), facts, Text("")]
    for name, parameter in row["parameters"].items():
        blocks += [Text.assemble((name, "cyan"), f"  {_range(parameter)}"), _indented(parameter["meaning"])]
        blocks.append(_indented(parameter["source"], "dim"))
    blocks += [Text(""), Text(f"In a recipe:  losses: {{{row['name']}: search}}", "dim")]
    return Group(*blocks)


def recipes_table(rows: Iterable[Mapping[str, str]]) -> RenderableType:
    """Name, question and cost of each recipe."""
    blocks: list[RenderableType] = []
    for row in rows:
        blocks += [Text(row["name"], "cyan"), _indented(row["answers"]), _indented(f"Cost: {row['cost']}", "dim")]
    return Group(*blocks, Text(""), Text("The recipe itself: sweeps recipes NAME. To run it: sweeps launch NAME", "dim"))


def data_table(datasets: Mapping[str, str]) -> RenderableType:
    """The data sets known by name."""
    table = Table(box=None, padding=(0, 2, 0, 0))
    table.add_column("name")
    table.add_column("what it is", overflow="fold")
    for name, description in datasets.items():
        table.add_row(Text(name, "cyan"), Text(description))
    return Group(table, Text("Or a folder with train-volume.tif and train-labels.tif: --data FOLDER", "dim"))


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


def _indented(text: str, style: str = "") -> Padding:
    return Padding(Text(text, style), (0, 0, 0, 2), expand=False)


def _searched(row: Mapping[str, Any]) -> str:
    ranges = {name: parameter for name, parameter in row["parameters"].items() if parameter["search_low"] is not None}
    return ", ".join(f"{name} {p['search_low']:g}..{p['search_high']:g}" for name, p in ranges.items())


def _range(parameter: Mapping[str, Any]) -> str:
    default = f"default {parameter['default']}"
    if parameter["choices"]:
        return f"{default}; one of {', '.join(map(str, parameter['choices']))}"
    low, high = (("-inf", "inf")[end] if value is None else f"{value:g}" for end, value in enumerate((parameter["low"], parameter["high"])))
    searched = ""
    if parameter["search_low"] is not None:
        scale = " on a log scale" if parameter["log"] else ""
        searched = f"; searched in [{parameter['search_low']:g}, {parameter['search_high']:g}]{scale}"
    return f"{default}; allowed [{low}, {high}]{searched}"
