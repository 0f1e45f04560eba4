"""The scores of a membrane mask: how many pixels are right, how far its edges are off, and whether it hangs together as it should."""

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from operator import add, attrgetter

import numpy as np

from unet.metrics.betti import betti_error
from unet.metrics.confusion import Confusion
from unet.metrics.edges import EdgeDistances
from unet.metrics.sections import SectionScores, chosen_names, known_pixels, mean_of_known
from unet.metrics.skeletons import cldice

_POOLED: Mapping[str, Callable[[Confusion], float]] = {
    "membrane_dice": attrgetter("dice"),
    "membrane_iou": attrgetter("iou"),
    "membrane_precision": attrgetter("precision"),
    "membrane_recall": attrgetter("recall"),
    "pixel_error": attrgetter("pixel_error"),
}
_EDGES = ("boundary_f1", "hausdorff95")
_NAMES = (*_POOLED, *_EDGES, "cldice", "betti_error")


def mask_scores(
    found_ZHW: np.ndarray,
    membrane_ZHW: np.ndarray,
    counted_ZHW: np.ndarray | None = None,
    *,
    tolerance_px: float = 2.0,
    names: Sequence[str] | None = None,
) -> SectionScores:
    """Return the scores of a membrane mask against the marked membrane; METRICS has formula, range and edge cases of each.

    Pixels whose label is unknown are membrane in neither mask and in no count. A section without a known pixel is NaN in each score.

    Args:
        found_ZHW: bool [Z, H, W], True where membrane was found.
        membrane_ZHW: bool, the same shape, True where membrane is marked.
        counted_ZHW: bool, True where the label is known; None: everywhere.
        tolerance_px: how far boundary F1 lets two edges lie apart.
        names: scores to compute, without "_at_half": which threshold the mask comes from is not known here. None: all of them.

    Raises:
        ValueError: Other shapes or types, a name that there is not, a tolerance that is negative or no number.
    """
    names = chosen_names(names, _NAMES)
    if not tolerance_px >= 0:
        raise ValueError(f"tolerance_px must be at least 0 pixels, got {tolerance_px}.")
    counted_ZHW = known_pixels({"found": found_ZHW, "membrane": membrane_ZHW}, counted_ZHW)
    confusions = [Confusion.of(*section) for section in zip(found_ZHW, membrane_ZHW, counted_ZHW, strict=True)]
    pooled = reduce(add, confusions)
    shapes = [_shape_scores(*section, names, tolerance_px) for section in zip(found_ZHW, membrane_ZHW, counted_ZHW, strict=True)]
    values, sections = {}, {}
    for name in names:
        if name in _POOLED:
            values[name], sections[name] = _POOLED[name](pooled), tuple(_POOLED[name](confusion) for confusion in confusions)
        else:
            sections[name] = tuple(shape[name] for shape in shapes)
            values[name] = mean_of_known(sections[name])
    return SectionScores(values=values, sections=sections)


def _shape_scores(
    found_HW: np.ndarray, membrane_HW: np.ndarray, counted_HW: np.ndarray, names: Sequence[str], tolerance_px: float
) -> dict[str, float]:
    """Return the chosen scores of one section that need more than counts."""
    if not counted_HW.any():
        return dict.fromkeys(names, float("nan"))
    scores = {}
    if not set(names).isdisjoint(_EDGES):
        distances = EdgeDistances.between(found_HW, membrane_HW, counted_HW)
        scores |= {"boundary_f1": distances.f1(tolerance_px), "hausdorff95": distances.hausdorff95()}
    if "cldice" in names:
        scores["cldice"] = cldice(found_HW & counted_HW, membrane_HW & counted_HW)
    if "betti_error" in names:
        scores["betti_error"] = betti_error(found_HW, membrane_HW, counted_HW)
    return scores
