"""One part that fails never loses the report."""

import logging
from pathlib import Path
from types import ModuleType

import pytest

from sweeps.record import SweepRecord
from sweeps.report import (
    answers,
    build,
    citations,
    common_section,
    front,
    methods,
    picture_files,
    pictures,
    published_figure,
    speed_figure,
    tables,
    write_report,
)
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record

#: stand in sections that are not there for a sweep like this one
_SOMETIMES = (published_figure, speed_figure)


@pytest.fixture
def record(tmp_path: Path) -> SweepRecord:
    return make_record(tmp_path / "demo-001", losses=("bce", "focal"), trials=2, seeds=2, epochs=3)


@pytest.fixture
def few_figures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the figures are not the question, one is enough."""
    monkeypatch.setattr(build, "NARROW", build.WIDE)
    monkeypatch.setattr(picture_files, "_save", lambda path, bands, *, partial: path.write_bytes(b""))
    for plot in build.PLOTS[1:]:
        monkeypatch.setattr(plot, "draw", build.PLOTS[0].draw)


def _explode(*_: object, **__: object) -> None:
    raise ZeroDivisionError("planted <b>fault</b>")


@pytest.mark.parametrize(
    ("plot", "function"),
    [
        *((plot, "draw") for plot in build.PLOTS if plot not in _SOMETIMES),
        (front, "caption"),
        (front, "alternative"),
        (front, "table"),
    ],
    ids=lambda value: value if isinstance(value, str) else value.NAME,
)
def test_a_failing_figure_leaves_a_note(
    record: SweepRecord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, plot: ModuleType, function: str
) -> None:
    monkeypatch.setattr(plot, function, _explode)
    with caplog.at_level(logging.WARNING, logger="sweeps.report.build"):
        page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert len(page.faults) == 1
    assert "ZeroDivisionError: planted <b>fault</b>" in page.text
    assert len(page.of("figure")) > 5
    assert any("could not be made" in entry.message and entry.exc_info for entry in caplog.records)


@pytest.mark.parametrize(
    ("room", "function"),
    [
        (answers, "masthead"),
        (answers, "sentence"),
        (answers, "facts"),
        (answers, "gaps"),
        (methods, "methods"),
        (citations, "citations"),
        (pictures, "shown"),
        (common_section, "common"),
        (build, "commands"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_failing_section_leaves_a_note(
    record: SweepRecord, few_figures: None, monkeypatch: pytest.MonkeyPatch, room: object, function: str
) -> None:
    monkeypatch.setattr(room, function, _explode)
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert len(page.faults) == 1
    assert "ZeroDivisionError" in page.text


@pytest.mark.parametrize("name", ["leaderboard", "metrics", "pairs", "failures", "circumstances"])
def test_a_failing_table_leaves_a_note(record: SweepRecord, few_figures: None, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    planted = tuple((title, _explode if title == name else make) for title, make in build._TABLES)
    monkeypatch.setattr(build, "_TABLES", planted)
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert len(page.faults) == (0 if name == "pairs" else 1)  # the pairs stand in the figure above as well
    assert not (record.folder / "report" / "tables" / f"{name}.csv").exists()


def test_a_failing_figure_does_not_leave_yesterdays_file(record: SweepRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    verdict = compute_verdict(record)
    write_report(record, verdict, record.folder)
    assert (record.folder / "report" / "figures" / "front.svg").exists()
    monkeypatch.setattr(front, "draw", _explode)
    write_report(record, verdict, record.folder)
    assert not (record.folder / "report" / "figures" / "front.svg").exists()
    assert not (record.folder / "report" / "tables" / "front.csv").exists()


def test_one_broken_picture_does_not_take_the_others(record: SweepRecord) -> None:
    verdict = compute_verdict(record)
    whole = read_page(write_report(record, verdict, record.folder))
    for path in (record.folder / "finalists").glob("bce-*/sections.npz"):
        path.write_bytes(b"not a zip file")
    page = read_page(write_report(record, verdict, record.folder))
    assert len(page.faults) == 1
    assert len(page.of("img")) == len(whole.of("img")) // 2 - 4, "those of one loss, and without two losses no common section"
    assert "no two losses have kept the same section" in page.text


def test_a_picture_file_that_cannot_be_made_takes_its_plate_only(record: SweepRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plate names its file, so it is not shown without it; nor is an older file left lying there."""
    verdict = compute_verdict(record)
    write_report(record, verdict, record.folder)
    assert len(list((record.folder / "report" / "figures").glob("*.png"))) == 3
    monkeypatch.setattr(picture_files, "save_plate", _explode)
    page = read_page(write_report(record, verdict, record.folder))
    assert len(page.faults) == 2
    assert [path.name for path in (record.folder / "report" / "figures").glob("*.png")] == ["pictures-common.png"]


def test_the_folder_that_cannot_be_written_is_an_error(record: SweepRecord) -> None:
    (record.folder / "report").write_text("in the way")
    with pytest.raises(OSError, match="report"):
        write_report(record, {}, record.folder)


def test_leaderboard_is_named_in_build() -> None:
    assert dict(build._TABLES)["leaderboard"] is tables.leaderboard
