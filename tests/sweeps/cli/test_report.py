"""The verb report: several sweeps, and what W&B's answer makes of the exit code."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from sweeps.cli import app
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
    monkeypatch.setattr("sweeps.report.comparison_sides.load_results", lambda folder: records[folder])
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
    found, said = run(str(folder), "--wandb")
    assert (found, made, published) == (code, [folder], [folder]) and words in said and "bce is best." in said


@pytest.mark.parametrize(
    ("words", "said"),
    [(("a", "--out", "x.html"), "for several sweeps"), (("a", "b", "--out", "page.pdf"), "such as both.html"), ((), "DIR")],
)
def test_usage_mistakes_are_told(words: tuple[str, ...], said: str) -> None:
    code, text = run(*words)
    assert code == 2 and said in " ".join(text.split())
