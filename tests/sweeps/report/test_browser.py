"""The report in a real browser: quiet, alone, small, sortable by mouse and keys, readable at any width, in both themes and on paper."""

import base64
import hashlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.report import write_report
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.axe import axe_path, violations
from tests.sweeps.report.chromium import CHROMIUM, Browser, Tab
from tests.sweeps.report.sample import make_record
from tests.sweeps.report.test_gaps import CASES

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the page is parsed by the other tests, but not run")

PAPER_WIDTH_PX = 718
"""A4 less the margins that Chromium prints with, at 96 dpi."""

# What a reader sees of each word of a figure: its colour, and the paper's. Hidden figures (the other width's) are left out.
_WORDS = """[...document.querySelectorAll("svg text")].filter((text) => text.checkVisibility())
  .map((text) => [getComputedStyle(text).fill, getComputedStyle(document.body).backgroundColor])"""
_SORTED = """(() => { const table = document.querySelector("table.leaderboard");
  const number = [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent.trim() === "To target");
  return {order: table.tHead.rows[0].cells[number].getAttribute("aria-sort"),
    marked: table.tHead.querySelectorAll("[aria-sort]").length,
    losses: [...table.tBodies[0].rows].map((row) => row.cells[1].dataset.sort),
    values: [...table.tBodies[0].rows].map((row) => row.cells[number].dataset.sort),
    last: table.tBodies[1].rows[1].cells[1].textContent, said: document.getElementById("said").textContent}; })()"""
_BUTTON = """[...document.querySelectorAll("table.leaderboard thead button")].find((b) => b.textContent.trim() === "To target")"""


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = make_record(tmp_path_factory.mktemp("results") / "demo-001", trials=4, seeds=2, epochs=4)
    return write_report(record, compute_verdict(record), record.folder)


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield Tab(browser)
    browser.close()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_it_is_quiet_and_asks_for_nothing(tab: Tab, index: Path, width: int, dark: bool) -> None:
    tab.open(index, width=width, dark=dark)
    tab.run("scrollTo({top: document.body.scrollHeight, behavior: 'instant'})")  # pictures come when they are scrolled to
    tab.wait(0.3)
    assert tab.said == []
    assert tab.asked == [index.as_uri()]
    assert tab.run("document.querySelectorAll('thead button').length") > 20, "the page's script has not run"
    assert index.stat().st_size < 8_000_000


def test_the_policy_stops_a_foreign_script(tab: Tab, index: Path) -> None:
    """And what it tried is seen, though it was not allowed: else the test above would say little."""
    page = index.with_name("foreign.html")
    source = index.read_text(encoding="utf-8")
    page.write_text(source.replace("</body>", "<script>document.title='owned'</script><img src='https://localhost/x.png'></body>"))
    tab.open(page, settle_s=0.3)
    assert tab.run("document.title") != "owned"
    assert sum("Content Security Policy" in line for line in tab.said) == 2, tab.said
    assert tab.asked == [page.as_uri(), "https://localhost/x.png"]


def test_an_error_of_the_console_is_heard(tab: Tab, index: Path) -> None:
    code = "console.error('planted'); setTimeout(() => { throw new Error('thrown'); }, 10)"
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    page = index.with_name("noisy.html")
    source = index.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ")
    page.write_text(source.replace("</body>", f"<script>{code}</script></body>"), encoding="utf-8")
    tab.open(page, settle_s=0.5)
    assert any("planted" in line for line in tab.said) and any("thrown" in line for line in tab.said), tab.said


def _numbers(values: list[str]) -> list[float]:
    return [float(value) for value in values if value]


@pytest.mark.parametrize("way", ["mouse", "Enter", " "])
def test_a_heading_sorts(tab: Tab, index: Path, way: str) -> None:
    tab.open(index)
    before: dict[str, Any] = tab.run(_SORTED)
    assert before["order"] is None
    for order in ("ascending", "descending"):
        if way == "mouse":
            tab.click(_BUTTON)
        else:
            tab.run(f"{_BUTTON}.focus()")
            tab.press(way)
        after = tab.run(_SORTED)
        assert after["order"] == order and after["marked"] == 1
        assert after["said"] == f"Sorted by To target, {order}."
        known = _numbers(after["values"])
        assert known == sorted(known, reverse=order == "descending")
        assert sorted(after["losses"]) == sorted(before["losses"])
        assert after["last"] == before["last"], "the rows for scale stay below"
    assert after["losses"] != before["losses"]


def test_the_tabulator_reaches_headings_and_shows_where_it_is(tab: Tab, index: Path) -> None:
    tab.open(index)
    reached = []
    for _ in range(60):
        tab.press("Tab")
        kind = tab.run("document.activeElement.closest('.skip, nav, table.leaderboard thead, .scroll, .links')?.className ?? ''")
        reached.append(tab.run("document.activeElement.tagName"))
        assert tab.run("getComputedStyle(document.activeElement).outlineStyle") == "solid", (kind, reached[-1])
        if reached[-1] == "BUTTON":
            break
    assert reached[0] == "A" and reached[-1] == "BUTTON"
    assert tab.run("document.activeElement.closest('table')?.className") == "leaderboard"
    tab.press("Enter")
    assert tab.run("document.querySelectorAll('table.leaderboard [aria-sort]').length") == 1


