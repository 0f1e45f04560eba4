"""How far a U-Net looks, found by poking it."""

import pytest
import torch
from torch import nn

from unet.context import context_px, default_tile_px, plan_tiles
from unet.model import UNet


def positive(depth: int) -> UNet:
    """A network in which every pixel that can have a say has one: positive weights, no batch normalisation to speak of."""
    model = UNet(width=1, depth=depth).double().eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(0.1)
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1.0)
                module.bias.fill_(0.0)
    return model


def reach(model: UNet, size: int, place: int) -> int:
    """How far from a pixel lies the farthest that a change of it changes, along a row; the answer of a network is asked, not its source."""
    image = torch.zeros(1, 1, size, size, dtype=torch.float64)
    poked = image.clone()
    poked[0, 0, size // 2, place] = 1e9
    with torch.no_grad():
        changed = (model(poked) != model(image))[0, 0].any(dim=0).nonzero()[:, 0]
    return max(place - int(changed.min()), int(changed.max()) - place)


@pytest.mark.parametrize(("depth", "expected"), [(1, 2), (2, 9), (3, 23), (4, 51)])
def test_exactly_so_far_and_no_farther(depth: int, expected: int) -> None:
    size, blocks = 16 * 2**depth, 2 ** (depth - 1)
    model = positive(depth)
    assert max(reach(model, size, size // 2 + place) for place in range(blocks)) == expected == context_px(depth)


def test_the_network_of_the_thesis_looks_107_px_far() -> None:
    assert context_px(5) == 107


@pytest.mark.parametrize("depth", range(1, 9))
def test_default_tiles_are_usable_and_keep_half_of_their_side(depth: int) -> None:
    model = UNet(width=1, depth=depth)
    tiles = plan_tiles(model, 4000, 5000, default_tile_px(depth))
    assert len(tiles) > 1
    assert all(tile.rows.stop - tile.rows.start == default_tile_px(depth) for tile in tiles)
    assert default_tile_px(depth) >= 4 * context_px(depth)
