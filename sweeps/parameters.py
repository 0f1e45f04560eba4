"""Which parameters mattered, loss by loss: importance, how flat the optimum is, and the smooth surface for the contours.

Told from the search alone, since only there do parameters vary. The form of the result is `parameters` in docs/verdict.schema.json.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sweeps.parameter_words import flat_words
from sweeps.recipe.errors import RecipeError
from sweeps.recipe.schema import Recipe
from sweeps.space import Choice, Domain
from sweeps.verdict.contenders import finite, maximises, objective_of, section

if TYPE_CHECKING:
    from sweeps.record import SweepRecord
    from sweeps.search.importance import Importance
    from sweeps.search.standing import Standing
    from sweeps.search.surface import Surface

logger = logging.getLogger(__name__)

FEWEST_TRIALS = 10
"""Fewer different configurations say nothing about a parameter."""
RULE = (
    "Importance is Optuna's PED-ANOVA over the trials of the search: the part of being among a loss's best trials that one parameter alone "
    "explains. Its 95% interval is from resampled trials; chance is the 95th percentile of the same with the scores shuffled. A trial that "
    "was stopped early is compared with each other trial at the last epoch that both reached; one that failed with NaN counts as the worst."
)
TIE_RULE = (
    "A trial ties with the best of its loss when it is at most 1.645 sqrt(2) standard deviations of a single training behind it: "
    "of two equally good trials, the one falls that far behind the other one time in twenty. The best of many was lucky as well, so more "
    "may be as good than ties."
)
_SOURCES = {
    "seeds": "the standard deviation between seeds of one loss on one fold",
    "floor": "the difference between two names of one loss, brought to that of single runs",
    "scatter": "the scatter of the trials about the smooth surface, as there are no repeats",
}
#: own parameters that are looked at together, where a loss has both
_FAMILIAR = (("alpha", "gamma"), ("alpha", "beta"))


def parameters_or_why(record: SweepRecord, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return `parameters_that_mattered`, or its frame with the reason: a fault here must never cost the verdict."""
    try:
        return parameters_that_mattered(record, verdict)
    except Exception as error:
        logger.warning("which parameters mattered could not be computed; the rest of the verdict is not affected", exc_info=True)
        return _frame(f"could not be computed: {type(error).__name__}: {error}"[:300])


