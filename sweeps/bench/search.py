"""Which search finds the best sooner: samplers, early stopping and allocation, each replayed many times over the same recorded curves.

The baseline is random search that stops nothing early and does not begin with the literature's defaults. A setting's figure is the
median over the replays of the median over the losses of the epochs to the target (a miss is infinite and takes part), and its ratio is that
over the baseline's. The interval is a percentile bootstrap over replays, of both. Replay r of every setting has the seed r, the A/A row's
others.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from sweeps.bench.search_curves import RecordedCurves
from sweeps.bench.search_replay import Replayed, SimulatedSweep, epochs_until

if TYPE_CHECKING:
    from sweeps.recipe.sections import SearchSection

_RESAMPLES = 2000


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One way to search."""

    name: str
    sampler: str = "tpe"
    stop: tuple[int, int] | None = None
    """ASHA's grace in epochs and factor, or None."""
    defaults: bool = True
    """Begin with the literature's defaults."""
    allocation: str = "equal"
    seed: int = 0
    """The first replay's."""
    share: float = 1.0
    """Of the replays asked for: less for what is slow to ask."""
    more: float = 1.0
    """Of the trials asked for: more where early stopping leaves epochs over."""

    def section(self, trials: int, seed: int) -> "SearchSection":
        """Return the section of a recipe that says so. Rivals are no choice of a recipe, so the sampler is set past its check."""
        from sweeps.recipe.sections import EarlyStop, SearchSection

        stop = EarlyStop(grace_epochs=self.stop[0], factor=self.stop[1]) if self.stop else None
        base = SearchSection(trials_per_loss=round(trials * self.more), start_with_defaults=self.defaults, early_stop=stop, seed=seed)
        return base.model_copy(update={"sampler": self.sampler, "allocation": self.allocation})


@dataclass(frozen=True, kw_only=True)
class SearchBench:
    """How each setting is replayed."""

    replays: int = 50
    trials: int = 20
    """A loss's budget."""
    concurrent: int = 2
    """Trials at one time."""
    neighbours: int = 1
    """Recorded trials that play one suggestion."""


@dataclass(frozen=True, kw_only=True)
class Targets:
    """What counts as there."""

    losses: dict[str, float]
    """Loss -> the best of its record less the tolerance."""
    best: dict[str, float]
    """Loss -> the best of its record."""

    @property
    def of_all(self) -> float:
        """The target of the best finalist of all."""
        return max(self.losses.values())


@dataclass(frozen=True, kw_only=True)
class SearchRow:
    """One setting's figures."""

    name: str
    replays: int
    epochs: float
    """Median over replays of the median over losses of a loss's epochs to its target."""
    lower: float
    upper: float
    """Quartiles of the replays."""
    ratio: float
    """To the baseline's; nan where the baseline misses in the median."""
    low: float
    high: float
    """95% interval of the ratio."""
    reached: float
    """Share of losses (over all replays) that reached their target."""
    penalised: float
    """Mean epochs to the target, a miss counted as twice the budget without early stopping (PAR2)."""
    best_epochs: float
    """Median epochs of all losses until the best finalist of all is as good as the best of the whole record, less the tolerance."""
    lacks: float
    """Mean over losses and replays of what the finalist lacks of the best of its record."""
    spent: float
    """Mean epochs of a whole sweep."""
    fewest: float
    """Mean over replays of the trials of the loss that got fewest."""


def noise_floor(noise_sd: float) -> float:
    """Return the standard deviation of the difference between two runs of one configuration, from that between seeds."""
    return math.sqrt(2) * noise_sd


def targets_of(record: RecordedCurves, tolerance: float, losses: Sequence[str] | None = None) -> Targets:
    """Return the targets of some losses, or of all."""
    best = {loss: record.of(loss).best for loss in losses or record.losses}
    return Targets(losses={loss: value - tolerance for loss, value in best.items()}, best=best)


def replay(config: SearchBench, record: RecordedCurves, setting: Setting) -> list[Replayed]:
    """Return the simulated sweeps of one setting."""
    curves = {loss: record.of(loss) for loss in record.losses}
    found = []
    for number in range(max(1, round(config.replays * setting.share))):
        recipe = record.recipe.model_copy(update={"search": setting.section(config.trials, setting.seed + number)})
        found.append(SimulatedSweep(recipe, curves, neighbours=config.neighbours).run(config.concurrent))
    return found


def rows(replayed: Mapping[str, Sequence[Replayed]], targets: Targets, budget: int) -> list[SearchRow]:
    """Return a row a setting. The first setting is the baseline; `budget` is what a loss costs without early stopping, in epochs."""
    baseline = _medians(next(iter(replayed.values())), targets)
    return [_row(name, sweeps, targets, baseline, budget) for name, sweeps in replayed.items()]


def _medians(sweeps: Sequence[Replayed], targets: Targets) -> list[float]:
    return [float(np.median([epochs_until(sweep.losses[loss], aim) for loss, aim in targets.losses.items()])) for sweep in sweeps]


def _row(name: str, sweeps: Sequence[Replayed], targets: Targets, baseline: Sequence[float], budget: int) -> SearchRow:
    medians = _medians(sweeps, targets)
    lower, upper = np.quantile(medians, (0.25, 0.75), method="inverted_cdf")
    low, high = _interval(medians, baseline)
    each = np.array([[epochs_until(sweep.losses[loss], aim) for loss, aim in targets.losses.items()] for sweep in sweeps])
    of_all = [epochs_until(sweep.best, targets.of_all) for sweep in sweeps]
    lacks = [best - sweep.losses[loss][-1][1] for sweep in sweeps for loss, best in targets.best.items()]
    return SearchRow(
        name=name,
        replays=len(sweeps),
        epochs=float(np.median(medians)),
        lower=float(lower),
        upper=float(upper),
        ratio=_ratio(float(np.median(medians)), float(np.median(baseline))),
        low=low,
        high=high,
        reached=float(np.isfinite(each).mean()),
        penalised=float(np.where(np.isfinite(each), each, 2 * budget).mean()),
        best_epochs=float(np.median(of_all)),
        lacks=float(np.mean(lacks)),
        spent=float(np.mean([sum(sweep.spent[loss] for loss in targets.losses) for sweep in sweeps])),
        fewest=float(np.mean([min(sweep.trials.values()) for sweep in sweeps])),
    )


def _ratio(ours: float, theirs: float) -> float:
    return math.nan if math.isinf(theirs) else ours / theirs


def _interval(medians: Sequence[float], baseline: Sequence[float]) -> tuple[float, float]:
    generator = np.random.default_rng(0)
    ours, theirs = (np.median(generator.choice(values, (_RESAMPLES, len(values))), axis=1) for values in (medians, baseline))
    if math.isinf(float(np.median(baseline))):
        return math.nan, math.nan
    # a miss of the baseline in a resample is as good as 0 for us, a miss of both as bad as any
    ratios = np.where(np.isinf(theirs) & np.isfinite(ours), 0.0, ours / np.where(np.isinf(theirs), 1.0, theirs))
    low, high = np.quantile(ratios, (0.025, 0.975), method="inverted_cdf")
    return float(low), float(high)
