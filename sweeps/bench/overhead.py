"""What a trial costs beyond training and scoring, W&B included: read from the ledger of a sweep that has run.

On each worker, from the end of one trial to the end of the next lies everything that belongs to the second: Tune's decision, the actor's
reset, building the network, W&B, files, the ledger. Its train, eval and score seconds are subtracted. The first trial of a worker is left
out, since it also holds the start of the process.
"""

import statistics
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from sweeps.record import TrialRecord

FEWEST = 2
"""Overheads without which there are no quartiles."""


class TooFew(ValueError):
    """Too few trials followed another on their worker; the CLI exits with 2."""


def too_few(folder: Path, number: int) -> str:
    """Return what is said of a sweep in which too few did."""
    return (
        f"{folder}: {number} complete {'trial' if number == 1 else 'trials'} that followed another on the same worker, and at least "
        f"{FEWEST} are needed. `sweeps resume {folder}` runs what is left of it; or name a sweep that gave a worker more trials."
    )


def overheads(trials: Sequence[TrialRecord]) -> list[float]:
    """Return seconds of overhead of each complete trial that was not its worker's first, in the order in which they ended."""
    ended = sorted((trial for trial in trials if trial.ended_at is not None and trial.worker), key=lambda trial: trial.ended_at or 0.0)
    by_worker: dict[str, list[TrialRecord]] = defaultdict(list)
    for trial in ended:
        by_worker[str(trial.worker)].append(trial)
    found = []
    for own in by_worker.values():
        for before, trial in pairwise(own):
            clocks = (trial.result or {}).get("seconds")
            if trial.state == "complete" and clocks and trial.ended_at and before.ended_at:
                found.append(trial.ended_at - before.ended_at - clocks["train"] - clocks["eval"] - clocks["score"])
    return found


def summary(trials: Sequence[TrialRecord]) -> dict[str, Any]:
    """Return n, median, quartiles and the largest overhead in seconds; all None but n when there is nothing to measure."""
    values = sorted(overheads(trials))
    if len(values) < FEWEST:
        return {"n": len(values), "median": None, "lower_quartile": None, "upper_quartile": None, "largest": None}
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return {"n": len(values), "median": median, "lower_quartile": lower, "upper_quartile": upper, "largest": values[-1]}
