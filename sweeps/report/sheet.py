"""A sheet of paper as a PNG of one byte a pixel: words on white, and pictures laid on it, each of their pixels as it is."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import IdentityTransform

from sweeps.report import png
from sweeps.report.canvas import STYLE

LINE = 40
"""Height of a line of text, px."""
TEXT_PX = 21.0

_DPI = 100


@dataclass(frozen=True)
class Word:
    """A line of text: where it begins, and how far its middle is from the top."""

    text: str
    left: int
    level: int
    bold: bool = False
    size: float = TEXT_PX


class Sheet:
    """One picture with one palette."""

    def __init__(self, words: Sequence[Word], width: int, height: int) -> None:
        """Begin with words in 64 greys on white."""
        ramp = [(grey, grey, grey) for grey in (4 * level + level // 16 for level in range(64))]
        self._places = {colour: place for place, colour in enumerate(ramp)}
        self._index_HW = _written(words, width, height) // 4

    def lay(self, top: int, left: int, index_HW: np.ndarray, palette_K3: np.ndarray) -> None:
        """Lay a picture at a place. ValueError where the sheet would have more than 256 colours, the 64 greys among them."""
        own = [self._places.setdefault(tuple(colour), len(self._places)) for colour in palette_K3.tolist()]
        if len(self._places) > 256:
            raise ValueError(f"a sheet has at most 256 colours; with this picture's {len(palette_K3)} it would have {len(self._places)}")
        height, width = index_HW.shape
        self._index_HW[top : top + height, left : left + width] = np.array(own, np.uint8)[index_HW]

    def to_png(self) -> bytes:
        """Return the file."""
        return png.to_png(self._index_HW, np.array(list(self._places), np.uint8))


def _written(words: Sequence[Word], width: int, height: int) -> np.ndarray:
    """Return the words on white, uint8 [H, W]."""
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        # 2026-11-25: matplotlib's own font lacks some scripts; a name in one of them is drawn as boxes, and is right in the page.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        figure = Figure(figsize=((width + 0.5) / _DPI, (height + 0.5) / _DPI), dpi=_DPI, facecolor="white")
        for word in words:
            figure.text(
                word.left,
                height - word.level,
                word.text,
                transform=IdentityTransform(),
                va="center_baseline",
                fontsize=word.size * 72 / _DPI,
                fontweight="bold" if word.bold else "normal",
                color="black",
            )
        canvas = FigureCanvasAgg(figure)
        canvas.draw()
        return np.asarray(canvas.buffer_rgba())[:height, :width, 0].copy()
