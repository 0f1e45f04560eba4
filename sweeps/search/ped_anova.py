"""PED-ANOVA of many resamples and shuffles of the same trials at once: Optuna's takes milliseconds for each, and hundreds are wanted.

    v = q^2 sum_k p(k) (t(k) / p(k) - 1)^2            (Watanabe, Bansal and Hutter 2023, arXiv:2304.10255, Algorithm 1)

q is the share of the trials that are the best, t the density of their values on a grid, p that of all trials. Densities are mixtures of
one kernel a trial and one for the prior: normal ones cut to the grid, their width by Scott's rule (Scott 1992), or for choices the choice
itself and a little of the others. Grid, width and prior are chosen as Optuna 5.0 chooses them; a test holds the two to be equal.

Shapes: R repeats, N trials, G places of the grid.
"""

import math
from typing import Any

import numpy as np
from scipy.special import ndtr

from sweeps.space import Choice, Domain, Float, Int

_PLACES = 50
_NARROWEST = 0.5 / 1.64
"""A kernel's least width in places: nine tenths of it then lie on its own."""
_TINY = 1e-12


class Grid:
    """Where each trial lies on the grid of one parameter."""

    def __init__(self, domain: Domain, values: list[Any]) -> None:
        self.ordered = not isinstance(domain, Choice)
        if isinstance(domain, Choice):
            self.places = len(domain.choices)
            self.at_N = np.array([domain.choices.index(value) for value in values])
            return
        self.places = max(_num_places(domain), 2)
        low, high = (math.log(domain.low), math.log(domain.high)) if domain.log else (domain.low, domain.high)
        told = np.log(np.array(values, float)) if domain.log else np.array(values, float)
        # a value in the middle between two places goes to the lower one
        at = np.ceil((told - low) / ((high - low) / (self.places - 1)) - 0.5)
        self.at_N = np.clip(at, 0, self.places - 1).astype(int)

    def variance(self, rows_RN: np.ndarray, best_RN: np.ndarray) -> np.ndarray:
        """Return v, float [R], for the trials in `rows_RN`, of which `best_RN` says whether each is among the best."""
        at_RN = self.at_N[rows_RN]
        all_RG = self._density(self._counts(at_RN, np.ones_like(best_RN))) + _TINY
        top_RG = self._density(self._counts(at_RN, best_RN)) + _TINY
        return best_RN.mean(axis=1) ** 2 * (all_RG * (top_RG / all_RG - 1) ** 2).sum(axis=1)

    def _counts(self, at_RN: np.ndarray, wanted_RN: np.ndarray) -> np.ndarray:
        repeats = len(at_RN)
        flat = at_RN + self.places * np.arange(repeats)[:, None]
        return np.bincount(flat.ravel(), wanted_RN.ravel().astype(float), repeats * self.places).reshape(repeats, self.places)

    def _density(self, counts_RG: np.ndarray) -> np.ndarray:
        total_R1 = counts_RG.sum(axis=1, keepdims=True)
        prior, mixture_RG = self._ordered(counts_RG) if self.ordered else self._chosen(counts_RG)
        return (mixture_RG + prior) / (total_R1 + 1)

    def _chosen(self, counts_RG: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Each kernel has 1 for its own choice and, for every choice, the prior shared out over the kernels."""
        spread_R1 = 1 / ((counts_RG > 0).sum(axis=1, keepdims=True) + 1)
        total_R1 = counts_RG.sum(axis=1, keepdims=True)
        mixture_RG = (counts_RG + spread_R1 * total_R1) / (1 + self.places * spread_R1)
        return np.full(self.places, 1 / self.places), mixture_RG

    def _ordered(self, counts_RG: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        places, last = np.arange(self.places), self.places - 1
        # from -(G - 1/2) to G - 1/2: the borders of the places, seen from any kernel's middle
        borders_RE = ndtr((np.arange(2 * self.places) - last - 0.5) / _width(counts_RG)[:, None])
        inside_RG = borders_RE[:, 2 * self.places - 1 - places] - borders_RE[:, last - places]
        mass_RE = np.diff(borders_RE, axis=1)
        kernels_RGG = mass_RE[:, places[:, None] - places[None, :] + last]
        mixture_RG = np.einsum("rkm,rm->rk", kernels_RGG, counts_RG / inside_RG)
        prior = np.diff(ndtr((np.arange(self.places + 1) - 0.5 - last / 2) / self.places))
        return prior / prior.sum(), mixture_RG


def _num_places(domain: Float | Int) -> int:
    if isinstance(domain, Int) and domain.log:
        return min(math.ceil(math.log2(domain.high - domain.low + 1)) + 1, _PLACES)
    if domain.step is None:
        return _PLACES
    return _PLACES if domain.log else min(round((domain.high - domain.low) / domain.step) + 1, _PLACES)


def _width(counts_RG: np.ndarray) -> np.ndarray:
    """Scott's rule: 1.059 min(IQR / 1.34, sd) n^(-1/5), in places of the grid; float [R]."""
    places, below_RG = np.arange(counts_RG.shape[1]), counts_RG.cumsum(axis=1)
    n_R1 = below_RG[:, -1:]
    mean_R1 = (counts_RG @ places)[:, None] / n_R1
    sd_R = np.sqrt((counts_RG * (places - mean_R1) ** 2).sum(axis=1) / np.maximum(1, n_R1[:, 0] - 1))
    last_R = (counts_RG > 0).cumsum(axis=1).argmax(axis=1)  # the last place that has a trial
    first_quarter_R = (below_RG >= np.maximum(n_R1 // 4, 1)).argmax(axis=1)
    above = below_RG > 3 * n_R1 // 4
    last_quarter_R = np.where(above.any(axis=1), above.argmax(axis=1), last_R)
    width_R = 1.059 * np.minimum((last_quarter_R - first_quarter_R) / 1.34, sd_R) * n_R1[:, 0] ** -0.2
    return np.maximum(width_R, _NARROWEST)
