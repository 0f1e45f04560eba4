"""The losses of a recipe, checked against the registry: what is fixed, what is searched."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweeps.recipe_errors import did_you_mean, fail, show
from sweeps.recipe_sections import SLUG, SLUG_RULE
from sweeps.recipe_values import Allowed, Problems, read_domain
from sweeps.space import Choice, Domain, Float, Int, Value, defaults_within, is_domain
from unet.losses import LOSSES, LossSpec, ParameterSpec


@dataclass(frozen=True, kw_only=True)
class LossEntry:
    """One loss of the sweep, under the name the recipe gives it."""

    function: str
    """Its name in the registry."""
    fixed: dict[str, Value] = field(default_factory=dict)
    """Parameters held for all trials, defaults filled in."""
    space: dict[str, Domain] = field(default_factory=dict)
    """Parameters that are searched."""

    def as_dict(self) -> dict[str, Any]:
        """The entry as a recipe writes it, with nothing left to a default."""
        return {"loss": self.function} | self.fixed | {name: domain.as_dict() for name, domain in self.space.items()}


def read_losses(raw: Any) -> dict[str, LossEntry]:
    """All entries, or all their problems."""
    if not isinstance(raw, Mapping) or not raw:
        rule = f"must be a mapping of at least one loss ({', '.join(LOSSES)}), such as {{bce: {{}}, focal: search}}"
        fail([((), f"{rule}; got {show(raw)}")])
    entries: dict[str, LossEntry] = {}
    problems: Problems = []
    for name, value in raw.items():
        entry, found = (value, []) if isinstance(value, LossEntry) else _read_entry(name, value)
        if entry is not None:
            entries[name] = entry
        problems += [((name, *path), message) for path, message in found]
    fail(problems)
    return entries


def write_losses(entries: Mapping[str, LossEntry]) -> dict[str, Any]:
    """The entries as a recipe writes them."""
    return {name: entry.as_dict() for name, entry in entries.items()}


def defaults_of(entry: LossEntry) -> dict[str, Value]:
    """The literature's value of every searched parameter, moved into its domain."""
    parameters = LOSSES[entry.function].parameters
    return defaults_within(entry.space, {name: parameter.default for name, parameter in parameters.items()})


def _read_entry(name: str, value: Any) -> tuple[LossEntry | None, Problems]:
    parameters = value if isinstance(value, Mapping) else {}
    function = parameters.get("loss", name)
    if not isinstance(function, str) or function not in LOSSES:
        path = ("loss",) if "loss" in parameters else ()
        second = "" if "loss" in parameters else ", or {loss: NAME} for one of them under a second name"
        return None, [(path, f"unknown loss {show(function)}; allowed: {', '.join(LOSSES)}{second}{did_you_mean(function, LOSSES)}")]
    spec = LOSSES[function]
    problems: Problems = []
    if not re.fullmatch(SLUG.strip("^$"), name):
        problems.append(((), f"a name has {SLUG_RULE}; got {show(name)}"))
    if value == "search":
        parameters = {key: "search" for key, parameter in spec.parameters.items() if parameter.searchable}
    elif not isinstance(value, Mapping):
        rule = f"must be {{}} (fixed at its defaults), search, or a mapping of parameters ({_names(spec)})"
        problems.append(((), f"{rule}; got {show(value)}{did_you_mean(value, ['search'])}"))
    fixed: dict[str, Value] = {key: parameter.default for key, parameter in spec.parameters.items()}
    space: dict[str, Domain] = {}
    for key, setting in parameters.items():
        if key == "loss":
            continue
        read, found = _read_parameter(key, setting, spec)
        problems += [((key, *path), message) for path, message in found]
        if is_domain(read):
            fixed.pop(key)
            space[key] = read
        elif not found:
            fixed[key] = read
    space = {key: space[key] for key in spec.parameters if key in space}
    return LossEntry(function=function, fixed=fixed, space=space), problems


def _read_parameter(key: str, setting: Any, spec: LossSpec) -> tuple[Any, Problems]:
    if key not in spec.parameters:
        message = f"unknown parameter of {spec.name}; allowed: {_names(spec)}, loss{did_you_mean(key, [*spec.parameters, 'loss'])}"
        return None, [((), message)]
    parameter = spec.parameters[key]
    if setting == "search" and "search" not in (parameter.choices or ()):
        domain = _registry_domain(parameter)
        return domain, [] if domain else [((), "has no range in the registry; write a value or a domain")]
    allowed = _allowed(parameter)
    if isinstance(setting, Mapping):
        return read_domain(setting, allowed)
    or_domain = f"or search, or a domain ({'choices' if parameter.choices else 'low, high'})"
    problems: Problems = [(path, f"{message}; {or_domain}") for path, message in allowed.problems(setting)]
    return setting if parameter.choices or allowed.integer or problems else float(setting), problems


def _registry_domain(parameter: ParameterSpec) -> Domain | None:
    if parameter.choices:
        return Choice(choices=tuple(parameter.choices))
    if parameter.search_low is None or parameter.search_high is None:
        return None
    if _integer(parameter):
        return Int(low=int(parameter.search_low), high=int(parameter.search_high), log=parameter.log)
    return Float(low=float(parameter.search_low), high=float(parameter.search_high), log=parameter.log)


def _allowed(parameter: ParameterSpec) -> Allowed:
    low = -math.inf if parameter.low is None else parameter.low
    high = math.inf if parameter.high is None else parameter.high
    choices = tuple(parameter.choices) if parameter.choices else None
    return Allowed(low=low, high=high, integer=_integer(parameter), choices=choices)


def _integer(parameter: ParameterSpec) -> bool:
    """A parameter counts in whole numbers when its default and its bounds are all written so."""
    numbers = [value for value in (parameter.default, parameter.low, parameter.high) if value is not None]
    return bool(numbers) and all(isinstance(value, int) and not isinstance(value, bool) for value in numbers)


def _names(spec: LossSpec) -> str:
    return ", ".join(spec.parameters) or f"none, {spec.name} has no parameters"
