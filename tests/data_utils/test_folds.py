"""Folds are contiguous, cover the stack once, and never leak a section or its neighbour into training."""

import re

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from data_utils.errors import DataError
from data_utils.folds import Split, check_counted, finalist_split, fold_block, search_split

stacks = st.integers(min_value=3, max_value=120)
fold_counts = st.integers(min_value=3, max_value=12)
gaps = st.integers(min_value=0, max_value=3)


def test_the_search_split_of_the_challenge() -> None:
    split = search_split(30, folds=5, search_fold=4, gap=1)
    assert split.train == tuple(range(23))
    assert split.calibration == split.test == tuple(range(24, 30))


def test_the_finalists_of_the_challenge() -> None:
    assert finalist_split(30, 0) == Split(train=tuple(range(13, 30)), calibration=tuple(range(6, 12)), test=tuple(range(6)))
    # the fold after the last is the first
    assert finalist_split(30, 4) == Split(train=tuple(range(7, 23)), calibration=tuple(range(6)), test=tuple(range(24, 30)))


@given(num_sections=stacks, folds=fold_counts)
def test_the_folds_cover_every_section_once_in_order(num_sections: int, folds: int) -> None:
    assume(num_sections >= folds)
    blocks = [fold_block(num_sections, fold, folds=folds) for fold in range(folds)]
    assert [section for block in blocks for section in block] == list(range(num_sections))
    sizes = [len(block) for block in blocks]
    assert max(sizes) - min(sizes) <= 1


@given(num_sections=stacks, folds=fold_counts, gap=gaps, data=st.data())
def test_no_training_section_lies_within_the_gap(num_sections: int, folds: int, gap: int, data: st.DataObject) -> None:
    assume(num_sections >= folds * (2 * gap + 2))
    fold = data.draw(st.integers(min_value=0, max_value=folds - 1))
    search = search_split(num_sections, folds=folds, search_fold=fold, gap=gap)
    for split in (search, finalist_split(num_sections, fold, folds=folds, gap=gap)):
        held_out = set(split.calibration) | set(split.test)
        nearest = min(abs(one - other) for one in split.train for other in held_out)
        assert nearest > gap
        # and nothing more than the gap is given away
        unused = set(range(num_sections)) - set(split.train) - held_out
        assert all(min(abs(section - other) for other in held_out) <= gap for section in unused)


@given(num_sections=stacks, folds=fold_counts)
def test_each_section_is_tested_in_exactly_one_finalist(num_sections: int, folds: int) -> None:
    assume(num_sections >= 2 * folds)
    splits = [finalist_split(num_sections, fold, folds=folds, gap=0) for fold in range(folds)]
    assert sorted(section for split in splits for section in split.test) == list(range(num_sections))
    assert all(not set(split.calibration) & set(split.test) for split in splits)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: search_split(30, folds=1), "`folds >= 2` must hold, got folds=1"),
        (lambda: search_split(30, search_fold=5), "`0 <= fold < folds` must hold (folds count from 0), got fold=5, folds=5"),
        (lambda: search_split(30, gap=-1), "`gap >= 0` must hold, got gap=-1"),
        (lambda: finalist_split(30, 0, folds=2), "finalists need at least 3 folds"),
        (lambda: finalist_split(30, -1), "got fold=-1"),
    ],
)
def test_numbers_out_of_range_are_refused(call, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)) as caught:
        call()
    assert not isinstance(caught.value, DataError)


def test_a_stack_that_is_too_short_is_the_datas_fault() -> None:
    with pytest.raises(DataError, match="a stack of 4 sections cannot be cut into 5 folds: use at most 4 folds"):
        search_split(4)
    with pytest.raises(DataError, match="no section is left for 'train'.*use fewer folds, a smaller gap or a longer stack"):
        finalist_split(5, 1, folds=3, gap=2)


def test_a_split_that_leaks_cannot_be_made() -> None:
    with pytest.raises(ValueError, match=r"sections \[3\] are in train and also in calibration or test"):
        Split(train=(0, 1, 3), calibration=(3,), test=(3,))
    with pytest.raises(ValueError, match="must be the same sections or share none"):
        Split(train=(0, 1), calibration=(3, 4), test=(4, 5))


def test_a_role_without_a_known_label_is_refused() -> None:
    counted_ZHW = np.zeros((6, 4, 4), bool)
    counted_ZHW[0, 3, 3] = counted_ZHW[4, 0, 0] = True
    check_counted(counted_ZHW, {"train": (0, 1), "test": (3, 4, 5)}, name="mine")
    check_counted(None, {"train": (0, 1)}, name="mine")
    message = "mine: the label of every pixel is unknown in all sections of a role (calibration: [1, 2]; test: [5]): label some of"
    with pytest.raises(DataError, match=re.escape(message)):
        check_counted(counted_ZHW, {"train": (0,), "calibration": (1, 2), "test": (5,)}, name="mine")
