"""Values of a recipe that may be more than one thing: a number or a domain, `auto` or a number."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from pydantic import PlainSerializer, PlainValidator, WithJsonSchema

from sweeps.recipe.errors import KeyPath, did_you_mean, fail, show
from sweeps.space import Choice, Domain, Float, Int, Value, is_domain

_DOMAIN_KEYS = ("low", "high", "log", "step", "choices")
Problems = list[tuple[KeyPath, str]]


@dataclass(frozen=True, kw_only=True)
class Allowed:
    """What a single value may be; a domain may hold nothing else."""

    low: float = -math.inf
    """Smallest value, included unless `above`."""
    high: float = math.inf
    """Largest value, included."""
    above: bool = False
    """Whether low itself is left out."""
    integer: bool = False
    """Whole numbers only."""
    choices: tuple[Value, ...] | None = None
    """These values only; then low and high mean nothing."""

    def __str__(self) -> str:
        if self.choices is not None:
            return "one of " + ", ".join(map(_word, self.choices))
        kind = "a whole number" if self.integer else "a number"
        if math.isinf(self.low) and math.isinf(self.high):
            return kind
        if math.isinf(self.high):
            return f"{kind} {'>' if self.above else '>='} {self.low:g}"
        if math.isinf(self.low):
            return f"{kind} <= {self.high:g}"
        return f"{kind} in {'(' if self.above else '['}{self.low:g}, {self.high:g}]"

    def holds(self, value: Any) -> bool:
        """Whether one value is allowed."""
        if self.choices is not None:
            # 1 is 1.0, but true is not 1.
            return any(value == choice and isinstance(value, bool) == isinstance(choice, bool) for choice in self.choices)
        if not _number(value) or (self.integer and not isinstance(value, int)):
            return False
        return (self.low < value if self.above else self.low <= value) and value <= self.high and math.isfinite(value)

    def problems(self, value: Any) -> Problems:
        """What is wrong with one value: nothing, or one problem."""
        if self.holds(value):
            return []
        known = [str(choice) for choice in self.choices or ()]
        return [((), f"must be {self}; got {show(value)}{did_you_mean(value, known)}")]


def read_domain(raw: Mapping[str, Any], allowed: Allowed) -> tuple[Domain | None, Problems]:
    """A domain written as a mapping; None beside the problems, when there are any."""
    keys = ", ".join(_DOMAIN_KEYS)
    unknown = [key for key in raw if key not in _DOMAIN_KEYS]
    problems: Problems = [((key,), f"unknown key; allowed: {keys}{did_you_mean(key, _DOMAIN_KEYS)}") for key in unknown]
    if "choices" in raw or allowed.choices is not None:
        problems += _choice_problems(raw, allowed)
        return (None, problems) if problems else (Choice(choices=tuple(raw["choices"])), [])
    problems += _range_problems(raw, allowed)
    if problems:
        return None, problems
    log, step = raw.get("log", False), raw.get("step")
    if allowed.integer:
        return Int(low=raw["low"], high=raw["high"], log=log, step=1 if step is None else step), []
    return Float(low=float(raw["low"]), high=float(raw["high"]), log=log, step=None if step is None else float(step)), []


def _choice_problems(raw: Mapping[str, Any], allowed: Allowed) -> Problems:
    mixed = [key for key in ("low", "high", "log", "step") if key in raw]
    if mixed:
        return [((mixed[0],), f"cannot stand beside or in place of choices here; write choices: [...], each {allowed}")]
    if "choices" not in raw:
        return [((), f"a domain needs choices: [...], each {allowed}")]
    choices = raw["choices"]
    if not isinstance(choices, list | tuple) or not choices:
        return [(("choices",), f"must be a list of at least one value, each {allowed}; got {show(choices)}")]
    problems: Problems = [
        (("choices", str(index)), message) for index, choice in enumerate(choices) for _, message in allowed.problems(choice)
    ]
    if not problems and len(set(map(_word, choices))) != len(choices):
        problems.append((("choices",), f"holds a value twice: {', '.join(map(_word, choices))}"))
    return problems


def _range_problems(raw: Mapping[str, Any], allowed: Allowed) -> Problems:
    problems: Problems = []
    for key in ("low", "high"):
        if key not in raw:
            problems.append(((), f"a domain needs low and high (or choices), each {allowed}; {key} is missing"))
        else:
            problems += [((key,), message) for _, message in allowed.problems(raw[key])]
    low, high, log, step = raw.get("low"), raw.get("high"), raw.get("log", False), raw.get("step")
    width = high - low if _number(low) and _number(high) else None
    if width is not None and width < 0:
        problems.append((("low",), f"`low <= high` must hold; got low {show(low)}, high {show(high)}"))
    if not isinstance(log, bool):
        problems.append((("log",), f"must be true or false; got {show(log)}"))
    elif log and _number(low) and low <= 0 and allowed.holds(low):
        problems.append((("low",), f"`low > 0` must hold with log: true; got {show(low)}"))
    if step is not None and (log is True or not _number(step) or step <= 0 or (allowed.integer and not isinstance(step, int))):
        kind = "a whole number >= 1" if allowed.integer else "a number > 0"
        problems.append((("step",), f"must be {kind}, and cannot stand beside log: true; got {show(step)}"))
    elif step is not None and width is not None and 0 <= width < step:
        problems.append((("step",), f"must be at most high - low = {width:g}; got {show(step)}"))
    return problems


def number_or_domain(allowed: Allowed) -> tuple[Any, ...]:
    """The Pydantic metadata of a field that is a fixed number or a domain to search."""

    def read(raw: Any) -> Any:
        if is_domain(raw):
            return raw
        if isinstance(raw, Mapping):
            domain, problems = read_domain(raw, allowed)
            fail(problems)
            return domain
        fail((path, f"{message}; or a domain, such as {{low: 1.0e-5, high: 1.0e-2, log: true}}") for path, message in allowed.problems(raw))
        return raw if allowed.integer else float(raw)

    schema = {"anyOf": [{"type": "number"}, {"type": "object", "properties": {key: {} for key in _DOMAIN_KEYS}}]}
    return PlainValidator(read), PlainSerializer(lambda value: value.as_dict() if is_domain(value) else value), WithJsonSchema(schema)


def auto_or(allowed: Allowed) -> tuple[Any, ...]:
    """The Pydantic metadata of a field that is the word auto or a number."""

    def read(raw: Any) -> Any:
        if raw == "auto":
            return "auto"
        fail([((), f"must be auto, or {allowed}; got {show(raw)}{did_you_mean(raw, ['auto'])}")] if allowed.problems(raw) else [])
        return raw

    return PlainValidator(read), WithJsonSchema({"anyOf": [{"const": "auto"}, {"type": "integer" if allowed.integer else "number"}]})


def _number(value: Any) -> TypeGuard[float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _word(value: Value) -> str:
    return value if isinstance(value, str) and value.isprintable() else show(value)
