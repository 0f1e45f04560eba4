"""The headline figure: quality against time, each loss with its runs and their spread both ways, and the front that nothing beats."""

import math

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator

from sweeps.report.canvas import Layout, NothingToShow, axes_at, name_axes, new_figure, num_named, points, score_axis, write
from sweeps.report.csv_table import CsvTable
from sweeps.report.front_misses import MOST_MISSED, draw_misses, strip_width
from sweeps.report.front_points import Point, points_of, timed
from sweeps.report.label_places import Box, Place, box_around, place_labels
from sweeps.report.overview import Overview
from sweeps.report.palette import MUTED, PANEL, faded
from sweeps.report.wording import clean, count, dig, listed, say, say_metric, say_seconds, several, with_scores

NAME = "front"
TITLE = "Quality against time"
#: an interval may stretch the axis by so many times the distance of the points; what goes further leaves the axis
_STRETCH = 1.0


def draw(overview: Overview, layout: Layout) -> Figure:
    """Draw the figure."""
    shown = points_of(overview)
    if not shown:
        raise NothingToShow("no loss has a score yet, so there is no quality to set against time.")
    placed = [point for point in shown if point.seconds is not None]
    height = 470.0 if not layout.narrow else 400.0
    figure = new_figure(layout, height)
    left, right = (54.0, 24.0) if not layout.narrow else (46.0, 14.0)
    strip = strip_width(shown, layout)
    room = layout.width_px - left - right - strip
    axes = axes_at(figure, left=left, top=44, width=room - (14 if strip else 0), height=height - 104)
    _scale(axes, placed, shown)
    name_axes(axes, x=_time_label(overview, layout), y=f"{say_metric(overview.metric)}, {_what(overview)}", grid="both")
    front = set(overview.front)
    score_axis(axes.yaxis)
    _target_line(axes, overview, layout)
    _front_line(axes, [point for point in placed if point.loss.name in front])
    named = _named(placed, front)
    for point in placed:
        if point not in named:
            _company(axes, point)
    for point in named:
        _point(axes, point, filled=not front or point.loss.name in front)
    _labels(axes, named, overview, layout)
    if strip:
        draw_misses(axes_at(figure, left=left + room, top=44, width=strip, height=height - 104, share_y=axes), shown, layout)
    return figure


def _target_line(axes: Axes, overview: Overview, layout: Layout) -> None:
    """Where the target lies on the axis of quality, if that is the same score; it is of other sections, the calibration ones."""
    same = dig(overview.verdict, "target.metric") == overview.metric
    if overview.target is None or not same or not timed(overview) or not axes.get_ylim()[0] < overview.target < axes.get_ylim()[1]:
        return
    axes.axhline(overview.target, color=MUTED.stand_in, linewidth=1.2, dashes=(1, 2.5), zorder=1)
    text = "target, on calibration sections" if not layout.narrow else "target"
    write(axes, text, (1, overview.target), (-4, 5), where="row", align="right", level="baseline", size=12)


def _named(placed: list[Point], front: set[str]) -> list[Point]:
    """The points with a name and a look of their own: of many, the best ones and those on the front."""
    return [point for number, point in enumerate(placed) if number < num_named(len(placed)) or point.loss.name in front]


def _company(axes: Axes, point: Point) -> None:
    x, y = point.at
    points(axes, [x], [y], faded(point.loss.look), size=9, alpha=0.6)


def _scale(axes: Axes, placed: list[Point], shown: list[Point]) -> None:
    """Both axes around what there is; time is logarithmic when it spans more than a factor of 8."""
    times = [x for point in placed for x in (point.seconds, *(seed[0] for seed in point.seeds)) if x is not None]
    positive = [x for x in times if x > 0]
    if positive and max(positive) > 8 * min(positive):
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(lambda value, _: say_seconds(value))
        axes.xaxis.set_minor_formatter(lambda value, _: "")
        axes.set_xlim(min(positive) / 1.3, max(positive) * 1.5)
    else:
        first, last = min(times, default=0.0), max(times, default=1.0)
        room = last - first or 0.2 * last or 1.0
        axes.set_xlim(max(0.0, first - 0.25 * room), last + 0.25 * room)
    axes.set_ylim(*_quality_limits(shown))


