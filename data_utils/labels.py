"""Which label value means membrane. Labels are {0, 1}, {0, 255} or bool; anything else is refused."""

import numpy as np

from data_utils.errors import DataError

MEMBRANE_CHOICES = ("zero", "nonzero", "auto")


def membrane_from_labels(labels_ZHW: np.ndarray, *, membrane: str, source: str) -> tuple[np.ndarray, str, list[str]]:
    """Turns labels into a mask.

    Args:
        labels_ZHW: labels [Z, H, W] with values {0, 1}, {0, 255} or bool, of any number type.
        membrane: "zero", "nonzero", or "auto": the rarer value is membrane; zero where both are as frequent.
        source: the file, for messages.

    Returns:
        The mask (bool [Z, H, W], True = membrane), the rule as a sentence, and notes worth showing.

    Raises:
        DataError: other values, named with their counts and the first section that holds one.
    """
    values, counts = np.unique(labels_ZHW, return_counts=True)
    _check_values(labels_ZHW, values, counts, source)
    nonzero = next((int(value) for value in values if value != 0), 255)
    num_zero = int(counts[values == 0].sum())
    zero_is_membrane = 2 * num_zero <= labels_ZHW.size if membrane == "auto" else membrane == "zero"
    share = (num_zero if zero_is_membrane else labels_ZHW.size - num_zero) / labels_ZHW.size
    ours, other = (0, nonzero) if zero_is_membrane else (nonzero, 0)
    rule = f"{ours} is membrane ({100 * share:.2f}% of pixels), {other} is cell"
    notes = []
    if len(values) == 1:
        notes.append(f"{source}: labels are all {values[0]:g}: {'every' if share == 1 else 'no'} pixel is membrane")
    elif membrane == "auto":
        rule += "; chosen because membranes are the rarer class"
    elif share > 0.5:
        notes.append(f"{source}: membrane is the more frequent class ({100 * share:.2f}% of pixels): is `membrane: {membrane}` meant?")
    return (labels_ZHW == 0) if zero_is_membrane else (labels_ZHW != 0), rule, notes


def _check_values(labels_ZHW: np.ndarray, values: np.ndarray, counts: np.ndarray, source: str) -> None:
    met = {float(value) for value in values}
    if met <= {0.0, 1.0} or met <= {0.0, 255.0}:
        return
    expected = [0, 255] if 255.0 in met else [0, 1]
    section = next(z for z, section_HW in enumerate(labels_ZHW) if not np.isin(section_HW, expected).all())
    most = np.argsort(counts, kind="stable")[::-1][:10]
    listed = ", ".join(f"{values[i]:.6g} ({counts[i]} px)" for i in most)
    more = f" and {len(values) - 10} more" if len(values) > 10 else ""
    hint = "these look like probabilities: threshold them first" if labels_ZHW.dtype.kind == "f" else "make them binary first"
    raise DataError(
        f"{source}, section {section}: labels must be {{0, 1}}, {{0, 255}} or 1-bit, but hold {len(values)} values, by frequency:"
        f" {listed}{more}; {hint}"
    )
