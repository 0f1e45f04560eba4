"""What others printed of the losses of a sweep, and what this sweep found for the same: values and places, one row a loss.

A place counts the losses of the rows that are strictly better, so that equal values share one.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from sweeps.report.overview import LossView, Overview, curve_of, train_seconds
from sweeps.report.wording import clean, dig
from sweeps.verdict.contenders import finite

if TYPE_CHECKING:
    from sweeps.record import TrialRecord


@dataclass(frozen=True, kw_only=True)
class Printed:
    """The recipe's section `published`."""

    source: str
    hardware: str
    epochs: int | None
    """Behind each of the seconds."""
    seconds: Mapping[str, float]
    own_loss: Mapping[str, float]
    note: str


@dataclass(frozen=True, kw_only=True)
class Clock:
    """Seconds of one loss: medians over its runs."""

    loss: LossView
    printed: float
    ours: float | None
    """Of the training alone."""
    with_eval: float | None
    """Of training and evaluation."""
    alike: float | None
    """Of the training, brought to the printed number of epochs, where that is known."""


@dataclass(frozen=True, kw_only=True)
class Value:
    """The own loss value of one loss, on one test section and over all of them."""

    loss: LossView
    printed: float
    ours: float | None
    """On the first test section of the loss's first run."""
    section: int | None
    """Which section that is."""
    run: str
    """And which run."""
    mean: float | None
    """Over all test sections of all runs."""


def printed_in(overview: Overview) -> Printed | None:
    """Return what the recipe says that others printed; None where it says nothing."""
    section = dig(overview.record.recipe, "published")
    if not isinstance(section, Mapping):
        return None
    epochs = finite(section.get("epochs"))
    return Printed(
        source=clean(section.get("source", ""), 1000),
        hardware=clean(section.get("hardware", ""), 200),
        epochs=int(epochs) if epochs else None,
        note=clean(section.get("note", ""), 1000),
        **{key: _numbers(section.get(key)) for key in ("seconds", "own_loss")},
    )


def _numbers(table: Any) -> dict[str, float]:
    pairs = ((str(loss), finite(value)) for loss, value in (table.items() if isinstance(table, Mapping) else ()))
    return {loss: value for loss, value in pairs if value is not None}


def clocks(overview: Overview, printed: Printed) -> list[Clock]:
    """Return the seconds of every loss that has a printed time, the fastest printed one first."""
    rows = []
    for loss, value in _named(overview, printed.seconds):
        train = [(seconds, trial) for trial in _runs(loss, overview) if (seconds := train_seconds(trial)) is not None]
        epochs = [(seconds, _epochs(trial)) for seconds, trial in train]
        rows.append(
            Clock(
                loss=loss,
                printed=value,
                ours=_median(seconds for seconds, _ in train),
                with_eval=_median(
                    seconds + spent for seconds, trial in train if (spent := finite(dig(trial.result, "seconds.eval"))) is not None
                ),
                alike=_median(seconds * ((printed.epochs or done) / done) for seconds, done in epochs if done),
            )
        )
    return rows


def values(overview: Overview, printed: Printed) -> list[Value]:
    """Return the own loss value of every loss that has a printed one, the smallest printed one first."""
    rows = []
    for loss, value in _named(overview, printed.own_loss):
        runs = sorted(_runs(loss, overview), key=lambda trial: (trial.fold or 0, trial.seed))
        first = _sections(runs[0])[:1] if runs else []
        mean = [value for trial in runs for _, value in _sections(trial) if value is not None]
        rows.append(
            Value(
                loss=loss,
                printed=value,
                ours=first[0][1] if first else None,
                section=first[0][0] if first else None,
                run=runs[0].trial_id if first else "",
                mean=statistics.fmean(mean) if mean else None,
            )
        )
    return rows


def places(found: Mapping[str, float | None], *, lower_is_better: bool) -> dict[str, int]:
    """Return the place of each loss that has a value; 1 is the best."""
    known = {loss: value if lower_is_better else -value for loss, value in found.items() if value is not None}
    return {loss: 1 + sum(other < value for other in known.values()) for loss, value in known.items()}


def turned(before: Mapping[str, int], after: Mapping[str, int]) -> tuple[int, int]:
    """Return how many pairs of losses stand the other way round after than before, and how many pairs have places in both."""
    common = list(combinations([loss for loss in before if loss in after], 2))
    return sum((before[a] - before[b]) * (after[a] - after[b]) < 0 for a, b in common), len(common)


def _named(overview: Overview, table: Mapping[str, float]) -> list[tuple[LossView, float]]:
    found = [(loss, table[loss.name]) for loss in overview.losses if loss.name in table]
    return sorted(found, key=lambda pair: pair[1])


def _runs(loss: LossView, overview: Overview) -> tuple[TrialRecord, ...]:
    """The runs that rank; where nothing does, the search's best trial."""
    best = overview.best_of(loss.search) if overview.search_only else None
    return loss.runs or ((best,) if best else ())


def _sections(trial: TrialRecord) -> list[tuple[int | None, float | None]]:
    """The own loss value of each test section, in the order of the sections."""
    entries = [entry for entry in dig(trial.result, "own_loss.sections", ()) if isinstance(entry, Mapping)]
    numbers = [finite(entry.get("section")) for entry in entries]
    return [(None if number is None else int(number), finite(entry.get("value"))) for number, entry in zip(numbers, entries, strict=True)]


def _epochs(trial: TrialRecord) -> float | None:
    done = finite(dig(trial.result, "epochs"))
    return done if done is not None else max((epoch for epoch, _ in curve_of(trial, "epoch", "train_seconds")), default=None)


def _median(numbers: Iterable[float]) -> float | None:
    known = list(numbers)
    return float(statistics.median(known)) if known else None
