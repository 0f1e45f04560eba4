"""Domains of a search space, in Optuna's words: low, high, log, step, choices. Plain data, no third party."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Value = bool | int | float | str | None


@dataclass(frozen=True, kw_only=True)
class Float:
    """A real number in [low, high]."""

    low: float
    """Smallest value, included."""
    high: float
    """Largest value, included."""
    log: bool = False
    """Proposed evenly in the logarithm; needs low > 0."""
    step: float | None = None
    """Grid of values low, low + step, ...; None: any value. Not with log."""

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)
        if self.step is not None and (self.log or not 0 < self.step <= max(self.high - self.low, 0)):
            got = f"(step={self.step}, low={self.low}, high={self.high}, log={self.log})"
            raise ValueError(f"`0 < step <= high - low`, and no step with log, must hold, but got {got}.")

    def contains(self, value: Any) -> bool:
        """Whether the value lies in the domain (on the grid too, to rounding error)."""
        return _is_number(value) and math.isclose(self.clip(value), value, rel_tol=1e-9, abs_tol=1e-12)

    def clip(self, value: float) -> float:
        """The nearest value of the domain."""
        clipped = min(max(float(value), self.low), self.high)
        if self.step is None:
            return clipped
        whole_steps = math.floor((self.high - self.low) / self.step + 1e-9)
        # a grid's last value can round to just above high (.05 + 18 x .05), which Optuna refuses
        return min(self.low + min(round((clipped - self.low) / self.step), whole_steps) * self.step, self.high)

    def as_dict(self) -> dict[str, Any]:
        """The domain as a recipe writes it; what is at its default is left out."""
        grid = {} if self.step is None else {"step": self.step}
        return {"low": self.low, "high": self.high} | ({"log": True} if self.log else {}) | grid


@dataclass(frozen=True, kw_only=True)
class Int:
    """A whole number in [low, high]."""

    low: int
    """Smallest value, included."""
    high: int
    """Largest value, included."""
    log: bool = False
    """Proposed evenly in the logarithm; needs low >= 1."""
    step: int = 1
    """Grid of values low, low + step, ...; 1 with log."""

    def __post_init__(self) -> None:
        _check_range(self.low, self.high, log=self.log)
        if self.step < 1 or (self.log and self.step != 1):
            raise ValueError(f"`step >= 1`, and 1 with log, must hold, but got (step={self.step}, log={self.log}).")

    def contains(self, value: Any) -> bool:
        """Whether the value is a whole number of the domain."""
        return isinstance(value, int) and not isinstance(value, bool) and self.clip(value) == value

    def clip(self, value: float) -> int:
        """The nearest value of the domain."""
        clipped = min(max(value, self.low), self.high)
        return self.low + min(round((clipped - self.low) / self.step), (self.high - self.low) // self.step) * self.step

    def as_dict(self) -> dict[str, Any]:
        """The domain as a recipe writes it; what is at its default is left out."""
        return {"low": self.low, "high": self.high} | ({"log": True} if self.log else {}) | ({} if self.step == 1 else {"step": self.step})


@dataclass(frozen=True, kw_only=True)
class Choice:
    """One of several values, in no order."""

    choices: tuple[Value, ...]
    """The values; at least one, none twice."""

    def __post_init__(self) -> None:
        if not self.choices or len({(type(value), value) for value in self.choices}) != len(self.choices):
            raise ValueError(f"`choices` must hold at least one value and none twice, but got {self.choices}.")

    def contains(self, value: Any) -> bool:
        """Whether the value is one of the choices."""
        return value in self.choices

    def clip(self, value: Value) -> Value:
        """The value itself where it is a choice, else the first choice."""
        return value if value in self.choices else self.choices[0]

    def as_dict(self) -> dict[str, Any]:
        """The domain as a recipe writes it."""
        return {"choices": list(self.choices)}


Domain = Float | Int | Choice


def is_domain(value: object) -> bool:
    """Whether the value is one of the three domains."""
    return isinstance(value, Domain)


def defaults_within(space: Mapping[str, Domain], defaults: Mapping[str, Any]) -> dict[str, Value]:
    """For every name of the space, its default moved to the nearest value of the domain."""
    return {name: domain.clip(defaults[name]) for name, domain in space.items()}


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _check_range(low: float, high: float, *, log: bool) -> None:
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise ValueError(f"`low <= high`, both finite, must hold, but got ({low=}, {high=}).")
    if log and low <= 0:
        raise ValueError(f"`low > 0` must hold for log=True, but got ({low=}, {high=}).")
