"""Tiles: they cover every pixel once, see far enough, and mirror what lies outside."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_utils.tiles import Span, TileError, lay_tiles, smallest_tile_px


@st.composite
def layouts(draw: st.DrawFn) -> dict[str, int]:
    divisor = draw(st.sampled_from([1, 2, 4, 16]))
    margin_px = draw(st.integers(0, 40))
    return {
        "height": draw(st.integers(1, 300)),
        "width": draw(st.integers(1, 300)),
        "divisor": divisor,
        "margin_px": margin_px,
        "tile_px": smallest_tile_px(divisor, margin_px) + divisor * draw(st.integers(0, 12)),
    }


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_weights_add_up_to_one_everywhere(layout: dict[str, int]) -> None:
    total = torch.zeros(1, layout["height"], layout["width"])
    for tile in lay_tiles(**layout):
        seen = torch.ones(1, tile.rows.stop - tile.rows.start, tile.columns.stop - tile.columns.start)
        tile.add(total, seen)
    np.testing.assert_allclose(total.numpy(), 1.0, rtol=0, atol=2e-7)


@settings(max_examples=60, deadline=None)
@given(layouts())
def test_what_counts_is_a_margin_away_from_where_a_tile_ends(layout: dict[str, int]) -> None:
    divisor, origin = layout["divisor"], -((-layout["height"] % layout["divisor"]) // 2)
    spans = [tile.rows for tile in lay_tiles(**layout) if tile.columns.kept.start == 0]
    for span in spans:
        assert (span.start - origin) % divisor == 0 and (span.stop - span.start) % divisor == 0
        assert span.stop - span.start <= layout["tile_px"]
        assert span.start <= span.kept.start < span.kept.stop <= span.stop
        if len(spans) > 1:
            assert span.kept.start - span.start >= layout["margin_px"] <= span.stop - span.kept.stop
    for before, after in pairwise(spans):
        assert before.kept.stop - after.kept.start == divisor  # they fade over, and never three at a place
    assert (len(spans) == 1) == (layout["height"] + -layout["height"] % divisor <= layout["tile_px"])


@settings(max_examples=25, deadline=None)
@given(layouts())
def test_tiles_put_together_are_the_section(layout: dict[str, int]) -> None:
    section = np.random.default_rng(0).random((2, layout["height"], layout["width"]), dtype=np.float32)
    total = torch.zeros(section.shape)
    for tile in lay_tiles(**layout):
        tile.add(total, torch.from_numpy(np.ascontiguousarray(tile.cut(section))), 0.5)
    np.testing.assert_allclose(total.numpy(), 0.5 * section, rtol=0, atol=3e-7)


@pytest.mark.parametrize(("size", "start", "stop"), [(7, -3, 10), (7, 0, 7), (2, -5, 6), (1, -2, 3), (5, -20, 30)])
def test_outside_is_the_mirror_image(size: int, start: int, stop: int) -> None:
    span = Span(start=start, stop=stop, kept=slice(0, size), weight=np.ones(size, dtype=np.float32))
    expected = np.pad(np.arange(size), (-start, stop - size), mode="reflect" if size > 1 else "edge")
    np.testing.assert_array_equal(span.seen(size), expected)


def test_arrays_and_tensors_are_cut_alike_and_without_a_copy_where_nothing_is_mirrored() -> None:
    section = np.arange(2 * 100 * 60).reshape(2, 100, 60)
    tiles = lay_tiles(100, 60, divisor=4, tile_px=40, margin_px=6)
    for tile in tiles:
        np.testing.assert_array_equal(tile.cut(torch.from_numpy(section)).numpy(), tile.cut(section))
    inside = [tile for tile in tiles if np.shares_memory(tile.cut(section), section)]
    assert inside and len(inside) < len(tiles)


def test_a_section_that_fits_is_one_tile_without_a_margin() -> None:
    (tile,) = lay_tiles(30, 33, divisor=4, tile_px=64, margin_px=20)
    assert (tile.rows.start, tile.rows.stop, tile.columns.start, tile.columns.stop) == (-1, 31, -1, 35)
    assert len(lay_tiles(30, 5000, divisor=4)) == 1


@pytest.mark.parametrize(
    ("tile_px", "message"),
    [
        (62, "tiles of 62 px .* multiple of 4 px, and at least 56 px, since 20 px .* Take 64"),
        (40, "Take 56"),
        (0, "Take 56"),
        (-8, "Take 56"),
    ],
)
def test_sides_that_cannot_be_used_are_refused_with_the_nearest_that_can(tile_px: int, message: str) -> None:
    with pytest.raises(TileError, match=message):
        lay_tiles(100, 100, divisor=4, tile_px=tile_px, margin_px=18)
    lay_tiles(100, 100, divisor=4, tile_px=smallest_tile_px(4, 18), margin_px=18)
