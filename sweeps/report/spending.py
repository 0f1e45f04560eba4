"""Score against time: what each trial cost and gave, and how soon the search of each loss found its best."""

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

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
)
from sweeps.report.csv_table import CsvTable
from sweeps.report.label_places import text_width
from sweeps.report.overview import LossView, Overview, train_seconds
from sweeps.report.palette import MUTED, faded
from sweeps.report.wording import say, say_metric, say_seconds

NAME = "spending"
TITLE = "Score against time"


def costs(loss: LossView, overview: Overview) -> list[tuple[float, float, str]]:
    """Return (train seconds, score, state) of each trial of the search that has both."""
    found = [(train_seconds(trial), overview.score(trial), trial.state) for trial in loss.search]
    return [(seconds, score, state) for seconds, score, state in found if seconds is not None and score is not None]


def progress(loss: LossView, overview: Overview) -> list[tuple[int, float]]:
    """Return the best score so far after each trial of the search, counted from 1."""
    best: float | None = None
    steps = []
    for number, trial in enumerate(loss.search, start=1):
        score = overview.score(trial)
        if score is not None and (best is None or (score > best if overview.maximise else score < best)):
            best = score
        if best is not None:
            steps.append((number, best))
    return steps


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
    if layout.narrow:
        second = axes_at(figure, left=left, top=top + height + 112, width=layout.width_px - left - margin, height=height)
    else:
        second = axes_at(figure, left=2 * left + 24 + wide, top=top, width=wide, height=height)
    _limits(first, second, spent, overview)
    looks = {loss.name: loss.look if number < num_named(len(spent)) else faded(loss.look) for number, (loss, _) in enumerate(spent)}
    for loss, found in reversed(spent):
        for seconds, score, state in found:
            points(first, [seconds], [score], looks[loss.name], filled=state == "complete", size=9)
    _searches(second, [(loss, progress(loss, overview)) for loss, _ in spent], height)
    for axes in (first, second):
        score_axis(axes.yaxis)
    panel_title(first, "Each trial of the search", rise=34)
    panel_title(second, "The search's best so far", rise=34)
    name_axes(first, x="train seconds of the trial", y=say_metric(overview.metric), grid="both")
    name_axes(second, x="trials of the loss", y=say_metric(overview.metric), grid="y")
    return figure


def _limits(first: Axes, second: Axes, spent: list[tuple[LossView, list[tuple[float, float, str]]]], overview: Overview) -> None:
    scores = sorted(score for _, found in spent for _, score, _ in found)
    margin = 0.08 * (scores[-1] - scores[0]) or 0.01
    first.set_ylim(scores[0] - margin, scores[-1] + margin)
    first.set_xlim(0, max(seconds for _, found in spent for seconds, _, _ in found) * 1.06 or 1.0)
    bests = [best for loss, _ in spent for _, best in progress(loss, overview)]
    rise = 0.08 * (max(bests) - min(bests)) or 0.01
    second.set_ylim(min(bests) - rise, max(bests) + rise)
    trials = max(len(loss.search) for loss, _ in spent)
    second.set_xlim(0.5, trials + 0.5)
    second.xaxis.set_major_locator(MaxNLocator(integer=True))


def _searches(axes: Axes, searches: list[tuple[LossView, list[tuple[int, float]]]], height: float) -> None:
    right, named = axes.get_xlim()[1], searches[: num_named(len(searches))]
    for _, steps in searches[len(named) :]:
        axes.step(
            [*(number for number, _ in steps), right],
            [*(best for _, best in steps), steps[-1][1]],
            where="post",
            color=MUTED.stand_in,
            linewidth=1.0,
            alpha=0.4,
        )
    for loss, steps in reversed(named):
        x, y = [number for number, _ in steps], [best for _, best in steps]
        axes.step([*x, right], [*y, y[-1]], where="post", color=loss.look.mark, linewidth=2.2)
        better = [i for i in range(len(y)) if i == 0 or y[i] != y[i - 1]]
        points(axes, [x[i] for i in better], [y[i] for i in better], loss.look, size=7)
    ends = [(right, steps[-1][1]) for _, steps in named]
    name_ends(axes, ends, [(loss.label, loss.look) for loss, _ in named], height)


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    return (
        "Left: what each trial of the search cost and what it reached; hollow markers were pruned early. Right: the best score found after "
        "so many trials; a line that is still rising at the end says that more trials may pay."
        f"{unnamed_note(sum(bool(costs(loss, overview)) for loss in overview.losses))}"
    )


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    parts = []
    for loss in overview.losses:
        found, steps = costs(loss, overview), progress(loss, overview)
        if found and steps:
            first = next(number for number, best in steps if best == steps[-1][1])
            parts.append(f"{loss.label} found {say(steps[-1][1])} in trial {first}, longest trial {say_seconds(max(found)[0])}")
    return "Scatter of score against train seconds, and steps of the best so far. " + "; ".join(parts) + "."


def table(overview: Overview) -> CsvTable:
    """Return one row a trial of the search."""
    rows = []
    for loss in overview.losses:
        best = dict(progress(loss, overview))
        for number, trial in enumerate(loss.search, start=1):
            rows.append((trial.trial_id, loss.name, number, trial.state, train_seconds(trial), overview.score(trial), best.get(number)))
    return CsvTable(columns=("trial", "loss", "number", "state", "train_seconds", overview.metric, "best_so_far"), rows=tuple(rows))
