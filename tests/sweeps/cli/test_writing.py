"""Files that a user names and that cannot be written: one message and exit code 4 from every verb, and nothing left behind."""

import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from sweeps import cli
from sweeps.cli.writing import check_place, save, writing
from sweeps.record import NoSweep
from tests.sweeps.report.test_comparison import OTHER, sweep
from tests.sweeps.small import small_recipe
from tests.sweeps.swept import FIXED, sweep_of


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("a file")
    (tmp_path / "folder.svg").mkdir()
    return tmp_path


def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str]:
    monkeypatch.setattr(sys, "argv", ["sweeps", *words])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    return int(ended.value.code or 0), " ".join(capsys.readouterr().err.split())


REASONS = [
    ("nowhere/x.svg", "there is no folder nowhere; make it first"),
    ("file/x.svg", "file is a file, no folder; name another place"),
    ("file/deeper/x.svg", "file is a file, no folder; name another place"),
    ("folder.svg", "it is a folder; name a file, such as folder.svg/NAME.svg"),
]


@pytest.mark.parametrize(("name", "reason"), REASONS)
def test_what_stands_in_the_way_is_said_before_and_after(name: str, reason: str, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(place.rglob("*"))
    for refused in (lambda: check_place("--out", Path(name)), lambda: save("--out", Path(name), b"x")):
        with pytest.raises(typer.Exit) as ended:
            refused()
        assert ended.value.exit_code == 4 and f"--out: {name} cannot be written: {reason}" in capsys.readouterr().err
    assert sorted(place.rglob("*")) == before, "no temporary file either"


def test_a_file_that_can_be_written_is(place: Path) -> None:
    check_place("--out", Path("x"))
    save("--out", Path("x"), b"one")
    save("--out", Path("x"), b"two")
    assert (place / "x").read_bytes() == b"two"


def test_errors_with_words_of_their_own_keep_them() -> None:
    with pytest.raises(NoSweep, match="holds no sweep"), writing("--out", Path("x")):
        raise NoSweep("x holds no sweep")


@pytest.mark.parametrize("name", ["nowhere/x", "file/x"])
@pytest.mark.parametrize(
    ("option", "ending", "words"),
    [
        ("--plot", ".svg", ("losses", "focal", "--plot")),
        ("--out", ".png", ("data", "preview", "synthetic:sections=5,size_px=64", "--out")),
        ("--figure", ".svg", ("bench", "verdict", ".", "--figure")),
    ],
)
def test_every_verb_refuses_alike(
    name: str, option: str, ending: str, words: tuple[str, ...], place: Path, monkeypatch: Any, capsys: Any
) -> None:
    code, said = run(monkeypatch, capsys, *words, f"{name}{ending}")
    assert code == 4 and said.startswith(f"{option}: {name}{ending} cannot be written: "), said


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sweep_of(tmp_path_factory.mktemp("writing") / "small-001", small_recipe(**FIXED), seeds=1)


def test_the_winner_is_not_written_where_it_cannot_be(trained: Path, place: Path, monkeypatch: Any, capsys: Any) -> None:
    for name, reason in (("nowhere/x.yaml", "there is no folder"), ("folder.svg", "it is a folder"), ("file/x.yaml", "is a file")):
        code, said = run(monkeypatch, capsys, "best", str(trained), "--out", name)
        assert code == 4 and said.startswith(f"--out: {name} cannot be written: ") and reason in said


def test_recorded_curves_are_not_written_where_they_cannot_be(place: Path, monkeypatch: Any, capsys: Any) -> None:
    monkeypatch.setattr("sweeps.bench.search_curves.read_curves", lambda source: None)
    monkeypatch.setattr("sweeps.bench.search_curves.write_curves", lambda record, path: path.open("w"))
    code, said = run(monkeypatch, capsys, "bench", "search", ".", "--write", "file/x.csv")
    assert code == 4 and said == "--write: file/x.csv cannot be written: file is a file, no folder; name another place"


def test_a_comparison_is_not_written_where_it_cannot_be(place: Path, monkeypatch: Any, capsys: Any) -> None:
    records = {Path(name): sweep(Path(name), data=OTHER) for name in ("a-001", "b-001")}
    monkeypatch.setattr("sweeps.report.comparison_sides.load_results", lambda folder: records[folder])
    code, said = run(monkeypatch, capsys, "report", "a-001", "b-001", "--out", "file/x.html")
    assert code == 4 and said.startswith("--out: file/x.html cannot be written: file is a file"), said
