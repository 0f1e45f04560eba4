"""Recorded learning curves: what a search would have seen, taken from a sweep that tried random configurations and stopped none.

A file of curves is CSV behind one line that starts with # and holds JSON: the recipe's model, training and losses (with every domain), and
where the curves come from. One row is one trial: stage, loss, trial, each parameter (empty where the loss has none of the name), and
membrane Dice after each epoch, to four decimals. Finalists are there for one figure alone, the noise: the spread between seeds of the same
configuration.
"""

import csv
import io
import json
import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from data_utils.errors import DataError
from sweeps.record import SweepRecord, load_results
from sweeps.search.unit import to_unit
from sweeps.space import Choice, Domain, Value
from unet.durable import write_durably

if TYPE_CHECKING:
    from sweeps.recipe.schema import Recipe

_FIXED = ("stage", "loss", "trial")
_KEPT = ("name", "model", "train", "losses")


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One recorded trial."""

    stage: str
    """search or finalist."""
    loss: str
    trial: str
    suggestion: dict[str, Value]
    """Dotted name -> value."""
    scores: tuple[float, ...]
    """Membrane Dice after each epoch; the trial's score is the largest."""

    @property
    def best(self) -> float:
        """The score at full length."""
        return max(self.scores)


class LossCurves:
    """The recorded trials of one loss, and which of them a suggestion is played by."""

    def __init__(self, space: Mapping[str, Domain], curves: Sequence[Curve]) -> None:
        self.curves = list(curves)
        self.best = max(curve.best for curve in curves)
        self._space = dict(space)
        self._scores = np.array([curve.scores for curve in curves])
        self._units = np.array([self._unit(curve.suggestion) for curve in curves]).reshape(len(curves), len(self._space))
        self._choices = np.array([isinstance(domain, Choice) for domain in self._space.values()], dtype=bool)

    def _unit(self, suggestion: Mapping[str, Value]) -> list[float]:
        return [to_unit(domain, suggestion[name]) for name, domain in self._space.items()]

    def play(self, suggestion: Mapping[str, Value], neighbours: int) -> tuple[float, ...]:
        """Return the curve of the nearest recorded trial (the first of equals), or the mean of several, weighted by 1 / distance.

        Distances are Euclidean between places in the unit cube; two values of a choice are 0 or 1 apart. Several neighbours weigh as in
        Shepard 1968, so that a recorded configuration plays its own curve.
        """
        apart = np.abs(self._units - np.array(self._unit(suggestion)))
        apart[:, self._choices] = apart[:, self._choices] > 0
        distance = np.sqrt((apart**2).sum(axis=1))
        nearest = np.argsort(distance, kind="stable")[:neighbours]
        if neighbours == 1 or distance[nearest[0]] == 0:
            return self.curves[int(nearest[0])].scores
        return tuple(np.average(self._scores[nearest], axis=0, weights=1 / distance[nearest]).tolist())


@dataclass(frozen=True, kw_only=True)
class RecordedCurves:
    """All curves of a record, and the recipe that they were made by."""

    recipe: "Recipe"
    curves: tuple[Curve, ...]
    origin: dict[str, Any]
    """Data, sweep, versions and hardware."""

    def of(self, loss: str) -> LossCurves:
        """Return the search trials of one loss."""
        return LossCurves(self.recipe.search_space(loss), [curve for curve in self.curves if (curve.stage, curve.loss) == ("search", loss)])

    @property
    def losses(self) -> list[str]:
        """The losses that have curves, in the recipe's order."""
        return [loss for loss in self.recipe.losses if any((curve.stage, curve.loss) == ("search", loss) for curve in self.curves)]

    def noise(self) -> tuple[float, int]:
        """Return the standard deviation between seeds of one configuration, pooled over the losses, and its degrees of freedom."""
        groups: dict[str, list[float]] = defaultdict(list)
        for curve in self.curves:
            if curve.stage == "finalist":
                groups[curve.trial.rsplit("-s", 1)[0]].append(curve.best)
        squares = sum(float(np.var(scores)) * len(scores) for scores in groups.values())
        freedom = sum(len(scores) - 1 for scores in groups.values())
        return (math.sqrt(squares / freedom) if freedom else math.nan), freedom


