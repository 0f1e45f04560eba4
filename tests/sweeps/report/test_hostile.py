"""Names, errors and provenance may come from anybody: they are shown, and do nothing."""

import csv
import itertools
import re
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from sweeps.record import SweepRecord
from sweeps.report import write_report
from sweeps.verdict.compose import compute_verdict
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
    "wide-formula": "\uff1dHYPERLINK(1)",
    "cdata": "]]><svg onload=alert(1)>",
    "script-end": "</script><script>alert(2)</script>",
    "address": "javascript:alert(1)",
    "long": "x" * 5000,
    "script-of-others": "\u635f\u5931 \U0001f525 \u0416",
    "lines": "one\r\ntwo\ttab",
    "dots": "a.b.c",
    "empty": "",
}


# Five strings a report, because making one takes a second: each is the name of a loss, and the other places are filled in turn.
GROUPS = [
    "script attribute style template path",
    "terminal control direction surrogate mathematics",
    "formula wide-formula cdata script-end address",
    "long script-of-others lines dots empty",
]


def _poisoned(folder: Path, texts: list[str]) -> SweepRecord:
    """The texts wherever a record can hold one."""
    stand_ins, turn = ("bce", "dice", "iou", "focal", "tversky"), itertools.cycle(texts)
    record = make_record(folder, losses=stand_ins, trials=1, seeds=2, epochs=2)
    names = dict(zip(stand_ins, texts, strict=True))
    trials = [
        replace(
            t,
            loss=names[t.loss],
            function=next(turn),
            trial_id=f"{next(turn)}{n}",
            worker=next(turn),
            reason=next(turn),
            attempts=2,
            suggestion={f"loss.{names[t.loss]}": names[t.loss]},
        )
        for n, t in enumerate(record.trials)
    ]
    trials[0] = replace(trials[0], state="failed", error=f"first line\n{texts[0]}")
    trials[1] = replace(trials[1], state="failed", error=texts[1])
    losses = {text: {"loss": next(turn), next(turn): {"low": 0, "high": 1}} for text in texts}
    provenance = {
        "created": next(turn),
        "command": texts,
        "versions": dict(zip(texts, texts, strict=True)),
        "hardware": {"processor": next(turn)},
    }
    data = {"name": next(turn), "membrane_rule": next(turn), "notes": texts, "sha256": next(turn), "shape": texts[:3]}
    return replace(
        record,
        name=next(turn),
        trials=tuple(trials),
        recipe=record.recipe | {"losses": losses, "data": {"source": next(turn)}},
        sanity=[row | {"name": next(turn)} for row in record.sanity],
        provenance=provenance,
        data=data,
    )


def _check_harmless(page: Page) -> None:
    assert len(page.of("script")) == 1
    assert len(page.of("style")) == 1
    for tag, attributes in page.elements:
        assert not [key for key in attributes if key.startswith("on")], (tag, attributes)
        for key in ("src", "href", "xlink:href", "action", "data", "poster", "srcset"):
            address = attributes.get(key, "")
            if tag == "a" and address.startswith("https://"):
                continue
            assert re.fullmatch(r"|#[\w-]+|data:[\w/,;+=-]*.*|(figures|tables)/[a-z0-9_-]+\.(svg|png|csv)", address), (tag, key, address)
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", page.source)


def _texts(group: str) -> list[str]:
    return [CORPUS[kind] for kind in group.split()]


@pytest.mark.parametrize("group", GROUPS)
def test_hostile_strings_are_shown_and_do_nothing(tmp_path: Path, group: str) -> None:
    folder, texts = tmp_path / "demo-001", _texts(group)
    record = _poisoned(folder, texts)
    before = {path for path in tmp_path.rglob("*") if path.is_file()}
    verdict = compute_verdict(record) | {"missing": texts, "gaps": texts, "groups_rule": " ".join(texts), "sentence": "; ".join(texts)}
    page = read_page(write_report(record, verdict, folder))
    assert not page.faults, page.faults
    _check_harmless(page)
    assert all(path.parent in _rooms(folder) for path in tmp_path.rglob("*") if path.is_file() and path not in before)
    for path in (folder / "report" / "tables").glob("*.csv"):
        for row in csv.reader(path.read_text(encoding="utf-8").splitlines(keepends=True)):
            assert not [cell for cell in row if cell.startswith(("=", "+", "@", "\uff1d", "\t"))], path
            assert not [cell for cell in row if cell.startswith("-") and not re.fullmatch(r"-[\d.einf-]+", cell)], path
    for path in (folder / "report" / "figures").glob("*.svg"):
        tags = {element.tag.rpartition("}")[2] for element in ElementTree.parse(path).iter()}
        assert tags <= {"svg", "g", "defs", "path", "use", "text", "title", "rect", "clipPath", "pattern"}, path


def _rooms(folder: Path) -> set[Path]:
    return {folder / "report", folder / "report" / "figures", folder / "report" / "tables"}


def test_groups_hold_the_whole_corpus() -> None:
    assert sorted(" ".join(GROUPS).split()) == sorted(CORPUS)


def test_text_is_readable_after_cleaning(tmp_path: Path) -> None:
    record = _poisoned(tmp_path / "demo-001", _texts(GROUPS[0]))
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert CORPUS["script"] in page.text


def test_pickled_sections_are_not_unpickled(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=("bce",), trials=1, seeds=1, epochs=2)
    kept = next((record.folder / "finalists").rglob("sections.npz"))
    np.savez(
        kept, section=np.array([1]), raw=np.array([{"a": 1}], dtype=object), membrane=np.zeros((1, 4, 4)), probability=np.zeros((1, 4, 4))
    )
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert len(page.faults) == 1
    assert "Object arrays cannot be loaded" in page.text