def _quality_limits(shown: list[Point]) -> tuple[float, float]:
    """Around the points and their intervals, which of two runs may be hundreds of times as long as the points lie apart."""
    values = [y for point in shown for y in (point.at[1], *(y for _, y in point.seeds), *point.missed)]
    ends = [end for point in shown for end in point.ends or ()]
    low, high = min(values), max(values)
    room = _STRETCH * (high - low) or 0.02
    low, high = max(min([low, *ends]), low - room), min(max([high, *ends]), high + room)
    margin = 0.12 * (high - low) or 0.01
    return low - margin, high + margin


def _front_line(axes: Axes, front: list[Point]) -> None:
    """For any time, the best quality that can be had: a staircase through the front."""
    steps = sorted(point.at for point in front)
    if steps:
        bottom, right = axes.get_ylim()[0], axes.get_xlim()[1]
        x = [steps[0][0]] + [seconds for seconds, _ in steps] + [right]
        y = [bottom] + [score for _, score in steps] + [steps[-1][1]]
        axes.fill_between(x, bottom, y, step="post", color=PANEL.stand_in, linewidth=0, zorder=0)
        axes.step(x, y, where="post", color=MUTED.stand_in, linewidth=1.2, dashes=(4, 3), zorder=1.5)


def _point(axes: Axes, point: Point, *, filled: bool) -> None:
    look, (x, y) = point.loss.look, point.at
    few = len(point.seeds) <= 6
    points(axes, [x for x, _ in point.seeds], [y for _, y in point.seeds], look, size=7 if few else 4.5, alpha=0.55 if few else 0.4)
    if point.ends:
        axes.plot([x, x], point.ends, color=look.mark, linewidth=1.8, solid_capstyle="butt", alpha=0.9)
    if point.span:
        right = axes.get_xlim()[1]  # a miss is infinite: the line runs out of the axis
        axes.plot([min(end, right) for end in point.span], [y, y], color=look.mark, linewidth=1.8, solid_capstyle="butt", alpha=0.9)
    points(axes, [x], [y], look, filled=filled, size=13)


def _labels(axes: Axes, placed: list[Point], overview: Overview, layout: Layout) -> None:
    def pixel(at: tuple[float, float]) -> tuple[float, float]:
        x, y = axes.transData.transform(at)
        return float(x), float(y)

    spots = [pixel(point.at) for point in placed]
    obstacles = [box_around(x, y, 9, 9) for x, y in spots]
    for point in placed:
        obstacles += [box_around(*pixel(seed), 4, 4) for seed in point.seeds]
        if point.ends:
            (x, low), (_, high) = (pixel((point.at[0], end)) for end in point.ends)
            obstacles.append(Box(left=x - 8, bottom=low, right=x + 8, top=high))
        if point.span:
            (near, y), (far, _) = (pixel((min(end, axes.get_xlim()[1]), point.at[1])) for end in point.span)
            obstacles.append(Box(left=near, bottom=y - 4, right=far, top=y + 4))
    area = axes.get_window_extent()
    frame = Box(left=area.x0, bottom=area.y0, right=area.x1, top=area.y1)
    names = [point.loss.label + ("" if layout.narrow else _title(point, overview)) for point in placed]
    for point, text, place in zip(placed, names, place_labels(spots, names, obstacles, frame, size_px=14, gap_px=13), strict=True):
        _label(axes, point, text.split("\n"), place)


def _label(axes: Axes, point: Point, lines: list[str], place: Place) -> None:
    """Write the loss's name and, under it, its title; line by line, because the browser's type is not the one that was measured."""
    below = {"center": 0.5, "bottom": 1.0, "top": 0.0}[place.vertical] * (len(lines) - 1)
    level = {"center": "center_baseline"}.get(place.vertical, place.vertical)
    for number, line in enumerate(lines):
        offset = (place.dx, place.dy + 17 * (below - number))
        size, bold = (14, True) if number == 0 else (13, False)
        write(axes, line, point.at, offset, align=place.align, level=level, colour=point.loss.look.text, size=size, bold=bold)


