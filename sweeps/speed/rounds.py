"""Timing many forms against one reference within a time budget: whole rounds of A B B A blocks, as many as there is time for."""

import math
import time
from collections.abc import Callable, Mapping

Timer = Callable[[], float]
"""Does the work once and returns the seconds it took."""

MOST_ROUNDS = 30
OVERTIME = 3.0
"""The first round may take so many budgets; whoever has had no block by then is not measured."""


def interleave(
    reference: Timer, forms: Mapping[str, Timer], *, budget_s: float, clock: Callable[[], float] = time.monotonic
) -> dict[str, list[tuple[float, float]]]:
    """Return (seconds of the reference, seconds of the form) of each round, by form; a form that there was no time for has none.

    A block is A B B A, A the reference, so that a slow drift weighs on both alike. A round holds one block of every form, in turn from the
    first to the last and from the last to the first, so that no form always follows the same one. Only whole rounds count: differences
    between two forms are taken round by round.
    """
    begun = clock()
    found: dict[str, list[tuple[float, float]]] = {name: [] for name in forms}
    for number in range(MOST_ROUNDS):
        made: dict[str, tuple[float, float]] = {}
        for name in list(forms) if number % 2 == 0 else reversed(list(forms)):
            if clock() - begun >= budget_s * (OVERTIME if number == 0 else 1.0):
                break
            if number == 0 or found[name]:
                made[name] = _block(reference, forms[name])
        if number > 0 and len(made) < sum(bool(blocks) for blocks in found.values()):
            break
        for name, block in made.items():
            found[name].append(block)
        if not made:
            break
    return found


def _block(reference: Timer, form: Timer) -> tuple[float, float]:
    first, second, third, fourth = reference(), form(), form(), reference()
    return math.sqrt(first * fourth), math.sqrt(second * third)
