"""How far two measurements of one loss lie apart: what no difference between two losses may be smaller than."""

import math
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from scipy import stats

from sweeps.repeats import first_names
from sweeps.verdict.contenders import Contender
from sweeps.verdict.paired import ALPHA, Replicate, differences

Logs = Mapping[Replicate, float]
"""The logarithm of a clock, by run."""


def run_to_run(logs: Sequence[Logs], runs: int) -> dict[str, Any] | None:
    """Return the A/A row of split runs: how far the means of `runs` runs of one loss lie from those of other runs of it; None without any.

    s is the standard deviation of the logarithms within a loss and fold (within a loss where every fold has one run), pooled over all;
    the row's half width is t_{.975, f} s sqrt(2 / runs), f the degrees of freedom: the interval of a difference that is none. What a fold
    does to a loss is not in it: this is the noise of the clock, and the test over folds counts the rest.
    """
    cells = [cell for of_loss in logs for cell in _by_fold(of_loss)]
    kind = "runs of one loss on one fold against each other"
    if not any(len(cell) > 1 for cell in cells):
        cells, kind = [list(of_loss.values()) for of_loss in logs], "runs of one loss against each other"
    freedom = sum(len(cell) - 1 for cell in cells if cell)
    if freedom < 1 or runs < 1:
        return None
    squares = math.fsum((value - math.fsum(cell) / len(cell)) ** 2 for cell in cells for value in cell)
    half = float(stats.t.isf(ALPHA / 2, freedom)) * math.sqrt(squares / freedom) * math.sqrt(2 / runs)
    return noise_row(half, kind=kind, n=freedom)


def _by_fold(runs: Logs) -> list[list[float]]:
    return [[value for key, value in runs.items() if key[1] == fold] for fold in {key[1] for key in runs}]


def twins(losses: Mapping[str, Any], order: Sequence[Contender], logs: Mapping[str, Logs]) -> dict[str, Any] | None:
    """Return the A/A row of one configuration under two names: the largest of their paired differences; None without such names."""
    first, found = first_names(losses), []
    for a, b in combinations(order, 2):
        paired = differences(logs.get(a.loss, {}), logs.get(b.loss, {}))
        same = first.get(a.loss, a.loss) == first.get(b.loss, b.loss) and a.trials[0].suggestion == b.trials[0].suggestion
        if same and paired:
            found.append((abs(math.fsum(paired.values()) / len(paired)), a.loss, b.loss, len(paired)))
    if not found:
        return None
    half, a_name, b_name, n = max(found)
    return noise_row(half, kind=f"one configuration under two names, {a_name} and {b_name}", n=n)


def noise_row(half: float, *, kind: str, n: int) -> dict[str, Any]:
    """Return an A/A row: the ratios between which two measurements of the same thing lie."""
    return {"kind": kind, "low": math.exp(-half), "high": math.exp(half), "n": n}


def widest(*rows: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Return the row that resolves least; None of none."""
    known = [dict(row) for row in rows if row is not None]
    return max(known, key=lambda row: float(row["high"]), default=None)


def margin(row: Mapping[str, Any] | None) -> float:
    """Return a row's half width as a logarithm; 0 where nothing is known of the noise."""
    return math.log(row["high"]) if row else 0.0
