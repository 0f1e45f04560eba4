"""Names, errors and provenance may come from anybody: they are shown, and do nothing."""

import csv
import re
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.record import SweepRecord
from sweeps.report import write_report
from sweeps.verdict import compute_verdict
from tests.sweeps.report.reading import Page, read_page
from tests.sweeps.report.sample import make_record

CORPUS = {
    "script": "<script>alert(1)</script>",
    "attribute": '"><img src=https://evil.example/x.png onerror=alert(1)>',
    "style": "</style><style>*{background:url(https://evil.example)}",
    "template": "{{ 7*7 }}{% raise %}",
    "path": "../../../etc/passwd",
    "terminal": "\x1b[31mred\x1b]0;title\x07",
    "control": "nul\x00bell\x07\x85\ufffe",
    "direction": "abc\u202egpj.exe",
    "surrogate": "half \ud800 a pair",
    "mathematics": r"$\frac{$ \alpha",
    "formula": "=cmd|' /C calc'!A0",
    "wide formula": "\uff1dHYPERLINK(1)",
    "cdata": "]]><svg onload=alert(1)>",
    "script end": "</script><script>alert(2)</script>",
    "address": "javascript:alert(1)",
    "long": "x" * 5000,
    "script of others": "\u635f\u5931 \U0001f525 \u0416",
    "lines": "one\r\ntwo\ttab",
    "dots": "a.b.c",
    "empty": "",
}


def _poisoned(folder: Path, text: str) -> SweepRecord:
    """The text wherever a record can hold one."""
    record = make_record(folder, losses=("bce", "focal"), trials=2, seeds=2, epochs=3)
    names = {"bce": text, "focal": f"{text} 2"}
    trials = [
        replace(
            t,
            loss=names[t.loss],
            function=text,
            trial_id=f"{text}{n}",
            worker=text,
            suggestion={f"loss.{text}": text},
            reason=text,
            attempts=2,
        )
        for n, t in enumerate(record.trials)
    ]
    trials[0] = replace(trials[0], state="failed", error=f"first line\n{text}")
    recipe = record.recipe | {
        "losses": {name: {"loss": text, text: {"low": 0, "high": 1}} for name in names.values()},
        "data": {"source": text},
    }
    sanity = [row | {"name": text} for row in record.sanity]
    provenance = {"created": text, "command": [text], "versions": {text: text}, "hardware": {"processor": text}}
    data = {"name": text, "membrane_rule": text, "notes": [text], "sha256": text, "shape": [text] * 3}
    return replace(record, name=text, trials=tuple(trials), recipe=recipe, sanity=sanity, provenance=provenance, data=data)


def _check_harmless(page: Page) -> None:
    assert len(page.of("script")) == 1
    assert len(page.of("style")) == 1
    for tag, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on")], (tag, attributes)
        for key in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            address = attributes.get(key, "")
            if tag == "a" and address.startswith("https://"):
                continue
            assert re.fullmatch(r"|#[\w-]+|data:[\w/,;+=-]*.*|(figures|tables)/[a-z]+\.(svg|csv)", address), (tag, key, address)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", page.source)


@pytest.mark.parametrize("kind", CORPUS)
def test_hostile_strings_are_shown_and_do_nothing(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "demo-001"
    record = _poisoned(folder, CORPUS[kind])
    verdict = compute_verdict(record)
    verdict |= {
        "sentence": f"{CORPUS[kind]} is best; {CORPUS[kind]}",
        "missing": [CORPUS[kind]],
        "gaps": [CORPUS[kind]],
        "groups_rule": CORPUS[kind],
    }
    page = read_page(write_report(record, verdict, folder))
    assert not page.faults, page.faults
    _check_harmless(page)
    written = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    outside = {path for path in written if not path.startswith(("demo-001/report/", "demo-001/trials/", "demo-001/finalists/"))}
    assert not {path for path in outside if not path.endswith("sections.npz")}
    for path in (folder / "report" / "tables").glob("*.csv"):
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines(keepends=True)):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@", "\uff1d", "\t"))], path
            assert not [cell for cell in row if cell.startswith("-") and not re.fullmatch(r"-[\d.einf-]+", cell)], path


def test_text_is_readable_after_cleaning(tmp_path: Path) -> None:
    record = _poisoned(tmp_path / "demo-001", CORPUS["script"])
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert CORPUS["script"] in page.text


def test_figures_beside_the_page_hold_no_markup_of_names(tmp_path: Path) -> None:
    record = _poisoned(tmp_path / "demo-001", CORPUS["cdata"])
    write_report(record, compute_verdict(record), record.folder)
    for path in (record.folder / "report" / "figures").glob("*.svg"):
        text = path.read_text(encoding="utf-8")
        assert "onload=alert" not in text.replace("&lt;svg onload=alert", ""), path


def test_pickled_sections_are_not_unpickled(tmp_path: Path) -> None:
    import numpy as np

    record = make_record(tmp_path / "demo-001", losses=("bce",), trials=1, seeds=1, epochs=2)
    kept = next((record.folder / "finalists").rglob("sections.npz"))
    np.savez(
        kept, section=np.array([1]), raw=np.array([{"a": 1}], dtype=object), membrane=np.zeros((1, 4, 4)), probability=np.zeros((1, 4, 4))
    )
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert len(page.faults) == 1
    assert "Object arrays cannot be loaded" in page.text
