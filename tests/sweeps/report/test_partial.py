"""Pixels whose label is unknown: grey in the pictures, in no score, and told in words; where there are none nothing is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from sweeps.record import SweepRecord, TrialRecord
from sweeps.report import build, methods, panels, pictures, write_report
from sweeps.report.kept import KeptSection
from sweeps.report.overview import LossView, survey
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record

RULE = "0 is membrane (21.96% of labelled pixels), 255 is cell, 127 is unknown (39.94% of all pixels)"
TOLD = "Pixels of unknown label count neither for losses nor for scores."
GREY = "grey where the label is unknown"


@pytest.fixture
def record(tmp_path: Path) -> SweepRecord:
    return make_record(tmp_path / "demo-001", losses=("bce", "focal"), trials=1, seeds=1, epochs=2)


def keep_counted(record: SweepRecord, counted: np.ndarray) -> None:
    """Stores `counted` beside what each finalist has kept."""
    for path in (record.folder / "finalists").rglob("sections.npz"):
        with np.load(path) as stored:
            arrays = dict(stored)
        np.savez(path, **arrays, counted=counted)


def best(record: SweepRecord) -> tuple[LossView, TrialRecord]:
    loss, runs = pictures.shown(survey(record, compute_verdict(record)))[0]
    return loss, runs[0]


def best_plate(record: SweepRecord) -> pictures.Plate:
    loss, trial = best(record)
    return pictures.plate(loss, trial, pictures.titled_sections([trial]), "figures/best.png")


def half_known() -> np.ndarray:
    return np.broadcast_to(np.arange(64) < 32, (2, 64, 64))


def test_unknown_pixels_are_grey_whatever_was_found_there(record: SweepRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_counted(record, half_known())
    painted = []
    monkeypatch.setattr(pictures, "to_png", lambda index, palette: painted.append(palette[index]) or b"")
    plate = best_plate(record)
    assert plate.partial
    for image, truth, prediction, difference, cells in zip(*(painted[start::5] for start in range(5)), strict=True):
        for panel in (truth, difference):
            assert (panel[:, 32:] == panels.UNKNOWN).all()
            assert not (panel[:, :32] == panels.UNKNOWN).all(axis=-1).any()
        assert (cells[:, 36:] == panels.UNKNOWN).all(), "but for a border that ends there"
        for colour in (panels.FOUND, panels.MISSED, panels.FALSE):
            assert (difference[:, :32] == colour).all(axis=-1).any()
        assert len(np.unique(image[:, 32:])) > 8 and len(np.unique(prediction[:, 32:])) > 8, "image and prediction are whole"
    assert [GREY in picture.alt for picture in plate.rows[0].pictures] == [False, True, False, True, True]


@pytest.mark.parametrize("stored", [False, True])
def test_where_all_is_known_no_picture_changes(record: SweepRecord, stored: bool) -> None:
    before = best_plate(record)
    if stored:
        keep_counted(record, np.ones((2, 64, 64), bool))
    after = best_plate(record)
    assert not after.partial and after.rows == before.rows
    assert not any(GREY in picture.alt for row in after.rows for picture in row.pictures)


def test_a_score_that_is_not_stored_is_of_known_pixels(record: SweepRecord) -> None:
    keep_counted(record, half_known())
    _, trial = best(record)
    assert trial.result is not None
    trial = replace(trial, result=trial.result | {"per_section": []})
    with np.load(trial.folder / "sections.npz") as kept:
        found = kept["probability"][..., :32] >= 255 * trial.result["scores"]["threshold"]
        truth = kept["membrane"][..., :32]
    dice = [2 * (f & t).sum() / (f.sum() + t.sum()) for f, t in zip(found, truth, strict=True)]
    titles = [title for title, _ in pictures.titled_sections([trial])]
    assert [float(title.partition(";")[0].split()[-1]) for title in titles] == pytest.approx(sorted(dice, reverse=True), abs=6e-4)


def test_a_mask_of_another_shape_is_refused(record: SweepRecord) -> None:
    keep_counted(record, np.ones((2, 3), bool))
    with pytest.raises(ValueError, match=r"sections.npz holds arrays of shapes .*\(2, 3\)\]; raw is"):
        best_plate(record)


def test_a_cell_that_unknown_pixels_cut_is_not_merged() -> None:
    """Both halves lie in one segment, but nobody knows whether they are one cell."""
    counted = np.ones((20, 60), bool)
    counted[:, 28:32] = False
    section = KeptSection(
        number=1,
        raw_HW=np.zeros((20, 60), np.uint8),
        membrane_HW=np.zeros((20, 60), bool),
        counted_HW=counted,
        probability_HW=np.zeros((20, 60), np.uint8),
        found_HW=np.zeros((20, 60), bool),
        cell_HW=counted,
        threshold=0.5,
    )
    assert section.errors.describe() == "none of 2 cells merged, none split"


@pytest.mark.parametrize("partial", [True, False])
def test_the_page_tells_of_unknown_labels_only_where_there_are_any(
    record: SweepRecord, partial: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build, "NARROW", build.WIDE)
    for plot in build.PLOTS[1:]:
        monkeypatch.setattr(plot, "draw", build.PLOTS[0].draw)
    if partial:
        keep_counted(record, half_known())
        record = replace(record, data=record.data | {"membrane_rule": RULE})
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert not page.faults
    assert ("label unknown" in page.text) == partial
    assert any(attributes.get("class") == "chip unknown" for attributes in page.of("span")) == partial
    assert (f"{RULE}. {TOLD}" in page.text) == partial and (TOLD in page.text) == partial


def test_one_plate_that_cannot_be_read_does_not_hide_the_key(record: SweepRecord) -> None:
    """A note in place of a plate has no word on labels."""
    keep_counted(record, half_known())
    next((record.folder / "finalists").rglob("sections.npz")).write_bytes(b"torn")
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert len(page.faults) == 1 and "label unknown" in page.text


def test_methods_tell_it_after_the_rule(record: SweepRecord) -> None:
    paragraphs = [
        " ".join(methods.methods(survey(replace(record, data=record.data | {"membrane_rule": rule}), {})))
        for rule in (RULE, RULE + "; chosen because membranes are the rarer class", "0 is membrane, 255 is cell", None, 5)
    ]
    assert [TOLD in paragraph for paragraph in paragraphs] == [True, True, False, False, False]
