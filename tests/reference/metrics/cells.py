"""Scores of cells: every pair of pixels looked at, every wrong pixel flipped and the section labelled anew."""

import math
from itertools import combinations

import numpy as np

from tests.reference.metrics.floods import EIGHT, FOUR, components


def rand_pairs(truth, found) -> tuple[int, int, int]:
    """Pairs of true pixels together in both, in the truth, in what was found; found 0 is together with nothing."""
    at = list(zip(*np.nonzero(truth), strict=True))
    both = in_truth = in_found = 0
    for one, other in combinations(at, 2):
        same_truth = truth[one] == truth[other]
        same_found = found[one] > 0 and found[one] == found[other]
        both, in_truth, in_found = both + (same_truth and same_found), in_truth + same_truth, in_found + same_found
    return int(both), int(in_truth), int(in_found)


def f_error(both: int, in_truth: int, in_found: int) -> float:
    return 1 - 2 * both / (in_truth + in_found) if in_truth + in_found else 0.0


def rand_error(cell, membrane, counted) -> float:
    return f_error(*rand_pairs(components(~membrane & counted), components(cell)))


def bits(truth, found) -> tuple[float, float]:
    """H(found | truth) and H(truth | found) of the pixels of true segments."""
    at = list(zip(*np.nonzero(truth), strict=True))
    split = merge = 0.0
    for i, j in {(truth[index], found[index]) for index in at}:
        p = sum(truth[index] == i and found[index] == j for index in at) / len(at)
        a = sum(truth[index] == i for index in at) / len(at)
        b = sum(found[index] == j for index in at) / len(at)
        split, merge = split - p * math.log2(p / a), merge - p * math.log2(p / b)
    return split, merge


def nearest_cells(cell) -> list[list[set[int]]]:
    """The numbers of the cells that are nearest to each pixel, all of those that are equally near."""
    labels = components(cell)
    at = list(zip(*np.nonzero(cell), strict=True))
    rows = []
    for row in range(cell.shape[0]):
        rows.append([])
        for column in range(cell.shape[1]):
            near = min((row - r) ** 2 + (column - c) ** 2 for r, c in at)
            rows[-1].append({int(labels[r, c]) for r, c in at if (row - r) ** 2 + (column - c) ** 2 == near})
    return rows


def is_simple(cell, at) -> bool:
    """Bertrand & Malandain 1994, in two dimensions: one piece of cell, by its sides, and one of membrane touch the pixel."""
    cell_ring, membrane_ring = (
        np.pad(mask, 1, constant_values=fill)[at[0] : at[0] + 3, at[1] : at[1] + 3].copy() for mask, fill in ((cell, False), (~cell, True))
    )
    cell_ring[1, 1] = membrane_ring[1, 1] = False
    cells = components(cell_ring, FOUR)
    beside = {int(cells[1 + down, 1 + right]) for down, right in FOUR} - {0}
    return len(beside) == 1 and components(membrane_ring, EIGHT).max() == 1


def warp(source, target, movable=None) -> np.ndarray:
    """Flip one pixel after the other, in the order of the four sub-lattices, until a whole round flips none."""
    cell, movable = source.copy(), np.ones_like(source) if movable is None else movable
    while True:
        before = cell.copy()
        for turn in ((0, 0), (0, 1), (1, 0), (1, 1)):
            # The sub-lattice counts from a border of one pixel.
            for row in range((turn[0] + 1) % 2, cell.shape[0], 2):
                for column in range((turn[1] + 1) % 2, cell.shape[1], 2):
                    at = (row, column)
                    if movable[at] and cell[at] != target[at] and is_simple(cell, at):
                        cell[at] = target[at]
        if (cell == before).all():
            return cell


def warping_pixels(truth, cell, counted=None) -> int:
    """Pixels that still differ after warping and that split or merge: the section is labelled anew for each."""
    counted = np.ones_like(truth) if counted is None else counted
    truth = truth & counted
    if truth.any() and not cell.any():
        return int(counted.sum())
    warped, wrong = warp(truth, cell, counted), 0
    for at in zip(*np.nonzero((warped != cell) & counted), strict=True):
        without = warped.copy()
        without[at] = False
        labels = np.pad(components(without), 1)[at[0] : at[0] + 3, at[1] : at[1] + 3]
        wrong += len(set(labels.reshape(-1).tolist()) - {0}) > 1
    return wrong