def parameters_that_mattered(record: SweepRecord, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return per loss what its parameters did to the objective: plain data without NaN."""
    try:
        recipe = Recipe.from_resolved(record.recipe)
    except RecipeError:
        return _frame("the record's recipe is not one that this version reads, so what was searched is not known")
    losses = {loss: _of_loss(record, recipe, loss, verdict) for loss in recipe.losses}
    if not any(told["space"] for told in losses.values()):
        return _frame("nothing was searched: every loss has a single configuration")
    return _frame(None) | {"losses": losses}


def space_of(recipe: Recipe, loss: str) -> dict[str, Domain]:
    """Return what the study of a loss searched, without what has a single value: the loss's own parameters first."""
    return {name: domain for name, domain in recipe.search_space(loss).items() if not _single(domain)}


def _single(domain: Domain) -> bool:
    return len(domain.choices) == 1 if isinstance(domain, Choice) else domain.low == domain.high


def _frame(why: str | None) -> dict[str, Any]:
    return {"why": why, "rule": RULE, "tie_rule": TIE_RULE, "losses": {}}


def _of_loss(record: SweepRecord, recipe: Recipe, loss: str, verdict: Mapping[str, Any]) -> dict[str, Any]:
    from sweeps.search.standing import standings

    space = space_of(recipe, loss)
    metric = objective_of(record)
    asked = record.of(loss=loss, stage="search")
    counted = [told for told in standings(asked, metric) if set(space) <= set(told.trial.suggestion)]
    told: dict[str, Any] = {"space": {name: domain.as_dict() for name, domain in space.items()}}
    told["defaults"] = {name: recipe.defaults(loss)[name] for name in space}
    told |= {"trials": len(counted), "stopped": sum(item.stopped for item in counted), "left_out": len(asked) - len(counted)}
    told |= {"importance": None, "importance_why": _why_not(space, counted), "flat": None, "surface": None, "contour": None}
    if told["importance_why"]:
        return told
    ended = [(item.trial.suggestion, item.score) for item in counted if item.score is not None]
    surface = surface_of(space, ended, maximise=maximises(metric))
    noise = _noise(verdict, surface)
    found, quantile = _importance(space, counted)
    told |= {"importance": [_rounded(asdict(item)) for item in found], "best_share": round(quantile, 4)}
    told |= {"surface": None if surface is None else _surface(surface), "contour": _contour(space, found), "noise": noise}
    told["flat"] = None if noise is None else _flat(space, counted, noise["value"], surface, maximise=maximises(metric))
    return told


def _why_not(space: Mapping[str, Domain], counted: Sequence[Standing]) -> str | None:
    if not space:
        return "nothing was searched"
    different = len({tuple(repr(told.trial.suggestion[name]) for name in space) for told in counted})
    if different < FEWEST_TRIALS:
        return f"{different} different configurations are too few: {FEWEST_TRIALS} are the least that say anything"
    if len({told.place for told in counted}) == 1:
        return "no trial is better than another"
    return None


def _importance(space: Mapping[str, Domain], counted: Sequence[Standing]) -> tuple[list[Importance], float]:
    from sweeps.search.importance import importances, target_quantile

    configurations = [told.trial.suggestion for told in counted]
    return importances(space, configurations, [told.place for told in counted]), target_quantile(len(counted))


def surface_of(
    space: Mapping[str, Domain],
    ended: Sequence[tuple[Mapping[str, Any], float]],
    settings: Mapping[str, Any] | None = None,
    *,
    maximise: bool,
) -> Surface | None:
    """Return the surface through trials that went to their end, turned so that more is better; None of too few.

    `settings` is what the verdict holds of it (`surface`), from which it is made again without fitting.
    """
    from sweeps.search.surface import Settings, Surface

    if len(ended) < FEWEST_TRIALS:
        return None
    known = None
    if settings is not None:
        lengths = tuple(settings["lengths"][name] for name in space)
        known = Settings(lengths=lengths, signal=settings["signal"], noise=settings["noise"])
    return Surface(space, [where for where, _ in ended], [score if maximise else -score for _, score in ended], known)


def _surface(surface: Surface) -> dict[str, Any]:
    settings = surface.settings
    return {
        "lengths": dict(zip(surface.scale.names, settings.lengths, strict=True)),
        "signal": settings.signal,
        "noise": settings.noise,
        "left_out_error": surface.left_out_error,
        "explained": surface.explained,
    }


def _noise(verdict: Mapping[str, Any], surface: Surface | None) -> dict[str, Any] | None:
    """Return the standard deviation of a single training, from the best source that there is."""
    repeats = section(verdict, "noise_floor")
    # a difference of two means of n runs each has standard deviation s sqrt(2 / n)
    floor = (finite(repeats.get("value")) or 0.0) * math.sqrt((finite(repeats.get("replicates")) or 1.0) / 2)
    scatter = None if surface is None else surface.sd * surface.settings.noise
    for source, value in (("seeds", finite(verdict.get("seed_spread"))), ("floor", floor), ("scatter", scatter)):
        if value:
            return {"value": value, "source": source, "words": _SOURCES[source]}
    return None


def _flat(
    space: Mapping[str, Domain], counted: Sequence[Standing], noise: float, surface: Surface | None, *, maximise: bool
) -> dict[str, Any] | None:
    from sweeps.search.flat_region import FACTOR, flat_region

    region = flat_region(space, counted, FACTOR * noise, surface, maximise=maximise)
    if region is None:
        return None
    sides = {
        name: asdict(side) | {"values": list(side.values), "choice": isinstance(space[name], Choice)} for name, side in region.sides.items()
    }
    told = {
        "best": {"trial": region.best.trial.trial_id, "score": region.best.score},
        "threshold": region.threshold,
        "margin": FACTOR * noise,
        "tied": [item.trial.trial_id for item in region.tied],
        "trials": region.trials,
        "share": len(region.tied) / region.trials,
        "sides": sides,
        "volume": region.volume,
        "known": region.known,
    }
    return told | {"words": flat_words(told)}


def _contour(space: Mapping[str, Domain], found: Sequence[Importance]) -> list[str] | None:
    """Return the two parameters of the contour: familiar ones, else its own by importance, then the learning rate."""
    numbers = [item.name for item in found if not isinstance(space[item.name], Choice)]
    own = [name for name in numbers if name.startswith("loss.")]
    for pair in _FAMILIAR:
        named = [next((name for name in sorted(own) if name.rpartition(".")[2] == part), None) for part in pair]
        if None not in named:
            return [str(name) for name in named]
    chosen = [*own, *(name for name in numbers if name not in own)][:2]
    return chosen if len(chosen) == 2 else None


def _rounded(told: dict[str, Any]) -> dict[str, Any]:
    return {key: round(value, 4) if isinstance(value, float) else value for key, value in told.items()}
