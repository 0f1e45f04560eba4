"""Which parameters mattered: each one's importance with its interval, and what chance would give."""

from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.parameter_words import counted_words
from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.overview import Overview
from sweeps.report.palette import INK, MUTED, PAPER, RULE
from sweeps.report.parameter_views import MOST_PARAMETERS, ParameterView, label_of, left_over, views
from sweeps.report.wording import clean, dig, say, with_minus

NAME = "importance"
TITLE = "Which parameters mattered"
_ROW, _HEAD = 26.0, 34.0


def with_importance(overview: Overview, *, all_losses: bool = False) -> list[ParameterView]:
    """Return the losses that have importances. NothingToShow with the reason when none has."""
    found = views(overview, all_losses=all_losses)
    having = [view for view in found if dig(view.told, "importance")]
    if not having:
        reasons = dict.fromkeys(clean(dig(view.told, "importance_why", "not computed"), 200) for view in found)
        raise NothingToShow(f"no loss has an importance: {'; '.join(reasons)}.")
    return having


def _parts(view: ParameterView) -> list[dict[str, Any]]:
    return list(view.told["importance"])[:MOST_PARAMETERS]


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    shown = with_importance(overview)
    row = _ROW + (14 if layout.narrow else 0)
    body = sum(_HEAD + row * len(_parts(view)) for view in shown)
    figure = new_figure(layout, body + 62)
    left, right = (8.0, 16.0) if layout.narrow else (190.0, 210.0)
    axes = axes_at(figure, left=left, top=8, width=layout.width_px - left - right, height=body)
    axes.set_ylim(body, 0)
    axes.set_xlim(-0.012, 1.012)
    axes.set_yticks([])
    axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", "25%", "50%", "75%", "100%"])
    name_axes(
        axes,
        x="of being among the best, explained" if layout.narrow else "of being among the best, explained by this parameter alone",
        grid="x",
    )
    at = 0.0
    for number, view in enumerate(shown):
        if number:
            axes.axhline(at, color=RULE.stand_in, linewidth=1)
        look, x = view.loss.look, 0 if layout.narrow else -(left - 4)
        write(axes, view.loss.label, (0, at + _HEAD / 2), (x, 0), where="row", colour=look.text, size=14, bold=True)
        at += _HEAD
        for part in _parts(view):
            _row(axes, at + (26 if layout.narrow else 0.45 * row), part, view, layout)
            at += row
    return figure


def _row(axes: Axes, at: float, part: dict[str, Any], view: ParameterView, layout: Layout) -> None:
    beyond = part["p"] < 0.05
    colour = view.loss.look.mark if beyond else MUTED.stand_in
    axes.fill_between([0, part["chance"]], at - 8, at + 8, color=RULE.stand_in, linewidth=0)
    axes.plot([part["low"], part["high"]], [at, at], color=colour, linewidth=2.4, alpha=0.75, solid_capstyle="butt")
    fill = colour if beyond else PAPER.stand_in
    axes.plot(
        [part["share"]],
        [at],
        marker="o",
        markersize=8.5,
        markerfacecolor=fill,
        markeredgecolor=colour,
        markeredgewidth=1.8,
        clip_on=False,
        zorder=4,
    )
    name, said = label_of(part["name"], 24), f"{part['share']:.0%} ({part['low']:.0%} to {part['high']:.0%})"
    ink = INK.stand_in if beyond else MUTED.stand_in
    if layout.narrow:
        write(axes, f"{name}: {said}{'' if beyond else ', may be chance'}", (0, at - 20), (2, 0), where="row", colour=ink, size=12.5)
    else:
        write(axes, name, (0, at), (-12, 0), where="row", align="right", colour=ink)
        write(axes, said if beyond else f"{said}, may be chance", (1, at), (12, 0), where="row", colour=ink, bold=beyond)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    shown = with_importance(overview)
    every = [part for view in shown for part in _parts(view)]
    beyond = sum(part["p"] < 0.05 for part in every)
    trials = sorted({view.told["trials"] for view in shown})
    n = f"{trials[0]}" if len(trials) == 1 else f"{trials[0]} to {trials[-1]}"
    return (
        f"Optuna's PED-ANOVA over the {n} trials of each loss's search: how much of being among the best trials one parameter alone "
        "explains. The line is the 95% interval over resampled trials; the grey bar is what shuffled scores stay below 19 times in 20. "
        f"{beyond} of {len(every)} parameters are beyond it (filled), as one in twenty without any effect would be. What matters only "
        "together with another parameter shows less, and so does a choice among few values."
        f"{_stopped_note(shown)}{left_over(overview, trials=False)}"
    )


def _stopped_note(shown: list[ParameterView]) -> str:
    if not any(view.told["stopped"] for view in shown):
        return ""
    return " Trials that were stopped early are compared with each other trial at the last epoch that both reached."


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    words = []
    for view in with_importance(overview):
        parts = [f"{label_of(part['name'])} {part['share']:.0%}{'' if part['p'] < 0.05 else ', may be chance'}" for part in _parts(view)]
        words.append(f"{view.loss.label} ({counted_words(view.told)}): {', '.join(parts)}")
    return "Importance of each searched parameter. " + "; ".join(words) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a parameter of every loss."""
    keys = ("share", "low", "median", "high", "chance", "p")
    rows = [
        (view.loss.name, part["name"], *(part[key] for key in keys), view.told["trials"], view.told["stopped"], view.told["left_out"])
        for view in with_importance(overview, all_losses=True)
        for part in view.told["importance"]
    ]
    return CsvTable(columns=("loss", "parameter", *keys, "trials", "stopped", "left_out"), rows=tuple(rows))


def statements(overview: Overview) -> dict[str, Any] | None:
    """Return what the page says of each loss's optimum, and the rule; None where nothing was searched.

    Where no loss has one, and all for the same reason, it is said once.
    """
    if not dig(overview.verdict, "parameters.losses"):
        return None
    found = views(overview)
    told = [
        (view.loss.label, with_minus(clean(dig(view.told, "flat.words") or dig(view.told, "importance_why") or "", 900))) for view in found
    ]
    reasons = {words.rstrip(".") for _, words in told}
    if len(reasons) == 1 and not any(dig(view.told, "flat.words") for view in found):
        return {"rows": [], "rule": "", "reason": f"Not known of any loss: {next(iter(reasons)) or 'not computed'}."}
    noises = {noise["words"]: noise["value"] for view in found if (noise := dig(view.told, "noise"))}
    rule = clean(dig(overview.verdict, "parameters.tie_rule", ""), 400)
    if len(noises) == 1 and "scatter" not in next(iter(noises)):
        words, value = next(iter(noises.items()))
        rule += f" That is {say(value, 4)}: {words}."
    elif noises:
        rule += f" That is {' or '.join(noises)}."
    return {"rows": [(label, words) for label, words in told if words], "rule": rule, "reason": ""}
