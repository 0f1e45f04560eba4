"""The report in a real browser: no console error, nothing refused by its own policy, and the table sorts."""

import base64
import hashlib
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from sweeps.report import write_report
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import Page
from tests.sweeps.report.sample import make_record

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-sync",
    "--no-first-run",
    "--enable-logging=stderr",
    "--window-size=1280,2000",
    "--virtual-time-budget=4000",
    "--dump-dom",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium here: the page is parsed by the other tests, but not run")


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    record = make_record(tmp_path_factory.mktemp("results") / "demo-001", trials=2, seeds=2, epochs=4)
    return write_report(record, compute_verdict(record), record.folder)


def _open(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the page's elements after its script has run, and what the console said."""
    run = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={profile}", page.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


def _with_script(index: Path, code: str) -> Path:
    """A copy of the page that allows one script more, by its hash, as the policy would have it."""
    digest = base64.b64encode(hashlib.sha256(code.encode()).digest()).decode()
    page = index.read_text(encoding="utf-8").replace("script-src ", f"script-src 'sha256-{digest}' ")
    copy = index.with_name("clicked.html")
    copy.write_text(page.replace("</body>", f"<script>{code}</script></body>"), encoding="utf-8")
    return copy


def test_no_console_error(index: Path, tmp_path: Path) -> None:
    dom, console = _open(index, tmp_path / "profile")
    assert not console
    assert "<button" in dom, "the page's script has not run"


def test_the_policy_stops_a_foreign_script(index: Path, tmp_path: Path) -> None:
    page = index.with_name("foreign.html")
    page.write_text(
        index.read_text(encoding="utf-8").replace("</body>", "<script>document.title='owned'</script></body>"), encoding="utf-8"
    )
    dom, console = _open(page, tmp_path / "profile")
    assert "owned</title>" not in dom
    assert console


@pytest.mark.parametrize(("clicks", "order"), [(1, "ascending"), (2, "descending")])
def test_headings_sort(index: Path, tmp_path: Path, clicks: int, order: str) -> None:
    code = "const b=[...document.querySelectorAll('table.leaderboard thead button')].find(b=>b.textContent.includes('To target'));"
    dom, console = _open(_with_script(index, code + "b.click();" * clicks), tmp_path / "profile")
    assert not console
    table = dom[dom.index('<table class="leaderboard"') :]
    column = [attributes["title"] for tag, attributes in Page(_balanced(table)).elements if tag == "th" and "aria-sort" in attributes]
    assert column == ["median train seconds to the target"]
    assert f'aria-sort="{order}"' in table
    times = [float(row.replace("inf", "1e300")) for row in _column(table, "To target") if row]
    assert times == sorted(times, reverse=order == "descending")
    assert f"Sorted by To target, {order}." in dom


def _balanced(table: str) -> str:
    return table[: table.index("</table>") + len("</table>")]


def _column(table: str, title: str) -> list[str]:
    """Return the sort keys of one column of the first body."""
    head, body = table.split("</thead>")[0], table.split("<tbody>")[1].split("</tbody>")[0]
    number = next(i for i, cell in enumerate(re.findall(r"<th .*?</th>", head, flags=re.DOTALL)) if title in cell)
    return [re.findall(r'data-sort="([^"]*)"', row)[number] for row in body.split("</tr>") if "data-sort" in row]
