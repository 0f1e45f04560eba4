"""The shape of one loss as a file: its value and its gradient against the logit of one pixel."""

import io
import textwrap
from dataclasses import replace
from pathlib import Path

import matplotlib
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from sweeps.loss_shape import Shape
from sweeps.report.canvas import STYLE, WIDE, axes_at, name_axes, name_ends, new_figure, panel_title, to_svg, write
from sweeps.report.palette import MUTED, ROLES, Identity, identity
from sweeps.report.svg import for_file
from unet.durable import write_durably

ENDINGS = (".svg", ".png")
_LIGHT = {role.stand_in: role.light for role in ROLES}
_PIXELS_PER_UNIT = 2
_LEFT, _TOP, _HEIGHT, _MARGIN, _CAPTION = 64.0, 62.0, 280.0, 96.0, 96.0


def save_loss_figure(shape: Shape, path: Path) -> None:
    """Write the figure as .svg or .png. ValueError for another ending, OSError where the file cannot be written."""
    if path.suffix not in ENDINGS:
        raise ValueError(f"a figure's name ends in {' or '.join(ENDINGS)}; got {str(path)!r}")
    if path.suffix == ".svg":
        write_durably(path, for_file(to_svg(lambda: _draw(shape, {})), title=f"The loss {shape.name}").encode())
        return
    out = io.BytesIO()
    with matplotlib.rc_context({key: _LIGHT.get(value, value) if isinstance(value, str) else value for key, value in STYLE.items()}):
        _draw(shape, _LIGHT).savefig(out, format="png", dpi=72 * _PIXELS_PER_UNIT, facecolor="white", metadata={"Software": None})
    write_durably(path, out.getvalue())


def _draw(shape: Shape, colours: dict[str, str]) -> Figure:
    """`colours` replaces stand-ins where nothing replaces them afterwards."""
    figure = new_figure(WIDE, _TOP + _HEIGHT + 58 + _CAPTION)
    width = WIDE.width_px / 2 - _LEFT - _MARGIN
    looks = [_look(number, colours) for number in range(len(shape.curves))]
    for number, (title, of) in enumerate((("The loss of the scene", "values"), ("Its gradient", "gradients"))):
        axes = axes_at(figure, left=_LEFT + number * WIDE.width_px / 2, top=_TOP, width=width, height=_HEIGHT)
        ends = []
        for curve, look in zip(shape.curves, looks, strict=True):
            axes.plot(curve.logits, getattr(curve, of), color=look.mark, linewidth=2.2)
            ends.append((curve.logits[-1], getattr(curve, of)[-1]))
        axes.set_xlim(shape.curves[0].logits[0], shape.curves[0].logits[-1])
        panel_title(axes, f"{title}: {shape.name}" if number == 0 else title, rise=34)
        name_axes(axes, x="logit of the pixel", grid="both")
        names = [(curve.pixel, look) for curve, look in zip(shape.curves, looks, strict=True)]
        name_ends(axes, ends, names, _HEIGHT)
        if number == 0:
            _caption(axes, shape.caption, colours)
    return figure


def _look(number: int, colours: dict[str, str]) -> Identity:
    look = identity(number)
    return replace(look, mark=colours.get(look.mark, look.mark), text=colours.get(look.text, look.text))


def _caption(axes: Axes, text: str, colours: dict[str, str]) -> None:
    colour = colours.get(MUTED.stand_in, MUTED.stand_in)
    for number, line in enumerate(textwrap.wrap(text, 150)):
        write(axes, line, (0, 0), (0, -68 - 18 * number), where="axes", level="baseline", colour=colour)
