"""Which label value means membrane, and which one "unknown". Labels are {0, 1}, {0, 255} or bool, and one more value where it is named."""

import math
from dataclasses import dataclass

import numpy as np

from data_utils.errors import DataError

MEMBRANE_CHOICES = ("zero", "nonzero", "auto")


@dataclass(frozen=True, kw_only=True, eq=False)
class Membranes:
    """What labels say."""

    membrane_ZHW: np.ndarray
    """bool [Z, H, W], True = membrane; False where the label is unknown."""
    counted_ZHW: np.ndarray | None
    """bool [Z, H, W], True where the label is known; None where it is known everywhere."""
    rule: str
    """How they were read, as a sentence."""
    notes: list[str]
    """What is worth showing."""


def membrane_from_labels(labels_ZHW: np.ndarray, *, membrane: str, source: str, ignore: int | None = None) -> Membranes:
    """Turns labels into a mask.

    Args:
        labels_ZHW: labels [Z, H, W] with values {0, 1}, {0, 255} or bool, of any number type, and `ignore`.
        membrane: "zero", "nonzero", or "auto": the rarer value is membrane; zero where both are as frequent.
        source: the file, for messages.
        ignore: the value of pixels whose label is unknown; they count neither for training nor for scores. None: there are none.

    Raises:
        DataError: other values, named with their counts and the first section that holds one; an `ignore` that is a class, or all there is.
        ValueError: an `ignore` outside 0 to 255.
    """
    values, counts = np.unique(labels_ZHW, return_counts=True)
    _check_values(labels_ZHW, values, counts, source, ignore)
    num_ignored = 0 if ignore is None else int(counts[values == ignore].sum())
    num_known = labels_ZHW.size - num_ignored
    known_values = values[values != ignore] if num_ignored else values
    nonzero = next((int(value) for value in known_values if value != 0), 255)
    num_zero = int(counts[values == 0].sum())
    zero_is_membrane = 2 * num_zero <= num_known if membrane == "auto" else membrane == "zero"
    share = (num_zero if zero_is_membrane else num_known - num_zero) / num_known
    ours, other = (0, nonzero) if zero_is_membrane else (nonzero, 0)
    of = "labelled pixels" if num_ignored else "pixels"
    rule = f"{ours} is membrane ({100 * share:.2f}% of {of}), {other} is cell"
    rule += f", {ignore} is unknown ({100 * num_ignored / labels_ZHW.size:.2f}% of all pixels)" if num_ignored else ""
    notes = [] if ignore is None or num_ignored else [f"{source}: no pixel is {ignore}, so `ignore: {ignore}` leaves out nothing"]
    if len(known_values) == 1:
        notes.append(f"{source}: labels are all {known_values[0]:g}: {'every' if share == 1 else 'no'} pixel is membrane")
    elif membrane == "auto":
        rule += "; chosen because membranes are the rarer class"
    elif share > 0.5:
        notes.append(f"{source}: membrane is the more frequent class ({100 * share:.2f}% of {of}): is `membrane: {membrane}` meant?")
    counted_ZHW = labels_ZHW != ignore if num_ignored else None
    membrane_ZHW = (labels_ZHW == 0) if zero_is_membrane else (labels_ZHW != 0)
    if counted_ZHW is not None:
        membrane_ZHW &= counted_ZHW
    return Membranes(membrane_ZHW=membrane_ZHW, counted_ZHW=counted_ZHW, rule=rule, notes=notes)


def _check_values(labels_ZHW: np.ndarray, values: np.ndarray, counts: np.ndarray, source: str, ignore: int | None) -> None:
    met = {float(value) for value in values}
    if ignore is not None:
        _check_ignored(met, source, ignore)
    known = met - {ignore}
    if known and _are_classes(known):
        return
    if not known:
        raise DataError(f"{source}: every pixel is {ignore}, so with `ignore: {ignore}` no label is known: there is nothing to learn from")
    expected = [0, 255, ignore] if 255.0 in known else [0, 1, ignore]
    section = next(z for z, section_HW in enumerate(labels_ZHW) if not np.isin(section_HW, [e for e in expected if e is not None]).all())
    most = np.argsort(counts, kind="stable")[::-1][:10]
    listed = ", ".join(f"{values[i]:.6g} ({counts[i]} px)" for i in most)
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    hint = "these look like probabilities: threshold them first" if labels_ZHW.dtype.kind == "f" else "make them binary first"
    hint += _way_out(met) if ignore is None else ""
    beside = "" if ignore is None else f", beside {ignore}"
    raise DataError(
        f"{source}, section {section}: labels must be {{0, 1}}, {{0, 255}} or 1-bit{beside}, but hold {len(values)} values, by frequency:"
        f" {listed}{more}; {hint}"
    )


def _way_out(met: set[float]) -> str:
    """Names `ignore` where two of three values are classes, and the third may be that of unknown pixels; 0.5 between 0 and 1 is none."""
    thirds = [value for value in sorted(met) if len(met) == 3 and _are_classes(met - {value})]
    say = " or ".join(f"`ignore: {value:g}`" for value in thirds if value in range(256))
    if say:
        return f"; or say {say}, if that is the value of pixels whose label is unknown"
    if thirds and (thirds[0].is_integer() or math.isnan(thirds[0])):
        return (
            f"; or, if {thirds[0]:g} is the value of pixels whose label is unknown, write another there, such as 127, and say"
            " `ignore: 127`, since `ignore` must be 0 to 255"
        )
    return ""


def _check_ignored(met: set[float], source: str, ignore: int) -> None:
    """Raises DataError for an `ignore` that is one of the two classes. Where labels hold 1 and 255, either may be the third value."""
    if not isinstance(ignore, int) or isinstance(ignore, bool) or not 0 <= ignore <= 255:
        raise ValueError(
            f"ignore must be a whole number in 0 to 255, or None, got {ignore!r}; if that is the value of pixels whose label is unknown,"
            " write another there, such as 127"
        )
    other = {1: 255.0, 255: 1.0}.get(ignore)
    if ignore == 0 or (other is not None and ignore in met and other not in met):
        pair = f"0 and {ignore}" if ignore else "0, and 1 or 255"
        raise DataError(
            f"{source}: {ignore} is one of the two classes ({pair}), and with `ignore: {ignore}` only one would be left; `ignore` is a"
            " third value, such as 127, of the pixels whose label is unknown"
        )


def _are_classes(values: set[float]) -> bool:
    return values <= {0.0, 1.0} or values <= {0.0, 255.0}
