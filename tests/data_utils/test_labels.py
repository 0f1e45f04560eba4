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
    membrane_ZHW, rule, notes = membrane_from_labels(labels_ZHW, membrane=membrane, source="labels.tif")
    assert membrane_ZHW.dtype == bool
    zero_is_membrane = membrane == "zero" or (membrane == "auto" and zeros < 100)
    assert np.array_equal(membrane_ZHW, labels_ZHW == 0 if zero_is_membrane else labels_ZHW != 0)
    ours, other = (0, int(value)) if zero_is_membrane else (int(value), 0)
    assert rule.startswith(f"{ours} is membrane ({share:.2f}% of pixels), {other} is cell")
    assert rule.endswith("; chosen because membranes are the rarer class") == (membrane == "auto")
    assert bool(notes) == (share > 50)
    assert all(f"is `membrane: {membrane}` meant?" in note for note in notes)


def test_the_sentence_of_the_challenge() -> None:
    _, rule, _ = membrane_from_labels(labels(zeros=44, value=255), membrane="zero", source="-")
    assert rule == "0 is membrane (22.00% of pixels), 255 is cell"


@given(zeros=st.integers(min_value=0, max_value=200))
def test_auto_takes_the_rarer_class_and_zero_when_there_is_none(zeros: int) -> None:
    labels_ZHW = labels(zeros=zeros, value=255)
    membrane_ZHW, _, _ = membrane_from_labels(labels_ZHW, membrane="auto", source="labels.tif")
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
    assert membrane_from_labels(labels(zeros=zeros, value=1), membrane=membrane, source="labels.tif")[2] == [note]


def test_other_values_are_named_with_their_counts_and_the_first_section() -> None:
    labels_ZHW = labels(zeros=44, value=255)
    labels_ZHW[1, 3, 2:5] = 128
    message = (
        "labels.tif, section 1: labels must be {0, 1}, {0, 255} or 1-bit, but hold 3 values, by frequency:"
        " 255 (153 px), 0 (44 px), 128 (3 px); make them binary first"
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
