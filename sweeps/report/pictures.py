"""The best and the worst section of the best trial of each loss: image, truth, prediction and what is wrong.

Membrane is dark, as in the microscope. In the fourth picture what was found is dark grey, missed membrane vermillion and false membrane
blue: two colours that every colour vision tells apart. Pixels whose label is unknown are grey in truth and difference: there is nothing to
miss there.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sweeps.contenders import calibration_of, finite
from sweeps.report.overview import LossView, Overview
from sweeps.report.png import data_uri, to_png
from sweeps.report.wording import clean, dig, say

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

MAX_PX = 320
MAX_LOSSES = 8
MAX_BYTES = 2**28
FOUND, MISSED, FALSE, UNKNOWN = (58, 63, 69), (213, 94, 0), (0, 114, 178), (130, 130, 130)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """One panel."""

    label: str
    alt: str
    uri: str


@dataclass(frozen=True, kw_only=True)
class Row:
    """One section."""

    title: str
    pictures: tuple[Picture, ...]


@dataclass(frozen=True, kw_only=True)
class Plate:
    """The sections of one loss."""

    loss: LossView
    source: str
    rows: tuple[Row, ...]
    partial: bool
    """Whether some labels of these sections are unknown."""


def shown(overview: Overview) -> list[tuple[LossView, TrialRecord]]:
    """Return the losses that are shown, best first, each with its run; a loss without stored sections is not among them."""
    found = ((loss, _shown(loss, overview)) for loss in overview.losses)
    return [(loss, trial) for loss, trial in found if trial is not None][:MAX_LOSSES]


def plate(loss: LossView, trial: TrialRecord) -> Plate:
    """Return one loss's plate. Raises OSError, ValueError or zipfile.BadZipFile for a file that is not what it should be."""
    seed = f"seed {trial.seed}" + (f", fold {trial.fold}" if trial.fold is not None else "")
    arrays = _read(trial)
    source = clean(f"{trial.trial_id}, {seed}")
    return Plate(loss=loss, source=source, rows=_rows(trial, arrays), partial=not arrays["counted"].all())


def _shown(loss: LossView, overview: Overview) -> TrialRecord | None:
    """The run that is best on its calibration sections (by its test score it would be the luckiest), of those that kept their sections."""
    sign = 1.0 if overview.maximise else -1.0
    for trials in (loss.runs, loss.search):
        kept = [(sign * score, trial) for trial in trials if (score := calibration_of(trial, overview.metric)) is not None and _kept(trial)]
        if kept:
            return max(kept, key=lambda pair: pair[0])[1]
    return None


def _kept(trial: TrialRecord) -> bool:
    return (trial.folder / "sections.npz").is_file()


def _rows(trial: TrialRecord, arrays: dict[str, np.ndarray]) -> tuple[Row, ...]:
    threshold = finite(dig(trial.result, "scores.threshold"))
    threshold = 0.5 if threshold is None else threshold
    scores = {row.get("section"): row for row in dig(trial.result, "per_section", ()) if isinstance(row, Mapping)}
    ordered = []
    for number, section in enumerate(arrays["section"].tolist()):
        truth, found = arrays["membrane"][number], (arrays["probability"][number] > 255 * threshold) & arrays["counted"][number]
        score = finite(scores.get(section, {}).get("membrane_dice"))
        ordered.append((_dice(truth, found) if score is None else score, section, number, found))
    ordered.sort(key=lambda entry: -entry[0])
    words = ["Best section", *["Section"] * (len(ordered) - 2), "Worst section"] if len(ordered) > 1 else ["Section"]
    return tuple(
        Row(
            title=f"{word} {section}: {_say_scores(score, scores.get(section, {}))}",
            pictures=_panels(arrays, number, found, threshold, section),
        )
        for word, (score, section, number, found) in zip(words, ordered, strict=True)
    )


