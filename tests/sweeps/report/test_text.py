"""Numbers and names as the page says them, and the CSV's guard."""

import csv
import io
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.report.answers import _reasons
from sweeps.report.csv_table import CsvTable, guard, to_csv
from sweeps.report.loss_references import papers_in
from sweeps.report.page import coded
from sweeps.report.wording import (
    clean,
    listed,
    say,
    say_parameters,
    say_range,
    say_seconds,
    say_signed,
    say_value,
    short,
    with_minus,
    with_scores,
)
from unet.losses import LOSSES


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (0.8071, ".807"),
        (1.0, "1.000"),
        (-0.0123, "\u2212.012"),
        (0.0, "0"),
        (-1e-9, "0"),
        (None, "\u2013"),
        (float("nan"), "\u2013"),
        (True, "\u2013"),
        ("x", "\u2013"),
    ],
)
def test_scores(value: object, said: str) -> None:
    assert say(value) == said


def test_ranges_and_signs() -> None:
    assert say_range(0.791, 0.803) == ".791 to .803"
    assert say_range(None, 0.8) == "\u2013"
    assert say_signed(0.0123) == "+.0123"
    assert say_signed(-0.0123) == "\u2212.0123"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.123, "0.12 s"), (3.21, "3.2 s"), (48.4, "48 s"), (125, "2 min 05 s"), (3725, "1 h 02 min"), (float("inf"), "\u2013")],
)
def test_seconds(seconds: float, said: str) -> None:
    assert say_seconds(seconds) == said


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (1e-5, "1e\u22125"),
        (0.00123, "1.2e\u22123"),
        (0.25, "0.25"),
        (2.0, "2"),
        (3, "3"),
        (12345.0, "1.2e4"),
        ("image", "image"),
        (True, "true"),
        (0.0, "0"),
    ],
)
def test_parameter_values(value: object, said: str) -> None:
    assert say_value(value) == said


def test_parameters_lose_their_prefix() -> None:
    assert say_parameters({"loss.alpha": 0.25, "train.lr": 1e-3}) == "alpha 0.25, lr 1e\u22123"
    assert say_parameters({}) == "\u2013"
    assert say_parameters(None) == "\u2013"


def test_lists() -> None:
    assert [listed([]), listed(["a"]), listed(["a", "b"]), listed(["a", "b", "c"])] == ["", "a", "a and b", "a, b and c"]


@given(st.text(st.characters(codec=None)))
def test_clean_text_is_harmless_and_can_be_written(text: str) -> None:
    cleaned = clean(text)
    cleaned.encode()
    assert not any(ord(letter) < 32 and letter not in "\t\n" or 127 <= ord(letter) < 160 for letter in cleaned)
    assert clean(cleaned) == cleaned


@given(st.text(max_size=200), st.integers(5, 60))
def test_short_text_is_short(text: str, limit: int) -> None:
    assert len(short(text, limit)) <= limit
    assert "\n" not in short(text, limit)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\n@x", "\uff1d1", "\uff201"])
def test_formulas_are_guarded(text: str) -> None:
    assert guard(text).startswith("'")


@pytest.mark.parametrize("text", ["focal", "a=b", "1-2", "", "'x"])
def test_other_text_is_left_alone(text: str) -> None:
    assert guard(text) == text


def test_numbers_keep_their_sign_and_precision() -> None:
    payload = to_csv(CsvTable(columns=("a", "b"), rows=((-0.1, 1), (None, float("inf")), (float("nan"), True), ("-x", 'a,"b"\nc'))))
    rows = list(csv.reader(io.StringIO(payload.decode())))
    assert rows == [["a", "b"], ["-0.1", "1"], ["", "inf"], ["", "true"], ["'-x", 'a,"b"\nc']]


def test_rows_have_as_many_values_as_columns() -> None:
    with pytest.raises(ValueError, match="a row of 1 values in a table of 2 columns"):
        to_csv(CsvTable(columns=("a", "b"), rows=((1,),)))


@pytest.mark.parametrize(
    ("source", "text", "link"),
    [
        ("Lin et al. 2017 (arXiv 1708.02002), eq. 5", "Lin TY, Goyal P", "https://arxiv.org/abs/1708.02002"),
        ("Isensee et al. 2021 (doi 10.1038/s41592-020-01008-z), methods", "Isensee F", "https://doi.org/10.1038/s41592-020-01008-z"),
        ("thesis eq. 5", "thesis eq. 5", ""),
    ],
)
def test_sources_are_whole_references(source: str, text: str, link: str) -> None:
    (paper,) = papers_in(source)
    assert paper.text.startswith(text) and paper.link == link


@pytest.mark.parametrize("name", LOSSES)
def test_each_loss_of_the_registry_has_a_reference(name: str) -> None:
    """A loss with a new paper needs its full reference in sweeps.report.loss_references."""
    for paper in papers_in(LOSSES[name].source):
        assert paper.text != LOSSES[name].source and paper.link, name
        assert not re.search(r"\bdoi\b|arXiv", paper.text), "the link is beside it"


def test_texts_of_the_verdict_are_written_as_the_page_writes() -> None:
    assert with_minus("smooth from 4.2e-5 to 12") == "smooth from 4.2e\u22125 to 12"
    assert (
        with_scores("no loss reaches membrane Dice 0.6717 on its sections", 0.67171) == "no loss reaches membrane Dice .672 on its sections"
    )
    assert with_scores("0.6901 + 0.95 x (1.2 - 10.5); v0.3, 2.0.1") == ".6901 + .95 x (1.2 - 10.5); v0.3, 2.0.1"


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        ("none of its trials has a membrane_dice: 1 failed (nan 1)", "none of its trials has a score: 1 failed (nan)"),
        ("3 failed (nan 2, memory 1), 1 complete", "3 failed (2 nan, 1 memory), 1 complete"),
        ("12 failed (nan 2, io 10)", "12 failed (2 nan, 10 io)"),
        ("not run yet", "not run yet"),
    ],
)
def test_reasons_can_be_read(reason: str, said: str) -> None:
    assert _reasons(reason) == said


def test_commands_in_a_text_are_set_as_code_and_nothing_gets_through() -> None:
    assert coded("`sweeps bench` <b>, `a <i>`") == "<code>sweeps bench</code> &lt;b&gt;, <code>a &lt;i&gt;</code>"
    assert coded("a lone ` stays") == "a lone ` stays"
