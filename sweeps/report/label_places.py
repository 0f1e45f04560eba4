"""Where to write a label so that it covers neither a point nor another label."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Box:
    """A rectangle in pixels, y upwards."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: "Box") -> float:
        """Return the shared area."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(0.0, width) * max(0.0, height)


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where a label goes, as an offset in pixels from its point."""

    dx: float
    dy: float
    align: str
    """left, center or right."""
    vertical: str
    """center, bottom or top."""


def text_width(text: str, size_px: float) -> float:
    """Return the width of bold sans-serif text (of its longest line), on the safe side."""
    return 0.62 * size_px * max(map(len, text.split("\n")))


def box_around(x: float, y: float, half_width: float, half_height: float) -> Box:
    """Return the box around a point."""
    return Box(left=x - half_width, bottom=y - half_height, right=x + half_width, top=y + half_height)


def place_labels(
    points: Sequence[tuple[float, float]], texts: Sequence[str], obstacles: Sequence[Box], frame: Box, *, size_px: float, gap_px: float
) -> list[Place]:
    """Return a place for each text beside its point (pixels): the free one of eight, or the one that covers least.

    Right of the point is preferred; leaving the frame counts as much as covering something of the same area.
    """
    taken = list(obstacles)
    places = []
    for (x, y), text in zip(points, texts, strict=True):
        width, height = text_width(text, size_px), 1.25 * size_px * len(text.split("\n"))
        candidates = [(_box(x, y, place, width, height), place) for place in _places(gap_px)]
        costs = [
            sum(box.overlap(other) for other in taken) + 3 * (width * height - box.overlap(frame)) + 0.01 * rank
            for rank, (box, _) in enumerate(candidates)
        ]
        box, place = candidates[costs.index(min(costs))]
        taken.append(box)
        places.append(place)
    return places


def spread(positions: Sequence[float], gap: float, low: float, high: float) -> list[float]:
    """Return positions moved apart to at least `gap`, in the same order, as near to the given ones as that allows, within [low, high].

    Neighbours that collide are merged into a block that is centred on their mean (pool adjacent violators).
    """
    order = sorted(range(len(positions)), key=lambda i: positions[i])
    blocks: list[tuple[float, list[int]]] = []
    for index in order:
        centre, members = _within(positions[index], 1, gap, low, high), [index]
        while blocks and centre - blocks[-1][0] < gap * (len(members) + len(blocks[-1][1])) / 2:
            before, others = blocks.pop()
            mean = (before * len(others) + centre * len(members)) / (len(others) + len(members))
            members = others + members
            centre = _within(mean, len(members), gap, low, high)
        blocks.append((centre, members))
    moved = [0.0] * len(positions)
    for centre, members in blocks:
        for rank, index in enumerate(members):
            moved[index] = centre + gap * (rank - (len(members) - 1) / 2)
    return moved


def _within(centre: float, members: int, gap: float, low: float, high: float) -> float:
    half = gap * (members - 1) / 2
    return min(max(centre, low + half), max(high - half, low + half))


def _places(gap: float) -> tuple[Place, ...]:
    side = 0.75 * gap
    return (
        Place(dx=gap, dy=0, align="left", vertical="center"),
        Place(dx=-gap, dy=0, align="right", vertical="center"),
        Place(dx=side, dy=side, align="left", vertical="bottom"),
        Place(dx=side, dy=-side, align="left", vertical="top"),
        Place(dx=-side, dy=side, align="right", vertical="bottom"),
        Place(dx=-side, dy=-side, align="right", vertical="top"),
        Place(dx=0, dy=gap, align="center", vertical="bottom"),
        Place(dx=0, dy=-gap, align="center", vertical="top"),
    )


def _box(x: float, y: float, place: Place, width: float, height: float) -> Box:
    left = x + place.dx - {"left": 0.0, "center": width / 2, "right": width}[place.align]
    bottom = y + place.dy - {"bottom": 0.0, "center": height / 2, "top": height}[place.vertical]
    return Box(left=left, bottom=bottom, right=left + width, top=bottom + height)