def _title(point: Point, overview: Overview) -> str:
    titles = [word for word in ("best", "fastest") if dig(overview.verdict, f"{word}.loss") == point.loss.name]
    return f"\n{' and '.join(titles)}" if titles else ""


def _what(overview: Overview) -> str:
    return "best single trial" if overview.search_only else "mean and 95% interval"


def _time_label(overview: Overview, layout: Layout) -> str:
    if layout.narrow:
        return f"train seconds to {say(overview.target)}" if timed(overview) else "train seconds"
    if timed(overview):
        metric = say_metric(dig(overview.verdict, "target.metric", overview.metric))
        return f"train seconds to {metric} {say(overview.target)}, median"
    return "train seconds of the whole training"


def caption(overview: Overview) -> str:
    """Return the sentences under the figure."""
    filled = (
        f"Filled markers are on the front: {several([loss.label for loss in overview.losses if loss.name in overview.front])}. No other "
        "loss is both better and faster than one of these; the shaded side is beaten by them. "
        if overview.front
        else ""
    )
    rule = dig(overview.verdict, "target.rule")
    if timed(overview):
        time = f"Time is train seconds until {say(overview.target)} is first reached; a run that never gets there counts as infinite. "
        time += f"Target: {with_scores(clean(rule, 400))}. " if rule else ""
    else:
        time = "No loss has a time to the target, so time is that of the whole training. "
    runs = (
        "Small markers are single runs over seeds and folds. Upright lines are 95% intervals of the mean quality, level ones hold the "
        "middle half of the runs' times."
    )
    if any(point.missed for point in points_of(overview)):
        runs += " Crosses at the border are runs that missed; a level line that runs into it has misses in that half."
    if _cut(overview):
        runs += " Intervals that leave the axis are longer."
    if overview.search_only:
        runs = "Each point is one trial, the best that the search found: it ranks nothing."
    return f"Up and to the left is better. {filled}{time}{runs}{_left_out(overview)}"


def _cut(overview: Overview) -> bool:
    shown = points_of(overview)
    low, high = _quality_limits(shown)
    return any(end < low or end > high for point in shown for end in point.ends or ())


def _left_out(overview: Overview) -> str:
    """Say what has no name in the figure, or no place."""
    shown = points_of(overview)
    missed = sum(point.seconds is None for point in shown)
    more = f" Of the {missed} losses that never reached the target the best {MOST_MISSED} are drawn." if missed > MOST_MISSED else ""
    rest = len(shown) - missed - len(_named([point for point in shown if point.seconds is not None], set(overview.front)))
    return more + (f" {count(rest, 'more loss is', 'more losses are')} drawn in grey, and by name in the data." if rest else "")


def alternative(overview: Overview) -> str:
    """Return what the figure says, in words."""
    spots = [f"{p.loss.label} {say(p.score.mean)} at {say_seconds(p.seconds) if p.seconds else 'no time'}" for p in points_of(overview)]
    front = listed([loss.label for loss in overview.losses if loss.name in overview.front])
    return f"Scatter of {count(len(spots), 'loss', 'losses')}: {'; '.join(spots)}." + (f" On the front: {front}." if front else "")


def table(overview: Overview) -> CsvTable:
    """Return the numbers behind the figure: one row a loss, then one a finalist."""
    rows = []
    for point in points_of(overview):
        on_front = point.loss.name in overview.front
        score = point.score
        rows.append((point.loss.name, "mean", point.seconds, score.mean, score.low, score.high, on_front))
        rows += [(point.loss.name, "run", x, y, None, None, on_front) for x, y in point.seeds]
        rows += [(point.loss.name, "run that missed", math.inf, y, None, None, on_front) for y in point.missed]
    return CsvTable(columns=("loss", "kind", "train_seconds", overview.metric, "low", "high", "on_front"), rows=tuple(rows))
