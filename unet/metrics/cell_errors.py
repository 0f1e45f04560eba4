"""The scores of cells beside the challenge's: pairs of pixels, variation of information, warping error.

True cells are the 4-connected components of known pixels that are no membrane, found cells those of what was found. The scores differ in
what they do with found membrane inside a true cell: for the Rand error each such pixel is alone, so thicker membranes cost much, as in the
challenge's first tables; for adapted Rand error and variation of information it goes to the nearest found cell, so that they tell of cuts
and joins and not of thickness. V_rand lies between: its watershed leaves a line of one pixel, of which each pixel is alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import ndimage

from unet.metrics.partitions import Overlaps, Pairs, rand_f_error
from unet.metrics.sections import SectionScores, chosen_names, known_pixels, mean_of_known
from unet.metrics.warping import split_and_merge_pixels

_PARTITIONS = ("adapted_rand_error", "vi_split", "vi_merge")
_NAMES = ("rand_error", "warping_error", *_PARTITIONS)
_NAN = float("nan")


@dataclass(frozen=True, kw_only=True)
class _Section:
    """What one section adds to the scores; None or NaN for what it cannot have or nobody asked for."""

    num_known: int
    pairs: Pairs | None = None
    num_warping_errors: int = 0
    partition: tuple[float, float, float] = (_NAN, _NAN, _NAN)

    @classmethod
    def of(cls, cell_HW: np.ndarray, truth_HW: np.ndarray, counted_HW: np.ndarray, names: Sequence[str]) -> Self:
        truth, found, asked = _label(truth_HW), _label(cell_HW), set(names)
        has_cell = bool(truth_HW.any())
        return cls(
            num_known=int(np.count_nonzero(counted_HW)),
            pairs=Overlaps.of(truth, found).pairs() if has_cell and "rand_error" in asked else None,
            num_warping_errors=split_and_merge_pixels(truth_HW, cell_HW, counted_HW) if "warping_error" in asked else 0,
            partition=_partition_scores(truth, found) if has_cell and not asked.isdisjoint(_PARTITIONS) else (_NAN, _NAN, _NAN),
        )


def cell_scores(
    cell_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None = None, *, names: Sequence[str] | None = None
) -> SectionScores:
    """Return Rand error, warping error, adapted Rand error and variation of information; METRICS has formula, range and edge cases.

    A section without a labelled cell has only a warping error, one without a known pixel has nothing (NaN).

    Args:
        cell_ZHW: bool [Z, H, W], True inside cells that were found, after any clean-up.
        membrane_ZHW: bool, the same shape, True where membrane is marked.
        counted_ZHW: bool, True where the label is known; None: everywhere. Cells are only scored where it is.
        names: scores to compute; None: all of them.

    Raises:
        ValueError: Other shapes or types, or a name that there is not.
    """
    names = chosen_names(names, _NAMES)
    counted_ZHW = known_pixels({"cell": cell_ZHW, "membrane": membrane_ZHW}, counted_ZHW)
    truth_ZHW = ~membrane_ZHW & counted_ZHW
    parts = [_Section.of(*section, names) for section in zip(cell_ZHW, truth_ZHW, counted_ZHW, strict=True)]
    sections = {
        "rand_error": tuple(_NAN if part.pairs is None else rand_f_error(part.pairs) for part in parts),
        "warping_error": tuple(_share(part.num_warping_errors, part.num_known) for part in parts),
        **{name: tuple(part.partition[place] for part in parts) for place, name in enumerate(_PARTITIONS)},
    }
    values = {name: mean_of_known(sections[name]) for name in _PARTITIONS}
    values["rand_error"] = pooled_rand_error([part.pairs for part in parts if part.pairs is not None])
    values["warping_error"] = _share(sum(part.num_warping_errors for part in parts), sum(part.num_known for part in parts))
    return SectionScores(values={name: values[name] for name in names}, sections={name: sections[name] for name in names})


def pooled_rand_error(pairs: Sequence[Pairs]) -> float:
    """Return the Rand error of sections together; pairs are within one section. NaN of none."""
    return rand_f_error(Pairs(*(sum(numbers) for numbers in zip(*pairs, strict=True)))) if pairs else _NAN


def section_pairs(cell_HW: np.ndarray, truth_HW: np.ndarray) -> Pairs:
    """Return the pairs of pixels of true cells that are together; found membrane is together with nothing."""
    return Overlaps.of(_label(truth_HW), _label(cell_HW)).pairs()


def _partition_scores(truth_HW: np.ndarray, found_HW: np.ndarray) -> tuple[float, float, float]:
    """Return adapted Rand error, split and merge of two labelled sections, the found one filled."""
    overlaps = Overlaps.of(truth_HW, fill_membrane(found_HW))
    return rand_f_error(overlaps.pairs()), overlaps.split_bits(), overlaps.merge_bits()


def fill_membrane(found_HW: np.ndarray) -> np.ndarray:
    """Give found membrane (0) to the nearest cell, by Euclidean distance; without any cell each pixel is a segment of its own."""
    if not found_HW.any():
        return np.arange(1, found_HW.size + 1).reshape(found_HW.shape)
    nearest = ndimage.distance_transform_edt(found_HW == 0, return_distances=False, return_indices=True)
    return found_HW[tuple(nearest)]  # type: ignore[arg-type]


def _label(cell_HW: np.ndarray) -> np.ndarray:
    labels_HW = np.zeros(cell_HW.shape, dtype=np.int32)
    ndimage.label(cell_HW, output=labels_HW)
    return labels_HW


def _share(part: int, whole: int) -> float:
    return part / whole if whole else _NAN
