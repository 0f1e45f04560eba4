"""What is read of a trial's kept sections, and with which threshold."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeps.record import TrialRecord
from sweeps.report import kept
from sweeps.report.kept import numbers_kept, read_kept
from tests.sweeps.report.sample import make_record


@pytest.fixture
def trial(tmp_path: Path) -> TrialRecord:
    record = make_record(tmp_path / "demo-001", losses=("bce",), trials=1, seeds=1, epochs=2)
    return next(trial for trial in record.trials if trial.stage == "finalist")


def tuned(trial: TrialRecord, **scores: Any) -> TrialRecord:
    assert trial.result is not None
    return replace(trial, result=trial.result | {"scores": {"membrane_dice": 0.8} | scores})


def store(trial: TrialRecord, probability: np.ndarray, **arrays: np.ndarray) -> None:
    raw, membrane = np.zeros_like(probability), np.zeros(probability.shape, bool)
    numbers = np.arange(len(probability))
    np.savez(trial.folder / "sections.npz", **({"section": numbers, "raw": raw, "membrane": membrane, "probability": probability} | arrays))


def test_cells_have_their_own_threshold_and_the_membrane_its_own(trial: TrialRecord) -> None:
    store(trial, np.arange(256, dtype=np.uint8).reshape(1, 16, 16))
    (section,) = read_kept(tuned(trial, threshold=0.4, v_rand_threshold=0.6, smallest_cell_px=0))
    level = np.arange(256).reshape(16, 16)
    assert np.array_equal(section.found_HW, level >= 102)
    assert np.array_equal(section.cell_HW, level < 153)
    assert section.threshold == 0.4


@pytest.mark.parametrize(("smallest", "kept_px"), [(0, 4 + 9), (4, 4 + 9), (5, 9), (10, 0)])
def test_small_cells_are_cleaned_away_as_for_the_score(trial: TrialRecord, smallest: int, kept_px: int) -> None:
    probability = np.full((1, 12, 12), 255, np.uint8)
    probability[0, 1:3, 1:3] = probability[0, 6:9, 6:9] = 0
    store(trial, probability)
    (section,) = read_kept(tuned(trial, threshold=0.5, v_rand_threshold=0.5, smallest_cell_px=smallest))
    assert np.count_nonzero(section.cell_HW) == kept_px


@pytest.mark.parametrize(
    "scores", [{"threshold": 0.3, "v_rand_threshold": 0.9}, {"threshold": 0.3}, {"threshold": 0.3, "smallest_cell_px": 8}]
)
def test_an_older_record_has_one_threshold_for_both(trial: TrialRecord, scores: dict[str, Any]) -> None:
    """Its threshold for V_rand was on the probability of cells."""
    (first, _) = read_kept(tuned(trial, **scores))
    assert np.array_equal(first.cell_HW, ~first.found_HW) and first.threshold == 0.3


def test_without_any_threshold_it_is_a_half(trial: TrialRecord) -> None:
    assert read_kept(replace(trial, result=None))[0].threshold == 0.5


def test_numbers_are_read_alone(trial: TrialRecord) -> None:
    assert numbers_kept(trial) == [24, 28] == [section.number for section in read_kept(trial)]


@pytest.mark.parametrize(
    "arrays",
    [{"raw": np.zeros((1, 4, 5), np.uint8)}, {"counted": np.ones((2, 4, 4), bool)}, {"section": np.arange(3)}, {"membrane": np.zeros(3)}],
    ids=lambda arrays: next(iter(arrays)),
)
def test_shapes_that_do_not_agree_are_told(trial: TrialRecord, arrays: dict[str, np.ndarray]) -> None:
    store(trial, np.zeros((1, 4, 4), np.uint8), **arrays)
    with pytest.raises(ValueError, match="bce-f0-s0/sections.npz holds arrays of shapes"):
        read_kept(trial)


@pytest.mark.parametrize("read", [numbers_kept, read_kept])
def test_what_would_unpack_to_too_much_is_not_unpacked(trial: TrialRecord, read: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.BytesIO()
    np.savez_compressed(out, section=np.zeros(2**20))
    (trial.folder / "sections.npz").write_bytes(out.getvalue())
    assert len(out.getvalue()) < 2**16
    monkeypatch.setattr(kept, "MAX_BYTES", 2**22)
    with pytest.raises(ValueError, match="unpacks to 8 MiB, more than 4 MiB"):
        read(trial)


@pytest.mark.parametrize("read", [numbers_kept, read_kept])
def test_a_file_that_is_none_is_an_error(trial: TrialRecord, read: Any) -> None:
    (trial.folder / "sections.npz").write_bytes(b"torn")
    with pytest.raises(zipfile.BadZipFile):
        read(trial)
