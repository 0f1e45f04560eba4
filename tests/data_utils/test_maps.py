"""Maps against slow forms written from their definitions, by hand on small sections, and for what must hold of every target."""

import math
import re
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage

from data_utils import maps
from data_utils.gaps import CAP_PX, cell_gap
from data_utils.maps import MAPS, maps_of, section_map, signed_distance, skeleton

_shapes = hnp.array_shapes(min_dims=2, max_dims=2, min_side=1, max_side=13)
_targets = hnp.arrays(bool, _shapes)
CELL, MEMBRANE, UNKNOWN, UNKNOWN_SAID_MEMBRANE = range(4)
#: what is written where the label is unknown must not matter
_partial = hnp.arrays(np.uint8, _shapes, elements=st.sampled_from([CELL, MEMBRANE, UNKNOWN, UNKNOWN_SAID_MEMBRANE]))


def slow_distance(target_HW: np.ndarray, known_HW: np.ndarray | None = None) -> np.ndarray:
    """To the nearest known pixel of the other class, pair by pair; of unknown pixels to the nearest that is known to be 1."""
    known_HW = np.ones_like(target_HW) if known_HW is None else known_HW
    places = np.argwhere(np.ones_like(target_HW)).reshape(*target_HW.shape, 2)
    found_HW = np.empty(target_HW.shape)
    for row, column in np.ndindex(target_HW.shape):
        mine = target_HW[row, column] and known_HW[row, column]
        others = places[(target_HW != mine) & known_HW]
        nearest = np.hypot(*(others - (row, column)).T).min() if len(others) else math.hypot(*target_HW.shape)
        found_HW[row, column] = -nearest if mine else nearest
    return found_HW


def slow_components(cell_HW: np.ndarray) -> list[np.ndarray]:
    """The pixels of each 4-connected component, by walking from each pixel not yet seen."""
    left = {tuple(place) for place in np.argwhere(cell_HW)}
    found = []
    while left:
        reached, edge = [], [left.pop()]
        while edge:
            row, column = edge.pop()
            reached.append((row, column))
            near = {(row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)} & left
            left -= near
            edge += near
        found.append(np.array(reached))
    return found


def slow_gap(cell_HW: np.ndarray) -> np.ndarray:
    """Ronneberger's d1 + d2 with every distance measured."""
    cells = slow_components(cell_HW)
    if len(cells) < 2:
        return np.full(cell_HW.shape, math.hypot(*cell_HW.shape))
    found_HW = np.empty(cell_HW.shape)
    for place in np.ndindex(cell_HW.shape):
        distances = sorted(min(np.hypot(*(cell - place).T).min(), CAP_PX) for cell in cells)
        found_HW[place] = distances[0] + distances[1]
    return found_HW


@given(target_HW=_targets)
@settings(max_examples=60, deadline=None)
def test_distance_is_what_its_definition_says(target_HW: np.ndarray) -> None:
    np.testing.assert_allclose(signed_distance(target_HW), slow_distance(target_HW), rtol=1e-6)


@given(cell_HW=_targets)
@settings(max_examples=60, deadline=None)
def test_gap_is_what_its_definition_says(cell_HW: np.ndarray) -> None:
    np.testing.assert_allclose(cell_gap(cell_HW), slow_gap(cell_HW), rtol=1e-6)


@given(labels_HW=_partial)
@settings(max_examples=60, deadline=None)
def test_of_partial_labels_only_known_pixels_are_cell_or_membrane(labels_HW: np.ndarray) -> None:
    known_HW = labels_HW <= MEMBRANE
    gap_HW = slow_gap(labels_HW == CELL)
    signed = {}
    for positive, ours in (("membrane", MEMBRANE), ("cell", CELL)):
        said = (MEMBRANE, UNKNOWN_SAID_MEMBRANE) if positive == "membrane" else (CELL, UNKNOWN)
        target_HW = np.isin(labels_HW, said)
        target_N1HW, mask_N1HW = (torch.from_numpy(array_HW)[None, None] for array_HW in (target_HW, known_HW))
        found = maps_of(target_N1HW, MAPS, positive=positive, mask_N1HW=mask_N1HW.float())
        for name, map_N1HW in found.items():
            assert np.array_equal(section_map(target_HW, name, positive=positive, counted_HW=known_HW), map_N1HW[0, 0])
        np.testing.assert_allclose(found["cell_gap"][0, 0], gap_HW, rtol=1e-6)
        np.testing.assert_array_equal(found["skeleton"][0, 0], skeleton(labels_HW == ours))
        signed[positive] = found["distance"][0, 0].numpy()
        np.testing.assert_allclose(signed[positive], slow_distance(target_HW, known_HW), rtol=1e-6)
        assert np.array_equal(signed[positive] < 0, labels_HW == ours)
    np.testing.assert_array_equal(signed["membrane"][known_HW], -signed["cell"][known_HW])


