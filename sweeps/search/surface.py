"""A smooth surface through the scores of one loss's trials, over its parameters: a Gaussian process (Rasmussen and Williams 2006).

    k(a, b) = s^2 exp(-1/2 sum_d (a_d - b_d)^2 / l_d^2),   y = m + f + noise of variance e^2

Parameters are on the unit scale, logarithms where they are searched so; a choice is one column a value. m is the mean of the scores; s, e
and the lengths l are those of the largest marginal likelihood (their eq. 5.8) under a mild prior that keeps them in sight of the range.
The error is that of leaving out one trial at a time (eq. 5.12). The surface says what it knows: far from every trial its spread is the
prior's.

Scores that are far below the rest, of trials that never learnt, are raised to a floor first: no smooth surface can follow a cliff.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_solve, cholesky, solve_triangular
from scipy.optimize import minimize

from sweeps.search.unit_scale import UnitScale
from sweeps.space import Domain

FEWEST_TRIALS = 10
MOST_TRIALS = 400
"""Of more, as many are taken, spread over the order of their scores: time grows with the third power."""
_MOST_TUNED = 150
"""As many of them settle the lengths."""
_FENCE = 1.5
KNOWN = 0.5
"""Where the surface can be wrong by more than this part of its whole spread, it is not told: no trial is near."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What was fitted; with the trials it gives the surface again."""

    lengths: tuple[float, ...]
    """One a parameter, on the unit scale."""
    signal: float
    """s, in standard deviations of the scores."""
    noise: float
    """e, likewise."""


