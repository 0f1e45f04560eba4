"""How far a U-Net looks: how many pixels around a pixel have a say in its logit. H rows, W columns."""

from typing import TYPE_CHECKING

from data_utils.tiles import Tile, lay_tiles

if TYPE_CHECKING:
    from unet.model import UNet

DEFAULT_TILE_PX = 1024
"""Side of a tile, and of the largest section that is seen whole, where nobody says otherwise; more for networks that look very far."""


def context_px(depth: int) -> int:
    """Return the largest distance along an axis from a pixel to one that its logit depends on.

    Two 3x3 convolutions a level look 2 px of that level to either side; where a pixel lies in the blocks of 2**(depth - 1) that the network
    halves decides how far that is, so the largest over all places counts. 92 + 15 = 107 px at depth 5.
    """
    places = range(2 ** (depth - 1))
    reached = [_needed(1, depth, place, place) for place in places]
    return max(max(place - first, last - place) for place, (first, last) in zip(places, reached, strict=True))


def _needed(level: int, depth: int, first: int, last: int) -> tuple[int, int]:
    """Return which positions of a level's input its output from `first` to `last` depends on."""
    if level < depth:
        first, last = first - 2, last + 2  # the expanding path's pair of convolutions
        below, above = _needed(level + 1, depth, first // 2, last // 2)  # an up-convolution makes two of one
        first, last = min(first, 2 * below), max(last, 2 * above + 1)  # pooling makes one of two
    return first - 2, last + 2


def plan_tiles(model: "UNet", height: int, width: int, tile_px: int | None) -> list[Tile]:
    """Return the tiles in which a network sees a section so that they come out as the section seen whole; None: one tile.

    Raises TileError for a side that this network cannot use.
    """
    return lay_tiles(height, width, divisor=2 ** (model.depth - 1), tile_px=tile_px, margin_px=context_px(model.depth))


def default_tile_px(depth: int) -> int:
    """Return the side of tiles where nobody says one: at least four margins, so that less than three quarters of it is thrown away."""
    divisor = 2 ** (depth - 1)
    return max(DEFAULT_TILE_PX, 4 * (-(-context_px(depth) // divisor)) * divisor)
