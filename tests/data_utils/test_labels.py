"""What counts as membrane, said in a sentence; anything but two clean values is refused with what was met."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data_utils.errors import DataError
from data_utils.labels import membrane_from_labels


def labels(*, zeros: int, value: float, of: int = 100, dtype: str = "uint8") -> np.ndarray:
    """Two sections of which the first `zeros` pixels are 0 and all others `value`."""
    flat = np.full(2 * of, value, dtype=dtype)
    flat[:zeros] = 0
    return flat.reshape(2, 10, -1)


@pytest.mark.parametrize(
    ("value", "dtype"), [(1, "uint8"), (255, "uint8"), (True, "bool"), (1, "float32"), (255, "float64"), (255, "uint16"), (1, "int32")]
)
@pytest.mark.parametrize(
    ("membrane", "zeros", "share"), [("zero", 44, 22), ("zero", 150, 75), ("nonzero", 44, 78), ("auto", 44, 22), ("auto", 156, 22)]
)
def test_two_values_of_any_type_are_read(value: float, dtype: str, membrane: str, zeros: int, share: float) -> None:
    labels_ZHW = labels(zeros=zeros, value=value, dtype=dtype)
    read = membrane_from_labels(labels_ZHW, membrane=membrane, source="labels.tif")
    membrane_ZHW, rule, notes = read.membrane_ZHW, read.rule, read.notes
    assert membrane_ZHW.dtype == bool
    assert read.counted_ZHW is None
    zero_is_membrane = membrane == "zero" or (membrane == "auto" and zeros < 100)
    assert np.array_equal(membrane_ZHW, labels_ZHW == 0 if zero_is_membrane else labels_ZHW != 0)
    ours, other = (0, int(value)) if zero_is_membrane else (int(value), 0)
    assert rule.startswith(f"{ours} is membrane ({share:.2f}% of pixels), {other} is cell")
    assert rule.endswith("; chosen because membranes are the rarer class") == (membrane == "auto")
    assert bool(notes) == (share > 50)
    assert all(f"is `membrane: {membrane}` meant?" in note for note in notes)


def test_the_sentence_of_the_challenge() -> None:
    assert (
        membrane_from_labels(labels(zeros=44, value=255), membrane="zero", source="-").rule
        == "0 is membrane (22.00% of pixels), 255 is cell"
    )


@given(zeros=st.integers(min_value=0, max_value=200))
def test_auto_takes_the_rarer_class_and_zero_when_there_is_none(zeros: int) -> None:
    labels_ZHW = labels(zeros=zeros, value=255)
    membrane_ZHW = membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif").membrane_ZHW
    assert membrane_ZHW.mean() == min(zeros, 200 - zeros) / 200
    if zeros == 100:
        assert np.array_equal(membrane_ZHW, labels_ZHW == 0)


@pytest.mark.parametrize(
    ("zeros", "membrane", "note"),
    [
        (200, "zero", "labels.tif: labels are all 0: every pixel is membrane"),
        (200, "auto", "labels.tif: labels are all 0: no pixel is membrane"),
        (0, "nonzero", "labels.tif: labels are all 1: every pixel is membrane"),
        (0, "zero", "labels.tif: labels are all 1: no pixel is membrane"),
    ],
)
def test_labels_that_are_all_alike_are_noted(zeros: int, membrane: str, note: str) -> None:
    assert membrane_from_labels(labels(zeros=zeros, value=1), membrane=membrane, source="labels.tif").notes == [note]


def test_other_values_are_named_with_their_counts_and_the_first_section() -> None:
    labels_ZHW = labels(zeros=44, value=255)
    labels_ZHW[1, 3, 2:5] = 128
    message = (
        "labels.tif, section 1: labels must be {0, 1}, {0, 255} or 1-bit, but hold 3 values, by frequency:"
        " 255 (153 px), 0 (44 px), 128 (3 px); make them binary first; or say `ignore: 128`, if that is the value of pixels whose label is"
        " unknown"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif")


def test_only_the_ten_most_frequent_values_are_listed() -> None:
    labels_ZHW = np.repeat(np.arange(20), np.arange(1, 21)).reshape(1, 10, 21)
    with pytest.raises(DataError, match=r"hold 20 values, by frequency: 19 \(20 px\), 18 \(19 px\), .* 10 \(11 px\) and 10 more"):
        membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif")


@pytest.mark.parametrize("value", [0.5, np.nan, np.inf, -1.0])
def test_soft_labels_are_refused(value: float) -> None:
    labels_ZHW = labels(zeros=44, value=1, dtype="float32")
    labels_ZHW[0, 9, 9] = value
    message = r"section 0: .*, by frequency: 1 \(155 px\), 0 \(44 px\), .* \(1 px\); these look like probabilities"
    with pytest.raises(DataError, match=message):
        membrane_from_labels(labels_ZHW, membrane="zero", source="labels.tif")


def test_a_mixture_of_one_and_255_is_refused() -> None:
    labels_ZHW = labels(zeros=44, value=255)
    labels_ZHW[1, 0, 0] = 1
    with pytest.raises(DataError, match=r"section 1: .* hold 3 values"):
        membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif")


def with_unknown(*, zeros: int, value: float, unknown: float, of: int = 30, dtype: str = "uint8") -> np.ndarray:
    """200 pixels: the last `of` are unknown, the first `zeros` are 0, the rest `value`."""
    labels_ZHW = labels(zeros=zeros, value=value, dtype=dtype)
    labels_ZHW.reshape(-1)[200 - of :] = unknown
    return labels_ZHW


@pytest.mark.parametrize(
    ("value", "ignore", "dtype"),
    [
        (255, 127, "uint8"),
        (1, 127, "float32"),
        (255, 128, "uint16"),
        (1, 255, "uint8"),
        (255, 1, "int32"),
        (1, 2, "int8"),
        (255, 254, "float64"),
    ],
)
@pytest.mark.parametrize(
    ("membrane", "zeros", "zero_is_membrane"), [("auto", 85, True), ("auto", 86, False), ("zero", 99, True), ("nonzero", 99, False)]
)
def test_a_third_value_is_unknown(value: int, ignore: int, dtype: str, membrane: str, zeros: int, zero_is_membrane: bool) -> None:
    """Of 170 known pixels the rarer class is membrane: 85 zeros are not more than the others, 86 are, though fewer than half of all."""
    labels_ZHW = with_unknown(zeros=zeros, value=value, unknown=ignore, dtype=dtype)
    read = membrane_from_labels(labels_ZHW, membrane=membrane, source="labels.tif", ignore=ignore)
    assert read.counted_ZHW is not None
    assert np.array_equal(read.counted_ZHW, labels_ZHW != ignore)
    assert np.array_equal(read.membrane_ZHW, labels_ZHW == (0 if zero_is_membrane else value))
    ours, other = (0, value) if zero_is_membrane else (value, 0)
    share = 100 * (zeros if zero_is_membrane else 170 - zeros) / 170
    expected = f"{ours} is membrane ({share:.2f}% of labelled pixels), {other} is cell, {ignore} is unknown (15.00% of all pixels)"
    assert read.rule.removesuffix("; chosen because membranes are the rarer class") == expected


def test_a_value_that_does_not_occur_leaves_out_nothing_and_it_is_said() -> None:
    plain = membrane_from_labels(labels(zeros=44, value=255), membrane="zero", source="labels.tif")
    read = membrane_from_labels(labels(zeros=44, value=255), membrane="zero", source="labels.tif", ignore=127)
    assert read.counted_ZHW is None
    assert (read.rule, plain.notes) == (plain.rule, [])
    assert read.notes == ["labels.tif: no pixel is 127, so `ignore: 127` leaves out nothing"]


def test_one_known_value_beside_the_unknown_is_noted() -> None:
    read = membrane_from_labels(with_unknown(zeros=0, value=255, unknown=127), membrane="zero", source="labels.tif", ignore=127)
    assert read.notes == ["labels.tif: labels are all 255: no pixel is membrane"]
    assert not read.membrane_ZHW.any()


@pytest.mark.parametrize(
    ("value", "ignore", "pair"),
    [(255, 0, "0, and 1 or 255"), (1, 0, "0, and 1 or 255"), (255, 255, "0 and 255"), (1, 1, "0 and 1"), (True, 1, "0 and 1")],
)
def test_a_class_cannot_be_ignored(value: int, ignore: int, pair: str) -> None:
    message = (
        f"labels.tif: {ignore} is one of the two classes ({pair}), and with `ignore: {ignore}` only one would be left; `ignore` is a third"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        membrane_from_labels(labels(zeros=44, value=value), membrane="zero", source="labels.tif", ignore=ignore)
    three = with_unknown(zeros=44, value=255, unknown=127)
    with pytest.raises(DataError, match=re.escape("255 is one of the two classes (0 and 255)")):
        membrane_from_labels(three, membrane="zero", source="labels.tif", ignore=255)


def test_labels_of_which_nothing_is_known_are_refused() -> None:
    with pytest.raises(
        DataError, match="labels.tif: every pixel is 127, so with `ignore: 127` no label is known: there is nothing to learn"
    ):
        membrane_from_labels(np.full((2, 3, 3), 127, np.uint8), membrane="auto", source="labels.tif", ignore=127)


@pytest.mark.parametrize("ignore", [-1, 256, 127.0, True])
def test_a_value_to_ignore_is_a_byte(ignore: object) -> None:
    with pytest.raises(ValueError, match=re.escape(f"in 0 to 255, or None, got {ignore!r}; if that is the value of")):
        membrane_from_labels(labels(zeros=44, value=255), membrane="auto", source="-", ignore=ignore)  # pyright: ignore[reportArgumentType]


@pytest.mark.parametrize(
    ("values", "ways"),
    [
        ((0, 127, 255), "or say `ignore: 127`, if that"),
        ((0, 1, 2), "or say `ignore: 2`, if that"),
        ((0, 1, 255), "or say `ignore: 1` or `ignore: 255`, if that"),
        ((1, 127, 255), None),
        ((0, 3), None),
        ((0, 127, 128, 255), None),
        ((0, 0.5, 1), None),
        ((0, 255, 300), "if 300 is the value of pixels whose label is unknown, write another there, such as 127, and say `ignore: 127`"),
        ((-1, 0, 1), "if -1 is the value of pixels whose label is unknown, write another there, such as 127, and say `ignore: 127`"),
        ((-1, 0, 255), "`ignore` must be 0 to 255"),
        ((0, 1, float("nan")), "if nan is the value"),
        ((-1, 0, 3), None),
    ],
)  # fmt: skip
def test_the_way_out_is_named_where_it_is_one(values: tuple[float, ...], ways: str | None) -> None:
    labels_ZHW = np.resize(np.array(values), (2, 6, 6))
    with pytest.raises(DataError, match=f"hold {len(values)} values") as caught:
        membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif")
    assert (ways in str(caught.value)) if ways else ("ignore" not in str(caught.value))


def test_values_beside_the_ignored_one_are_refused_in_their_section() -> None:
    labels_ZHW = with_unknown(zeros=44, value=255, unknown=127)
    labels_ZHW[0, 9, 9] = 3
    message = "labels.tif, section 0: labels must be {0, 1}, {0, 255} or 1-bit, beside 127, but hold 4 values"
    with pytest.raises(DataError, match=re.escape(message)):
        membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif", ignore=127)