def read_curves(path: Path) -> RecordedCurves:
    """Return the curves of a results folder or of a file of curves. Raises NoSweep or DataError when it is neither."""
    return _of_file(path) if path.is_file() else _of_folder(load_results(path))


def write_curves(record: RecordedCurves, path: Path) -> None:
    """Write the curves to a file that `read_curves` reads, so that a replay needs neither data nor the results folder."""
    names = sorted({name for curve in record.curves for name in curve.suggestion})
    epochs = record.recipe.train.epochs
    noise, freedom = record.noise()
    resolved = record.recipe.resolved()
    head = {"origin": record.origin, "noise_sd": _plain(noise), "noise_df": freedom, "recipe": {key: resolved[key] for key in _KEPT}}
    file = io.StringIO(newline="")
    file.write(f"# {json.dumps(head)}\n")
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*_FIXED, *names, *(f"e{epoch}" for epoch in range(1, epochs + 1))])
    for curve in record.curves:
        values = [_plain(curve.suggestion.get(name, "")) for name in names]
        writer.writerow([curve.stage, curve.loss, curve.trial, *values, *(f"{score:.4f}" for score in curve.scores)])
    write_durably(path, file.getvalue().encode())


def _plain(value: Any) -> Any:
    """Return a number to six digits, what is no finite number as null, and anything else as it is."""
    if not isinstance(value, float):
        return value
    return float(f"{value:.6g}") if math.isfinite(value) else None


def _of_folder(record: SweepRecord) -> RecordedCurves:
    from sweeps.recipe.schema import Recipe

    recipe = Recipe.from_resolved(record.recipe)
    curves = [
        Curve(
            stage=trial.stage,
            loss=trial.loss,
            trial=trial.trial_id,
            suggestion=trial.suggestion,
            scores=tuple(row["membrane_dice"] for row in trial.curve),
        )
        for trial in record.trials
        if trial.state == "complete" and len(trial.curve) == recipe.train.epochs
    ]
    data = {key: record.data[key] for key in ("shape", "sha256") if key in record.data}
    origin = {"sweep": record.name, "data": {"name": Path(str(record.data.get("source", ""))).name} | data}
    return _checked(RecordedCurves(recipe=recipe, curves=tuple(curves), origin=origin), str(record.folder))


def _of_file(path: Path) -> RecordedCurves:
    from sweeps.recipe.schema import Recipe

    with path.open(encoding="utf-8", newline="") as file:
        first = file.readline()
        try:
            head = json.loads(first.removeprefix("# "))
            recipe = Recipe.from_resolved(head["recipe"], source=str(path))
        except (ValueError, KeyError, TypeError) as error:
            raise DataError(
                f"{path} is no file of learning curves: its first line must be # and JSON with a recipe ({error}). "
                "Name a results folder, or a file that `sweeps bench search RESULTS --write FILE` wrote."
            ) from error
        curves = [_of_row(row, recipe) for row in csv.DictReader(file)]
    return _checked(RecordedCurves(recipe=recipe, curves=tuple(curves), origin=head.get("origin", {})), str(path))


def _of_row(row: dict[str, str], recipe: "Recipe") -> Curve:
    space = recipe.search_space(row["loss"])
    suggestion = {name: _value(domain, row[name]) for name, domain in space.items()}
    scores = tuple(float(row[f"e{epoch}"]) for epoch in range(1, recipe.train.epochs + 1))
    return Curve(stage=row["stage"], loss=row["loss"], trial=row["trial"], suggestion=suggestion, scores=scores)


def _value(domain: Domain, text: str) -> Value:
    if isinstance(domain, Choice):
        return next(choice for choice in domain.choices if str(choice) == text)
    return domain.clip(float(text))


def _checked(record: RecordedCurves, where: str) -> RecordedCurves:
    told = [curve.loss for curve in record.curves if curve.stage == "search"]
    few = [loss for loss in record.recipe.losses if told.count(loss) < 2]
    if few:
        raise DataError(
            f"{where}: a replay needs at least 2 whole search trials of every loss (all of train.epochs, none stopped early); too few of "
            f"{', '.join(few)}. Record with search.sampler=random and search.early_stop=null."
        )
    return record
