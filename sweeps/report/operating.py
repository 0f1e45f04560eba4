"""The figure of docs/statistics.md: how often a difference is found, by its size, for several designs. Not part of a report."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.figure import Figure

from sweeps.report.canvas import WIDE, axes_at, name_axes, new_figure, to_svg, write
from sweeps.report.palette import INK, MARKS, MUTED, RULE
from sweeps.report.svg import for_file
from unet.durable import write_durably

TITLE = "How often a true difference is found"
_WANTED = 0.8


def write_curves(path: Path, curves: Mapping[str, Sequence[tuple[float, float]]], *, metric: str) -> None:
    """Write the curves as an SVG. `curves` maps a design's name to (true difference, share of sweeps that find it)."""
    write_durably(path, for_file(to_svg(lambda: _draw(curves, metric)), title=TITLE).encode())


def _draw(curves: Mapping[str, Sequence[tuple[float, float]]], metric: str) -> Figure:
    figure = new_figure(WIDE, 420)
    axes = axes_at(figure, left=60, top=48, width=WIDE.width_px - 300, height=300)
    axes.set_ylim(0, 1)
    axes.set_xlim(0, max(difference for curve in curves.values() for difference, _ in curve))
    name_axes(axes, x=f"true difference in {metric}", y="share of sweeps that find it", grid="y")
    axes.axhline(_WANTED, color=RULE.stand_in, linewidth=2)
    write(axes, "four in five", (1, _WANTED), (12, 0), where="row", colour=MUTED.stand_in)
    for number, ((name, curve), role) in enumerate(zip(curves.items(), MARKS, strict=False)):
        x, y = zip(*curve, strict=True)
        axes.plot(x, y, color=role.stand_in, linewidth=2, marker="o", markersize=5)
        # the curves lie so close that names beside them would cover each other
        row = 0.62 - 0.08 * number
        axes.plot([1.04, 1.09], [row, row], color=role.stand_in, linewidth=2, transform=axes.transAxes, clip_on=False)
        write(axes, name, (1, row), (78, 0), where="row", colour=INK.stand_in)
    return figure
