"""What a trained network makes of a run's calibration and test sections: all that its scores are computed from, and no network any more.

It can be kept in the trial's folder as one .npz (no pickle), so that the scores can be computed later, and by another process.
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from data_utils import Stack
from data_utils.folds import Split
from unet.durable import write_durably
from unet.own_loss import own_loss_values
from unet.predict import predict_sections
from unet.run import Run

MAX_BYTES = 2**36
"""A kept prediction that would unpack to more is not believed."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Predicted:
    """Some sections: image, truth and probability."""

    sections: tuple[int, ...]
    """Their numbers in the stack."""
    raw_ZHW: np.ndarray
    """Grey values stretched to uint8, to look at."""
    membrane_ZHW: np.ndarray
    """bool, True = membrane; False where unknown."""
    counted_ZHW: np.ndarray | None
    """bool, True = known; None: all of it."""
    probability_ZHW: np.ndarray
    """Membrane probability, float32."""
    own_loss: tuple[float, ...]
    """The loss's own value on each section; empty where nobody asked for it."""

    def part(self, index: int) -> Self:
        """Return one of the sections, by its place among them."""
        one = slice(index, index + 1)
        arrays = {name: getattr(self, name)[one] for name in ("raw_ZHW", "membrane_ZHW", "probability_ZHW")}
        counted_ZHW = None if self.counted_ZHW is None else self.counted_ZHW[one]
        return type(self)(sections=self.sections[one], counted_ZHW=counted_ZHW, own_loss=self.own_loss[one], **arrays)


@dataclass(frozen=True, kw_only=True, eq=False)
class Prediction:
    """Both sets of sections; in the search they are the same."""

    calibration: Predicted
    """Where thresholds and clean-up come from."""
    test: Predicted
    """What is scored."""

    def save(self, path: Path) -> None:
        """Write everything into an .npz, whole or not at all."""
        arrays: dict[str, Any] = {}
        for part in ("calibration", "test"):
            if part == "calibration" and self.calibration is self.test:
                continue
            predicted: Predicted = getattr(self, part)
            arrays |= {f"{part}.{name}": np.asarray(value) for name, value in vars(predicted).items() if value is not None}
        out = io.BytesIO()
        np.savez(out, allow_pickle=False, **arrays)
        write_durably(path, out.getvalue())

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote. Raises OSError, or ValueError for a file that holds something else."""
        try:
            with zipfile.ZipFile(path) as archive:
                unpacked = sum(entry.file_size for entry in archive.infolist())
            if unpacked > MAX_BYTES:
                raise ValueError(f"it unpacks to {unpacked / 2**30:.0f} GiB, more than {MAX_BYTES // 2**30} GiB")
            with np.load(path, allow_pickle=False) as stored:
                test = _restored(stored, "test")
                calibration = _restored(stored, "calibration") if "calibration.sections" in stored else test
        except (ValueError, KeyError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"{path}: no prediction that was kept here, or a damaged one: {error}; delete it and run the trial again"
            ) from error
        return cls(calibration=calibration, test=test)


def _restored(stored: Mapping[str, np.ndarray], part: str) -> Predicted:
    arrays = {name: stored[f"{part}.{name}"] for name in ("raw_ZHW", "membrane_ZHW", "probability_ZHW")}
    counted_ZHW = stored.get(f"{part}.counted_ZHW")
    shapes = {array.shape for array in (*arrays.values(), counted_ZHW) if array is not None}
    sections = tuple(stored[f"{part}.sections"].tolist())
    if len(shapes) != 1 or arrays["raw_ZHW"].shape[0] != len(sections):
        raise ValueError(f"{part} holds {len(sections)} sections in arrays of shapes {sorted(shapes)}")
    return Predicted(sections=sections, counted_ZHW=counted_ZHW, own_loss=tuple(stored[f"{part}.own_loss"].tolist()), **arrays)


def predict_run(run: Run, stack: Stack, split: Split) -> Prediction:
    """Return what the run's current weights make of its sections; a section of which nothing is known is predicted all the same."""
    test = _predict(run, stack, split.test, own_loss=True)
    if split.calibration == split.test:
        return Prediction(calibration=test, test=test)
    return Prediction(calibration=_predict(run, stack, split.calibration, own_loss=False), test=test)


def _predict(run: Run, stack: Stack, sections: Sequence[int], *, own_loss: bool) -> Predicted:
    assert stack.membrane_ZHW is not None
    at = list(sections)
    raw_ZHW, membrane_ZHW = stack.raw_ZHW[at], stack.membrane_ZHW[at]
    counted_ZHW = None if stack.counted_ZHW is None else stack.counted_ZHW[at]
    probability_ZHW = predict_sections(
        run.model, raw_ZHW, normalisation=run.normalisation, positive=run.positive, precision=run.precision, device=run.device
    )
    values = own_loss_values(run, raw_ZHW, membrane_ZHW, counted_ZHW, sections=range(len(at))) if own_loss else []
    return Predicted(
        sections=tuple(at),
        raw_ZHW=_stretched(raw_ZHW),
        membrane_ZHW=membrane_ZHW if counted_ZHW is None else membrane_ZHW & counted_ZHW,
        counted_ZHW=counted_ZHW,
        probability_ZHW=probability_ZHW,
        own_loss=tuple(values),
    )


def _stretched(raw_ZHW: np.ndarray) -> np.ndarray:
    """Return grey values from the darkest to the brightest pixel as 0 to 255."""
    raw_ZHW = raw_ZHW.astype(np.float32)
    low, high = float(raw_ZHW.min()), float(raw_ZHW.max())
    return np.round((raw_ZHW - low) * (255.0 / max(high - low, 1e-12))).astype(np.uint8)
