"""One parameter of a loss as a recipe writes it, checked against the registry: a value, a domain, or the word search."""

import math
from collections.abc import Mapping
from typing import Any

from sweeps.recipe.errors import did_you_mean, show
from sweeps.recipe.values import Allowed, Problems, read_domain
from sweeps.space import Choice, Domain, Float, Int, Value
from unet.losses import LOSSES, LossSpec, ParameterSpec
from unet.losses.composition import SIGN, Sum


def function_problem(function: object) -> str | None:
    """What is wrong with a loss's name in the registry, or with a sum's such as dice+focal; None when it is one.

    The whole list of losses is told only where no name is near: it would bury the one that is.
    """
    terms = function.split(SIGN) if isinstance(function, str) else [function]
    unknown = [term for term in terms if not isinstance(term, str) or term not in LOSSES]
    if not unknown:
        return None
    if len(terms) > 1 and not all(terms):
        return f"{show(function)} is no sum of losses: a {SIGN} stands between two names, such as dice{SIGN}focal"
    inside = f" in {show(function)}" if len(terms) > 1 else ""
    listed = ", ".join(map(show, unknown))
    near = [hint.removeprefix("; ") for term in unknown if (hint := did_you_mean(term, LOSSES))]
    allowed = f"{' '.join(near)} all: sweeps losses" if near else f"allowed: {', '.join(LOSSES)}"
    return f"unknown loss {listed}{inside}; {allowed}"


def own_value(parameter: ParameterSpec, value: Any) -> Value:
    """A value in its parameter's type, so that 1 and 1.0 come out the same: whole numbers as int, other numbers as float."""
    if parameter.choices is not None:
        return value
    return int(value) if parameter.whole else float(value)


def read_parameter(key: str, setting: Any, spec: LossSpec) -> tuple[Any, Problems]:
    """The value or domain of one parameter; None beside the problems, when there are any. Paths start below the parameter."""
    if key not in spec.parameters:
        if isinstance(spec.function, Sum) and key in spec.function.terms:
            return None, [((), f"{key} is a term, not a parameter; write it with a dot: {_dotted(key, setting, spec)}")]
        message = f"unknown parameter of {spec.name}; allowed: {names_of(spec)}, loss{did_you_mean(key, [*spec.parameters, 'loss'])}"
        return None, [((), message)]
    parameter = spec.parameters[key]
    if setting == "search" and "search" not in (parameter.choices or ()):
        domain = registry_domain(parameter)
        return domain, [] if domain else [((), "has no range in the registry; write a value or a domain")]
    allowed = _allowed(parameter)
    if isinstance(setting, Mapping):
        return read_domain(setting, allowed)
    or_domain = f"or search, or a domain ({'choices' if parameter.choices else 'low, high'})"
    problems: Problems = [(path, f"{message}; {or_domain}") for path, message in allowed.problems(setting)]
    return None if problems else own_value(parameter, setting), problems


def registry_domain(parameter: ParameterSpec) -> Domain | None:
    """Where the registry says that a search should look; None for a parameter that it leaves alone."""
    if parameter.choices:
        return Choice(choices=tuple(parameter.choices))
    if parameter.search_low is None or parameter.search_high is None:
        return None
    if parameter.whole:
        return Int(low=int(parameter.search_low), high=int(parameter.search_high), log=parameter.log)
    return Float(low=float(parameter.search_low), high=float(parameter.search_high), log=parameter.log)


def names_of(spec: LossSpec) -> str:
    """The parameters of a loss, listed."""
    return ", ".join(spec.parameters) or f"none, {spec.name} has no parameters"


def _dotted(label: str, setting: Any, spec: LossSpec) -> str:
    """What was written below a term, as a sum that is written out has it: focal.gamma: 2."""
    if setting == "search":
        searched = [key for key, parameter in spec.parameters.items() if parameter.searchable and key.startswith(f"{label}.")]
        return ", ".join(f"{key}: search" for key in searched)
    if not isinstance(setting, Mapping) or not setting:
        return f"{label}.weight: ..."
    values = {key: "{...}" if isinstance(value, Mapping) else show(value).strip("'") for key, value in setting.items()}
    return ", ".join(f"{label}.{key}: {value}" for key, value in values.items())


def _allowed(parameter: ParameterSpec) -> Allowed:
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    choices = tuple(parameter.choices) if parameter.choices else None
    return Allowed(low=low, high=high, integer=parameter.whole, choices=choices)
