"""Who proposes: the samplers that a recipe may name, and the rivals that `sweeps bench search` sets beside them.

A study makes a new sampler for every suggestion, seeded by the suggestion's number, and is rebuilt from the ledger when a sweep is
resumed. So a sampler must depend on nothing but its seed, the number and the trials told. TPE, the Gaussian process and random search do.
Optuna's quasi-random sampler counts in the study's own notes, which a ledger does not have; here the point of a number is computed instead.
Its CMA-ES keeps its whole state in such notes: after a resume it would begin again, so that it is a rival and no recipe's choice.
"""

import importlib.util
import warnings
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from optuna.exceptions import ExperimentalWarning
from optuna.samplers import BaseSampler, CmaEsSampler, GPSampler, NSGAIISampler, RandomSampler, TPESampler

from sweeps.search.unit import from_unit
from sweeps.space import Domain, Value

#: seed, budget -> sampler
Builder = Callable[[int, int], BaseSampler]

#: sampler -> the package that it needs beyond what the program itself does
_NEEDS = {"cmaes": "cmaes"}


def startup_trials(budget: int) -> int:
    """Return how many trials are random before TPE begins: Optuna's default of 10 would leave a small budget with no search at all."""
    return min(10, max(2, budget // 3))


def _tpe(seed: int, budget: int, *, startup: int | None = None, multivariate: bool = True, liar: bool = True) -> BaseSampler:
    count = startup_trials(budget) if startup is None else startup
    return TPESampler(seed=seed, multivariate=multivariate, n_startup_trials=count, constant_liar=liar)


def _random(seed: int, budget: int) -> BaseSampler:
    return RandomSampler(seed=seed)


def _gp(seed: int, budget: int) -> BaseSampler:
    return GPSampler(seed=seed, n_startup_trials=startup_trials(budget), warn_independent_sampling=False)


def _cmaes(seed: int, budget: int) -> BaseSampler:
    return CmaEsSampler(seed=seed, warn_independent_sampling=False)


def _nsga2(seed: int, budget: int) -> BaseSampler:
    return NSGAIISampler(seed=seed, population_size=startup_trials(budget))


#: what a recipe may name (SearchSection.sampler); qmc's own points are enqueued, so its sampler never draws
SAMPLERS: Mapping[str, Builder] = {"tpe": _tpe, "random": _random, "gp": _gp, "qmc": _random}

#: what only the benchmark names
RIVALS: Mapping[str, Builder] = {
    "cmaes": _cmaes,
    "nsga2": _nsga2,
    "tpe-univariate": partial(_tpe, multivariate=False),
    "tpe-no-liar": partial(_tpe, liar=False),
    "tpe-startup-2": partial(_tpe, startup=2),
    "tpe-startup-4": partial(_tpe, startup=4),
    "tpe-startup-10": partial(_tpe, startup=10),
}


def missing_package(kind: str) -> str | None:
    """Return what to tell somebody who names a sampler whose package is not installed; None when all is there."""
    package = _NEEDS.get(kind)
    if package is None or importlib.util.find_spec(package) is not None:
        return None
    others = ", ".join(SAMPLERS)
    return f"sampler {kind!r} needs the package {package}, which is not installed: `pip install {package}`, or name one of {others}"


def build_sampler(kind: str, *, seed: int, budget: int) -> BaseSampler:
    """Return a sampler for one suggestion.

    Raises ValueError for a name that is unknown or whose package is missing.
    """
    builders = {**SAMPLERS, **RIVALS}
    if kind not in builders:
        raise ValueError(f"sampler must be one of {', '.join(builders)}; got {kind!r}")
    if problem := missing_package(kind):
        raise ValueError(problem)
    with warnings.catch_warnings():  # several of Optuna's samplers call themselves experimental at every birth
        warnings.simplefilter("ignore", ExperimentalWarning)
        return builders[kind](seed, budget)


def quasi_random(space: Mapping[str, Domain], *, name: str, number: int) -> dict[str, Value]:
    """Return point `number` (from 0) of the scrambled Halton sequence over the space (Owen 2017, arXiv:1706.02808); `name` scrambles it."""
    from scipy.stats.qmc import Halton

    if not space:
        return {}
    sequence: Any = Halton(d=len(space), scramble=True, rng=zlib.crc32(name.encode()))
    sequence.fast_forward(number)
    (point,) = sequence.random(1)
    return {key: from_unit(domain, float(unit)) for (key, domain), unit in zip(space.items(), point, strict=True)}
