"""What the registry says about a loss: its formula, where that comes from, and what its parameters may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

Value = float | int | str | bool


@dataclass(frozen=True, kw_only=True)
class ParameterSpec:
    """One parameter of a loss: its default, what is allowed, and where a search should look."""

    default: Value
    """The literature's value, used when nothing else is said."""
    low: float | None = None
    """Smallest allowed value; None for a parameter with choices."""
    high: float | None = None
    """Largest allowed value; None for a parameter with choices."""
    search_low: float | None = None
    """Where a search starts; None leaves the parameter at its default unless a recipe says otherwise."""
    search_high: float | None = None
    """Where a search ends."""
    log: bool = False
    """Search on a logarithmic scale."""
    choices: tuple[Value, ...] | None = None
    """The allowed values of a parameter that is not a number on a line."""
    meaning: str
    """What it does, in one sentence, with the direction of its effect."""
    source: str
    """Where default and ranges come from."""

    def __post_init__(self) -> None:
        if (self.choices is None) != (self.low is not None and self.high is not None):
            raise ValueError(f"a parameter has either choices, or low and high; got {self}")
        problem = self.problem_with(self.default)
        if problem:
            raise ValueError(f"the default is no allowed value: it {problem}")

    @property
    def searchable(self) -> bool:
        """Whether a search of this loss varies the parameter by itself."""
        return self.search_low is not None

    def problem_with(self, value: object) -> str | None:
        """Why `value` is not allowed, or None when it is."""
        if self.choices is not None:
            return None if value in self.choices else f"must be one of {', '.join(map(str, self.choices))}, got {value!r}"
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"must be a number from {self.low:g} to {self.high:g}, got {value!r}"
        assert self.low is not None and self.high is not None
        # A NaN fails both comparisons, and is refused with them.
        return None if self.low <= value <= self.high else f"must lie in {self.low:g} to {self.high:g}, got {value!r}"


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """One entry of the registry. `function` does the arithmetic; `unet.losses.Loss` does the checks and the precision around it."""

    name: str
    """The name in recipes and reports."""
    family: str
    """distribution (a sum over pixels), region (an overlap of sets) or compound."""
    formula: str
    """ASCII; p is the sigmoid of the logit, g the target, sums and means over pixels."""
    parameters: Mapping[str, ParameterSpec]
    """All parameters by name."""
    source: str
    """Paper and equation."""
    needs: tuple[str, ...] = ()
    """What `function` takes besides logits, target and mask: names within `aux` ("distance", "skeleton"), or "progress"."""
    perfect: float = 0.0
    """The value, at the default parameters, of logits that are right and certain everywhere."""
    cost: str = "pixel"
    """pixel: elementwise passes only; overlap: three sums and one pass; distance: a distance transform as well."""
    when: str
    """When a researcher would take it, in a sentence."""
    function: Callable[..., Tensor]
    """function(logits_N1HW, target_N1HW, mask_N1HW or None, **parameters) -> scalar, in fp32 or fp64."""
