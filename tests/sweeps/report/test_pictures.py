"""Plates, the section that all losses share, and the same as files for papers."""

import base64
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
import pytest

from sweeps.record import SweepRecord
from sweeps.report import build, common_section, picture_files, pictures, write_report
from sweeps.report.canvas import NothingToShow
from sweeps.report.common_section import common, common_plate
from sweeps.report.overview import Overview, survey
from sweeps.report.panels import given, made
from sweeps.report.sheet import Sheet, Word
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import disk_sections, make_record, write_sections

THREE = ("bce", "dice", "focal")


def looked(record: SweepRecord) -> Overview:
    return survey(record, compute_verdict(record))


def keep(record: SweepRecord, numbers: dict[str, tuple[int, ...]]) -> None:
    """Stores other sections; the trials' names begin with their losses'."""
    rng = np.random.default_rng(3)
    for trial in record.trials:
        for start, kept in numbers.items():
            if trial.trial_id.startswith(start):
                write_sections(trial.folder, trial.loss, rng, disk_sections, kept)  # type: ignore[arg-type]


@pytest.fixture
def record(tmp_path: Path) -> SweepRecord:
    return make_record(tmp_path / "demo-001", losses=THREE, trials=1, seeds=1, epochs=2)


def read_png(content: bytes) -> np.ndarray:
    return (matplotlib.image.imread(io.BytesIO(content), format="png")[..., :3] * 255).round().astype(np.uint8)


def holds(sheet: np.ndarray, picture: np.ndarray) -> bool:
    """Whether a picture lies somewhere on a sheet, pixel by pixel."""
    height, width = picture.shape[:2]
    busiest = int(np.abs(np.diff(picture.astype(int), axis=1)).sum(axis=(1, 2)).argmax())  # a row that is found nowhere else
    row = picture[busiest].tobytes()
    spots = ((top, sheet[top + busiest].tobytes().find(row) // 3) for top in range(len(sheet) - height + 1))
    return any(left >= 0 and np.array_equal(sheet[top : top + height, left : left + width], picture) for top, left in spots)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((24,), ["Section 24"]),
        ((24, 28), ["Best section 24", "Worst section 28"]),
        ((25, 24, 28), ["Best section 24", "Section 25", "Worst section 28"]),
    ],
)
def test_the_best_section_comes_first_and_each_has_five_pictures(record: SweepRecord, numbers: tuple[int, ...], words: list[str]) -> None:
    keep(record, {"bce-f": numbers})
    rows: list[dict[str, Any]] = [
        {"section": 24, "membrane_dice": 0.9, "v_rand": 0.95},
        {"section": 28, "membrane_dice": 0.2, "v_rand": None},
    ]
    rows.append({"section": 25, "membrane_dice": 0.5})
    trials = tuple(replace(t, result=t.result | {"per_section": rows}) if t.result else t for t in record.trials)
    loss, (trial, *_) = next(pair for pair in pictures.shown(looked(replace(record, trials=trials))) if pair[0].name == "bce")
    plate = pictures.plate(loss, trial, pictures.titled_sections([trial]), "figures/x.png")
    assert [row.title.split(":")[0] for row in plate.rows] == words
    assert "membrane Dice .900, V_rand .950; " in plate.rows[0].title and "V_rand" not in plate.rows[-1].title or len(words) == 1
    assert "cells merged" in plate.rows[0].title
    for row in plate.rows:
        assert [picture.label for picture in row.pictures] == ["Image", "Truth", "Prediction", "Difference", "Cells"]
        assert all(picture.alt.startswith(f"{picture.label}: ") for picture in row.pictures)