@pytest.mark.parametrize("width", [1280, 768, 400, 320])
def test_nothing_runs_over_the_edge(tab: Tab, index: Path, width: int) -> None:
    tab.open(index, width=width)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    assert tab.run("document.documentElement.scrollWidth") == width
    shown = tab.run("[...document.querySelectorAll('.canvas svg')].filter((svg) => svg.checkVisibility()).map((svg) => svg.classList[0])")
    assert set(shown) == {"wide" if width > 720 else "narrow"}


def test_late_pictures_move_nothing(tab: Tab, index: Path) -> None:
    tab.open(index)
    height = "document.documentElement.scrollHeight"
    before = tab.run(height)
    tab.run("document.querySelectorAll('img').forEach((image) => { image.loading = 'eager'; })")
    tab.run("Promise.all([...document.images].map((image) => image.decode().catch(() => 0)))")
    assert tab.run(height) == before


def _channels(colour: str) -> list[float]:
    return [float(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]


def _contrast(a: str, b: str) -> float:
    """WCAG 2.2, relative luminance and contrast ratio."""
    lights = []
    for colour in (a, b):
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in _channels(colour)]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_words_in_figures_can_be_read(tab: Tab, index: Path, dark: bool) -> None:
    """axe-core judges the page's own words; those of an SVG it leaves to others."""
    tab.open(index, dark=dark)
    words: list[list[str]] = tab.run(_WORDS)
    assert len(words) > 80
    papers = {paper for _, paper in words}
    assert len(papers) == 1 and (_contrast(papers.pop(), "rgb(0, 0, 0)") < 2) == dark
    assert min(_contrast(ink, paper) for ink, paper in words) >= 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_on_paper_all_is_open_and_nothing_is_cut(tab: Tab, index: Path, dark: bool) -> None:
    tab.open(index, width=PAPER_WIDTH_PX, dark=dark)
    sheet = tab.printed()
    assert sheet.startswith(b"%PDF-") and 5 < sheet.count(b"/Type /Page\n") < 40
    tab.show_as(dark=dark, medium="print")
    assert tab.run("document.documentElement.scrollWidth") <= PAPER_WIDTH_PX
    assert tab.run("[...document.querySelectorAll('nav, .copy')].some((each) => each.checkVisibility())") is False
    closed = "[...document.querySelectorAll('details:not([open]) table, details:not([open]) img')]"
    assert tab.run(f"{closed}.length") > 1 and tab.run(f"{closed}.every((each) => each.checkVisibility())")
    assert tab.run("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)", "ink is dear"
    tab.show_as()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 400])
def test_axe_finds_nothing_serious(tab: Tab, index: Path, width: int, dark: bool) -> None:
    axe = axe_path()
    if axe is None:
        pytest.skip("no axe-core here: neither axe-core-python is installed nor does AXE_CORE name an axe.min.js")
    tab.open(index, width=width, dark=dark)
    tab.run("document.querySelectorAll('details').forEach((each) => { each.open = true; })")
    found = [each for each in violations(tab, axe) if each.impact in ("serious", "critical")]
    assert found == []


def test_axe_is_awake(tab: Tab, index: Path) -> None:
    axe = axe_path()
    if axe is None:
        pytest.skip("no axe-core here: neither axe-core-python is installed nor does AXE_CORE name an axe.min.js")
    tab.open(index)
    tab.run("document.querySelector('table.leaderboard thead button').replaceChildren()")
    tab.run("document.querySelector('img').removeAttribute('alt')")
    assert {"button-name", "image-alt"} <= {each.rule for each in violations(tab, axe)}


@pytest.mark.parametrize("case", ["no trial", "all failed", "all NaN", "one loss", "one seed", "one fold", "no files"])
def test_what_little_there_is_loads_as_quietly(tab: Tab, tmp_path: Path, case: str) -> None:
    record = CASES[case][0](tmp_path / "demo-001")
    page = write_report(record, compute_verdict(record), record.folder)
    tab.open(page, width=400)
    assert tab.said == [] and tab.asked == [page.as_uri()]
    assert tab.run("document.documentElement.scrollWidth") == 400


def test_hostile_names_stay_words(tab: Tab, tmp_path: Path) -> None:
    """A browser forgives what a parser refuses, and the other way round: here what counts is what it does."""
    names = {"bce": "<script>document.title='owned'</script>", "focal": "\"><img src=x onerror=document.title='owned'>" + "x" * 300}
    record = make_record(tmp_path / "demo-001", losses=tuple(names), trials=2, seeds=2, epochs=3)
    trials = [replace(trial, loss=names[trial.loss], error=names["focal"]) for trial in record.trials]
    recipe = record.recipe | {"losses": {name: {"loss": "bce"} for name in names.values()}}
    record = replace(record, trials=tuple(trials), recipe=recipe)
    page = write_report(record, compute_verdict(record), record.folder)
    tab.open(page, width=400)
    assert tab.said == [] and tab.asked == [page.as_uri()]
    assert "owned" not in tab.run("document.title").partition(":")[0] and tab.run("document.querySelectorAll('img[src=x]').length") == 0
    assert tab.run("document.body.textContent").count("<script>document.title") > 1
    assert tab.run("document.documentElement.scrollWidth") == 400
