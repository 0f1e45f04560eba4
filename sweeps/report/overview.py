"""What every part of the report looks at: the sweep's record and verdict, sorted by loss once.

Nothing is decided here: scores, intervals, ties and the front are the verdict's. Where the verdict lacks a loss, that loss still has a row,
with what its trials say and gaps for the rest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sweeps.report.palette import Identity, identity
from sweeps.report.wording import dig, say_sections, short
from sweeps.verdict.contenders import finite, maximises, score_of
from sweeps.verdict.time_to_target import reach

if TYPE_CHECKING:
    from sweeps.record import SweepRecord, TrialRecord


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean and its interval; any of them may be missing."""

    mean: float | None = None
    low: float | None = None
    high: float | None = None
    n: int | None = None


@dataclass(frozen=True, kw_only=True)
class LossView:
    """One loss: its look, its trials, its row of the ranking."""

    name: str
    """As the recipe names it."""
    label: str
    """The same, safe and short enough to draw."""
    function: str
    """In the registry."""
    look: Identity
    """Its colour and marker."""
    rank: int | None
    """1 is the best; None without a place in the ranking."""
    row: Mapping[str, Any]
    """Its row of the verdict's ranking, or empty."""
    search: tuple[TrialRecord, ...]
    """Its trials of the search."""
    finalists: tuple[TrialRecord, ...]
    """Its best configuration again, over seeds and folds."""

    @property
    def name_shown(self) -> str:
        """The name, safe to show, where there is room."""
        return short(self.name, 60)

    def estimate(self, metric: str) -> Estimate:
        """Return the ranking's estimate of one metric."""
        entry = dig(self.row, f"scores.{metric}", {})
        if not isinstance(entry, Mapping):
            return Estimate(mean=finite(entry))
        n = finite(entry.get("n"))
        return Estimate(
            mean=finite(entry.get("mean")), low=finite(entry.get("low")), high=finite(entry.get("high")), n=None if n is None else int(n)
        )

    @property
    def runs(self) -> tuple[TrialRecord, ...]:
        """The finalists that its row of the ranking speaks of: complete ones of the ranked configuration."""
        params = self.row.get("params") or {}
        return tuple(
            trial
            for trial in self.finalists
            if trial.state == "complete" and all(params.get(key, value) == value for key, value in trial.suggestion.items())
        )

    def counted(self, state: str) -> int:
        """Return how many of its trials, of both stages, are in a state."""
        return sum(trial.state == state for trial in (*self.search, *self.finalists))


@dataclass(frozen=True, kw_only=True)
class Overview:
    """The whole sweep, ready to be shown."""

    record: SweepRecord
    verdict: Mapping[str, Any]
    losses: tuple[LossView, ...]
    """Ranked ones first, best first; then the rest in the recipe's order."""
    metric: str
    """The objective."""
    maximise: bool
    """Whether more of it is better."""

    def loss(self, name: object) -> LossView | None:
        """Return one loss by its name."""
        return next((loss for loss in self.losses if loss.name == name), None)

    def score(self, trial: TrialRecord) -> float | None:
        """Return a trial's finite score by the objective; None when it has none (a curve of NaN, a failure before the first epoch)."""
        return score_of(trial, self.metric)

    def best_of(self, trials: tuple[TrialRecord, ...]) -> TrialRecord | None:
        """Return the trial with the best score; None when none has one. What a trial scored before it failed is no result."""
        scored = [(score, trial) for trial in trials if trial.state != "failed" and (score := self.score(trial)) is not None]
        if not scored:
            return None
        return sorted(scored, key=lambda pair: pair[0], reverse=self.maximise)[0][1]

    def tuned(self, loss: LossView) -> Mapping[str, Any]:
        """Return a loss's configuration: what was searched, with its best values, or all parameters where nothing was; and what is held."""
        best = self.best_of(loss.search)
        trial = loss.runs[0] if loss.runs else best
        searched = (trial.suggestion if trial else {}) or loss.row.get("params") or {}
        return dict(searched) | {f"loss.{key}": value for key, value in self.held(loss).items() if f"loss.{key}" not in searched}

    def held(self, loss: LossView) -> Mapping[str, Any]:
        """Return the loss's own parameters that the recipe holds at another value than the registry's default."""
        from unet.losses import loss_spec

        try:
            parameters = loss_spec(loss.function).parameters
        except ValueError:  # a record of a loss that the registry has no more
            return {}
        entry = dig(self.record.recipe, "losses", {}).get(loss.name)  # not by a dotted path: a name may hold a dot
        fixed = {key: value for key, value in entry.items() if not isinstance(value, Mapping)} if isinstance(entry, Mapping) else {}
        return {key: value for key, value in fixed.items() if key in parameters and value != parameters[key].default}

    @property
    def target(self) -> float | None:
        """The quality that time-to-target counts to."""
        return finite(dig(self.verdict, "target.value"))

    @property
    def search_only(self) -> bool:
        """Whether the verdict rests on single trials of the search, so that nothing is ranked."""
        return self.verdict.get("stage") == "search"

    @property
    def front(self) -> tuple[str, ...]:
        """The losses that no other beats in both quality and time."""
        return tuple(str(name) for name in dig(self.verdict, "front", ()))

    @property
    def sanity(self) -> list[Mapping[str, Any]]:
        """Scores of predictions that need no network."""
        rows = self.record.sanity or dig(self.verdict, "sanity", [])
        return [row for row in rows if isinstance(row, Mapping)]

    @property
    def sanity_sections(self) -> str:
        """The sections on which they were scored, in words; empty when that is not known."""
        return say_sections(self.record.sanity_sections)


