"""The verb report: several sweeps, and what W&B's answer makes of the exit code."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sweeps.cli import app, main
from sweeps.report import comparison_sides
from sweeps.tracking import publish as publishing
from sweeps.tracking.publish import Published
from tests.sweeps.report.sample import make_record
from tests.sweeps.report.test_comparison import OTHER, sweep

URL = "https://wandb.example/report"


@pytest.fixture
def two(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    records = {
        folder: sweep(folder, data=data) for folder, data in ((tmp_path / "a-001", OTHER), (tmp_path / "b-001", {"sha256": "0" * 64}))
    }
    real = comparison_sides.load_results
    monkeypatch.setattr(comparison_sides, "load_results", lambda folder: records[folder] if folder in records else real(folder))
    return [str(folder) for folder in records]


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Publishes a-001 and refuses b-001; lists what it was asked for."""
    asked: list[Path] = []

    def publish(folder: Path, *, say: Any, timeout_s: float = 120) -> Published:
        asked.append(folder)
        return Published(url=URL, action="created") if folder.name == "a-001" else Published(reason="there is no key for W&B")

    monkeypatch.setattr(publishing, "publish", publish)
    return asked


def run(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["report", *words])
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.output


def test_several_folders_give_one_page_and_its_commands(two: list[str], tmp_path: Path) -> None:
    code, said = run(*two, "--out", str(tmp_path / "both.html"))
    assert code == 0 and f"report   {tmp_path / 'both.html'}" in said and (tmp_path / "both.html").is_file()
    assert said.count("fill     sweeps rerun ") == 2 and "a-001: " in said and "b-001: " in said


def test_json_is_one_object(two: list[str], published: list[Path]) -> None:
    code, said = run(*two, "--json", "--wandb")
    told = json.loads(said)
    assert code == 4 and [each["url"] for each in told["wandb"]] == [URL, None]
    assert [each["found"] for each in told["transfers"]] == [None, None] and len(told["sweeps"]) == 2


@pytest.mark.parametrize(("name", "code", "words"), [("a-001", 0, f"W&B      {URL}"), ("b-001", 4, "there is no key for W&B")])
def test_one_report_is_made_before_it_is_sent(
    name: str, code: int, words: str, published: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Path] = []

    def close(folder: Path) -> tuple[dict[str, Any], Path]:
        assert not published, "the local report comes first"
        made.append(folder)
        return {"sentence": "bce is best."}, folder / "report" / "index.html"

    monkeypatch.setattr("sweeps.closing.close_sweep", close)
    folder = make_record(tmp_path / name, pictures=False).folder
    folder.mkdir(exist_ok=True)
    found, said = run(str(folder), "--wandb")
    assert (found, made, published) == (code, [folder], [folder]) and words in said and "bce is best." in said


def test_a_folder_that_is_left_out_makes_the_command_fail_and_not_the_page(two: list[str], tmp_path: Path) -> None:
    (tmp_path / "c-001").mkdir()
    for words in ([*two, str(tmp_path / "c-01")], [*two, str(tmp_path / "c-001"), "--json"]):
        code, said = run(*words, "--out", str(tmp_path / "both.html"))
        assert code == 4 and (tmp_path / "both.html").is_file()
    assert [each["why"][:14] for each in json.loads(said)["left_out"]] == ["holds no sweep"]
    code, said = run(*two, str(tmp_path / "c-01"))
    assert f"left out: {tmp_path / 'c-01'}: no such folder; did you mean {tmp_path / 'c-001'}?" in said
    assert run(*two, two[0])[0] == 0, "what is named twice is there"


def test_a_page_inside_a_sweep_is_refused_by_the_command(two: list[str], monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr(sys, "argv", ["sweeps", "report", *two, "--out", str(Path(two[0]) / "report" / "index.html")])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2 and "over files of that sweep" in capsys.readouterr().err and not Path(two[0]).exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [(("a", "--out", "x.html"), "for several sweeps"), (("a", "b", "--out", "page.pdf"), "such as both.html"), ((), "DIR")],
)
def test_usage_mistakes_are_told(words: tuple[str, ...], said: str) -> None:
    code, text = run(*words)
    assert code == 2 and said in " ".join(text.split())
