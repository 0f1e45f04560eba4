"""The page is complete in itself, accessible, and the same for the same record."""

import base64
import csv
import hashlib
import re
from itertools import pairwise
from pathlib import Path

import pytest

from sweeps.record import SweepRecord
from sweeps.report import page as page_module
from sweeps.report import write_report
from sweeps.report.palette import INK, MUTED, PANEL, PAPER, ROLES, TEXTS, identity
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import Page, read_page
from tests.sweeps.report.sample import SIX, make_record


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> SweepRecord:
    return make_record(tmp_path_factory.mktemp("results") / "demo-001")


@pytest.fixture(scope="module")
def page(record: SweepRecord) -> Page:
    return read_page(write_report(record, compute_verdict(record), record.folder))


def test_nothing_is_asked_of_anybody(page: Page) -> None:
    for tag, attributes in page.elements:
        for key, value in attributes.items():
            if tag == "a" and key == "href" and value.startswith("https://"):
                continue
            if key.startswith("xmlns"):
                continue
            assert "//" not in value or value.startswith("data:"), (tag, key, value[:80])
        assert tag not in ("iframe", "object", "embed", "base", "form", "audio", "video")
    assert "@import" not in page.source
    assert not re.search(r"url\((?!#)", page.source)


def test_the_policy_names_the_only_style_and_script(page: Page) -> None:
    policy = next(meta["content"] for meta in page.of("meta") if meta.get("http-equiv") == "Content-Security-Policy")
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert "unsafe" not in policy
    for tag, directive in (("style", "style-src"), ("script", "script-src")):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", page.source, flags=re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy
    assert not [attributes for _, attributes in page.elements if "style" in attributes]


def test_style_and_script_cannot_close_their_element() -> None:
    room = Path(page_module.__file__).parent
    for name in ("style.css", "sort.js"):
        assert "</" not in (room / name).read_text(encoding="utf-8")


def test_every_part_is_there(page: Page) -> None:
    assert not page.faults
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    wanted = (
        "verdict front leaderboard speed scores trials search curves spending pictures differences timeline failures methods citations "
        "reproduce"
    )
    assert [attributes["id"] for attributes in page.of("section") if attributes["id"] != "parameters"] == wanted.split()
    for link in page.of("a"):
        assert not link["href"].startswith("#") or link["href"][1:] in ids
    assert len(page.of("img")) == 6 * 2 * 5 + 2 + 6 * 3, "two sections of each loss, and one that all have"
    assert "sweeps rerun" in page.text
    assert "Arganda-Carreras" in page.text
    for loss in SIX:
        assert loss in page.text


def test_it_can_be_heard(page: Page) -> None:
    assert all(image["alt"] for image in page.of("img"))
    assert all("aria-label" in svg or svg.get("aria-hidden") == "true" for svg in page.of("svg"))
    assert len(page.of("caption")) == len(page.of("table"))
    assert all("scope" in heading for heading in page.of("th"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    assert page.of("html")[0]["lang"] == "en"


def test_files_beside_the_page_are_those_it_names(page: Page, record: SweepRecord) -> None:
    named = {link["href"] for link in page.of("a") if link["href"].startswith(("figures/", "tables/"))}
    report = record.folder / "report"
    assert named == {path.relative_to(report).as_posix() for kind in ("figures", "tables") for path in (report / kind).iterdir()}
    for link in page.of("a"):
        if link["href"].startswith("data:text/csv"):
            inside = base64.b64decode(link["href"].partition(",")[2])
            assert inside == (report / "tables" / link["download"]).read_bytes()


def _read(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines(keepends=True)))


def test_csv_holds_the_numbers(record: SweepRecord, page: Page) -> None:
    tables = record.folder / "report" / "tables"
    rows = _read(tables / "trials.csv")
    assert len(rows) == len(record.trials)
    by_id = {trial.trial_id: trial for trial in record.trials}
    assert all(float(row["membrane_dice"]) == by_id[row["trial"]].score for row in rows if row["membrane_dice"])
    board = _read(tables / "leaderboard.csv")
    ranking = compute_verdict(record)["ranking"]
    assert [row["loss"] for row in board[: len(ranking)]] == [row["loss"] for row in ranking]
    assert float(board[0]["membrane_dice"]) == ranking[0]["scores"]["membrane_dice"]["mean"]
    assert board[-1]["loss"] == "best intensity threshold"


def test_the_same_record_gives_the_same_bytes(record: SweepRecord, page: Page) -> None:
    files = {path: path.read_bytes() for path in (record.folder / "report").rglob("*") if path.is_file()}
    write_report(record, compute_verdict(record), record.folder)
    assert all(path.read_bytes() == before for path, before in files.items())


def test_a_loss_has_one_colour_all_over_the_page(page: Page) -> None:
    for index in range(len(SIX)):
        assert f"var(--mark-{identity(index).hue})" in page.source
    assert not re.search(r"#0[0-2][0-9a-f]{2}0[1-5]\b", page.source), "a stand-in colour was left"


def _luminance(colour: str) -> float:
    channels = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def _contrast(a: str, b: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    dark, bright = sorted((_luminance(a), _luminance(b)))
    return (bright + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_words_can_be_read_in_both_themes(theme: str) -> None:
    for role in (INK, MUTED, *TEXTS):
        for ground in (PAPER, PANEL):
            assert _contrast(getattr(role, theme), getattr(ground, theme)) >= 4.5, (role.variable, ground.variable, theme)


def test_stand_ins_differ() -> None:
    assert len({role.stand_in for role in ROLES}) == len(ROLES)
    assert len({(identity(i).hue, identity(i).marker) for i in range(72)}) == 72


def test_it_is_small_enough_to_be_sent(record: SweepRecord, page: Page) -> None:
    assert (record.folder / "report" / "index.html").stat().st_size < 8_000_000