def _read(trial: TrialRecord) -> dict[str, np.ndarray]:
    """Read sections.npz without unpickling, after a look at what it would unpack to. Raises ValueError for anything unexpected.

    `counted` is not stored where every label is known, and `membrane` is False where it is False.
    """
    path = trial.folder / "sections.npz"
    with zipfile.ZipFile(path) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_BYTES:
        raise ValueError(f"{trial.trial_id}/sections.npz unpacks to {unpacked / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20} MiB")
    with np.load(path, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in ("section", "raw", "membrane", "probability")}
        arrays["counted"] = stored["counted"] if "counted" in stored else np.ones_like(arrays["membrane"])
    shape = arrays["raw"].shape
    alike = all(arrays[name].shape == shape for name in ("membrane", "probability", "counted"))
    if len(shape) != 3 or not alike or arrays["section"].shape != shape[:1]:
        raise ValueError(f"{trial.trial_id}/sections.npz holds arrays of shapes {[a.shape for a in arrays.values()]}; raw is [K, H, W]")
    counted = arrays["counted"].astype(bool)
    return arrays | {"membrane": arrays["membrane"].astype(bool) & counted, "counted": counted}


def _dice(truth: np.ndarray, found: np.ndarray) -> float:
    total = int(truth.sum()) + int(found.sum())
    return 2 * int((truth & found).sum()) / total if total else 1.0


def _say_scores(dice: float, row: Mapping[str, Any]) -> str:
    v_rand = finite(row.get("v_rand"))
    return f"membrane Dice {say(dice)}" + (f", V_rand {say(v_rand)}" if v_rand is not None else "")


def _panels(arrays: dict[str, np.ndarray], number: int, found_HW: np.ndarray, threshold: float, section: Any) -> tuple[Picture, ...]:
    raw, probability = (_shrink(arrays[name][number], average=True) for name in ("raw", "probability"))
    truth, found, counted = _shrink(arrays["membrane"][number]), _shrink(found_HW), _shrink(arrays["counted"][number])
    grey = _greys(_stretch(raw))
    marked = np.where(counted, np.where(truth, 0, 255), UNKNOWN[0]).astype(np.uint8)
    unknown = "" if counted.all() else "; grey where the label is unknown"
    images = (
        ("Image", f"section {section} as the microscope saw it", *grey),
        ("Truth", f"membranes marked by hand, dark{unknown}", *_greys(marked)),
        ("Prediction", "probability of membrane, dark is certain", *_greys(255 - probability)),
        ("Difference", f"missed and false membrane at threshold {say(threshold, 2)}{unknown}", *_errors(grey[0], truth, found, counted)),
    )
    return tuple(
        Picture(label=label, alt=f"{label}: {what}", uri=data_uri(to_png(index, palette), "image/png"))
        for label, what, index, palette in images
    )


def _shrink(section_HW: np.ndarray, *, average: bool = False) -> np.ndarray:
    """Return the section at no more than MAX_PX, each pixel the mean of those under it, or one of them (masks stay masks)."""
    height, width = section_HW.shape
    scale = max(1.0, max(height, width) / MAX_PX)
    rows, columns = (((np.arange(round(size / scale)) + 0.5) * scale).astype(int).clip(0, size - 1) for size in (height, width))
    if not average or scale == 1.0:
        return section_HW[np.ix_(rows, columns)]
    top, left = (np.unique((np.arange(round(size / scale)) * scale).astype(int)) for size in (height, width))
    sums = np.add.reduceat(np.add.reduceat(section_HW.astype(np.float32), top, axis=0), left, axis=1)
    pixels = np.outer(np.diff([*top, height]), np.diff([*left, width]))
    return (sums / pixels).astype(section_HW.dtype)


def _stretch(raw_HW: np.ndarray) -> np.ndarray:
    low, high = np.percentile(raw_HW, (0.5, 99.5))
    return (np.clip((raw_HW.astype(np.float32) - low) / max(high - low, 1.0), 0, 1) * 255).astype(np.uint8)


def _greys(levels_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """64 levels of grey: no eye sees the difference in a picture this small, and the file is a third smaller."""
    ramp = np.arange(64, dtype=np.uint8) * 4 + np.arange(64, dtype=np.uint8) // 16
    return levels_HW // 4, np.stack([ramp] * 3, axis=1)


def _errors(raw_HW: np.ndarray, truth_HW: np.ndarray, found_HW: np.ndarray, counted_HW: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The image, pale, in 32 levels, and over it the three classes of pixels, and grey where the truth is unknown."""
    pale = 205 + (np.arange(32) * 50) // 31
    palette = np.concatenate([np.stack([pale] * 3, axis=1), np.array([FOUND, MISSED, FALSE, UNKNOWN])]).astype(np.uint8)
    index = raw_HW // 2
    index[truth_HW & found_HW], index[truth_HW & ~found_HW], index[~truth_HW & found_HW] = 32, 33, 34
    index[~counted_HW] = 35
    return index, palette
