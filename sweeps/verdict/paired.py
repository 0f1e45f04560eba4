"""Statistics of paired replicates: intervals, differences, Holm's correction, and what a design could have found.

A replicate is one run of a configuration, known by the number of its seed and its fold; every loss runs with the same seeds on the same
folds, so differences are taken replicate by replicate. What counts as independent are the folds where there are several (a fold's value
is the mean over its seeds), and the seeds where there is one fold: replicates that share a fold share its sections.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np
from scipy import optimize, special, stats

ALPHA = 0.05
"""Error rate of intervals and, after Holm's correction, of all comparisons together."""
POWER = 0.8
"""Chance at which a difference counts as findable."""

DUST = 1e-12
"""Spread below this share of the values themselves is rounding, and counts as none."""
_QUANTILES = 500

Replicate = tuple[int, int | None]
"""(number of the seed, fold)."""


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A mean with its 95% interval; None where there is too little to say it."""

    mean: float | None
    low: float | None
    high: float | None
    sd: float | None
    """Standard deviation of the units."""
    n: int
    """Units that the interval rests on."""
    unit: str
    """seed or fold."""
    p: float | None = None
    """Two-sided p-value of the mean being 0."""


def estimate(values: Mapping[Replicate, float], *, by_fold: bool) -> Estimate:
    """Return the mean over the units, Student's t interval with n - 1 degrees of freedom, and the t test against 0 (Student 1908).

    Fewer than two units have no interval and no p. Units without any spread have an interval of width 0, and p 0 (1 where the mean is 0).
    """
    units, unit = units_of(values, by_fold=by_fold)
    n = len(units)
    mean = math.fsum(units) / n if n else None
    if mean is None or n < 2:
        return Estimate(mean=mean, low=None, high=None, sd=None, n=n, unit=unit)
    sd = math.sqrt(math.fsum((value - mean) ** 2 for value in units) / (n - 1))
    sd = sd if sd > DUST * max(map(abs, units)) else 0.0
    low, high, p = tested(mean, sd / math.sqrt(n), n - 1)
    return Estimate(mean=mean, low=low, high=high, sd=sd, n=n, unit=unit, p=p)


def units_of(values: Mapping[Replicate, float], *, by_fold: bool) -> tuple[list[float], str]:
    """Return the values that count as independent, and what they are: the folds' means, or the replicates (one a seed)."""
    if not by_fold:
        return list(values.values()), "seed"
    ordered = sorted(values.items(), key=_fold)
    folds = [[value for _, value in group] for _, group in groupby(ordered, key=_fold)]
    return [math.fsum(fold) / len(fold) for fold in folds], "fold"


def _fold(item: tuple[Replicate, float]) -> int:
    fold = item[0][1]
    return -1 if fold is None else fold


def differences(a: Mapping[Replicate, float], b: Mapping[Replicate, float]) -> dict[Replicate, float]:
    """Return a - b of each replicate that both have."""
    return {replicate: a[replicate] - b[replicate] for replicate in a if replicate in b}


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return the p-values corrected for their number by Holm's step-down rule (Holm 1979, Scand. J. Statist. 6:65); None stays None."""
    tested = sorted((p, index) for index, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    highest = 0.0
    for rank, (p, index) in enumerate(tested):
        highest = max(highest, min(1.0, (len(tested) - rank) * p))
        corrected[index] = highest
    return corrected


def share_ahead(paired: Mapping[Replicate, float], *, maximise: bool) -> float | None:
    """Return the share of paired replicates in which the first is better, equal ones counted half."""
    if not paired:
        return None
    sign = 1.0 if maximise else -1.0
    return sum(1.0 if sign * value > 0 else 0.5 if value == 0 else 0.0 for value in paired.values()) / len(paired)


def tested(mean: float, error: float, df: int) -> tuple[float, float, float]:
    """Return low, high and p of a mean with its standard error: Student's t with `df` degrees of freedom (Student 1908).

    Without any spread the interval has width 0, and p is 0 (1 where the mean is 0).
    """
    half = float(special.stdtrit(df, 1 - ALPHA / 2)) * error
    if error > 0:
        p = 2 * float(special.stdtr(df, -abs(mean) / error))
    else:
        p = 0.0 if mean else 1.0
    return mean - half, mean + half, p


def chance_above_zero(mean: float, error: float, df: int) -> float:
    """Return the posterior probability that the true mean is above 0, under the flat prior for which it is t about the mean.

    (Jeffreys 1961, Theory of Probability, section 3.4; as the Bayesian t test of Benavoli et al. 2017, J. Mach. Learn. Res. 18:77, with
    no correlation.) Without any spread it is 0, 1, or a half.
    """
    if error > 0:
        return float(special.stdtr(df, mean / error))
    return 0.5 if not mean else float(mean > 0)


def findable_difference(
    sd: float, n: int, *, df: int | None = None, alpha: float = ALPHA, power: float = POWER, floor: float = 0.0
) -> float | None:
    """Return the true mean difference that a repeat of this t test over n units finds with the given power; None below two units.

    `sd` is the standard deviation of the units' differences as estimated with df degrees of freedom (n - 1 when it is from these units
    alone); 0 has no answer. The estimate may have come out too small or too large, and the usual formula (Cohen 1988, chapter 2), which
    takes it for the truth, promises too much: sweeps that stated it found their difference 72% of the time where 80% was said. So the
    power is averaged over the estimate as well: with s and s' two independent draws of sqrt(chi2_df / df), d = k sd / sqrt(n) solves
    P(|k s + Z| > max(t_{1 - alpha / 2, df} s', f s)) = power, where f is the `floor` that a difference must exceed as well, in standard
    errors of this estimate.
    """
    df = n - 1 if df is None else df
    if n < 2 or df < 1 or not sd > 0 or not math.isfinite(sd):
        return None
    error = sd / math.sqrt(n)
    return _distance(df, alpha, power, floor / error) * error


@cache
def _distance(df: int, alpha: float, power: float, floor: float) -> float:
    critical = float(special.stdtrit(df, 1 - alpha / 2))
    quantiles = (np.arange(_QUANTILES) + 0.5) / _QUANTILES
    spread = np.sqrt(stats.chi2.ppf(quantiles, df) / df)
    limits = np.maximum(critical * spread[:, None], floor * spread)

    def excess(k: float) -> float:
        return float((special.ndtr(k * spread - limits) + special.ndtr(-k * spread - limits)).mean()) - power

    upper = critical + floor + 2.0
    while excess(upper) < 0:
        upper *= 2.0
    return float(optimize.root_scalar(excess, bracket=(0.0, upper)).root)


def pooled_sd(estimates: Sequence[Estimate]) -> float | None:
    """Return the standard deviation pooled over estimates, weighted by degrees of freedom; None where there are none.

    Estimates without any spread are left out: two runs of one configuration with one seed are the same run, bit for bit, which says
    nothing of how far seeds and folds spread.
    """
    spread = [(item.n - 1, item.sd) for item in estimates if item.sd]
    freedom = sum(weight for weight, _ in spread)
    return math.sqrt(math.fsum(weight * sd**2 for weight, sd in spread) / freedom) if freedom else None
