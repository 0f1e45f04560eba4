"""The drawing ground of every figure: sizes in CSS pixels, type, axes without clutter, and the way to SVG.

Each figure is drawn twice, for a wide page and for a narrow one, because an SVG that is merely scaled down cannot be read on a telephone.
At 72 dpi one point of matplotlib is one unit of the SVG, and one CSS pixel at full width.
"""

import io
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import ScalarFormatter

from sweeps.report.label_places import spread
from sweeps.report.palette import INK, MUTED, PAPER, RULE, Identity
from sweeps.report.wording import MINUS, bare

TEXT_PX = 13.0
#: more lines than this cannot all be told apart and named beside a figure; then the best few are, and the rest is drawn grey
_MOST_NAMED, _FEW_NAMED = 15, 12

STYLE: dict[Any, Any] = {
    "axes.edgecolor": RULE.stand_in,
    "axes.facecolor": "none",
    "axes.labelcolor": MUTED.stand_in,
    "axes.labelsize": TEXT_PX,
    "axes.linewidth": 1.0,
    "axes.unicode_minus": True,
    "figure.facecolor": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": TEXT_PX,
    "grid.color": RULE.stand_in,
    "grid.linewidth": 1.0,
    "hatch.linewidth": 1.5,
    "path.simplify": True,
    "savefig.dpi": 72,
    "svg.fonttype": "none",  # words stay words: selectable, searchable, in the page's own type
    "svg.hashsalt": "sweeps.report",  # the same record gives the same bytes
    "text.color": INK.stand_in,
    "text.parse_math": False,  # a loss's name may hold a dollar sign
    "xtick.color": RULE.stand_in,
    "xtick.labelcolor": MUTED.stand_in,
    "xtick.labelsize": TEXT_PX,
    "xtick.major.size": 0.0,
    "xtick.minor.size": 0.0,
    "ytick.color": RULE.stand_in,
    "ytick.labelcolor": MUTED.stand_in,
    "ytick.labelsize": TEXT_PX,
    "ytick.major.size": 0.0,
    "ytick.minor.size": 0.0,
}


def num_named(total: int) -> int:
    """Return how many of so many losses, best first, a figure names."""
    return total if total <= _MOST_NAMED else _FEW_NAMED


def unnamed_note(total: int) -> str:
    """Return the sentence of a caption that says which losses have no name in the figure; nothing where all have."""
    rest = total - num_named(total)
    return f" Named are the {num_named(total)} best losses; the other {rest} are grey, and by name in the data." if rest else ""


class NothingToShow(Exception):
    """A figure has no data; the message says which are missing. Not a fault: the page says so and goes on."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """One of the two forms of a figure."""

    name: str
    """wide or narrow."""
    width_px: float
    """Width at which its text has its own size."""

    @property
    def narrow(self) -> bool:
        """Whether panels go below one another and labels above their rows."""
        return self.name == "narrow"


WIDE = Layout(name="wide", width_px=1040.0)
NARROW = Layout(name="narrow", width_px=372.0)


def new_figure(layout: Layout, height_px: float) -> Figure:
    """Return an empty figure of the layout's width."""
    return Figure(figsize=(layout.width_px / 72, height_px / 72), dpi=72)


def axes_at(figure: Figure, *, left: float, top: float, width: float, height: float, share_y: Axes | None = None) -> Axes:
    """Return axes at a place in pixels, counted from the figure's left and top edges."""
    full_width, full_height = figure.get_size_inches() * 72
    bottom = full_height - top - height
    axes = figure.add_axes((left / full_width, bottom / full_height, width / full_width, height / full_height), sharey=share_y)
    axes.set_axisbelow(True)
    axes.spines[["top", "right", "left"]].set_visible(False)
    return axes


def write(
    axes: Axes,
    text: str,
    at: tuple[float, float],
    offset: tuple[float, float] = (0.0, 0.0),
    *,
    where: str = "data",
    align: str = "left",
    level: str = "center_baseline",
    colour: str = MUTED.stand_in,
    size: float = TEXT_PX,
    bold: bool = False,
) -> None:
    """Write `text` `offset` pixels from `at`, in coordinates of the data, of the axes or of a row (x of the axes)."""
    axes.annotate(
        text,
        at,
        xytext=offset,
        xycoords={"data": "data", "axes": "axes fraction", "row": ("axes fraction", "data")}[where],
        textcoords="offset points",
        ha=align,
        va=level,
        color=colour,
        fontsize=size,
        fontweight="bold" if bold else "normal",
        annotation_clip=False,
        zorder=5,
    )


def name_axes(axes: Axes, *, x: str = "", y: str = "", grid: Literal["x", "y", "both"] = "y") -> None:
    """Label the axes (the vertical one horizontally, above it, where it can be read) and draw the grid of `grid`."""
    if x:
        axes.set_xlabel(x, loc="right", labelpad=8)
    if y:
        write(axes, y, (0, 1), (0, 14), where="axes", level="baseline")
    axes.grid(axis=grid)


class _Scores(ScalarFormatter):
    """Scores as they are written everywhere else: .80 for 0.80."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return one tick's label."""
        return bare(super().__call__(x, pos).replace(MINUS, "-")) if x else "0"


def score_axis(axis: Axis) -> None:
    """Label an axis of scores."""
    axis.set_major_formatter(_Scores(useOffset=False))


def panel_title(axes: Axes, text: str, rise: float = 14) -> None:
    """Write a panel's heading at its upper left."""
    write(axes, text, (0, 1), (0, rise), where="axes", level="baseline", colour=INK.stand_in, size=TEXT_PX + 1, bold=True)


def points(
    axes: Axes, x: Sequence[float], y: Sequence[float], look: Identity, *, filled: bool = True, size: float = 8.0, alpha: float = 1.0
) -> None:
    """Draw markers of a loss: filled ones outlined in the paper's colour, so that they stay apart where they meet; or hollow ones."""
    fill, edge = (look.mark, PAPER.stand_in) if filled else (PAPER.stand_in, look.mark)
    axes.plot(
        x,
        y,
        linestyle="none",
        marker=look.marker,
        markersize=size * look.scale,
        markerfacecolor=fill,
        markeredgecolor=edge,
        markeredgewidth=1.0 if filled else max(1.6, 0.18 * size),
        alpha=alpha,
        clip_on=False,
        zorder=4,
    )


def name_ends(axes: Axes, ends: Sequence[tuple[float, float]], names: Sequence[tuple[str, Identity]], height_px: float) -> None:
    """Write each line's name in the right margin, level with its end (x, y) as far as there is room, and join the two."""
    (low, high), right = axes.get_ylim(), axes.get_xlim()[1]
    levels = [(y - low) / (high - low) * height_px for _, y in ends]
    for (x, y), (text, look), level, moved in zip(ends, names, levels, spread(levels, 17, 0, height_px), strict=True):
        axes.plot([x, right], [y, y], color=look.mark, linewidth=1, dashes=(1, 2), clip_on=False)
        line = {"arrowstyle": "-", "color": look.mark, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
        axes.annotate("", (right, y), xytext=(9, moved - level), textcoords="offset points", arrowprops=line, annotation_clip=False)
        write(axes, text, (right, y), (12, moved - level), colour=look.text, bold=True)


def to_svg(draw: Callable[[], Figure]) -> str:
    """Draw in the report's style and return the figure as SVG with stand-in colours; the same input gives the same bytes."""
    out = io.StringIO()
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # 2026-11-24: a name in a script that matplotlib's own font lacks is measured a little wrong; the browser draws it well.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        draw().savefig(out, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return out.getvalue()