def test_an_unknown_patch_joins_no_cells_and_is_no_border() -> None:
    """Three cells between membranes 3 px wide, of which the lower rows are unknown: where labels are known the gap stays as it was."""
    membrane_HW = np.zeros((40, 60), bool)
    membrane_HW[:, 18:21] = membrane_HW[:, 38:41] = True
    known_HW = np.ones_like(membrane_HW)
    known_HW[30:] = False
    for positive in ("membrane", "cell"):
        target_HW = (membrane_HW == (positive == "membrane")) & known_HW
        gap_HW = section_map(target_HW, "cell_gap", positive=positive, counted_HW=known_HW)
        assert gap_HW[5, 19] == gap_HW[29, 19] == 4
        distance_HW = section_map(target_HW, "distance", positive=positive, counted_HW=known_HW)
        sign = 1 if positive == "membrane" else -1
        assert (distance_HW[:30, :18] == sign * np.arange(18, 0, -1)).all()


@pytest.mark.parametrize("positive", ["membrane", "cell"])
def test_a_class_without_a_known_pixel_is_a_diagonal_away(positive: str) -> None:
    """A section of 3 x 4, membrane in its known upper row; with `cell` no pixel is known to be 1."""
    known_HW = np.zeros((3, 4), bool)
    known_HW[0] = True
    target_HW = known_HW & (positive == "membrane")
    found_HW = section_map(target_HW, "distance", positive=positive, counted_HW=known_HW)
    expected = [[-5] * 4, [1] * 4, [2] * 4] if positive == "membrane" else [[5] * 4] * 3
    assert found_HW.tolist() == expected


@pytest.mark.parametrize("shape", [(3, 150), (150, 3), (90, 100)])
@pytest.mark.parametrize("cells", [2, 3, 40])
def test_gap_of_cells_that_are_far_apart_ends_at_the_cap(shape: tuple[int, int], cells: int) -> None:
    """Against one distance transform a cell, which is how others do it."""
    rng = np.random.default_rng(cells)
    cell_HW = np.zeros(shape, bool)
    cell_HW.reshape(-1)[rng.choice(cell_HW.size, cells, replace=False)] = True
    labels_HW, count = ndimage.label(cell_HW)
    each = np.stack([ndimage.distance_transform_edt(labels_HW != label) for label in range(1, count + 1)])
    first_HW, second_HW = np.sort(np.minimum(each, CAP_PX), axis=0)[:2]
    np.testing.assert_allclose(cell_gap(cell_HW), first_HW + second_HW, rtol=1e-6)
    assert cells == 40 or cell_gap(cell_HW).max() > CAP_PX


def test_gap_of_real_looking_cells(default_stack) -> None:
    cell_HW = ~default_stack.membrane_ZHW[0]
    labels_HW, count = ndimage.label(cell_HW)
    each = np.stack([ndimage.distance_transform_edt(labels_HW != label) for label in range(1, count + 1)])
    first_HW, second_HW = np.sort(np.minimum(each, CAP_PX), axis=0)[:2]
    np.testing.assert_allclose(cell_gap(cell_HW), first_HW + second_HW, rtol=1e-6)


def test_a_line_of_membrane_worked_by_hand() -> None:
    """cell, cell, membrane, membrane, membrane, cell: 1 px across the border, no 0 anywhere."""
    membrane_HW = np.array([[0, 0, 1, 1, 1, 0]], bool)
    assert signed_distance(membrane_HW).tolist() == [[2, 1, -1, -2, -1, 1]]
    assert cell_gap(~membrane_HW).tolist() == [[5, 4, 4, 4, 4, 4]]
    assert skeleton(np.pad(np.ones((3, 9), bool), 2)).sum(axis=0).max() == 1
    assert maps_of(torch.tensor([[[[0, 0, 1, 1, 1, 0]]]]), ["cell_gap"])["cell_gap"].tolist() == [[[[5, 4, 4, 4, 4, 4]]]]


