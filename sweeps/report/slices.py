"""Slices: the score against each searched parameter of each loss, one small panel each."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from sweeps.report.canvas import Layout, axes_at, name_axes, new_figure, panel_title, points, score_axis
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import Overview
from sweeps.report.palette import INK, MUTED, PAPER
from sweeps.report.parameter_views import STEPS, ParameterView, Tried, label_of, left_over, parameter_axis, place_of, score_range, views
from sweeps.report.wording import listed, say, say_metric, several
from sweeps.space import Choice

NAME = "slices"
TITLE = "Score against each parameter"
_TOP, _BELOW = 44.0, 58.0


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    shown = views(overview)
    across, height, left, between = (2, 120.0, 38.0, 30.0) if layout.narrow else (4, 150.0, 44.0, 36.0)
    width = (layout.width_px - left - 14 - between * (across - 1)) / across
    rows = packed(shown, across)
    figure = new_figure(layout, len(rows) * (_TOP + height + _BELOW))
    limits = score_range(shown, overview.maximise)
    for number, row in enumerate(rows):
        for place, (view, name) in enumerate(row):
            top = number * (_TOP + height + _BELOW) + _TOP
            axes = axes_at(figure, left=left + place * (width + between), top=top, width=width, height=height)
            axes.set_ylim(*limits)
            _panel(axes, view, name, overview)
            if place:
                axes.tick_params(labelleft=False)
            if name == view.shown()[0]:
                panel_title(axes, view.loss.label, rise=16)
    return figure


def packed(shown: list[ParameterView], across: int) -> list[list[tuple[ParameterView, str]]]:
    """Return rows of at most `across` panels. A loss's panels stay together where they fit, in the first row with room."""
    rows: list[list[tuple[ParameterView, str]]] = []
    for view in shown:
        names = view.shown()
        for at in range(0, len(names), across):
            panels = [(view, name) for name in names[at : at + across]]
            row = next((row for row in rows if at == 0 and len(names) <= across and len(row) + len(panels) <= across), None)
            if row is None:
                rows.append(panels)
            else:
                row.extend(panels)
    return rows


def _panel(axes: Axes, view: ParameterView, name: str, overview: Overview) -> None:
    domain = view.space[name]
    parameter_axis(axes, "x", domain)
    axes.yaxis.set_major_locator(MaxNLocator(5, steps=STEPS))
    score_axis(axes.yaxis)
    name_axes(axes, x=label_of(name), grid="y")
    if view.threshold is not None:
        axes.axhline(view.threshold, color=MUTED.stand_in, linewidth=1.2, dashes=(4, 3))
    if name in view.defaults:
        where = place_of(domain, view.defaults[name])
        axes.axvline(where, color=INK.stand_in, linewidth=1.2, dashes=(1, 2))
    side = (view.told.get("flat") or {}).get("sides", {}).get(name)
    if side and not isinstance(domain, Choice):
        level = axes.get_ylim()[0 if overview.maximise else 1]
        axes.plot(side["values"], [level, level], color=view.loss.look.mark, linewidth=5, solid_capstyle="butt", clip_on=False, zorder=3)
    _points(axes, view, name, overview)


def _points(axes: Axes, view: ParameterView, name: str, overview: Overview) -> None:
    """Draw the trials, those that tie on top. In a few strokes: thousands of single ones would weigh on the page."""
    low, high = axes.get_ylim()
    sign = 1 if overview.maximise else -1
    edge, marker = (low, "v") if overview.maximise else (high, "^")
    kinds: dict[str, list[Tried]] = {"off": [], "stopped": [], "whole": [], "tied": [], "best": []}
    for item in view.drawn:
        kind = "best" if item.trial.trial_id == view.best else "tied" if item.tied else "stopped" if item.stopped else "whole"
        kinds["off" if kind in ("stopped", "whole") and not low <= item.score <= high else kind].append(item)
    for kind, items in kinds.items():
        x = [place_of(view.space[name], item.trial.suggestion[name]) for item in items]
        y = [item.score if kind != "off" else edge + sign * 0.05 * (high - low) for item in items]
        if kind in ("tied", "best"):
            points(axes, x, y, view.loss.look, size=7 if kind == "tied" else 11)
            continue
        look = {"marker": marker if kind == "off" else "o", "markersize": 5 if kind == "off" else 4.5, "alpha": 0.7}
        fill = PAPER.stand_in if kind == "stopped" else MUTED.stand_in
        axes.plot(x, y, linewidth=0, markerfacecolor=fill, markeredgecolor=MUTED.stand_in, **look)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    shown = views(overview)
    every = [item for view in shown for item in view.drawn]
    low, high = score_range(shown, overview.maximise)
    grey = any(not item.tied for item in every)
    marks = ["hollow grey ones were stopped early"] if any(item.stopped and not item.tied for item in every) else []
    marks += (
        [f"triangles lie {'below' if overview.maximise else 'above'} the axis"]
        if any(not low <= item.score <= high and not item.tied for item in every)
        else []
    )
    marks += ["the dotted upright is the literature's value"] if any(view.defaults for view in shown) else []
    said = listed(marks)
    return (
        f"{say_metric(overview.metric)} of every trial of the search against each parameter. {_ties(shown, grey=grey)}"
        f"{f' {said[:1].upper()}{said[1:]}.' if said else ''}{left_over(overview)}"
    )


def _ties(shown: list[ParameterView], *, grey: bool) -> str:
    """Say which trials are coloured, or why none is."""
    unknown = [view.loss.label for view in shown if view.threshold is None]
    if len(unknown) == len(shown):
        return "Which trials tie with the best is not known, so all are grey."
    return (
        f"Coloured trials tie with the best of their loss, the largest marker{', grey ones do not' if grey else ''}; the dashed line is "
        "where ties begin, and the coloured bar on the axis reaches from the lowest to the highest value that ties."
        f"{f' Of {several(unknown)} it is not known which tie.' if unknown else ''}"
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    words = []
    for view in views(overview):
        scores = [item.score for item in view.tried]
        tied = sum(item.tied for item in view.tried)
        names = ", ".join(label_of(name) for name in view.shown())
        words.append(
            f"{view.loss.label} over {names}: {len(scores)} trials from {say(min(scores))} to {say(max(scores))}, {tied} tie with the best"
        )
    return "Scatter plots of score against each parameter. " + "; ".join(words) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a trial."""
    found = views(overview, all_losses=True)
    keys = list(dict.fromkeys(name for view in found for name in view.space))
    rows = [
        (view.loss.name, item.trial.trial_id, item.trial.state, item.score, item.tied, *(item.trial.suggestion.get(key) for key in keys))
        for view in found
        for item in view.tried
    ]
    return CsvTable(columns=("loss", "trial", "state", overview.metric, "ties_with_best", *keys), rows=tuple(rows))
