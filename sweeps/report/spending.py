"""Score against time: what each trial of the search cost and gave, and what the best score of each loss had cost until then.

With one trial a loss there is no best so far; then the second panel tells on what each loss's seconds went.
"""

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.report.canvas import (
    Layout,
    NothingToShow,
    axes_at,
    name_axes,
    name_ends,
    new_figure,
    num_named,
    panel_title,
    points,
    score_axis,
    unnamed_note,
    write,
)
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview, train_seconds
from sweeps.report.palette import MUTED, faded
from sweeps.report.trial_marks import mark_trial, say_marks
from sweeps.report.wording import say, say_metric, say_seconds

NAME = "spending"
TITLE = "Score against time"
_EACH, _BEST, _WENT = "Each trial of the search", "The search's best so far", "Where the seconds went"
Spent = list[tuple[LossView, list[tuple[float, float, str]]]]


def costs(loss: LossView, overview: Overview) -> list[tuple[float, float, str]]:
    """Return (train seconds, score, state) of each trial of the search that has both."""
    found = [(train_seconds(trial), overview.score(trial), trial.state) for trial in loss.search]
    return [(seconds, score, state) for seconds, score, state in found if seconds is not None and score is not None]


def progress(loss: LossView, overview: Overview) -> list[tuple[int, float, float]]:
    """Return (number, train seconds so far, best score so far) after each trial of the search, counted from 1, from its first score on.

    A trial that failed has cost its seconds and given nothing.
    """
    best: float | None = None
    spent, steps = 0.0, []
    for number, trial in enumerate(loss.search, start=1):
        score = overview.score(trial) if trial.state != "failed" else None
        spent += train_seconds(trial) or 0.0
        if score is not None and (best is None or (score > best if overview.maximise else score < best)):
            best = score
        if best is not None:
            steps.append((number, spent, best))
    return steps


def went_on(loss: LossView) -> tuple[float, float]:
    """Return the train seconds of a loss's search and of its finalists."""
    search, finalists = (sum(train_seconds(trial) or 0.0 for trial in trials) for trials in (loss.search, loss.finalists))
    return search, finalists


def searched(overview: Overview) -> bool:
    """Whether any loss has a second trial that did not fail, so that there is a best so far."""
    return any(sum(state != "failed" for *_, state in costs(loss, overview)) > 1 for loss in overview.losses)


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    spent = [(loss, found) for loss in overview.losses if (found := costs(loss, overview))]
    if not spent:
        raise NothingToShow("no trial of the search has both a score and a time.")
    margin = 20.0 + max(text_width(loss.label, 13) for loss, _ in spent)
    left, top, height = (48.0, 62.0, 300.0) if not layout.narrow else (42.0, 58.0, 250.0)
    figure = new_figure(layout, top + height + 58 + (height + 112 if layout.narrow else 0))
    wide = (layout.width_px - 2 * left - margin - 24) / 2
    first = axes_at(figure, left=left, top=top, width=layout.width_px - left - 20 if layout.narrow else wide, height=height)
    lines = searched(overview)
    place, room = (left, layout.width_px - left - margin) if layout.narrow else (2 * left + 24 + wide, wide)
    if not lines:  # names stand left of bars, and their seconds right of them
        place, room = place + margin - left, room - 70 + (left if not layout.narrow else left - 20)
    second = axes_at(figure, left=place, top=top + (height + 112 if layout.narrow else 0), width=room, height=height)
    _trials(first, spent, overview)
    if lines:
        _searches(second, [(loss, steps) for loss, _ in spent if (steps := progress(loss, overview))], height, overview)
    else:
        _bars(second, [loss for loss, _ in spent])
    return figure


def _trials(axes: Axes, spent: Spent, overview: Overview) -> None:
    scores = sorted(score for _, found in spent for _, score, _ in found)
    margin = 0.08 * (scores[-1] - scores[0]) or 0.01
    axes.set_ylim(scores[0] - margin, scores[-1] + margin)
    axes.set_xlim(0, max(seconds for _, found in spent for seconds, _, _ in found) * 1.06 or 1.0)
    looks = {loss.name: loss.look if number < num_named(len(spent)) else faded(loss.look) for number, (loss, _) in enumerate(spent)}
    for loss, found in reversed(spent):
        for seconds, score, state in found:
            mark_trial(axes, (seconds, score), looks[loss.name], state, size=9)
    score_axis(axes.yaxis)
    panel_title(axes, _EACH, rise=34)
    name_axes(axes, x="train seconds of the trial", y=say_metric(overview.metric), grid="both")


