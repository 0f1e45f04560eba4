"""The border of the headline figure: runs that never reached the target, and losses that do not in the median, each at its quality."""

from matplotlib.axes import Axes

from sweeps.report.canvas import Layout, points, write
from sweeps.report.front_points import Point
from sweeps.report.palette import MUTED, PANEL

#: the border has room for so many losses by name, the best of them
MOST_MISSED = 3


def named_misses(shown: list[Point]) -> list[Point]:
    """The losses that stand in the border by name: the best of those without a median time."""
    return [point for point in shown if point.seconds is None][:MOST_MISSED]


def strip_width(shown: list[Point], layout: Layout) -> float:
    """Return how wide the border is; 0 where nothing missed."""
    named, single = named_misses(shown), any(point.missed for point in shown if point.seconds is not None)
    if not named:
        return 0.0 if not single else 96.0 if not layout.narrow else 56.0
    return 170.0 if not layout.narrow else 42.0 + 26.0 * len(named)


def draw_misses(axes: Axes, shown: list[Point], layout: Layout) -> None:
    """Fill the border: crosses are runs, hollow markers are losses."""
    named = named_misses(shown)
    others = [point for point in shown if point.missed and point not in named]
    slots = len(named) + bool(others)
    axes.set_facecolor(PANEL.stand_in)
    axes.set_xlim(-0.6, max(slots, 1) - 0.4)
    axes.tick_params(labelleft=False)
    axes.set_xticks([])
    axes.set_xlabel("never reached" if not layout.narrow else "never", loc="center", labelpad=8)
    axes.spines["bottom"].set_color(MUTED.stand_in)
    for number, point in enumerate(others):  # side by side, since runs of one quality would hide each other
        _crosses(axes, point, -0.25 + 0.5 * (number + 0.5) / len(others))
    bottom, top = axes.get_ylim()
    for slot, point in enumerate(named, start=bool(others)):
        _crosses(axes, point, slot + 0.22)
        if point.ends:
            axes.plot([slot, slot], point.ends, color=point.loss.look.mark, linewidth=1.8, solid_capstyle="butt")
        points(axes, [slot], [point.at[1]], point.loss.look, filled=False, size=13)
    highest = max((point.ends[1] if point.ends else point.at[1] for point in named), default=bottom)
    crosses = max((score for point in shown for score in point.missed), default=bottom)
    for slot, point in enumerate(named, start=bool(others)):
        # Long names beside each other: each on a level of its own, the outer ones kept inside the strip.
        align = "center" if slots == 1 else {0: "left", slots - 1: "right"}.get(slot, "center")
        offset = {"left": -12, "right": 12}.get(align, 0), 12 + 16 * (slot - bool(others))
        at = slot, min(max(highest, crosses), top - 0.12 * (top - bottom))
        write(axes, point.loss.label, at, offset, align=align, level="bottom", colour=point.loss.look.text, bold=True)


def _crosses(axes: Axes, point: Point, x: float) -> None:
    axes.plot(
        [x] * len(point.missed),
        point.missed,
        linestyle="none",
        marker="x",
        markersize=6.5,
        markeredgewidth=1.7,
        color=point.loss.look.mark,
        zorder=4,
    )