def test_cells_that_touch_at_a_corner_are_two() -> None:
    cell_HW = np.array([[1, 0], [0, 1]], bool)
    assert cell_gap(cell_HW).tolist() == [[pytest.approx(math.sqrt(2)), 2], [2, pytest.approx(math.sqrt(2))]]


def test_the_middle_of_a_bar_is_its_skeleton() -> None:
    bar_HW = np.zeros((9, 20), bool)
    bar_HW[3:6, 2:18] = True
    found_HW = skeleton(bar_HW)
    assert found_HW.dtype == np.float32
    # its ends may bend
    assert np.argwhere(found_HW[:, 4:16]).tolist() == [[4, column] for column in range(12)]
    assert not found_HW[bar_HW == 0].any()


@pytest.mark.parametrize(
    ("fill", "distance", "thin", "gap"),
    [(0, 5.0, 0.0, 5.0), (1, -5.0, None, 5.0)],
)
def test_a_section_of_one_class_has_no_border(fill: int, distance: float, thin: float | None, gap: float) -> None:
    target_N1HW = torch.full((2, 1, 3, 4), fill)
    for positive in ("membrane", "cell"):
        found = maps_of(target_N1HW, MAPS, positive=positive)
        assert (found["distance"] == distance).all()
        assert (found["cell_gap"] == gap).all()
        assert thin is None or (found["skeleton"] == thin).all()


@given(target_HW=_targets)
@settings(max_examples=80, deadline=None)
def test_what_holds_of_every_target(target_HW: np.ndarray) -> None:
    distance_HW = signed_distance(target_HW)
    assert np.array_equal(distance_HW < 0, target_HW)
    assert (np.abs(distance_HW) >= 1).all()
    assert np.array_equal(signed_distance(~target_HW), -distance_HW)
    thin_HW = skeleton(target_HW) == 1
    assert not (thin_HW & ~target_HW).any()
    touching = np.ones((3, 3))
    assert ndimage.label(thin_HW, touching)[1] == ndimage.label(target_HW, touching)[1]
    gap_HW = cell_gap(target_HW)
    assert gap_HW.min() >= 1
    for name, function in (("distance", signed_distance), ("skeleton", skeleton), ("cell_gap", cell_gap)):
        found_HW = function(target_HW)
        assert found_HW.dtype == np.float32 and found_HW.shape == target_HW.shape and np.isfinite(found_HW).all(), name


@given(target_HW=_targets, turns=st.integers(0, 3), flipped=st.booleans())
@settings(max_examples=60, deadline=None)
@pytest.mark.parametrize("function", [signed_distance, cell_gap])
def test_distances_follow_flips_and_turns(function: Callable, target_HW: np.ndarray, turns: int, flipped: bool) -> None:
    def laid(array_HW: np.ndarray) -> np.ndarray:
        turned_HW = np.rot90(array_HW, turns)
        return turned_HW[::-1] if flipped else turned_HW

    np.testing.assert_array_equal(function(laid(target_HW)), laid(function(target_HW)))


@pytest.mark.parametrize("positive", ["membrane", "cell"])
@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.float32, torch.float64, torch.bfloat16])
def test_a_batch_has_the_maps_of_its_sections(positive: str, dtype: torch.dtype, default_stack) -> None:
    membrane_ZHW = default_stack.membrane_ZHW[:2, :40, :50]
    target_N1HW = torch.from_numpy(membrane_ZHW == (positive == "membrane"))[:, None].to(dtype)
    found = maps_of(target_N1HW, ["cell_gap", "distance"], positive=positive)
    assert list(found) == ["cell_gap", "distance"]
    for sample, membrane_HW in enumerate(membrane_ZHW):
        # the gap is of the cells, whichever class is positive; the distance turns its sign
        np.testing.assert_array_equal(found["cell_gap"][sample, 0], cell_gap(~membrane_HW))
        sign = 1 if positive == "membrane" else -1
        np.testing.assert_array_equal(found["distance"][sample, 0], sign * signed_distance(membrane_HW))
    assert all(tensor.dtype == torch.float32 and tensor.shape == target_N1HW.shape for tensor in found.values())


