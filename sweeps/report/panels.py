"""One kept section as pictures of one byte a pixel: image, truth, prediction, difference, and cells.

Membrane is dark, as in the microscope. Colours are Okabe and Ito's (Wong 2011, Nature Methods 8:441), which every colour vision tells
apart, and mean the same in difference and cells: vermillion is membrane that is missing, blue is membrane that is not there. Where a line
is only too thick or too thin, what is wrong being within TOLERANCE_PX of the other line, it is sky blue or orange. Where the label is
unknown there is nothing to miss: grey.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from sweeps.report.kept import KeptSection
from sweeps.report.wording import say

TOLERANCE_PX = 2
FOUND, MISSED, FALSE, UNKNOWN = (58, 63, 69), (213, 94, 0), (0, 114, 178), (130, 130, 130)
THICKER, THINNER = (86, 180, 233), (230, 159, 0)
CELL, MEMBRANE, SPLIT = (250, 250, 250), (96, 101, 107), (190, 226, 247)
TINTS = ((255, 214, 133), (236, 200, 222), (168, 222, 204), (246, 238, 150), (222, 196, 160))

KEY = (("found", FOUND), ("missed", MISSED), ("thinner", THINNER), ("false", FALSE), ("thicker", THICKER), ("unknown", UNKNOWN))
"""Class of a pixel -> its colour; the page's style sheet has the same."""

_LEVELS = 32


@dataclass(frozen=True, kw_only=True)
class Panel:
    """One picture."""

    label: str
    alt: str
    """What it shows, in words."""
    index_HW: np.ndarray
    """uint8, into the palette."""
    palette_K3: np.ndarray
    """uint8."""

    @property
    def rgb_HW3(self) -> np.ndarray:
        """The picture in full colour."""
        return self.palette_K3[self.index_HW]


def given(section: KeptSection, max_px: int) -> Iterator[Panel]:
    """Yield what does not depend on the network, no larger than `max_px`: image and truth."""
    unknown = _unknown(section)
    yield _panel("Image", f"section {section.number} as the microscope saw it", *_greys(_pale(section, max_px)))
    marked_HW = np.where(section.counted_HW, np.where(section.membrane_HW, 0, 255), UNKNOWN[0]).astype(np.uint8)
    yield _panel("Truth", f"membranes marked by hand, dark{unknown}", *_greys(shrink(marked_HW, max_px)))


def made(section: KeptSection, max_px: int) -> Iterator[Panel]:
    """Yield what the network made of it, no larger than `max_px`: prediction, difference and cells."""
    unknown = _unknown(section)
    belief_HW = shrink(section.probability_HW, max_px, average=True)
    yield _panel("Prediction", "probability of membrane, dark is certain", *_greys(255 - belief_HW))
    classes_HW = classes(section)
    shares = ", ".join(f"{name} {_percent(classes_HW == number, section)}" for number, (name, _) in enumerate(KEY[:5], start=1))
    at = f"at threshold {say(section.threshold, 2)}: of all pixels {shares}{unknown}"
    yield _panel("Difference", at, *_difference(_pale(section, max_px), shrink(classes_HW, max_px)))
    yield _panel("Cells", f"{section.errors.describe()}{unknown}", *_cells(section, max_px))


def classes(section: KeptSection) -> np.ndarray:
    """Return the class of each pixel, uint8 [H, W]: 0 is cell in truth and prediction, else 1 + the place in KEY."""
    truth_HW, found_HW = section.membrane_HW, section.found_HW
    missed_HW, false_HW = truth_HW & ~found_HW, found_HW & ~truth_HW
    near_found_HW, near_truth_HW = grown(found_HW, TOLERANCE_PX), grown(truth_HW, TOLERANCE_PX)
    classes_HW = np.zeros(truth_HW.shape, np.uint8)
    hit_HW = truth_HW & found_HW
    missed = (missed_HW & ~near_found_HW, missed_HW & near_found_HW)
    false = (false_HW & ~near_truth_HW, false_HW & near_truth_HW)
    for number, mask_HW in enumerate((hit_HW, *missed, *false, ~section.counted_HW), start=1):
        classes_HW[mask_HW] = number
    return classes_HW


