"""The losses for a terminal: the list by family, and the page of one."""

import itertools
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from sweeps.cli.catalogue_tables import indented
from sweeps.terminal_plot import Chart
from unet.losses.composition import SIGN

if TYPE_CHECKING:
    from sweeps.loss_shape import Shape

FAMILIES = {
    "distribution": "means over pixels",
    "region": "overlaps of sets",
    "boundary": "distances to the border",
    "topology": "skeletons, and what they join",
    "compound": "several in one",
}
_COSTS = {
    "pixel": "low: a few passes over the pixels",
    "overlap": "low: sums over the pixels and a pass",
    "sort": "middling: the pixels are sorted at every step",
    "morphology": "high: repeated erosions of the prediction at every step",
    "distance": "high: a distance transform of the prediction at every step",
}
_SIDE_BY_SIDE = 76


def losses_tables(rows: Iterable[Mapping[str, Any]]) -> RenderableType:
    """A table a family: name, when one would take it, what is searched."""
    families: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        families.setdefault(row["family"], []).append(row)
    width = max((len(row["name"]) for members in families.values() for row in members), default=0)
    blocks: list[RenderableType] = []
    for family, members in sorted(families.items(), key=lambda item: list(FAMILIES).index(item[0])):
        title = Text.assemble((f"{family} losses", "bold"), (f"  {FAMILIES[family]}; {len(members)}", "dim"))
        table = Table(box=None, padding=(0, 2, 0, 0), show_header=False)
        table.add_column("loss", no_wrap=True, min_width=width)
        table.add_column("take it", overflow="fold")
        for row in members:
            searched = f"  (searches {', '.join(row['searched'])})" if row["searched"] else ""
            table.add_row(Text(row["name"], "cyan"), Text.assemble(row["when"], (searched, "dim")))
        blocks += [title, table, Text("")]
    return Group(*blocks, Text("One of them in full: sweeps losses NAME; a sum of several: sweeps losses dice+focal", "dim"))


def loss_page(row: Mapping[str, Any], shape: "Shape", *, width: int, braille: bool) -> RenderableType:
    """Everything about one loss, for a terminal of `width` columns."""
    facts = Table.grid(padding=(0, 2, 0, 0))
    for name, value in (
        ("source", row["source"]),
        ("take it", row["when"]),
        ("cost", _COSTS[row["cost"]]),
        ("needs", _needs(row["needs"])),
        ("perfect prediction", f"{row['perfect']:g}"),
        ("properties", "; ".join(_properties(row))),
    ):
        facts.add_row(Text(name, "dim"), Text(str(value)))
    blocks: list[RenderableType] = [Text.assemble((row["name"], "bold"), f"  a {row['family']} loss"), indented(row["formula"])]
    blocks += [Text(""), facts, Text("")]
    for name, parameter in row["parameters"].items():
        blocks += [Text.assemble((name, "cyan"), f"  {_range(parameter)}"), indented(parameter["meaning"])]
        blocks.append(indented(parameter["source"], "dim"))
    blocks += [Text(""), *_plot(shape, width=width, braille=braille), Text(""), Text(_in_a_recipe(row), "dim")]
    return Group(*blocks)


def _needs(names: Iterable[str]) -> str:
    from data_utils.maps import MAPS

    said = [f"the map {name} ({MAPS[name].meaning})" if name in MAPS else f"the map {name}" for name in names]
    return "; ".join(said) or "logits and target only"


def _properties(row: Mapping[str, Any]) -> list[str]:
    said = ["spatial: it matters where a pixel lies" if row["spatial"] else "not spatial: shuffling the pixels changes nothing"]
    said.append(
        "monotone: moving a pixel towards its target never costs"
        if row["monotone"]
        else "not monotone: moving a pixel towards its target can cost, where a distance or skeleton of the prediction jumps"
    )
    if row["detached"]:
        said.append("detached: a factor is held constant for the gradient, which is then not that of the value")
    if balanced := [key.removesuffix(".balance") for key, of in row["parameters"].items() if of["default"] == "partner"]:
        first = row["name"].split(SIGN)[0]
        scaled = f"{' and '.join(balanced)} {'is' if len(balanced) == 1 else 'are'} scaled"
        said.append(f"balanced: {scaled} to {first} at every step, so the value follows that of {first}")
    if row["uses_progress"]:
        said.append("moving: weights may change over the training")
    return said


def _plot(shape: "Shape", *, width: int, braille: bool) -> list[RenderableType]:
    """Loss and gradient beside each other, or below each other on a narrow terminal; the membrane's pixel, then the cell's."""
    beside = width >= _SIDE_BY_SIDE
    columns = min(width - 2, 120) // 2 - 1 if beside else max(width - 2, 24)
    lines: list[str] = []
    for curve in shape.curves:
        charts = [
            Chart(title=f"{what}, {curve.pixel} pixel", x=curve.logits, y=y, width=columns, braille=braille).lines()
            for what, y in (("loss", curve.values), ("gradient", curve.gradients))
        ]
        lines += ["  ".join(pair).rstrip() for pair in zip(*charts, strict=True)] if beside else list(itertools.chain(*charts))
    return [*(Text(line, no_wrap=True) for line in lines), indented(shape.caption, "dim")]


def _in_a_recipe(row: Mapping[str, Any]) -> str:
    terms = row["name"].split(SIGN)
    if len(terms) > 1:
        return f"In a recipe:  losses: {{mix: {{sum: [{', '.join(terms)}], weights: search}}}}"
    return f"In a recipe:  losses: {{{row['name']}: {'search' if row['searched'] else '{}'}}}"


def _range(parameter: Mapping[str, Any]) -> str:
    default = f"default {parameter['default']}"
    if parameter["choices"]:
        return f"{default}; one of {', '.join(map(str, parameter['choices']))}"
    low, high = (("-inf", "inf")[end] if value is None else f"{value:g}" for end, value in enumerate((parameter["low"], parameter["high"])))
    kind = "whole numbers in" if parameter["whole"] else "allowed"
    searched = ""
    if parameter["searched"]:
        scale = " on a log scale" if parameter["log"] else ""
        searched = f"; searched in [{parameter['search_low']:g}, {parameter['search_high']:g}]{scale}"
    return f"{default}; {kind} [{low}, {high}]{searched}"
