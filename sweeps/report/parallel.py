"""Parallel coordinates: each trial of a loss as a line over its parameters to its score."""

from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

from sweeps.report.canvas import Layout, axes_at, new_figure, panel_title, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import Overview
from sweeps.report.palette import MUTED, RULE
from sweeps.report.parameter_views import ParameterView, Tried, label_of, left_over, score_range, views
from sweeps.report.wording import say, say_metric, say_value, short
from sweeps.search.unit import to_unit
from sweeps.space import Choice, Domain

NAME = "parallel"
TITLE = "Whole configurations"
_TOP, _BELOW = 52.0, 62.0


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    shown = views(overview)
    across, height, side, between = (1, 170.0, 34.0, 0.0) if layout.narrow else (3, 190.0, 36.0, 70.0)
    width = (layout.width_px - 2 * side - between * (across - 1)) / across
    down = -(-len(shown) // across)
    figure = new_figure(layout, down * (_TOP + height + _BELOW))
    limits = score_range(shown, overview.maximise)
    for number, view in enumerate(shown):
        left, top = side + (number % across) * (width + between), (number // across) * (_TOP + height + _BELOW) + _TOP
        axes = axes_at(figure, left=left, top=top, width=width, height=height)
        _panel(axes, view, limits, overview)
    return figure


def _panel(axes: Axes, view: ParameterView, limits: tuple[float, float], overview: Overview) -> None:
    names = view.shown()
    axes.set_xlim(0, len(names))
    axes.set_ylim(-0.02, 1.02)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(False)
    panel_title(axes, view.loss.label, rise=30)
    for tied in (False, True):
        lines = [_line(view, item, names, limits) for item in view.drawn if item.tied == tied]
        colour, width, alpha = (view.loss.look.mark, 1.7, 0.8) if tied else (MUTED.stand_in, 0.9, 0.3)
        made = LineCollection(lines, colors=[colour], linewidths=width, alpha=alpha, zorder=3 if tied else 2, clip_on=False)
        axes.add_collection(made, autolim=False)
    for place, name in enumerate(names):
        low, high = _ends(view.space[name])
        _axis(axes, place, label_of(name, 14), low, high, first=place == 0)
    score = say_metric(overview.metric) if overview.metric != "membrane_dice" else "Dice"
    low = f"{say(limits[0], 2)} or {'less' if overview.maximise else 'better'}"
    _axis(axes, len(names), short(score, 12), low if overview.maximise else say(limits[0], 2), say(limits[1], 2), first=False, last=True)


def _line(view: ParameterView, item: Tried, names: list[str], limits: tuple[float, float]) -> list[tuple[float, float]]:
    heights = [to_unit(view.space[name], item.trial.suggestion[name]) for name in names]
    end = min(max((item.score - limits[0]) / (limits[1] - limits[0]), 0), 1)
    return list(enumerate([*heights, end]))


def _axis(axes: Axes, place: int, name: str, low: str, high: str, *, first: bool, last: bool = False) -> None:
    axes.plot([place, place], [0, 1], color=RULE.stand_in, linewidth=2, zorder=1)
    align = "left" if first else "right" if last else "center"
    shift = -16.0 if first else 16.0 if last else 0.0
    for text, level, rise, vertical in ((high, 1, 9, "bottom"), (low, 0, -8, "top")):
        write(axes, text, (place, level), (shift, rise), align=align, level=vertical, size=12)
    write(axes, name, (place, 0), (shift, -26), align=align, level="top", size=13, bold=True)


def _ends(domain: Domain) -> tuple[str, str]:
    if isinstance(domain, Choice):
        return short(domain.choices[0], 10), short(domain.choices[-1], 10)
    return say_value(domain.low), say_value(domain.high)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    return (
        "Each line is one trial of the search, over its parameters (evenly in the logarithm where it was searched so) "
        f"to its score. Coloured ones tie with the best of their loss: where they fan out, a parameter is free.{left_over(overview)}"
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    words = []
    for view in views(overview):
        tied = [item.trial.suggestion for item in view.tried if item.tied]
        spans = [f"{label_of(name)} {_span([told[name] for told in tied])}" for name in view.shown() if tied]
        words.append(f"{view.loss.label}: {len(tied)} of {len(view.tried)} tie{', with ' + ', '.join(spans) if spans else ''}")
    return "Parallel coordinates, one panel a loss. " + "; ".join(words) + "."


def _span(values: list) -> str:
    if all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        return f"{say_value(min(values))} to {say_value(max(values))}"
    return " or ".join(dict.fromkeys(short(value, 12) for value in values))


def table(overview: Overview) -> CsvTable:
    """Return one row a trial and parameter: the value, and where it lies in what was searched."""
    rows = [
        (
            view.loss.name,
            item.trial.trial_id,
            name,
            item.trial.suggestion[name],
            to_unit(domain, item.trial.suggestion[name]),
            item.score,
            item.tied,
        )
        for view in views(overview, all_losses=True)
        for item in view.tried
        for name, domain in view.space.items()
    ]
    return CsvTable(columns=("loss", "trial", "parameter", "value", "place", overview.metric, "ties_with_best"), rows=tuple(rows))
