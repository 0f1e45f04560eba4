"""Contours: the smooth surface over two parameters of each loss, with the trials, the literature's value and what is not known."""

import math

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.parameters import surface_of
from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, panel_title, points, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import Overview
from sweeps.report.palette import INK, MUTED, PAPER, RULE
from sweeps.report.parameter_views import MOST_LOSSES, ParameterView, label_of, parameter_axis, views
from sweeps.report.wording import clean, dig, listed, say, say_metric, say_range, say_value, several
from sweeps.search.plane import Plane, plane
from sweeps.search.surface import Surface
from sweeps.space import Choice, Domain

NAME = "contours"
TITLE = "Two parameters together"
FEWEST_EXPLAINED = 0.1
"""A surface that explains less than this of the scores is not drawn: its hills are noise."""
_TOP, _BELOW = 56.0, 66.0
_BANDS = 6


def surfaces(overview: Overview, *, all_losses: bool = False) -> list[tuple[ParameterView, Surface]]:
    """Return the losses that have two parameters to look at and a surface that says something. NothingToShow when none has."""
    found = []
    for view in views(overview, all_losses=True):
        settings = dig(view.told, "surface")
        if not dig(view.told, "contour") or not settings or settings["explained"] < FEWEST_EXPLAINED:
            continue
        ended = [(item.trial.suggestion, item.score) for item in view.tried if not item.stopped]
        # the settings are by name, and the order of the columns does not matter
        surface = surface_of(view.space, ended, settings, maximise=overview.maximise)
        if surface is not None:
            found.append((view, surface))
    if not found:
        raise NothingToShow("no loss has two searched numbers, and trials enough for a smooth surface that tells more than their mean.")
    return found if all_losses else found[:MOST_LOSSES]


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    shown = surfaces(overview)
    across, height, left, between = (1, 250.0, 46.0, 0.0) if layout.narrow else (3, 250.0, 46.0, 66.0)
    width = (layout.width_px - left - 18 - between * (across - 1)) / across
    down = -(-len(shown) // across)
    figure = new_figure(layout, down * (_TOP + height + _BELOW))
    for number, (view, surface) in enumerate(shown):
        at = left + (number % across) * (width + between), (number // across) * (_TOP + height + _BELOW) + _TOP
        axes = axes_at(figure, left=at[0], top=at[1], width=width, height=height)
        _panel(axes, view, surface, overview)
    return figure


def _panel(axes: Axes, view: ParameterView, surface: Surface, overview: Overview) -> None:
    x, y = view.told["contour"]
    parameter_axis(axes, "x", view.space[x])
    parameter_axis(axes, "y", view.space[y])
    panel_title(axes, view.loss.label, rise=32)
    name_axes(axes, x=label_of(x), y=label_of(y))
    axes.grid(visible=False)
    sign = 1.0 if overview.maximise else -1.0
    made = plane(surface, x, y)
    _heights(axes, view, made, sign)
    for tied in (False, True):
        group = [item.trial.suggestion for item in view.drawn if item.tied == tied]
        along, above = [told[x] for told in group], [told[y] for told in group]
        if tied:
            points(axes, along, above, view.loss.look, size=7)
        else:
            look = {"markersize": 4, "markerfacecolor": "none", "markeredgecolor": MUTED.stand_in, "alpha": 0.7}
            axes.plot(along, above, marker="o", linewidth=0, clip_on=False, **look)
    _named(axes, view, x, y)


def _heights(axes: Axes, view: ParameterView, made: Plane, sign: float) -> None:
    """Bands of the score, stronger being better; the line within which ties lie; hatched what is not known."""
    x, y = ([value_at(view.space[name], at) for at in made.at] for name in view.told["contour"])
    known = made.height_YX[made.known_YX]
    low, high = (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)
    if high > low:
        height_YX, levels = np.clip(made.height_YX, low, high), np.linspace(low, high + 1e-9, _BANDS + 1)
        for band in range(1, _BANDS):
            axes.contourf(x, y, height_YX, levels=levels[band : band + 2], colors=[view.loss.look.mark], alpha=0.12 * band, zorder=1)
        if view.threshold is not None and low < sign * view.threshold < high:
            axes.contour(x, y, height_YX, levels=[sign * view.threshold], colors=[INK.stand_in], linewidths=1.6, zorder=1.1)
        write(axes, say_range(sign * low, sign * high), (1, 1), (0, 14), where="axes", align="right", level="baseline", size=12)
    if not made.known_YX.all():
        for colour, hatch in ((PAPER.stand_in, None), ("none", "///")):
            cover = axes.contourf(x, y, ~made.known_YX, levels=[0.5, 1.5], colors=[colour], hatches=[hatch], zorder=1.2)
            cover.set_edgecolor(RULE.stand_in)
            cover.set_linewidth(0)


def _named(axes: Axes, view: ParameterView, x: str, y: str) -> None:
    best = next((item for item in view.tried if item.trial.trial_id == view.best), None)
    marked: list[tuple[str, float, float]] = [("best", best.trial.suggestion[x], best.trial.suggestion[y])] if best else []
    if x in view.defaults and y in view.defaults:
        marked.append(("default", view.defaults[x], view.defaults[y]))
    if len(marked) == 2 and marked[0][1:] == marked[1][1:]:
        marked = [("best, the default", *marked[0][1:])]
    near = _near(axes, marked)
    for name, *place in marked:
        marker, size = ("s", 11) if name == "default" else ("o", 14)
        for colour, width in ((PAPER.stand_in, 4.0), (INK.stand_in, 1.6)):
            look = {"markersize": size, "markerfacecolor": "none", "markeredgecolor": colour, "markeredgewidth": width}
            axes.plot([place[0]], [place[1]], marker=marker, zorder=5, clip_on=False, **look)
        across = axes.transAxes.inverted().transform(axes.transData.transform(place))[0]
        # two that are close: each name on the side away from the other
        left = place[0] < max(value for _, value, _ in marked) if near else across > 0.7
        write(
            axes,
            name,
            (place[0], place[1]),
            (-11 if left else 11, 0),
            align="right" if left else "left",
            colour=INK.stand_in,
            size=12,
            bold=True,
        )


def _near(axes: Axes, marked: list[tuple[str, float, float]]) -> bool:
    if len(marked) < 2:
        return False
    first, second = (axes.transData.transform(place) for _, *place in marked)
    return abs(first[1] - second[1]) < 16 and abs(first[0] - second[0]) < 80


def value_at(domain: Domain, at: float) -> float:
    """Return the number at a place of what was searched, 0 to 1, whether or not it is on a grid."""
    assert not isinstance(domain, Choice)
    if domain.log:
        return math.exp(math.log(domain.low) + at * math.log(domain.high / domain.low))
    return domain.low + at * (domain.high - domain.low)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    shown = surfaces(overview)
    errors = [
        f"{view.loss.label} {say(surface.left_out_error, 4)} ({surface.explained:.0%} of the variance explained)" for view, surface in shown
    ]
    stopped = (
        " Trials that were stopped early are drawn and not fitted." if any(item.stopped for view, _ in shown for item in view.tried) else ""
    )
    rest = len(surfaces(overview, all_losses=True)) - len(shown)
    more = f" Drawn are the {MOST_LOSSES} best losses; the other {rest} are in the data." if rest else ""
    drawn = {view.loss.name for view, _ in surfaces(overview, all_losses=True)}
    dull = [view.loss.label for view in views(overview, all_losses=True) if dig(view.told, "contour") and view.loss.name not in drawn]
    more += f" Not drawn, for want of a surface that tells more than the mean of the trials: {listed(dull)}." if dull else ""
    return (
        f"A Gaussian process through {say_metric(overview.metric)} of each loss's trials: the stronger the colour, the better. Whatever "
        "is not on an axis, the learning rate too, is at its best at each point. Within the line it ties with the best; without one, all "
        "of it does or nothing. Hatched: no trial is near, and nothing is known. Filled markers are trials that tie, hollow ones do not. "
        f"Scores far below the rest are raised to a floor before the fit.{stopped} "
        f"Error of each trial by all others: {several(errors)}.{more}"
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    words = []
    for view, surface in surfaces(overview):
        x, y = view.told["contour"]
        made = plane(surface, x, y)
        row, column = np.unravel_index(np.where(made.known_YX, made.height_YX, -np.inf).argmax(), made.height_YX.shape)
        top = [(x, made.at[column]), (y, made.at[row])]
        at = " and ".join(f"{label_of(name)} {say_value(value_at(view.space[name], where))}" for name, where in top)
        words.append(f"{view.loss.label}: the top lies at {at}; {1 - made.known_YX.mean():.0%} of the plane is not known")
    return clean("Contours of the smooth surface. " + "; ".join(words) + ".", 1400)


def table(overview: Overview) -> CsvTable:
    """Return one row a point of each grid."""
    sign, rows = 1.0 if overview.maximise else -1.0, []
    for view, surface in surfaces(overview, all_losses=True):
        x, y = view.told["contour"]
        made = plane(surface, x, y)
        for row, above in enumerate(made.at):
            for column, along in enumerate(made.at):
                values = value_at(view.space[x], along), value_at(view.space[y], above)
                numbers = (*values, sign * made.height_YX[row, column], made.spread_YX[row, column])
                rows.append(
                    (view.loss.name, f"{x} x {y}", *(float(f"{number:.5g}") for number in numbers), bool(made.known_YX[row, column]))
                )
    columns = ("loss", "parameters", "x", "y", f"smooth_{overview.metric}", "spread", "known")
    return CsvTable(columns=columns, rows=tuple(rows))
