"""A domain as the interval from 0 to 1: in the logarithm where the domain says so, the values of a grid or a choice in equal shares."""

import math

from sweeps.space import Choice, Domain, Float, Int, Value


def to_unit(domain: Domain, value: Value) -> float:
    """Return where in its domain a value lies, in [0, 1]; the middle of its share for one of several choices."""
    if isinstance(domain, Choice):
        return (domain.choices.index(value) + 0.5) / len(domain.choices)
    scale = math.log if domain.log else float
    low, high = scale(domain.low), scale(domain.high)
    assert isinstance(value, int | float)
    return 0.0 if high == low else (scale(value) - low) / (high - low)


def from_unit(domain: Domain, unit: float) -> Value:
    """Return the value at a place in [0, 1) of the domain. Every value of a grid and every choice has an equal share."""
    match domain:
        case Choice():
            return domain.choices[min(int(unit * len(domain.choices)), len(domain.choices) - 1)]
        case Float(step=None) | Int(log=True):
            if not domain.log:
                return domain.clip(domain.low + unit * (domain.high - domain.low))
            return domain.clip(math.exp(math.log(domain.low) + unit * math.log(domain.high / domain.low)))
        case Float() | Int():
            assert domain.step is not None
            count = math.floor((domain.high - domain.low) / domain.step + 1e-9) + 1
            return domain.clip(domain.low + min(int(unit * count), count - 1) * domain.step)
