"""A data set's contact sheet: which sections, with which pixels, blocks and words."""

import io
from dataclasses import replace
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

from data_utils import Stack
from data_utils.errors import DataError
from data_utils.synthetic import make_synthetic
from sweeps.report import contact_sheet
from sweeps.report.contact_sheet import save_contact_sheet

ORANGE, BLUE = np.array([213, 94, 0]), np.array([0, 114, 178])


@pytest.fixture(scope="module")
def stack() -> Stack:
    return make_synthetic(sections=10, size_px=64, seed=1)


def pixels(path: Path) -> np.ndarray:
    return (matplotlib.image.imread(io.BytesIO(path.read_bytes()), format="png")[..., :3] * 255).round().astype(int)


def words(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sections: list[int] | None = None) -> list[str]:
    said: list[str] = []
    whole = contact_sheet.Sheet
    monkeypatch.setattr(contact_sheet, "Sheet", lambda words, *size: said.extend(word.text for word in words) or whole(words, *size))
    save_contact_sheet(tmp_path / "words.png", stack, sections)
    return said


def with_hue(sheet: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Where a pixel is grey mixed with a colour by more than a little."""
    grey = sheet - sheet.mean(axis=2, keepdims=True)
    hue = colour - colour.mean()
    return (grey @ hue / np.linalg.norm(hue) > 40) & (np.abs(grey).max(axis=2) > 20)


def test_membrane_is_orange_where_it_is_and_nowhere_else(stack: Stack, tmp_path: Path) -> None:
    assert stack.membrane_ZHW is not None
    assert save_contact_sheet(tmp_path / "one.png", stack, [1]) == [1]
    sheet = pixels(tmp_path / "one.png")
    tinted = with_hue(sheet, ORANGE)
    below = sheet[-contact_sheet._MARGIN - contact_sheet._BETWEEN - 64 : -contact_sheet._MARGIN - contact_sheet._BETWEEN, 24 : 24 + 64]
    assert np.array_equal(with_hue(below, ORANGE), stack.membrane_ZHW[1])
    assert tinted.sum() == stack.membrane_ZHW[1].sum()


def test_all_sections_with_numbers_blocks_and_shares(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert stack.membrane_ZHW is not None
    said = words(stack, monkeypatch, tmp_path)
    shares = [f"{100 * section.mean():.1f}%" for section in stack.membrane_ZHW]
    assert [line for line in said if line.startswith("section ")] == [f"section {z}, block {z // 2}, {shares[z]}" for z in range(10)]
    head = " ".join(said)
    assert "10 sections of 64 x 64 px" in head and "voxel 50 x 4 x 4 nm" in head and "uint8" in head
    assert stack.membrane_rule in head and stack.name in said
    sheet = pixels(tmp_path / "words.png")
    for colour in contact_sheet._BLOCKS:
        assert (sheet == colour).all(axis=2).sum() == 2 * 64 * (contact_sheet._BAR - 2), "two bars of each block"


def test_unknown_labels_are_blue_and_in_no_share(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    counted = np.ones(stack.raw_ZHW.shape, bool)
    counted[:, :, 32:] = False
    counted[1] = False
    partial = replace(stack, counted_ZHW=counted)
    said = words(partial, monkeypatch, tmp_path, [0, 1])
    assert stack.membrane_ZHW is not None
    assert f"section 0, block 0, {100 * stack.membrane_ZHW[0, :, :32].mean():.1f}%" in said
    assert "section 1, block 0, no label" in said and "blue: label unknown" in " ".join(said)
    sheet = pixels(tmp_path / "words.png")
    rows = slice(-contact_sheet._MARGIN - contact_sheet._BETWEEN - 64, -contact_sheet._MARGIN - contact_sheet._BETWEEN)
    assert with_hue(sheet[rows, 24 + 32 : 24 + 64], BLUE).mean() > 0.9 and not with_hue(sheet[rows, 24 : 24 + 32], BLUE).any()


def test_a_stack_without_labels_and_too_short_for_folds(stack: Stack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = replace(stack, raw_ZHW=stack.raw_ZHW[:3], membrane_ZHW=None, membrane_rule="no labels")
    said = words(bare, monkeypatch, tmp_path)
    assert "section 2" in said and "no labels" in said
    assert "Orange" not in " ".join(said) and "Bars" not in " ".join(said)
    assert not with_hue(pixels(tmp_path / "words.png"), ORANGE).any()


@pytest.mark.parametrize("dtype", ["uint16", "float32"])
def test_any_grey_is_stretched(stack: Stack, dtype: str, tmp_path: Path) -> None:
    raw = stack.raw_ZHW.astype(np.float32) * 37.5 - (0 if dtype == "uint16" else 999)
    for name, each in (("plain", stack), ("other", replace(stack, raw_ZHW=raw.astype(dtype)))):
        save_contact_sheet(tmp_path / f"{name}.png", replace(each, membrane_ZHW=None), [2])
    plain, other = (pixels(tmp_path / f"{name}.png")[-104:-40, 24:88] for name in ("plain", "other"))
    assert np.abs(plain - other).max() <= 5 and plain.std() > 20


def test_a_constant_stack_is_drawn(stack: Stack, tmp_path: Path) -> None:
    save_contact_sheet(tmp_path / "x.png", replace(stack, raw_ZHW=np.full((2, 9, 300), 7, np.uint8), membrane_ZHW=None))
    assert (tmp_path / "x.png").stat().st_size > 100


def test_of_many_sections_some_are_shown_evenly() -> None:
    shown = contact_sheet._chosen(1000, None, "x")
    assert len(shown) == contact_sheet.MOST_SECTIONS and (shown[0], shown[-1]) == (0, 999)
    assert set(np.diff(shown)) <= {16, 17}


@pytest.mark.parametrize(
    ("sections", "words"), [([0, 10, 12], "no section 10, 12; it has the sections 0 to 9"), ([], "no section to show")]
)
def test_sections_that_are_not_there(stack: Stack, sections: list[int], words: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        save_contact_sheet(tmp_path / "x.png", stack, sections)
    assert not list(tmp_path.iterdir())