class Surface:
    """The fitted surface; scores come and go in their own unit, turned so that more is better."""

    def __init__(
        self,
        space: Mapping[str, Domain],
        configurations: Sequence[Mapping[str, Any]],
        scores: Sequence[float],
        settings: Settings | None = None,
    ) -> None:
        self.scale = UnitScale(space)
        raised, self.floor = raise_outliers(np.asarray(scores, float))
        kept = spread_over(raised, MOST_TRIALS)
        self._x_ND = self.scale.columns([configurations[row] for row in kept])
        y_N = raised[kept]
        self.mean, self.sd = float(y_N.mean()), float(y_N.std()) or 1.0
        self._y_N = (y_N - self.mean) / self.sd
        self.settings = settings or self._fit()
        kernel_NN = _kernel(self._x_ND, self._x_ND, self._lengths(), self.settings.signal)
        self._root_NN = cholesky(kernel_NN + (self.settings.noise**2 + 1e-8) * np.eye(len(y_N)), lower=True)
        self._weight_N = cho_solve((self._root_NN, True), self._y_N)

    def _lengths(self) -> np.ndarray:
        return np.array(self.settings.lengths)[self.scale.owner]

    def _fit(self) -> Settings:
        some = spread_over(self._y_N, _MOST_TUNED)
        x_ND, y_N, owner = self._x_ND[some], self._y_N[some], self.scale.owner
        square_DNN = np.stack([(x_ND[:, None, at] - x_ND[None, :, at]) ** 2 for at in range(x_ND.shape[1])])
        own_PNN = np.stack([square_DNN[owner == at].sum(axis=0) for at in range(len(self.scale.names))])
        starts = [np.log([*[length] * len(own_PNN), 1.0, noise]) for length, noise in ((0.3, 0.3), (1.0, 0.6))]
        found = [minimize(_minus_evidence, start, (own_PNN, y_N), jac=True, method="L-BFGS-B", options={"maxiter": 60}) for start in starts]
        best = np.exp(min(found, key=lambda result: result.fun).x)
        return Settings(lengths=tuple(map(float, best[:-2])), signal=float(best[-2]), noise=float(best[-1]))

    def at(self, configurations: Sequence[Mapping[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
        """Return the surface's height and how far it can be wrong (one standard deviation, without noise), float [N] each."""
        return self.over(self.scale.columns(configurations))

    def over(self, x_MD: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the same for points on the unit scale, float [M, D]."""
        across_NM = _kernel(self._x_ND, x_MD, self._lengths(), self.settings.signal)
        left_NM = solve_triangular(self._root_NN, across_NM, lower=True)
        variance_M = np.clip(self.settings.signal**2 - (left_NM**2).sum(axis=0), 0, None)
        return self.mean + self.sd * (across_NM.T @ self._weight_N), self.sd * np.sqrt(variance_M)

    @property
    def spread(self) -> float:
        """How far the surface can be wrong where it knows nothing."""
        return self.sd * self.settings.signal

    @property
    def left_out_error(self) -> float:
        """Root mean square error of predicting each trial from all the others."""
        inverse_NN = cho_solve((self._root_NN, True), np.eye(len(self._y_N)))
        return self.sd * float(np.sqrt(np.mean((self._weight_N / np.diag(inverse_NN)) ** 2)))

    @property
    def explained(self) -> float:
        """1 - (error / spread of the scores)^2: below 0 the mean of the others is the better guess."""
        return 1 - (self.left_out_error / self.sd) ** 2


def raise_outliers(score_N: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the scores with those below the floor raised to it, and the floor: 1.5 widths of the upper half below the median."""
    upper, middle = np.quantile(score_N, [0.9, 0.5])
    floor = float(middle - _FENCE * max(upper - middle, 1e-12))
    return np.maximum(score_N, floor), floor


def spread_over(value_N: np.ndarray, most: int) -> np.ndarray:
    """Return the numbers of at most `most` values, evenly over their order, the largest among them."""
    order = np.argsort(-value_N, kind="stable")
    if len(order) <= most:
        return np.arange(len(order))
    return np.sort(order[np.unique(np.linspace(0, len(order) - 1, most).round().astype(int))])


def _kernel(a_ND: np.ndarray, b_MD: np.ndarray, length_D: np.ndarray, signal: float) -> np.ndarray:
    a_ND, b_MD = a_ND / length_D, b_MD / length_D
    square_NM = (a_ND**2).sum(axis=1)[:, None] + (b_MD**2).sum(axis=1)[None] - 2 * a_ND @ b_MD.T
    return signal**2 * np.exp(-0.5 * np.clip(square_NM, 0, None))


def _minus_evidence(log_settings: np.ndarray, square_PNN: np.ndarray, y_N: np.ndarray) -> tuple[float, np.ndarray]:
    """Minus the log posterior of the logarithms of (lengths, signal, noise), and its gradient (eq. 5.9)."""
    lengths, signal, noise = np.exp(log_settings[:-2]), np.exp(log_settings[-2]), np.exp(log_settings[-1])
    kernel_NN = signal**2 * np.exp(-0.5 * np.tensordot(lengths**-2.0, square_PNN, 1))
    root_NN = cholesky(kernel_NN + (noise**2 + 1e-8) * np.eye(len(y_N)), lower=True)
    weight_N, inverse_NN = cho_solve((root_NN, True), y_N), cho_solve((root_NN, True), np.eye(len(y_N)))
    value = 0.5 * y_N @ weight_N + np.log(np.diag(root_NN)).sum()
    slope_NN = inverse_NN - np.outer(weight_N, weight_N)
    weighted_NN = slope_NN * kernel_NN
    gradient = [0.5 * (weighted_NN * square_NN).sum() / length**2 for length, square_NN in zip(lengths, square_PNN, strict=True)]
    gradient += [weighted_NN.sum(), noise**2 * np.trace(slope_NN)]
    # log-normal priors: lengths about half the range, signal about the scores' spread, noise about a third of it
    off = (log_settings - np.log([*[0.5] * len(lengths), 1.0, 0.3])) / np.array([*[1.0] * len(lengths), 0.7, 1.0])
    wide = np.array([*[1.0] * len(lengths), 0.7, 1.0])
    return float(value + 0.5 * (off**2).sum()), np.array(gradient) + off / wide
