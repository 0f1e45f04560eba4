"""The sections that a trial kept to look at, each with the two masks that are scored: membrane, and cells.

Membrane is where the probability reaches the threshold that is best for membrane Dice; cells are what V_rand was tuned for: below their own
threshold, without the small ones. K sections of H rows and W columns.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from sweeps.report.cell_errors import CellErrors, cell_errors
from sweeps.report.wording import dig
from sweeps.verdict.contenders import finite
from unet.cells import remove_small_cells

if TYPE_CHECKING:
    from sweeps.record import TrialRecord

FILE = "sections.npz"
MAX_BYTES = 2**28


@dataclass(frozen=True, kw_only=True, eq=False)
class KeptSection:
    """One section."""

    number: int
    """In its stack."""
    raw_HW: np.ndarray
    """uint8."""
    membrane_HW: np.ndarray
    """The truth, bool; False where it is unknown."""
    counted_HW: np.ndarray
    """bool, False where the truth is unknown."""
    probability_HW: np.ndarray
    """Of membrane, uint8: 255 is certain."""
    found_HW: np.ndarray
    """Membrane as it is scored, bool; False where the truth is unknown."""
    cell_HW: np.ndarray
    """Cells as they are scored, bool; False where the truth is unknown."""
    threshold: float
    """Of `found_HW`."""

    @property
    def dice(self) -> float:
        """Membrane Dice of this section."""
        total = int(self.membrane_HW.sum()) + int(self.found_HW.sum())
        return 2 * int((self.membrane_HW & self.found_HW).sum()) / total if total else 1.0

    @property
    def partial(self) -> bool:
        """Whether some of its labels are unknown."""
        return not self.counted_HW.all()

    @cached_property
    def errors(self) -> CellErrors:
        """Which cells are merged, and which split."""
        return cell_errors(~self.membrane_HW & self.counted_HW, self.cell_HW)


def has_kept(trial: TrialRecord) -> bool:
    """Return whether a trial kept any."""
    return (trial.folder / FILE).is_file()


def numbers_kept(trial: TrialRecord) -> list[int]:
    """Return the numbers of a trial's kept sections, without reading more. Raises what `read_kept` raises."""
    _check_size(trial)
    with np.load(trial.folder / FILE, allow_pickle=False) as stored:
        return [int(number) for number in stored["section"].reshape(-1)]


def read_kept(trial: TrialRecord) -> list[KeptSection]:
    """Return a trial's kept sections, read without unpickling, after a look at what they would unpack to.

    Raises:
        OSError: the file cannot be read.
        ValueError, zipfile.BadZipFile: it is not what it should be.
    """
    _check_size(trial)
    with np.load(trial.folder / FILE, allow_pickle=False) as stored:
        arrays = {name: stored[name] for name in ("section", "raw", "membrane", "probability")}
        # Not stored where every label is known; `membrane` is False where it is False.
        arrays["counted"] = stored["counted"] if "counted" in stored else np.ones_like(arrays["membrane"])
        arrays |= {name: stored[name] for name in ("found", "cell") if name in stored}
    shape = arrays["raw"].shape
    alike = all(array.shape == shape for name, array in arrays.items() if name != "section")
    if len(shape) != 3 or not alike or arrays["section"].shape != shape[:1]:
        raise ValueError(f"{trial.trial_id}/{FILE} holds arrays of shapes {[a.shape for a in arrays.values()]}; raw is [K, H, W]")
    threshold, cell_threshold, smallest_px = _tuned(trial)
    counted_KHW, probability_KHW = arrays["counted"].astype(bool), arrays["probability"]
    if "found" not in arrays or "cell" not in arrays:  # an older record: as near as 256 levels of probability allow
        arrays["found"] = probability_KHW >= 255 * threshold
        arrays["cell"] = np.stack([remove_small_cells(level_HW < 255 * cell_threshold, smallest_px) for level_HW in probability_KHW])
    return [
        KeptSection(
            number=int(number),
            raw_HW=arrays["raw"][at],
            membrane_HW=arrays["membrane"][at].astype(bool) & counted_KHW[at],
            counted_HW=counted_KHW[at],
            probability_HW=probability_KHW[at],
            found_HW=arrays["found"][at].astype(bool) & counted_KHW[at],
            cell_HW=arrays["cell"][at].astype(bool) & counted_KHW[at],
            threshold=threshold,
        )
        for at, number in enumerate(arrays["section"].tolist())
    ]


def _check_size(trial: TrialRecord) -> None:
    with zipfile.ZipFile(trial.folder / FILE) as archive:
        unpacked = sum(entry.file_size for entry in archive.infolist())
    if unpacked > MAX_BYTES:
        raise ValueError(f"{trial.trial_id}/{FILE} unpacks to {unpacked / 2**20:.0f} MiB, more than {MAX_BYTES // 2**20} MiB")


def _tuned(trial: TrialRecord) -> tuple[float, float, int]:
    """Return the threshold of membrane, that of cells, and the smallest cell.

    A record without a smallest cell is an older one, whose threshold for V_rand was on the opposite probability.
    """
    threshold = finite(dig(trial.result, "scores.threshold"))
    threshold = 0.5 if threshold is None else threshold
    smallest_px, cell_threshold = (finite(dig(trial.result, f"scores.{name}")) for name in ("smallest_cell_px", "v_rand_threshold"))
    if smallest_px is None or cell_threshold is None:
        return threshold, threshold, 0
    return threshold, cell_threshold, int(smallest_px)