def test_three_best_and_three_worst_sections_of_a_loss_are_shown_where_its_runs_kept_as_many(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=THREE, trials=1, seeds=3, epochs=2, pictures=False)
    kept = {"bce-f0-s0": (1, 2), "bce-f0-s1": (2, 3, 4, 5), "bce-f0-s2": (6, 7, 8)}
    keep(record, kept)
    rows = [{"section": number, "membrane_dice": 1 - 0.1 * number} for number in range(1, 9)]
    trials = tuple(replace(t, result=t.result | {"per_section": rows}) if t.result else t for t in record.trials)
    runs = [trial for name in kept for trial in trials if trial.trial_id == name]
    loss = looked(record).losses[0]
    titled = pictures.titled_sections(runs)
    assert [section.number for _, section in titled] == [1, 2, 3, 6, 7, 8], "the middle ones are left out"
    begins = ["Best section 1", "2nd best section 2", "3rd best section 3 (bce-f0-s1)", "3rd worst section 6 (bce-f0-s2)"]
    begins += ["2nd worst section 7 (bce-f0-s2)", "Worst section 8 (bce-f0-s2)"]
    assert [title.split(":")[0] for title, _ in titled] == begins
    small = pictures.plate(loss, runs[0], titled, "x.png", max_bytes=1)
    assert [row.title.split(":")[0] for row in small.rows] == [begins[0], begins[-1]], "best and worst are there in any case"
    whole = pictures.plate(loss, runs[0], titled, "x.png")
    size = sum(len(picture.uri) for row in whole.rows for picture in row.pictures)
    assert len(whole.rows) == 6 and size < pictures.MAX_BYTES


@pytest.mark.parametrize(
    ("numbers", "chosen", "losses"),
    [
        ({"bce-f": (2, 5), "dice-f": (3, 5), "focal-f": (5, 9)}, 5, THREE),
        ({"bce-f": (2, 3), "dice-f": (3, 5), "focal-f": (5, 9)}, 5, ("dice", "focal")),
        ({"bce-f": (1, 2, 3), "dice-f": (1, 2, 3), "focal-f": (1, 2, 3)}, 2, THREE),
    ],
)
def test_the_common_section_is_the_one_that_most_have_kept(
    record: SweepRecord, numbers: dict[str, tuple[int, ...]], chosen: int, losses: tuple[str, ...]
) -> None:
    keep(record, numbers)
    overview = looked(record)
    found = common(overview)
    assert {entry.section.number for entry in found} == {chosen}
    assert [entry.loss.name for entry in found] == [loss.name for loss in overview.losses if loss.name in losses], "best loss first"
    plate = common_plate(found, "figures/common.png")
    assert plate.title == f"Section {chosen}, as {len(losses)} losses have it"
    assert [picture.label for picture in plate.given] == ["Image", "Truth"]
    for entry in plate.entries:
        assert [picture.label for picture in entry.pictures] == ["Prediction", "Difference", "Cells"]
        assert f"{entry.loss.name}-f0-s0" in entry.source


def test_runs_on_other_folds_may_have_the_common_section(tmp_path: Path) -> None:
    """The best run of bce has kept others; its second best run has the section that the rest have."""
    record = make_record(tmp_path / "demo-001", losses=THREE, trials=1, seeds=1, folds=2, epochs=2)
    bce = sorted((t for t in record.trials if t.trial_id.startswith("bce-f")), key=lambda t: t.score or 0.0)
    keep(record, {"bce-f": (1, 2), "dice-f": (7, 8), "focal-f": (7, 9), bce[0].trial_id: (7, 11)})
    (entry,) = [entry for entry in common(looked(record)) if entry.loss.name == "bce"]
    assert entry.section.number == 7 and entry.source.startswith(bce[0].trial_id)


def test_without_a_section_in_common_there_is_no_such_plate(record: SweepRecord) -> None:
    keep(record, {"bce-f": (1, 2), "dice-f": (3, 4), "focal-f": (5, 6)})
    with pytest.raises(NothingToShow, match="no two losses have kept the same section"):
        common(looked(record))


@pytest.mark.parametrize("content", [b"torn", None])
def test_a_file_that_cannot_be_read_is_left_out(record: SweepRecord, content: bytes | None) -> None:
    (path,) = (record.folder / "finalists").glob("dice-*/sections.npz")
    if content is None:  # its numbers can be read, the rest cannot
        np.savez(path, section=np.array([24, 28]), raw=np.zeros((2, 3, 3)), membrane=np.zeros((2, 4, 4)), probability=np.zeros(1))
    else:
        path.write_bytes(content)
    assert sorted(entry.loss.name for entry in common(looked(record))) == ["bce", "focal"]


