"""A line chart made of text: dots of braille, eight to a character, or stars where the terminal knows no braille."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

#: braille's bit of each dot, by row and column of the 4 x 2 in a character
_BITS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))
_BRAILLE = 0x2800
_LABEL = 9


@dataclass(frozen=True, kw_only=True)
class Chart:
    """One curve, and how large it is drawn."""

    title: str
    """Above the curve."""
    x: Sequence[float]
    """Ascending."""
    y: Sequence[float]
    """One value a place of x; what is not finite leaves a gap."""
    width: int = 38
    """Characters of a line, the labels of the axis with them."""
    height: int = 7
    """Lines of the curve alone."""
    braille: bool = True
    """False: stars, for terminals that know ASCII only."""

    def lines(self) -> list[str]:
        """The chart: the title, the curve with its highest and lowest value at the left, and the ends of x below; each `width` wide."""
        columns = self.width - _LABEL - 1
        low, high = self._range()
        # What is 0 beside the other end is the rounding's, and is written so.
        ends = [0.0 if abs(end) < 1e-6 * max(abs(low), abs(high)) else end for end in (high, low)]
        labels = [f"{ends[0]:.3g}", *[""] * (self.height - 2), f"{ends[1]:.3g}"]
        bar = chr(0x2502) if self.braille else "|"
        rows = self._rows(columns, low, high)
        body = [f"{label:>{_LABEL}}{bar}{row}" for label, row in zip(labels, rows, strict=True)]
        first, last = f"{self.x[0]:g}", f"{self.x[-1]:g}"
        middle = f"{(self.x[0] + self.x[-1]) / 2:g}".center(columns - len(first) - len(last))
        title = self.title[: self.width]
        return [line.ljust(self.width) for line in (title, *body, " " * (_LABEL + 1) + first + middle + last)]

    def _range(self) -> tuple[float, float]:
        known = [value for value in self.y if math.isfinite(value)]
        low, high = min(known, default=0.0), max(known, default=1.0)
        # A curve that is flat to rounding is drawn flat, not as its noise.
        if high - low <= 1e-6 * max(abs(low), abs(high)):
            room = 0.5 * max(abs(low), abs(high)) or 1.0
            return low - room, high + room
        return low, high

    def _rows(self, columns: int, low: float, high: float) -> list[str]:
        across, down = 2 * columns, 4 * self.height
        dots = [[False] * across for _ in range(down)]
        if low < 0 < high:
            zero = round(high / (high - low) * (down - 1))
            dots[zero] = [column % 4 == 0 for column in range(across)]
        before: int | None = None
        for column in range(across):
            value = self._at(column / (across - 1))
            if not math.isfinite(value):
                before = None
                continue
            row = min(max(round((high - value) / (high - low) * (down - 1)), 0), down - 1)
            start = row if before is None else before + (row > before) - (row < before)
            for between in range(min(start, row), max(start, row) + 1):
                dots[between][column] = True
            before = row
        return [self._text(dots[4 * line : 4 * line + 4], columns) for line in range(self.height)]

    def _at(self, share: float) -> float:
        """The curve at a share of the range of x, on the straight line between the places beside it."""
        x = self.x[0] + share * (self.x[-1] - self.x[0])
        right = next((index for index, place in enumerate(self.x) if place >= x), len(self.x) - 1)
        left = max(right - 1, 0)
        width = self.x[right] - self.x[left]
        part = (x - self.x[left]) / width if width else 1.0
        return self.y[right] if part >= 1 else self.y[left] + part * (self.y[right] - self.y[left])

    def _text(self, dots: list[list[bool]], columns: int) -> str:
        characters = []
        for column in range(columns):
            cell = [(bits[side], row[2 * column + side]) for bits, row in zip(_BITS, dots, strict=True) for side in (0, 1)]
            code = sum(bit for bit, is_set in cell if is_set)
            characters.append(chr(_BRAILLE + code) if self.braille else "*" if code else " ")
        return "".join(characters)