def grown(mask_HW: np.ndarray, radius_px: int) -> np.ndarray:
    """Return the pixels within a distance of those of a mask."""
    height, width = mask_HW.shape
    padded_HW = np.pad(mask_HW, radius_px)
    out_HW = np.zeros_like(mask_HW)
    steps = range(-radius_px, radius_px + 1)
    for down, right in ((down, right) for down in steps for right in steps if down**2 + right**2 <= radius_px**2):
        out_HW |= padded_HW[radius_px + down : radius_px + down + height, radius_px + right : radius_px + right + width]
    return out_HW


def shrink(section_HW: np.ndarray, max_px: int, *, average: bool = False) -> np.ndarray:
    """Return the section at no more than `max_px`, each pixel the mean of those under it, or one of them (masks stay masks)."""
    height, width = section_HW.shape
    scale = _scale(section_HW, max_px)
    rows, columns = (((np.arange(round(size / scale)) + 0.5) * scale).astype(int).clip(0, size - 1) for size in (height, width))
    if not average or scale == 1.0:
        return section_HW[np.ix_(rows, columns)]
    top, left = (np.unique((np.arange(round(size / scale)) * scale).astype(int)) for size in (height, width))
    sums = np.add.reduceat(np.add.reduceat(section_HW.astype(np.float32), top, axis=0), left, axis=1)
    pixels = np.outer(np.diff([*top, height]), np.diff([*left, width]))
    return (sums / pixels).astype(section_HW.dtype)


def _scale(section_HW: np.ndarray, max_px: int) -> float:
    return max(1.0, max(section_HW.shape) / max_px)


def _panel(label: str, what: str, index_HW: np.ndarray, palette_K3: np.ndarray) -> Panel:
    return Panel(label=label, alt=f"{label}: {what}", index_HW=index_HW, palette_K3=palette_K3)


def _unknown(section: KeptSection) -> str:
    return "; grey where the label is unknown" if section.partial else ""


def _percent(mask_HW: np.ndarray, section: KeptSection) -> str:
    return f"{100 * np.count_nonzero(mask_HW) / max(np.count_nonzero(section.counted_HW), 1):.1f}%"


def _pale(section: KeptSection, max_px: int) -> np.ndarray:
    """The image, shrunk and stretched over all greys."""
    raw_HW = shrink(section.raw_HW, max_px, average=True)
    low, high = np.percentile(raw_HW, (0.5, 99.5))
    return (np.clip((raw_HW.astype(np.float32) - low) / max(high - low, 1.0), 0, 1) * 255).astype(np.uint8)


def _greys(levels_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """64 levels of grey: no eye sees the difference in a picture this small, and the file is a third smaller."""
    ramp = np.arange(64, dtype=np.uint8) * 4 + np.arange(64, dtype=np.uint8) // 16
    return levels_HW // 4, np.stack([ramp] * 3, axis=1)


def _difference(raw_HW: np.ndarray, classes_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image, pale, and over it the classes of pixels."""
    pale = 205 + (np.arange(_LEVELS) * 50) // (_LEVELS - 1)
    palette_K3 = np.concatenate([np.stack([pale] * 3, axis=1), np.array([colour for _, colour in KEY])]).astype(np.uint8)
    return np.where(classes_HW > 0, _LEVELS - 1 + classes_HW, raw_HW // (256 // _LEVELS)).astype(np.uint8), palette_K3


def _cells(section: KeptSection, max_px: int) -> tuple[np.ndarray, np.ndarray]:
    """Cells of the truth; what is merged has one tint, what is split is pale blue, and the borders that are lost or false are drawn."""
    errors = section.errors
    thick_px = int(np.ceil(_scale(section.raw_HW, max_px)))  # so that no line is lost in shrinking
    index_HW = np.where(section.membrane_HW, 1, 0).astype(np.uint8)
    index_HW[errors.split_HW] = 2
    index_HW = np.where(errors.tint_HW > 0, 2 + errors.tint_HW, index_HW)
    index_HW[~section.counted_HW] = 3 + len(TINTS)
    index_HW[grown(errors.false_HW, thick_px)] = 4 + len(TINTS)
    index_HW[grown(errors.lost_HW, thick_px)] = 5 + len(TINTS)
    palette_K3 = np.array([CELL, MEMBRANE, SPLIT, *TINTS, UNKNOWN, FALSE, MISSED], np.uint8)
    return shrink(index_HW, max_px), palette_K3
