"""YAML in and out: types, places, and everything that must be refused before it costs anything."""

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.recipe.errors import RecipeError
from sweeps.recipe.file import MAX_BYTES, load_yaml, parse_yaml
from sweeps.recipe.text import dump_yaml


def test_yaml_1_2_types() -> None:
    text = "{a: 1e-5, b: 12, c: -3, d: 0x1F, e: 0o17, f: .5, g: true, h: null, i: yes, j: 'on', k: '1', l: 12:30, m: 2026-11-24, n: 1_000}"
    expected = {"a": 1e-5, "b": 12, "c": -3, "d": 31, "e": 15, "f": 0.5, "g": True, "h": None, "i": "yes", "j": "on", "k": "1"}
    assert parse_yaml(text, source="x").data == expected | {"l": "12:30", "m": "2026-11-24", "n": "1_000"}


def test_every_key_has_its_place() -> None:
    document = parse_yaml("a:\n  b: 1\n  c: [{d: 2}]\n", source="r.yaml")
    assert document.place_of(("a", "c", "0", "d")) == ("r.yaml:3:8", (3, 8))
    assert document.place_of(("a", "b", "nothing below")) == ("r.yaml:2:3", (2, 3))
    assert document.place_of(("elsewhere",)) == ("r.yaml:1:1", (1, 1))


def test_windows_lines_a_byte_order_mark_and_names_in_any_script(tmp_path: Path) -> None:
    path = tmp_path / "r\u00e9cipe \u6e2c\u8a66 1.yaml"
    path.write_bytes(b"\xef\xbb\xbfname: demo\r\ntrain:\r\n  epochs: 3\r\n")
    document = load_yaml(path)
    assert document.data == {"name": "demo", "train": {"epochs": 3}}
    assert document.marks[("train", "epochs")] == (3, 3)


def test_aliases_are_expanded_into_separate_values() -> None:
    data = parse_yaml("a: &x {b: 1}\nc: *x\n", source="x").data
    assert data == {"a": {"b": 1}, "c": {"b": 1}}
    assert data["a"] is not data["c"]


BOMB = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{', '.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(12)
)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: [1\nb: 2", r"^r.yaml:2:2: not valid YAML: expected ',' or ']'"),
        ("a:\n\tb: 1", r"^r.yaml:2:1: not valid YAML: found character '\\t'"),
        ("a: 1\n---\nb: 2", r"^r.yaml:2:1: not valid YAML: but found another document"),
        ("a: *y", r"^r.yaml:1:4: not valid YAML: found undefined alias"),
        ("a: 1\nb: \x07", r"^r.yaml:2:4: not valid YAML: the character '\\x07' is not allowed"),
        ("%YAML 1.1\n---\na: yes", r"^r.yaml:1:1: directives"),
        (BOMB, r"^r.yaml:\d+:\d+: too large: a recipe has at most 10,000 values and 30 levels, aliases expanded"),
        ("a: &a [*a]", r"^r.yaml:1:\d+: too large"),
        ("[" * 5000, r"^r.yaml:1:1: not valid YAML: nested too deeply"),
        ("{a: " * 5000, r"^r.yaml:1:1: not valid YAML: nested too deeply"),
    ],
    ids=["syntax", "tab", "two documents", "no anchor", "control character", "directive", "bomb", "loop", "deep list", "deep map"],
)
def test_what_cannot_be_parsed_is_refused_with_line_and_column(text: str, message: str) -> None:
    begin = time.monotonic()
    with pytest.raises(RecipeError, match=message):
        parse_yaml(text, source="r.yaml")
    assert time.monotonic() - begin < 60  # a bomb takes hours; a busy machine some seconds


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: 2\na: 3", "r.yaml:3:1: a: this key is given twice, first on line 1"),
        (
            "a: !!python/object/apply:os.system ['true']",
            "r.yaml:1:4: a: tags are not taken, got 'tag:yaml.org,2002:python/object/apply:os.system'",
        ),
        ("a: !mine 1", "r.yaml:1:4: a: tags are not taken, got '!mine'"),
        ("a: !!binary aGk=", "r.yaml:1:4: a: tags are not taken"),
        ("? [1, 2]\n: 3", "r.yaml:1:3: a key must be plain text"),
        ("a: " + "9" * 5000, "r.yaml:1:4: a: not a number that can be read"),
    ],
)
def test_what_can_be_read_past_is_a_problem_beside_others(text: str, message: str) -> None:
    problems = parse_yaml(text, source="r.yaml").problems
    assert len(problems) == 1
    assert str(problems[0]).startswith(message)


def test_a_large_file_is_not_parsed(tmp_path: Path) -> None:
    path = tmp_path / "large.yaml"
    path.write_bytes(b"a: 1\n" * (10 * MAX_BYTES // 5))
    begin = time.monotonic()
    with pytest.raises(RecipeError, match=r"large.yaml:1:1: a recipe has at most 1,000,000 bytes"):
        load_yaml(path)
    assert time.monotonic() - begin < 1


def test_text_in_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "latin.yaml"
    path.write_bytes(b"a: 1\nb: caf\xe9\n")
    with pytest.raises(RecipeError, match=r"latin.yaml:2:1: must be UTF-8 text; byte 11 is 0xe9"):
        load_yaml(path)


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot be read: Is a directory"):
        load_yaml(tmp_path)


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True), _values, max_size=4))
@settings(max_examples=150, deadline=None)
def test_what_is_written_reads_back_the_same(data: dict) -> None:
    document = parse_yaml(dump_yaml(data), source="x")
    assert document.problems == []
    assert (document.data or {}) == data


@given(text=st.text(st.sampled_from(list("ab: {}[],-\n\t'\"&*!|>#%?1.e~<")), max_size=60))
@settings(max_examples=300, deadline=None)
def test_no_text_makes_anything_but_a_document_or_a_recipe_error(text: str) -> None:
    try:
        parse_yaml(text, source="x")
    except RecipeError as error:
        assert str(error).startswith("x:")
