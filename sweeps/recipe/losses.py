"""The losses of a recipe, checked against the registry: what is fixed, what is searched."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweeps.recipe.constant import constant_problems
from sweeps.recipe.errors import did_you_mean, fail, show
from sweeps.recipe.parameters import function_problem, names_of, own_value, read_parameter
from sweeps.recipe.sections import SLUG, SLUG_RULE
from sweeps.recipe.sums import FlatSum, flatten_sum
from sweeps.recipe.values import Problems
from sweeps.space import Domain, Value, defaults_within, is_domain
from unet.losses import LOSSES, LossSpec, loss_spec
from unet.losses.composition import SIGN


@dataclass(frozen=True, kw_only=True)
class LossEntry:
    """One loss of the sweep, under the name the recipe gives it."""

    function: str
    """Its name in the registry, or a sum of such names: dice+focal."""
    fixed: dict[str, Value] = field(default_factory=dict)
    """Parameters held for all trials, defaults filled in; those of a sum are dotted: focal.gamma."""
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
    parameters = loss_spec(entry.function).parameters
    return defaults_within(entry.space, {name: parameter.default for name, parameter in parameters.items()})


def _read_entry(name: str, value: Any) -> tuple[LossEntry | None, Problems]:
    problems: Problems = _name_problems(name)
    if isinstance(value, Mapping) and "sum" in value:
        flat, found = flatten_sum(value)
        problems += found
        if flat is None:
            return None, problems
    else:
        flat, found = _flat(name, value)
        if flat is None:
            # A name that is no loss is told as that, not as a name with a wrong letter.
            return None, found
        problems += found
    spec = loss_spec(flat.function)
    fixed: dict[str, Value] = {key: own_value(parameter, parameter.default) for key, parameter in spec.parameters.items()}
    space: dict[str, Domain] = {}
    for key, setting in flat.settings.items():
        read, found = read_parameter(key, setting, spec)
        problems += [((*flat.places.get(key, (key,)), *path), message) for path, message in found]
        if is_domain(read):
            fixed.pop(key)
            space[key] = read
        elif not found:
            fixed[key] = read
    problems += constant_problems(flat, fixed)
    space = {key: space[key] for key in spec.parameters if key in space}
    return LossEntry(function=flat.function, fixed=fixed, space=space), problems


def _name_problems(name: str) -> Problems:
    if re.fullmatch(SLUG.strip("^$"), name):
        return []
    advice = f"; a sum gets a name of its own, such as mix: {{loss: {name}}}" if SIGN in name and not function_problem(name) else ""
    return [((), f"a name has {SLUG_RULE}; got {show(name)}{advice}")]


def _flat(name: str, value: Any) -> tuple[FlatSum | None, Problems]:
    """The loss of an entry without `sum`, and its settings as they stand; None for an unknown loss."""
    named = isinstance(value, Mapping) and "loss" in value
    function = value["loss"] if named else name
    if problem := function_problem(function):
        second = "" if named or SIGN in name else "; {loss: NAME} is one under a second name, {sum: [NAME, NAME]} several in one"
        return None, [(("loss",) if named else (), problem + second)]
    spec = loss_spec(function)
    if value == "search":
        searched = {key: "search" for key, parameter in spec.parameters.items() if parameter.searchable}
        return FlatSum(function=function, settings=searched), []
    if not isinstance(value, Mapping):
        return FlatSum(function=function), [((), _value_rule(spec, value))]
    settings = {key: setting for key, setting in value.items() if key != "loss"}
    problems: Problems = []
    if SIGN in function and "weights" in settings and "weights" not in spec.parameters:
        weights = ", ".join(key for key in spec.parameters if key.endswith(".weight"))
        problems.append((("weights",), f"stands beside sum: [...] only; beside loss each weight has its own name: {weights}"))
        del settings["weights"]
    return FlatSum(function=function, settings=settings), problems


def _value_rule(spec: LossSpec, value: Any) -> str:
    rule = f"must be {{}} (fixed at its defaults), search, or a mapping of parameters ({names_of(spec)})"
    return f"{rule}; got {show(value)}{did_you_mean(value, ['search'])}"
