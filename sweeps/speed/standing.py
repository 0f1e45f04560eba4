"""How losses stand by one of the three: fastest, tied with it, or slower. The same rule and the same plain data for all three."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sweeps.verdict.paired import ALPHA, Estimate
from sweeps.verdict.time_to_target import corrected_for_choice

FASTEST, TIED, SLOWER, MISSES = "fastest", "tied", "slower", "misses"
_EXACT = 1e-9  # a pair that is the A/A row itself is not beyond it by a rounding error


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One loss by one clock."""

    loss: str
    value: float
    """In the clock's unit; infinite where the loss misses."""
    ratio: float | None
    """To what the clock is told against."""
    low: float | None
    high: float | None
    n: int
    """Rounds or independent units behind the ratio."""
    values: tuple[float, ...]
    """Each round's or run's; infinite for a miss."""
    apart: Estimate | None
    """Logarithm of its time over the fastest's, paired; None for the fastest itself."""


def no_answer(unit: str, reason: str) -> dict[str, Any]:
    """Return the plain data of an answer that cannot be given."""
    return {"reason": reason, "unit": unit, "fastest": None, "ties": [], "rows": [], "noise": None, "note": ""}


def answer(unit: str, entries: Sequence[Entry], *, noise: dict[str, Any] | None, margin: float, note: str) -> dict[str, Any]:
    """Return the plain data of an answer, the fastest first; infinite times are null.

    A loss is slower when the p of its paired difference, corrected by `corrected_for_choice`, is below .05 and the difference exceeds
    `margin` (a logarithm). What cannot be tested ties. A loss whose own value is infinite misses: it has no time, and is neither.
    """
    ordered = sorted(entries, key=lambda entry: (entry.apart is not None, entry.value, entry.loss))
    timed = [entry for entry in ordered if math.isfinite(entry.value)]
    p_values = dict(zip((e.loss for e in timed), corrected_for_choice([e.apart.p if e.apart else None for e in timed]), strict=True))
    rows = []
    for entry in ordered:
        p = p_values.get(entry.loss)
        rows.append(
            {
                "loss": entry.loss,
                "state": _state(entry, p, margin),
                "value": _plain(entry.value),
                "ratio": _plain(entry.ratio),
                "low": _plain(entry.low) if entry.loss in p_values else None,
                "high": _plain(entry.high) if entry.loss in p_values else None,
                "n": entry.n,
                "p_holm": p,
                "values": [_plain(value) for value in entry.values],
            }
        )
    first = next((row["loss"] for row in rows if row["state"] == FASTEST), None)
    ties = [row["loss"] for row in rows if row["state"] == TIED]
    return {"reason": None, "unit": unit, "fastest": first, "ties": ties, "rows": rows, "noise": noise, "note": note}


def _state(entry: Entry, p: float | None, margin: float) -> str:
    if not math.isfinite(entry.value):
        return MISSES
    if entry.apart is None:
        return FASTEST
    slower = p is not None and p < ALPHA and entry.apart.mean is not None and entry.apart.mean > margin + _EXACT
    return SLOWER if slower else TIED


def exp(value: float | None) -> float | None:
    """Return the ratio of a logarithm; None where there is none, or none that a number holds."""
    return math.exp(value) if value is not None and value < 700 else None


def _plain(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
