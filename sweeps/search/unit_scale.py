"""Configurations as points: a column of 0 to 1 for each number that is searched, and for a choice a column a value."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sweeps.search.unit import from_unit, to_unit
from sweeps.space import Choice, Domain


class UnitScale:
    """The columns of a space."""

    def __init__(self, space: Mapping[str, Domain]) -> None:
        self.space = dict(space)
        self.names = tuple(space)
        widths = [len(domain.choices) if isinstance(domain, Choice) else 1 for domain in space.values()]
        self.owner = np.repeat(np.arange(len(widths)), widths)
        """Which parameter each column belongs to, int [D]."""

    def columns(self, configurations: Sequence[Mapping[str, Any]]) -> np.ndarray:
        """Return float [N, D]. Two values of a choice are 1 apart."""
        rows = [[column for name in self.names for column in self._of(name, told[name])] for told in configurations]
        return np.array(rows, float).reshape(len(configurations), len(self.owner))

    def _of(self, name: str, value: Any) -> list[float]:
        domain = self.space[name]
        if isinstance(domain, Choice):
            return [math.sqrt(0.5) * (choice == value) for choice in domain.choices]
        return [to_unit(domain, value)]

    def drawn(self, points: int) -> list[dict[str, Any]]:
        """Return at least so many configurations, spread evenly over the space by Sobol's sequence."""
        from scipy.stats import qmc

        unit_ND = qmc.Sobol(len(self.names), scramble=False).random_base2(max(1, math.ceil(math.log2(points))))
        return [{name: from_unit(self.space[name], float(at)) for name, at in zip(self.names, row, strict=True)} for row in unit_ND]
