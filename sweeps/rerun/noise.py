"""How far two runs may lie apart by their seeds alone, as the sweep itself shows it, and which scores lie within that.

Two means over n and m runs whose seeds differ have a difference with standard deviation s sqrt(1/n + 1/m), where s is the spread of single
runs between seeds: sqrt(2) s for two single runs. s is pooled over the sweep's finalists, loss by loss and fold by fold, and with the fresh
runs of a rerun over seeds. As it is an estimate with d degrees of freedom, the limit is Student's t with d, which for many d and the four
scores that are judged together (Bonferroni) is 2.5. Where the objective has no s, the sweep's noise floor (two names of one configuration)
is the limit.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import special

from sweeps.record import SweepRecord, TrialRecord, read_json
from sweeps.verdict.contenders import SCORES, finite, gather, objective_of, score_of, section
from sweeps.verdict.paired import ALPHA, Estimate, estimate, pooled_sd

RULE = (
    "within noise: every judged score ({judged}) differs by at most t s sqrt(1/n + 1/m); s is the standard deviation of single runs "
    "between seeds, pooled over the sweep's finalists and fresh runs, n and m are the runs behind the two values, and t is Student's "
    "quantile that holds 95% of such differences for all {count} scores together"
)

Runs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, kw_only=True)
class Noise:
    """What a sweep shows of its own noise."""

    cells: Mapping[str, Sequence[Estimate]]
    """Metric -> one estimate a loss and fold, over its seeds."""
    floor: float | None
    """The largest difference of the objective between two names of one configuration."""
    judged: tuple[str, ...]
    """The scores that a verdict rests on, the objective first."""

    def rule(self) -> str:
        """Return the rule in words."""
        return RULE.format(judged=", ".join(self.judged), count=len(self.judged))

    def limit(self, metric: str, then: Estimate, now: Estimate, *, fresh: bool) -> tuple[float | None, float | None, int]:
        """Return how large a difference can be by seeds alone, None where nothing says so; and s with its degrees of freedom.

        `fresh` says that the runs of now differ by their seeds, so that their own spread counts as well.
        """
        cells = [*self.cells.get(metric, ()), *([now] if fresh else [])]
        spread, freedom = pooled_sd(cells), sum(cell.n - 1 for cell in cells if cell.sd)
        if spread is None:
            return (self.floor if metric == self.judged[0] else None), None, 0
        quantile = float(special.stdtrit(freedom, 1 - ALPHA / 2 / len(self.judged)))
        return quantile * spread * math.sqrt(1 / then.n + 1 / now.n), spread, freedom


def noise_of(record: SweepRecord) -> Noise:
    """Return the noise that a sweep shows; a sweep without finalists shows none."""
    from unet.metrics import METRICS

    objective = objective_of(record)
    field = gather(record, objective)
    cells: dict[str, list[Estimate]] = {metric: [] for metric in METRICS}
    for contender in field.contenders if field.stage == "finalist" else ():
        for metric, found in cells.items():
            values = contender.values(metric)
            for fold in {fold for _, fold in values}:
                found.append(estimate({key: value for key, value in values.items() if key[1] == fold}, by_fold=False))
    floor = finite(section(read_json(record.folder / "verdict.json"), "noise_floor").get("value"))
    # a floor of 0 is of repeats that are the same runs, which says nothing of noise
    return Noise(cells=cells, floor=floor or None, judged=tuple(dict.fromkeys((objective, *SCORES))))


@dataclass(frozen=True, kw_only=True)
class Score:
    """One score: recorded, and now."""

    metric: str
    judged: bool
    """Whether a verdict rests on it."""
    recorded: Estimate
    """Over the recorded runs."""
    now: Estimate
    """Over the runs of now."""
    margin: float | None
    """How large a difference seeds alone make; None where the sweep does not show it."""
    spread: float | None
    """Standard deviation between seeds."""
    freedom: int
    """Its degrees of freedom."""

    @property
    def difference(self) -> float:
        """Now less recorded."""
        assert self.now.mean is not None and self.recorded.mean is not None
        return self.now.mean - self.recorded.mean

    @property
    def within(self) -> bool | None:
        """Whether the difference is within noise; None where that is not known. No difference at all is within any."""
        if self.difference == 0:
            return True
        return None if self.margin is None else abs(self.difference) <= self.margin

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON-able data."""
        told = {key: getattr(self, key) for key in ("judged", "difference", "margin", "spread", "freedom", "within")}
        sides = {"recorded": self.recorded, "now": self.now}
        return {"score": self.metric, **{name: in_range(self.metric, found) for name, found in sides.items()}, **told}


def in_range(metric: str, found: Estimate) -> dict[str, Any]:
    """Return an estimate as JSON-able data, its interval cut to the metric's range: what lies outside is impossible."""
    from unet.metrics import METRICS

    spec = METRICS.get(metric)
    ends = {key: getattr(found, key) for key in ("low", "high")}
    if spec is not None:
        ends = {key: None if end is None else min(max(end, spec.low), spec.high) for key, end in ends.items()}
    return {"mean": found.mean, **ends, "sd": found.sd, "n": found.n}


def over_seeds(runs: Runs, metric: str) -> Estimate:
    """Return mean and 95% interval of a metric over runs of one fold; runs without it do not count."""
    values = [value for each in runs if (value := finite(each.get(metric))) is not None]
    return estimate({(number, None): value for number, value in enumerate(values)}, by_fold=False)


def scores_of(trial: TrialRecord) -> dict[str, float]:
    """Return a recorded trial's finite scores; of one without a result, the best of its curve."""
    from unet.metrics import METRICS

    return {metric: value for metric in METRICS if (value := score_of(trial, metric)) is not None}


def compared(recorded: Runs, now: Runs, noise: Noise, *, fresh: bool = False) -> list[Score]:
    """Return every score that both sides have, the judged ones first."""
    from unet.metrics import METRICS

    found = []
    for metric in dict.fromkeys((*noise.judged, *METRICS)):
        then, again = over_seeds(recorded, metric), over_seeds(now, metric)
        if then.mean is not None and again.mean is not None:
            margin, spread, freedom = noise.limit(metric, then, again, fresh=fresh)
            told = {"margin": margin, "spread": spread, "freedom": freedom, "judged": metric in noise.judged}
            found.append(Score(metric=metric, recorded=then, now=again, **told))
    return found


def beside(recorded: Runs, now: Runs, noise: Noise) -> list[Score]:
    """Return scores of other data beside the recorded ones: a difference of data, to which no noise is a limit."""
    return compared(recorded, now, Noise(cells={}, floor=None, judged=noise.judged))