def test_many_losses_are_drawn_smaller(record: SweepRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    found = common(looked(record))
    monkeypatch.setattr(common_section, "SMALL_PX", 20)
    sizes = []
    for few in (len(found), len(found) - 1):
        monkeypatch.setattr(common_section, "FEW", few)
        entry = common_plate(found, "").entries[0]
        sizes.append(read_png(base64.b64decode(entry.pictures[0].uri.partition(",")[2])).shape[0])
    assert sizes == [64, 20]


def test_the_file_of_a_plate_holds_each_panel_as_it_is(record: SweepRecord, tmp_path: Path) -> None:
    _, runs = pictures.shown(looked(record))[0]
    titled = pictures.titled_sections(runs[:1])
    picture_files.save_plate(tmp_path / "plate.png", titled)
    sheet = read_png((tmp_path / "plate.png").read_bytes())
    times = picture_files.MIN_PX // 64
    for _, section in titled:
        for panel in (*given(section, picture_files.MAX_PX), *made(section, picture_files.MAX_PX)):
            assert holds(sheet, panel.rgb_HW3.repeat(times, axis=0).repeat(times, axis=1)), panel.label
    for line in picture_files.key(partial=False):
        for _, colours in line:
            assert all((sheet[-100:] == colour).all(axis=2).sum() >= 400 for colour in colours), "the key is below"
    assert (sheet == 255).all(axis=2).mean() > 0.1, "on white"


def test_the_file_of_the_common_section_holds_truth_and_every_loss(record: SweepRecord, tmp_path: Path) -> None:
    found = common(looked(record))
    picture_files.save_common(tmp_path / "common.png", found)
    sheet = read_png((tmp_path / "common.png").read_bytes())
    times = picture_files.MIN_PX // 64
    wanted = [
        *given(found[0].section, picture_files.MAX_PX),
        *(panel for entry in found for panel in made(entry.section, picture_files.MAX_PX)),
    ]
    assert all(holds(sheet, panel.rgb_HW3.repeat(times, axis=0).repeat(times, axis=1)) for panel in wanted)


def test_the_key_of_a_file_tells_unknown_labels_only_where_there_are_any() -> None:
    words = [{text for line in picture_files.key(partial=partial) for text, _ in line} for partial in (False, True)]
    assert words[1] - words[0] == {"label unknown"} and not words[0] - words[1]


def test_a_sheet_keeps_colours_and_takes_no_more_than_a_palette_has() -> None:
    sheet = Sheet([Word("a name in \u0416 and \u635f", 5, 10)], 60, 20)
    palette = np.array([[1, 2, 3], [200, 100, 50]], np.uint8)
    index = np.array([[0, 1], [1, 0]], np.uint8)
    sheet.lay(16, 50, index, palette)
    assert np.array_equal(read_png(sheet.to_png())[16:18, 50:52], palette[index])
    with pytest.raises(ValueError, match="256 colours"):
        sheet.lay(0, 0, np.zeros((1, 1), np.uint8), np.array([[9, 9, number] for number in range(200)], np.uint8))


def test_losses_names_make_harmless_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = dict(zip(("bce", "dice", "iou", "focal"), ("dice_2", "../../x", "\u0416\u0416", "X"), strict=True))
    record = make_record(tmp_path / "demo-001", losses=tuple(names), trials=1, seeds=1, epochs=2)
    trials = tuple(replace(trial, loss=names[trial.loss]) for trial in record.trials)
    record = replace(record, trials=trials, recipe=record.recipe | {"losses": {name: {"loss": loss} for loss, name in names.items()}})
    monkeypatch.setattr(build, "NARROW", build.WIDE)
    for plot in build.PLOTS[1:]:
        monkeypatch.setattr(plot, "draw", build.PLOTS[0].draw)
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    files = sorted(path.name for path in (record.folder / "report" / "figures").glob("*.png"))
    assert sorted(file.translate(str.maketrans("1234", "####", "")) for file in files) == sorted(
        ["pictures-#-dice_#.png", "pictures-#-x.png", "pictures-#.png", "pictures-#-x.png", "pictures-common.png"]
    )
    assert {link["href"] for link in page.of("a")} >= {f"figures/{file}" for file in files}
    assert {path.name for path in tmp_path.iterdir()} == {"demo-001"}
