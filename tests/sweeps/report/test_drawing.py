"""Where labels go, what becomes of matplotlib's SVG, and the pictures' pixels."""

import io
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.image
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

from sweeps.report.canvas import NARROW, WIDE, new_figure, to_svg, write
from sweeps.report.differences import pairs_of
from sweeps.report.label_places import Box, box_around, place_labels, spread
from sweeps.report.overview import survey
from sweeps.report.palette import INK
from sweeps.report.png import to_png
from sweeps.report.svg import for_file, for_page
from sweeps.report.timeline import _ticks, bars_of, busy, concurrency
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import make_record


@given(st.lists(st.floats(0, 300), max_size=12), st.floats(1, 20))
def test_spread_positions_keep_order_distance_and_bounds(positions: list[float], gap: float) -> None:
    moved = spread(positions, gap, 0, 300)
    ordered = [moved[i] for i in sorted(range(len(positions)), key=lambda i: positions[i])]
    assert all(b - a >= gap - 1e-6 for a, b in pairwise(ordered))
    assert all(-1e-6 <= place <= 300 + 1e-6 for place in moved)


def test_spread_leaves_alone_what_is_apart() -> None:
    assert spread([10, 200, 100], 15, 0, 300) == [10, 200, 100]


def test_labels_avoid_points_and_each_other() -> None:
    points = [(100.0, 100.0), (112.0, 104.0), (300.0, 290.0)]
    obstacles = [box_around(x, y, 6, 6) for x, y in points]
    frame = Box(left=0, bottom=0, right=320, top=300)
    places = place_labels(points, ["dice", "iou", "tversky"], obstacles, frame, size_px=14, gap_px=12)
    assert places[0].align == "right"  # to its right stands the other point
    assert places[1].align == "left"
    assert places[2].align == "right"  # there is no room at the right edge


def _drawing() -> Figure:
    figure = new_figure(WIDE, 100)
    axes = figure.add_axes((0.1, 0.1, 0.8, 0.8))
    axes.plot([0, 1], [0, 1], color=INK.stand_in, marker="o")
    write(axes, "a $x$ <b> & more", (0.5, 0.5), bold=True)
    return figure


def test_page_form_has_no_style_and_follows_the_theme() -> None:
    svg = for_page(to_svg(_drawing), name="front-wide", label='says "so"')
    root = ElementTree.fromstring(svg)
    assert "style" not in svg
    assert INK.stand_in not in svg
    assert f"var({INK.variable})" in svg
    assert root.attrib["role"] == "img"
    assert root.attrib["aria-label"] == 'says "so"'
    assert "width" not in root.attrib
    assert "a $x$ <b> & more" in "".join(root.itertext())
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert ids and all(identifier.startswith("front-wide-") for identifier in ids)
    targets = [element.attrib["href"][1:] for element in root.iter() if "href" in element.attrib]
    assert targets and set(targets) <= set(ids)


def test_file_form_stands_alone() -> None:
    svg = for_file(to_svg(_drawing), title="Quality & time")
    root = ElementTree.fromstring(svg)
    assert root[0].text == "Quality & time"
    assert "var(" not in svg
    assert INK.light in svg


def test_layouts_differ_in_more_than_scale(tmp_path: Path) -> None:
    from sweeps.report import front

    record = make_record(tmp_path / "demo", losses=("bce", "dice"), trials=2, seeds=2, epochs=3, pictures=False)
    overview = survey(record, compute_verdict(record))
    wide, narrow = (front.draw(overview, layout).get_size_inches() for layout in (WIDE, NARROW))
    assert wide[0] / wide[1] > 1.5 > narrow[0] / narrow[1]


def test_png_holds_its_pixels() -> None:
    palette = np.array([[0, 0, 0], [255, 0, 0], [0, 128, 255]], np.uint8)
    index = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    read = matplotlib.image.imread(io.BytesIO(to_png(index, palette)), format="png")
    assert np.array_equal((read[..., :3] * 255).round().astype(np.uint8), palette[index])


@pytest.mark.parametrize("index", [np.zeros((0, 3), np.uint8), np.zeros(3, np.uint8)])
def test_png_refuses_what_is_no_picture(index: np.ndarray) -> None:
    with pytest.raises(ValueError, match="two axes and at least one pixel"):
        to_png(index, np.zeros((1, 3), np.uint8))


def test_png_refuses_an_index_outside_its_palette() -> None:
    with pytest.raises(ValueError, match="index 7 in a palette of 3 colours"):
        to_png(np.full((2, 2), 7, np.uint8), np.zeros((3, 3), np.uint8))


def test_pairs_put_the_better_loss_first(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo", losses=("bce", "dice"), trials=1, seeds=2, epochs=2, pictures=False)
    pair = {"a": "bce", "b": "dice", "difference": -0.02, "low": -0.03, "high": -0.01, "p": 0.01, "p_holm": 0.02, "significant": True}
    (turned,) = pairs_of(survey(record, {"pairs": [pair]}))
    assert (turned.a, turned.b, turned.difference, turned.low, turned.high) == ("dice", "bce", 0.02, 0.01, 0.03)
    assert turned.words == "dice is ahead"
    (tied,) = pairs_of(survey(record, {"pairs": [pair | {"significant": False}]}))
    assert tied.words == "tie"


def test_utilisation_counts_overlaps_once(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo", losses=("bce",), trials=4, seeds=0, epochs=2, pictures=False)
    spans = ((0, 10, "a"), (5, 10, "a"), (0, 4, "b"), (6, 10, "b"))
    trials = tuple(
        replace(t, started_at=100.0 + start, ended_at=100.0 + end, worker=worker)
        for t, (start, end, worker) in zip(record.trials, spans, strict=True)
    )
    bars = bars_of(survey(replace(record, trials=trials), {}))
    assert busy(bars) == {"a": 1.0, "b": 0.8}
    assert concurrency(bars) == (2.3, 3)


@pytest.mark.parametrize("span", [0.5, 7, 95, 760, 7300, 90_000, 3_000_000])
@pytest.mark.parametrize("most", [3, 8])
def test_ticks_are_few_and_round(span: float, most: int) -> None:
    ticks = _ticks(span, most)
    assert ticks[0] == 0
    assert len(ticks) <= most + 1
    assert ticks[-1] <= span
