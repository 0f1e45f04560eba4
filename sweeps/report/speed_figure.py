"""The fastest, three ways: the loss alone, a training step, and the time to the target, in three panels that share nothing but the rows."""

import math
from collections.abc import Mapping
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, MaxNLocator, NullFormatter

from sweeps.report.canvas import Layout, axes_at, name_axes, new_figure, num_named, panel_title, points, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview
from sweeps.report.palette import MUTED, PANEL, RULE
from sweeps.report.speed_tables import Answer, answers, by_steps, statements
from sweeps.report.wording import count, dig, plain, say_value, short
from sweeps.verdict.contenders import finite

NAME = "speed"
TITLE = "Fastest, three ways"
_STATES = {"fastest", "tied"}
_NARROW_NAME = 13


def drawn(overview: Overview) -> list[LossView]:
    """Return the losses that have a row: those with any answer, of many the best and whoever is fastest by one of the three."""
    made = answers(overview)
    known = [loss for loss in overview.losses if any(loss.name in answer.rows for answer in made)]
    first = {answer.found.get("fastest") for answer in made}
    return [loss for number, loss in enumerate(known) if number < num_named(len(known)) or loss.name in first]


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    made, losses = answers(overview), drawn(overview)
    names = [loss.label if not layout.narrow else short(loss.name, _NARROW_NAME) for loss in losses]
    margin = 22.0 + max(text_width(name, 13) for name in names)
    row, top, foot, gap = 30.0, 44.0, 52.0, 28.0
    body = row * len(losses)
    each = top + body + foot
    figure = new_figure(layout, each if not layout.narrow else each * len(made))
    wide = (layout.width_px - margin - 14 - gap * 2) / 3 if not layout.narrow else layout.width_px - margin - 14
    for number, answer in enumerate(made):
        left = margin if layout.narrow else margin + number * (wide + gap)
        axes = axes_at(figure, left=left, top=top + (number * each if layout.narrow else 0), width=wide, height=body)
        _panel(axes, answer, losses)
        if layout.narrow or number == 0:
            for slot, (loss, name) in enumerate(zip(losses, names, strict=True)):
                write(axes, name, (0, slot), (-12, 0), where="row", align="right", colour=loss.look.text, bold=True)
    return figure


def _panel(axes: Axes, answer: Answer, losses: list[LossView]) -> None:
    axes.set_ylim(len(losses) - 0.5, -0.5)
    axes.set_yticks([])
    panel_title(axes, answer.title, rise=18)
    rows = answer.rows
    found = {loss.name: [finite(value) for value in rows[loss.name].get("values") or ()] for loss in losses if loss.name in rows}
    known = [value for values in found.values() for value in values if value is not None]
    if not known:
        axes.set_xticks([])
        axes.spines["bottom"].set_visible(False)
        write(axes, "no answer", (0, 0.5), (4, 0), where="axes")  # the words beside the figure say why
        return
    missed = any(value is None for values in found.values() for value in values)
    border = _scale(axes, known, missed=missed)
    name_axes(axes, x=answer.axis, grid="x")
    _noise(axes, answer)
    if missed:
        axes.axvspan(border, axes.get_xlim()[1], color=PANEL.stand_in, linewidth=0, zorder=0)
        write(axes, "missed", (1, 1), (0, 6), where="axes", align="right", level="baseline", size=12)
    for slot, loss in enumerate(losses):
        if loss.name in rows:
            _row(axes, slot, loss, rows[loss.name], found[loss.name], border)
        else:
            write(axes, "not known", (0, slot), (4, 0), where="row")


def _scale(axes: Axes, known: list[float], *, missed: bool) -> float:
    """Set the horizontal axis, from 0 or logarithmic where values span more than a factor of 8; return where the misses begin."""
    positive = [value for value in known if value > 0]
    last = max(known) or 1.0
    if positive and max(positive) > 8 * min(positive):
        axes.set_xscale("log")
        first, span = min(positive) / 1.4, math.log(1.25 * last / (min(positive) / 1.4))
        border = first * math.exp(1.04 * span)
        axes.set_xlim(first, first * math.exp(1.22 * span) if missed else border)
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5), numticks=8))
        axes.xaxis.set_major_formatter(lambda value, _: say_value(float(value)))
        axes.xaxis.set_minor_formatter(NullFormatter())
        return border
    border = 1.1 * last
    axes.set_xlim(0, 1.3 * last if missed else border)
    axes.set_xticks([tick for tick in MaxNLocator(5).tick_values(0, border) if 0 <= tick <= border])
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    return border


def _noise(axes: Axes, answer: Answer) -> None:
    """The A/A band around the fastest: whoever lies in it cannot be told apart from it by this clock."""
    first = finite(dig(answer.rows.get(str(answer.found.get("fastest"))), "value"))
    low, high = (finite(dig(answer.found, f"noise.{end}")) for end in ("low", "high"))
    if first is not None and low is not None and high is not None:
        axes.axvspan(first * low, min(first * high, axes.get_xlim()[1]), color=RULE.stand_in, linewidth=0, zorder=0.5)


def _row(axes: Axes, slot: int, loss: LossView, row: Mapping[str, Any], values: list[float | None], border: float) -> None:
    reached = [value for value in values if value is not None]
    points(axes, reached, [slot] * len(reached), loss.look, size=5.5, alpha=0.45)
    right = axes.get_xlim()[1]
    for number in range(misses := len(values) - len(reached)):
        share = (number + 1) / (misses + 1)
        x = border * (right / border) ** share if axes.get_xscale() == "log" else border + share * (right - border)
        axes.plot([x], [slot], marker="x", markersize=6, markeredgewidth=1.6, color=loss.look.mark, clip_on=False)
    value = finite(row.get("value"))
    if value is not None:
        points(axes, [value], [slot], loss.look, filled=row.get("state") in _STATES, size=11)
    elif reached:
        write(axes, f"{len(reached)} of {len(values)}", (min(reached), slot), (-9, 0), align="right", colour=MUTED.stand_in, size=12)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    made = answers(overview)
    losses = drawn(overview)
    rest = len({name for answer in made for name in answer.rows}) - len(losses)
    parts = [
        "Three questions with an axis each; a place in one says nothing of the others.",
        "Large markers are medians, filled where a loss is fastest or cannot be told apart from it.",
        "Small ones are single rounds or runs, crosses runs that missed the target.",
        "The grey band around the fastest is the A/A row, what one loss differs by from itself.",
    ]
    parts += [f"{answer.title}: {answer.note}." for answer in made if answer.note]
    return " ".join(parts) + (f" {count(rest, 'more loss is', 'more losses are')} in the data." if rest > 0 else "")


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    return plain("Three dot plots. " + " ".join(f"{question}: {said}" for question, said in statements(overview)))


def table(overview: Overview) -> CsvTable:
    """Return one row a loss and question, and one a single round or run."""
    rows: list[tuple[Any, ...]] = []
    made = [(answer.key, answer) for answer in answers(overview)]
    made.append(("to_target_steps", by_steps(overview)))
    for key, answer in made:
        for name, row in answer.rows.items():
            ends = (finite(row.get(part)) for part in ("value", "ratio", "low", "high"))
            rows.append((key, name, "median", row.get("state"), *ends))
            rows += [(key, name, "single", None, finite(value), None, None, None) for value in row.get("values") or ()]
    return CsvTable(columns=("question", "loss", "kind", "state", "value", "ratio", "low", "high"), rows=tuple(rows))