def _searches(axes: Axes, searches: list[tuple[LossView, list[tuple[int, float, float]]]], height: float, overview: Overview) -> None:
    bests = [best for _, steps in searches for _, _, best in steps]
    rise = 0.08 * (max(bests) - min(bests)) or 0.01
    axes.set_ylim(min(bests) - rise, max(bests) + rise)
    axes.set_xlim(0, 1.04 * max(spent for _, steps in searches for _, spent, _ in steps) or 1.0)
    named = searches[: num_named(len(searches))]
    for _, steps in searches[len(named) :]:
        axes.step([x for _, x, _ in steps], [y for _, _, y in steps], where="post", color=MUTED.stand_in, linewidth=1.0, alpha=0.4)
    for loss, steps in reversed(named):
        x, y = [spent for _, spent, _ in steps], [best for _, _, best in steps]
        axes.step(x, y, where="post", color=loss.look.mark, linewidth=2.2)
        better = [i for i in range(len(y)) if i == 0 or y[i] != y[i - 1]]
        points(axes, [x[i] for i in better], [y[i] for i in better], loss.look, size=7)
    name_ends(axes, [steps[-1][1:] for _, steps in named], [(loss.label, loss.look) for loss, _ in named], height)
    score_axis(axes.yaxis)
    panel_title(axes, _BEST, rise=34)
    name_axes(axes, x="train seconds of the loss's trials, added up", y=say_metric(overview.metric), grid="y")


def _bars(axes: Axes, losses: list[LossView]) -> None:
    """One bar a loss: the search, then what the finalists took."""
    shown = losses[: num_named(len(losses))]
    axes.set_ylim(len(shown) - 0.4, -0.6)
    axes.set_yticks([])
    axes.set_xlim(0, max(sum(went_on(loss)) for loss in shown) or 1.0)
    for slot, loss in enumerate(shown):
        search, finalists = went_on(loss)
        axes.barh(slot, search, height=0.5, color=loss.look.mark, linewidth=0)
        axes.barh(slot, finalists, left=search, height=0.5, color=loss.look.mark, alpha=0.45, linewidth=0)
        write(axes, loss.label, (0, slot), (-10, 0), where="row", align="right", colour=loss.look.text, bold=True)
        write(axes, say_seconds(search + finalists), (search + finalists, slot), (8, 0), colour=MUTED.stand_in)
    panel_title(axes, _WENT, rise=34)
    name_axes(axes, x="train seconds, search and finalists", grid="x")


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    if searched(overview):
        second = (
            f"{_BEST}: the best score found for the seconds spent until then, trial by trial; a line that still rises at its end says that "
            "more trials may pay."
        )
    else:
        second = f"{_WENT}: train seconds of each loss, full colour for the search and pale for the finalists."
        second += " One trial a loss is no search." if all(len(loss.search) < 2 for loss in overview.losses) else ""
    marks = say_marks(state for loss in overview.losses for *_, state in costs(loss, overview))
    first = f"{_EACH}: what it cost and what it reached{f'; {marks}' if marks else ''}."
    return f"{first} {second}{unnamed_note(sum(bool(costs(loss, overview)) for loss in overview.losses))}"


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    parts = []
    for loss in overview.losses:
        found, steps = costs(loss, overview), progress(loss, overview)
        if found and steps:
            first, spent = next((number, spent) for number, spent, best in steps if best == steps[-1][2])
            after = f" after {say_seconds(spent)}" if searched(overview) else ""
            parts.append(f"{loss.label} found {say(steps[-1][2])} in trial {first}{after}, longest trial {say_seconds(max(found)[0])}")
    what = "steps of the best so far" if searched(overview) else "bars of each loss's train seconds"
    return f"Scatter of score against train seconds, and {what}. " + "; ".join(parts) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a trial of the search, and one a finalist without the columns that are the search's."""
    rows: list[tuple[object, ...]] = []
    for loss in overview.losses:
        best = {number: (spent, score) for number, spent, score in progress(loss, overview)}
        for number, trial in enumerate(loss.search, start=1):
            told = trial.trial_id, loss.name, number, trial.state, train_seconds(trial), overview.score(trial)
            rows.append((*told, *best.get(number, (None, None))))
        for trial in loss.finalists:
            rows.append((trial.trial_id, loss.name, None, trial.state, train_seconds(trial), overview.score(trial), None, None))
    columns = ("trial", "loss", "number", "state", "train_seconds", overview.metric, "seconds_so_far", "best_so_far")
    return CsvTable(columns=columns, rows=tuple(rows))
