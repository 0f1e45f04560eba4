"""Pictures of a trial for W&B: the sections that it kept on the disk, each with the truth and what was found as masks over it.

A finalist sends three, best, worst and fixed, the last being the same section for every loss that is tested on the same block; a trial of
the search sends the fixed one alone. Nothing is computed for them, and what is missing or damaged is left out.
"""

import logging
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.tracking.settings import TrackingSettings

logger = logging.getLogger(__name__)

FILE = "sections.npz"
MAX_PX = 512
"""Of a picture's longer side; larger sections are thinned out by a whole number."""
MAX_BYTES = 2**28
LABELS = {0: "cell", 1: "membrane", 2: "unknown"}


@dataclass(frozen=True, kw_only=True, eq=False)
class Shown:
    """One section to show."""

    raw_HW: np.ndarray
    """uint8."""
    truth_HW: np.ndarray
    """uint8, keys of LABELS."""
    prediction_HW: np.ndarray
    """Likewise, at the threshold that is best for membrane Dice; the truth's unknown pixels are unknown here too."""
    caption: str


def log_sections(run: Any, settings: TrackingSettings, result: Mapping[str, Any]) -> None:
    """Log a trial's kept sections as one row of pictures, which belongs to no epoch. A run that has them already is left as it is."""
    if run.resumed and run.summary.get("sections/fixed") is not None:
        return
    try:
        shown = chosen_sections(settings, result)
    except (KeyError, OSError, TypeError, ValueError, zipfile.BadZipFile) as error:
        logger.warning("W&B gets no pictures of %s (%s: %s)", settings.name, type(error).__name__, error)
        return
    if shown:
        run.log({key: _image(section) for key, section in shown.items()})


def chosen_sections(settings: TrackingSettings, result: Mapping[str, Any]) -> dict[str, Shown]:
    """Return the sections to show by W&B's key; none for a trial that kept none.

    Raises KeyError, OSError, TypeError, ValueError or zipfile.BadZipFile where the files are not what they should be.
    """
    path = settings.folder / FILE
    dice = {row["section"]: row["membrane_dice"] for row in result.get("per_section") or () if row["membrane_dice"] is not None}
    if result.get("state") != "complete" or not dice or not path.is_file():
        return {}
    chosen = {"fixed": sorted(dice)[len(dice) // 2]}
    if settings.job_type == "finalist":
        chosen |= {"best": max(dice, key=lambda number: dice[number]), "worst": min(dice, key=lambda number: dice[number])}
    _check_size(path)
    with np.load(path, allow_pickle=False) as stored:
        places = {int(number): place for place, number in enumerate(stored["section"])}
        arrays = {name: stored[name] for name in ("raw", "membrane", "found", "counted") if name in stored}
    return {
        f"sections/{word}": _shown(arrays, places[number], f"section {number}, membrane Dice {dice[number]:.4f}")
        for word, number in chosen.items()
        if number in places
    }


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_BYTES:
        raise ValueError(f"{FILE} unpacks to {unpacked / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20} MiB")


def _shown(arrays: Mapping[str, np.ndarray], place: int, caption: str) -> Shown:
    every = -(-max(arrays["raw"].shape[1:]) // MAX_PX)
    thin = {name: array_KHW[place, ::every, ::every] for name, array_KHW in arrays.items()}
    counted_HW = thin.get("counted", True)
    truth_HW, prediction_HW = (np.where(counted_HW, thin[name], 2).astype(np.uint8) for name in ("membrane", "found"))
    return Shown(raw_HW=thin["raw"], truth_HW=truth_HW, prediction_HW=prediction_HW, caption=caption)


def _image(section: Shown) -> Any:
    import wandb

    masks = {
        name: {"mask_data": mask_HW, "class_labels": LABELS}
        for name, mask_HW in (("truth", section.truth_HW), ("prediction", section.prediction_HW))
    }
    return wandb.Image(section.raw_HW, caption=section.caption, masks=masks)  # type: ignore[arg-type]  # as its own pages show it