def test_what_is_no_map_or_no_batch_is_refused() -> None:
    with pytest.raises(ValueError, match="no map is called 'distanse', 'x'; there are distance, skeleton, cell_gap"):
        maps_of(torch.zeros(1, 1, 4, 4), ["distanse", "skeleton", "x"])
    with pytest.raises(
        ValueError, match=re.escape("maps need targets [N, 1, H, W], not empty, got [4, 4]; a single section is section[None, None]")
    ):
        maps_of(torch.zeros(4, 4), ["distance"])
    with pytest.raises(ValueError, match=re.escape("not empty, got [0, 1, 4, 4]")):
        maps_of(torch.zeros(0, 1, 4, 4), ["distance"])
    with pytest.raises(ValueError, match=re.escape("maps need a mask of the target's shape [2, 1, 4, 4], got [1, 1, 4, 4]")):
        maps_of(torch.zeros(2, 1, 4, 4), ["distance"], mask_N1HW=torch.ones(1, 1, 4, 4))
    with pytest.raises(ValueError, match="positive must be 'membrane' or 'cell', got 'axon'"):
        section_map(np.zeros((4, 4), bool), "cell_gap", positive="axon")


def test_every_map_says_what_it_is() -> None:
    for name, spec in MAPS.items():
        assert spec.name == name
        assert spec.unit in ("px", "0/1") and spec.of in ("positive", "cell")
        assert spec.meaning and re.search(r"\b(19|20)\d\d\b", spec.source)


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The maps that are computed, by name, with nothing kept from before."""
    made: list[str] = []

    def counting(spec: maps.MapSpec) -> maps.MapSpec:
        return maps.MapSpec(**vars(spec) | {"function": lambda *classes: (made.append(spec.name), spec.function(*classes))[1]})

    monkeypatch.setattr(maps, "MAPS", {name: counting(spec) for name, spec in MAPS.items()})
    monkeypatch.setattr(maps, "_cache", type(maps._cache)())
    return made


def test_a_section_has_its_map_made_once(counted: list[str]) -> None:
    target_HW = np.eye(8, 9, dtype=bool)
    first_HW = section_map(target_HW, "distance")
    assert section_map(target_HW.copy(), "distance") is first_HW
    assert not first_HW.flags.writeable
    section_map(target_HW, "cell_gap")
    section_map(~target_HW, "cell_gap", positive="cell")  # the same cells
    assert counted == ["distance", "cell_gap"]
    section_map(target_HW.reshape(9, 8), "distance")  # the same bits in another shape
    section_map(~target_HW, "distance")
    assert counted == ["distance", "cell_gap", "distance", "distance"]


def test_a_section_of_which_more_is_known_has_another_map(counted: list[str]) -> None:
    """The same pixels are known to be 1 in all of them: what is known to be 0 must tell them apart."""
    target_HW = np.eye(8, dtype=bool)
    left_HW = target_HW | (np.arange(8) < 3)
    masks = (None, left_HW, left_HW[:, ::-1] | target_HW, np.ones_like(target_HW))
    met = [section_map(target_HW, "distance", counted_HW=mask) for mask in masks]
    assert len(counted) == 3 and met[0] is met[3]
    assert len({map_HW.tobytes() for map_HW in met}) == 3


def test_what_is_kept_is_bounded_and_the_last_used_stays(counted: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maps, "_CACHE_BYTES", 3 * 4 * 64)  # three maps of 8 x 8
    targets = [np.eye(8, k=k, dtype=bool) for k in range(4)]
    for target_HW in targets[:3]:
        section_map(target_HW, "distance")
    section_map(targets[0], "distance")
    section_map(targets[3], "distance")  # the second is the oldest by now
    assert len(counted) == 4
    section_map(targets[0], "distance")
    assert len(counted) == 4
    section_map(targets[1], "distance")
    assert len(counted) == 5
    section_map(np.ones((40, 40), bool), "distance")  # larger than all that is kept: it is kept alone
    assert [map_HW.shape for map_HW in maps._cache.values()] == [(40, 40)]
