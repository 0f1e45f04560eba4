"""What the registry says about a loss: its formula, where that comes from, and what its parameters may be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor

Value = float | int | str | bool

FAMILIES = ("distribution", "region", "boundary", "topology", "compound")
COSTS = ("pixel", "overlap", "sort", "morphology", "distance")


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
    whole: bool = False
    """Whole numbers only, such as a count of iterations."""
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
        if self.whole and not float(value).is_integer():
            return f"must be a whole number from {self.low:g} to {self.high:g}, got {value!r}"
        assert self.low is not None and self.high is not None
        # A NaN fails both comparisons, and is refused with them.
        return None if self.low <= value <= self.high else f"must lie in {self.low:g} to {self.high:g}, got {value!r}"


@dataclass(frozen=True, kw_only=True)
class LossSpec:
    """One entry of the registry. `function` does the arithmetic; `unet.losses.Loss` does the checks and the precision around it."""

    name: str
    """The name in recipes and reports."""
    family: str
    """distribution (a mean over pixels), region (an overlap of sets), boundary (distances), topology (skeletons) or compound."""
    formula: str
    """ASCII; p is the sigmoid of the logit, g the target, sums and means over pixels."""
    parameters: Mapping[str, ParameterSpec]
    """All parameters by name."""
    source: str
    """Paper and equation."""
    needs: tuple[str, ...] = ()
    """The maps of `data_utils.maps` that `function` takes besides logits, target and mask, by name."""
    uses_progress: bool = False
    """Whether `function` also takes `progress` (0 to 1, or None): for weights that move while training."""
    perfect: float = 0.0
    """The value, at the default parameters, of logits that are right and certain everywhere; no prediction costs less."""
    spatial: bool = False
    """Whether it matters where in the image a pixel lies; otherwise shuffling the pixels changes nothing."""
    monotone: bool = True
    """Whether moving a pixel towards its target never costs. False where a distance or skeleton of the prediction jumps as it moves."""
    detached: bool = False
    """Whether a factor is held constant for the gradient (a term scaled to its partner), so that the gradient is not that of the value."""
    cost: str = "pixel"
    """pixel: elementwise passes; overlap: three sums and one pass; sort: pixels are sorted; morphology: repeated erosions;
    distance: a distance transform of the prediction at every step."""
    when: str
    """When a researcher would take it, in a sentence."""
    function: Callable[..., Tensor]
    """function(logits_N1HW, target_N1HW, mask_N1HW or None, **parameters, **maps) -> scalar, in fp32 or fp64."""

    def __post_init__(self) -> None:
        for name, value, allowed in (("family", self.family, FAMILIES), ("cost", self.cost, COSTS)):
            if value not in allowed:
                raise ValueError(f"loss {self.name!r}: {name} must be one of {', '.join(allowed)}, got {value!r}")
