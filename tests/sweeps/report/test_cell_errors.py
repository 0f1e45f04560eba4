"""Which cells are merged and split, by hand on small maps and against a slow count; and where the lines lie that show it."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from sweeps.report import cell_errors as room
from sweeps.report.cell_errors import NUM_TINTS, SMALLEST_PX, CellErrors, cell_errors

BLOCK = 5


def cells(*rows: str) -> np.ndarray:
    """True but at `#`; each letter is a block of 5 x 5 px."""
    return np.kron(np.array([[letter != "#" for letter in row] for row in rows]), np.ones((BLOCK, BLOCK))).astype(bool)


def counts(found: CellErrors) -> tuple[int, int, int, int]:
    return found.num_cells, found.num_merged, found.num_merges, found.num_split


@pytest.mark.parametrize(
    ("truth", "proposal", "expected", "words"),
    [
        (("..#..",), ("..#..",), (2, 0, 0, 0), "none of 2 cells merged, none split"),
        (("..#..",), (".....",), (2, 2, 1, 0), "2 of 2 cells merged into 1, none split"),
        ((".....",), ("..#..",), (1, 0, 0, 1), "none of 1 cells merged, 1 split"),
        ((".#.#.#.",), ("...#...",), (4, 4, 2, 0), "4 of 4 cells merged into 2, none split"),
        (("..#..#.", "..#..#."), ("......#", "##..###"), (3, 2, 1, 0), "2 of 3 cells merged into 1, none split"),
        (("...#...", "...#..."), ("#######", "#######"), (2, 0, 0, 0), "none of 2 cells merged, none split"),
        (("###",), ("...",), (0, 0, 0, 0), "no cell to merge or split"),
        (("...", "###", "..."), (".#.", "...", ".#."), (2, 2, 1, 0), "2 of 2 cells merged into 1, none split"),
        (("...", "###", "..."), (".#.", ".#.", ".#."), (2, 2, 2, 2), "2 of 2 cells merged into 2, 2 split"),
    ],
)
def test_by_hand(truth: tuple[str, ...], proposal: tuple[str, ...], expected: tuple[int, ...], words: str) -> None:
    found = cell_errors(cells(*truth), cells(*proposal))
    assert counts(found) == expected
    assert found.describe() == words


@pytest.mark.parametrize(("covered", "merged"), [(9, 0), (10, 2)])
def test_a_segment_holds_a_cell_from_a_tenth_of_it(covered: int, merged: int) -> None:
    truth = np.zeros((10, 21), bool)
    truth[:, :10] = truth[:, 11:] = True  # two cells of 100 px
    proposal = truth.copy()
    proposal[:, 11:] = False
    proposal[0, 10] = True
    proposal.reshape(-1)[[at for at in range(10 * 21) if at % 21 >= 11][:covered]] = True
    assert cell_errors(truth, proposal).num_merged == merged


@pytest.mark.parametrize(("size", "number"), [(SMALLEST_PX - 1, 1), (SMALLEST_PX, 2)])
def test_specks_of_the_labels_count_for_nothing(size: int, number: int) -> None:
    truth = np.zeros((3, 60), bool)
    truth[:, 30:] = truth[1, :size] = True
    found = cell_errors(truth, np.ones_like(truth))
    assert (found.num_cells, found.num_merged) == (number, 2 if number == 2 else 0)


def test_the_lost_border_runs_in_the_middle_of_the_membrane_that_was_missed() -> None:
    found = cell_errors(cells("..#..", "..#..", "..###"), cells(".....", "..#..", "..###"))
    assert np.flatnonzero(found.lost_HW.any(axis=1)).tolist() == list(range(BLOCK)), "only where the membrane was missed"
    assert np.flatnonzero(found.lost_HW.any(axis=0)).tolist() in ([11, 12], [12, 13])
    assert not found.false_HW.any() and not found.split_HW.any()


def test_the_false_border_runs_through_the_split_cell() -> None:
    truth, proposal = cells("......", "..##.."), cells("..#...", "..##..")
    found = cell_errors(truth, proposal)
    assert np.array_equal(found.split_HW, truth)
    assert found.false_HW.any() and not found.false_HW[~truth].any() and not found.lost_HW.any()
    assert np.flatnonzero(found.false_HW.any(axis=0)).tolist() in ([11, 12], [12, 13])


def test_merges_beside_each_other_have_tints_that_differ() -> None:
    """Eight columns of two cells each, each column merged."""
    truth, proposal = cells(*[".#" * 8 + "."] * 2, "#" * 17, *[".#" * 8 + "."] * 2), cells(*[".#" * 8 + "."] * 5)
    found = cell_errors(truth, proposal)
    assert (found.num_merges, found.num_merged) == (9, 18)
    tints = [int(found.tint_HW[0, 2 * BLOCK * column]) for column in range(9)]
    assert all(a != b for a, b in pairwise(tints))
    assert set(tints) == set(range(1, NUM_TINTS + 1)), "each tint is used before one comes back"
    assert np.array_equal(found.tint_HW > 0, proposal)


def flooded(mask: np.ndarray) -> list[set[tuple[int, int]]]:
    """The 4-connected components, pixel by pixel."""
    left, parts = {(int(y), int(x)) for y, x in np.argwhere(mask)}, []
    while left:
        part, edge = set(), [left.pop()]
        while edge:
            y, x = edge.pop()
            part.add((y, x))
            near = {(y - 1, x), (y + 1, x), (y, x - 1), (y, x + 1)} & left
            left -= near
            edge += near
        parts.append(part)
    return parts


@given(st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda shape: st.tuples(*[arrays.arrays(bool, shape)] * 2)))
def test_against_a_slow_count(masks: tuple[np.ndarray, np.ndarray]) -> None:
    truth, proposal = masks
    smallest, room.SMALLEST_PX = room.SMALLEST_PX, 3
    try:
        found = cell_errors(truth, proposal)
    finally:
        room.SMALLEST_PX = smallest
    own, segments = [cell for cell in flooded(truth) if len(cell) >= 3], flooded(proposal)
    held = [
        (c, s)
        for c, cell in enumerate(own)
        for s, segment in enumerate(segments)
        if 10 * len(cell & segment) >= len(cell) and cell & segment
    ]
    merging = {s for _, s in held if sum(s == other for _, other in held) > 1}
    split = {c for c, _ in held if sum(c == other for other, _ in held) > 1}
    assert counts(found) == (len(own), len({c for c, s in held if s in merging}), len(merging), len(split))
    assert {(int(y), int(x)) for y, x in np.argwhere(found.tint_HW)} == set().union(*(segments[s] for s in merging))
    assert {(int(y), int(x)) for y, x in np.argwhere(found.split_HW)} == set().union(*(own[c] for c in split))
    assert not found.lost_HW[found.tint_HW == 0].any() and not found.false_HW[~found.split_HW].any()
    assert found.lost_HW.any() == bool(merging) and found.false_HW.any() == bool(split)
