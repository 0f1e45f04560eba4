"""A recorded curve against the one that came out again, number by number."""

from dataclasses import dataclass
from typing import Any

from sweeps.record import TrialRecord
from sweeps.verdict.contenders import finite

#: what must come out again; the clocks never do
COMPARED = ("epoch", "step", "train_loss", "membrane_dice", "threshold", "membrane_dice_at_half")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """A trial's recorded curve against the one it gave again."""

    trial_id: str
    """The trial."""
    epochs: int
    """Epochs compared."""
    identical: bool
    """Whether every compared number is the same bit for bit."""
    first_difference: str | None
    """The first number that differs, with both values."""
    largest_difference: float
    """Largest absolute difference of membrane Dice."""


def compare(recorded: TrialRecord, rows: list[dict[str, Any]]) -> Comparison:
    """Compare a recorded curve with rows that were measured again."""
    first, largest = None, 0.0
    for old, new in zip(recorded.curve, rows, strict=False):
        was, now = finite(old.get("membrane_dice")), finite(new.get("membrane_dice"))
        if was is not None and now is not None:
            largest = max(largest, abs(was - now))
        for key in COMPARED:
            if first is None and old.get(key) != new.get(key):
                first = f"epoch {old.get('epoch')}: {key} was {old.get(key)!r}, is {new.get(key)!r}"
    epochs = min(len(recorded.curve), len(rows))
    if first is None and len(recorded.curve) != len(rows):
        first = f"{len(recorded.curve)} epochs were recorded, {len(rows)} were run"
    return Comparison(
        trial_id=recorded.trial_id, epochs=epochs, identical=first is None, first_difference=first, largest_difference=largest
    )