def curve_of(trial: TrialRecord, x: str, y: str) -> list[tuple[float, float]]:
    """Return the finite points of a learning curve, in the order of `x`."""
    points = [(finite(row.get(x)), finite(row.get(y))) for row in trial.curve]
    return sorted((a, b) for a, b in points if a is not None and b is not None)


def seconds_to(trial: TrialRecord, overview: Overview) -> float | None:
    """Return a trial's train seconds when it first reached the target; None when it never did or there is no target."""
    return finite(reach(trial, overview.target)[0])


def train_seconds(trial: TrialRecord) -> float | None:
    """Return a trial's train seconds: the result's, or the last of its curve."""
    total = finite(dig(trial.result, "seconds.train"))
    if total is not None:
        return total
    return max((seconds for seconds, _ in curve_of(trial, "train_seconds", "epoch")), default=None)


def survey(record: SweepRecord, verdict: Mapping[str, Any]) -> Overview:
    """Return the overview of a sweep."""
    rows = {str(row["loss"]): row for row in dig(verdict, "ranking", ()) if isinstance(row, Mapping) and "loss" in row}
    known = dict.fromkeys(str(name) for name in dig(record.recipe, "losses", ()))
    known |= dict.fromkeys(trial.loss for trial in record.trials) | dict.fromkeys(rows)
    index = {name: number for number, name in enumerate(known)}
    losses = []
    for name in [*rows, *(name for name in known if name not in rows)]:
        trials = [trial for trial in record.trials if trial.loss == name]
        row = rows.get(name, {})
        function = row.get("function") or next((trial.function for trial in trials), None) or _function_in(record.recipe, name)
        losses.append(
            LossView(
                name=name,
                label=short(name, 22),
                function=str(function or name),
                look=identity(index[name]),
                rank=list(rows).index(name) + 1 if name in rows and ranked(row, record) else None,
                row=row,
                search=tuple(trial for trial in trials if trial.stage == "search"),
                finalists=tuple(trial for trial in trials if trial.stage == "finalist"),
            )
        )
    metric = str(dig(record.recipe, "objective.metric", "membrane_dice"))
    return Overview(record=record, verdict=verdict, losses=tuple(losses), metric=metric, maximise=maximises(metric))


def _function_in(recipe: Mapping[str, Any], name: str) -> Any:
    entry = dig(recipe, "losses", {}).get(name)  # not by a dotted path: a name may hold a dot
    return entry.get("loss") if isinstance(entry, Mapping) else None


def ranked(row: Mapping[str, Any], record: SweepRecord) -> bool:
    """Return whether a row of the ranking has a score to be ranked by."""
    metric = dig(record.recipe, "objective.metric", "membrane_dice")
    return finite(dig(row, f"scores.{metric}.mean")) is not None
