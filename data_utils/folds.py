"""Which sections train, calibrate and test: contiguous blocks with a gap, never a random split.

Sections next to each other are alike, so a random split would test on near copies of what was trained on. Fold k of K is
the block of sections from floor(k n / K) to floor((k + 1) n / K) - 1; with 30 sections and 5 folds, 6k to 6k + 5.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from data_utils.errors import DataError


@dataclass(frozen=True, kw_only=True)
class Split:
    """Three ranges of section indices; no section that trains is ever in the other two."""

    train: tuple[int, ...]
    """Sections the weights are fitted on."""
    calibration: tuple[int, ...]
    """Sections that thresholds, pruning and early decisions are taken from."""
    test: tuple[int, ...]
    """Sections that are scored. In the search they are the calibration sections, among finalists never."""

    def __post_init__(self) -> None:
        for name in ("train", "calibration", "test"):
            if not getattr(self, name):
                raise DataError(f"no section is left for {name!r}: {self._described()}; use fewer folds, a smaller gap or a longer stack")
        leaked = sorted(set(self.train) & (set(self.calibration) | set(self.test)))
        if leaked:
            raise ValueError(f"sections {leaked} are in train and also in calibration or test: a section may have one role only")
        if self.calibration != self.test and set(self.calibration) & set(self.test):
            raise ValueError(f"calibration {self.calibration} and test {self.test} must be the same sections or share none")

    def _described(self) -> str:
        return f"train {list(self.train)}, calibration {list(self.calibration)}, test {list(self.test)}"


def search_split(num_sections: int, *, folds: int = 5, search_fold: int = 4, gap: int = 1) -> Split:
    """The split of every search trial: the search fold prunes and chooses, the rest trains.

    30 sections, 5 folds, search_fold 4 and gap 1 give train 0-22 and calibration = test = 24-29.

    Args:
        num_sections: sections in the stack; it need not divide by `folds`.
        folds: number of contiguous blocks, at least 2.
        search_fold: index of the block that is held out, from 0.
        gap: sections beside the held-out block that are used for nothing.

    Raises:
        DataError: the stack is too short for this many folds, or nothing is left to train on.
        ValueError: `folds`, `search_fold` or `gap` is outside its range.
    """
    held_out = fold_block(num_sections, search_fold, folds=folds)
    return Split(train=_all_but(num_sections, (held_out,), gap), calibration=held_out, test=held_out)


def finalist_split(num_sections: int, fold: int, *, folds: int = 5, gap: int = 1) -> Split:
    """The split of a finalist: test on `fold`, calibrate on the next one (cyclically), train on the rest less the gaps.

    Args:
        num_sections: sections in the stack; it need not divide by `folds`.
        fold: index of the test block, from 0.
        folds: number of contiguous blocks, at least 3 (one tests, one calibrates, the others train).
        gap: sections beside either held-out block that are used for nothing.

    Raises:
        DataError: the stack is too short for this many folds, or nothing is left to train on.
        ValueError: `folds`, `fold` or `gap` is outside its range.
    """
    if folds < 3:
        raise ValueError(f"finalists need at least 3 folds (test, calibration, training), got {folds=}")
    test = fold_block(num_sections, fold, folds=folds)
    calibration = fold_block(num_sections, (fold + 1) % folds, folds=folds)
    return Split(train=_all_but(num_sections, (test, calibration), gap), calibration=calibration, test=test)


def check_counted(counted_ZHW: np.ndarray | None, roles: Mapping[str, Sequence[int]], *, name: str) -> None:
    """Raises DataError where the sections of a role hold not one pixel whose label is known: nothing could be learnt or scored there.

    Args:
        counted_ZHW: bool, True where the label is known; None: everywhere.
        roles: what sections are for, and which they are.
        name: the stack's, for the message.
    """
    if counted_ZHW is None:
        return
    blank = {role: list(sections) for role, sections in roles.items() if not any(counted_ZHW[section].any() for section in sections)}
    if blank:
        listed = "; ".join(f"{role}: {sections}" for role, sections in blank.items())
        raise DataError(
            f"{name}: the label of every pixel is unknown in all sections of a role ({listed}): label some of them, use fewer and so larger"
            " folds, or leave out sections without any label"
        )


def fold_block(num_sections: int, fold: int, *, folds: int) -> tuple[int, ...]:
    """The sections of one fold: contiguous, and every section of the stack is in exactly one fold."""
    if folds < 2:
        raise ValueError(f"`folds >= 2` must hold, got {folds=}")
    if not 0 <= fold < folds:
        raise ValueError(f"`0 <= fold < folds` must hold (folds count from 0), got {fold=}, {folds=}")
    if num_sections < folds:
        raise DataError(f"a stack of {num_sections} sections cannot be cut into {folds} folds: use at most {num_sections} folds")
    return tuple(range(fold * num_sections // folds, (fold + 1) * num_sections // folds))


def _all_but(num_sections: int, blocks: tuple[tuple[int, ...], ...], gap: int) -> tuple[int, ...]:
    if gap < 0:
        raise ValueError(f"`gap >= 0` must hold, got {gap=}")
    banned = {section for block in blocks for section in range(block[0] - gap, block[-1] + gap + 1)}
    return tuple(section for section in range(num_sections) if section not in banned)
