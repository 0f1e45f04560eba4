"""Sums of losses in a recipe: `sum` and `weights` in, one loss with dotted parameters out.

    mix: {sum: [dice, {focal: {gamma: {low: 0, high: 5}}}], weights: [1.0, {low: 0.1, high: 10, log: true}]}

is the loss dice+focal with focal.gamma and focal.weight searched. Only the form is read here; what each setting may be is the
registry's business, and its problems are placed where the setting was written.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sweeps.recipe.errors import KeyPath, did_you_mean, show
from sweeps.recipe.parameters import function_problem
from sweeps.recipe.values import Problems
from unet.losses import LOSSES, loss_spec
from unet.losses.composition import SIGN, Sum

_KEYS = ("sum", "weights")
_FORM = "sum: [dice, {focal: {gamma: 1.5}}]"


@dataclass(frozen=True, kw_only=True)
class FlatSum:
    """A loss and what a recipe says of its parameters, by the names that the loss itself has for them."""

    function: str
    """In the registry, or a sum of such names."""
    settings: dict[str, Any] = field(default_factory=dict)
    """Parameter -> value, domain or search, as written."""
    places: dict[str, KeyPath] = field(default_factory=dict)
    """Parameter -> where it was written, below the entry; a parameter that is not here was written under its own name."""


@dataclass(frozen=True, kw_only=True)
class _Term:
    loss: str
    settings: Any
    """{}, search, or a mapping."""
    place: KeyPath
    """Where the settings stand."""


def flatten_sum(value: Mapping[str, Any]) -> tuple[FlatSum | None, Problems]:
    """The sum as one loss; None when its terms are not known well enough to read on."""
    labels = labels_of(value["sum"])
    problems: Problems = [((key,), _beside(key, labels)) for key in value if key not in _KEYS]
    terms, found = _terms(value["sum"])
    problems += found
    if found:
        return None, problems
    function = SIGN.join(term.loss for term in terms)
    compute = loss_spec(function).function
    assert isinstance(compute, Sum)
    flat = FlatSum(function=function)
    for position, (label, term) in enumerate(zip(compute.terms, terms, strict=True)):
        problems += _take_settings(flat, label, term, first=position == 0)
    if "weights" in value:
        problems += _take_weights(flat, list(compute.terms), value["weights"])
    return flat, problems


def labels_of(terms: Any) -> list[str]:
    """What a sum calls its terms, as they stand: dice, focal, focal_2; an empty text for what is no term."""
    names = [item if isinstance(item, str) else next(map(str, item), "") if isinstance(item, Mapping) else "" for item in _listed(terms)]
    return [name if names[:i].count(name) == 0 else f"{name}_{names[: i + 1].count(name)}" for i, name in enumerate(names)]


def _listed(terms: Any) -> list[Any]:
    return list(terms) if isinstance(terms, list | tuple) else []


def _beside(key: str, labels: list[str]) -> str:
    if key and key in labels:
        return f"is a term of the sum: its parameters stand inside it, in the list, at position {labels.index(key)} counted from 0"
    if key == "loss":
        return f"cannot stand beside sum: write either loss: dice{SIGN}focal, or sum: [dice, focal]"
    if "." in key:
        return "cannot stand beside sum: write it inside its term, without the dot"
    return f"unknown key beside sum; allowed: {', '.join(_KEYS)}{did_you_mean(key, _KEYS)}"


def _terms(raw: Any) -> tuple[list[_Term], Problems]:
    if not isinstance(raw, list | tuple):
        return [], [(("sum",), f"must be a list of two or more losses, such as {_FORM}; got {show(raw)}")]
    terms: list[_Term] = []
    problems: Problems = []
    for position, item in enumerate(raw):
        term, problem = _term(item, ("sum", str(position)))
        if term is not None:
            terms.append(term)
        if problem is not None:
            problems.append(problem)
    if len(raw) < 2:
        alone = f"; a loss alone is written {{loss: {terms[0].loss}}}" if terms else ""
        problems.append((("sum",), f"has two or more terms, such as {_FORM}; got {len(raw)}{alone}"))
    return terms, problems


def _term(item: Any, place: KeyPath) -> tuple[_Term | None, tuple[KeyPath, str] | None]:
    if isinstance(item, str):
        name, settings = item, {}
    elif isinstance(item, Mapping) and ("sum" in item or "loss" in item):
        word = "sum" if "sum" in item else "loss"
        rule = "a sum has no sums inside: write their terms here" if word == "sum" else "a term is NAME or {NAME: parameters}, without loss"
        return None, ((*place, word), rule)
    elif isinstance(item, Mapping) and len(item) == 1:
        name, settings = next((str(key), value) for key, value in item.items())
        place = (*place, name)
    else:
        keys = f" with {len(item)} keys" if isinstance(item, Mapping) else ""
        return None, (place, f"a term is NAME or {{NAME: parameters}}, with one name of {', '.join(LOSSES)}; got {show(item)}{keys}")
    if SIGN in name:
        return None, (place, f"a sum has no sums inside: write the terms of {show(name)} here, one by one")
    if problem := function_problem(name):
        return None, (place, problem)
    return _Term(loss=name, settings=settings, place=place), None


def _take_settings(flat: FlatSum, label: str, term: _Term, *, first: bool) -> Problems:
    own = LOSSES[term.loss].parameters
    moves = ("ramp",) if first else ("ramp", "balance")
    settings = term.settings
    if settings == "search":
        settings = {key: "search" for key, parameter in own.items() if parameter.searchable}
    if not isinstance(settings, Mapping):
        rule = f"must be {{}} (fixed at its defaults), search, or a mapping of parameters ({', '.join([*own, *moves])})"
        return [(term.place, f"{rule}; got {show(settings)}{did_you_mean(settings, ['search'])}")]
    problems: Problems = []
    for key, setting in settings.items():
        if key in own or key in moves:
            flat.settings[f"{label}.{key}"] = setting
            flat.places[f"{label}.{key}"] = (*term.place, key)
        else:
            problems.append(((*term.place, key), _unknown(key, term.loss, [*own, *moves])))
    return problems


def _unknown(key: str, loss: str, allowed: list[str]) -> str:
    if key == "weight":
        return "the weights of a sum stand together beside it: weights: [1.0, 2.0], one a term"
    if key == "balance":
        return "the first term is what others are balanced to; balance is for the terms after it"
    return f"unknown parameter of {loss} in a sum; allowed: {', '.join(allowed)}{did_you_mean(key, allowed)}"


def _take_weights(flat: FlatSum, labels: list[str], weights: Any) -> Problems:
    if weights == "search":
        # The first stays at 1: a common factor of all terms is the learning rate's business.
        flat.settings.update((f"{label}.weight", "search") for label in labels[1:])
        return []
    rule = f"must be search (every weight but the first), or a list of {len(labels)} weights, one a term, each a number, a domain or search"
    if not isinstance(weights, list | tuple):
        return [(("weights",), f"{rule}; got {show(weights)}{did_you_mean(weights, ['search'])}")]
    if len(weights) != len(labels):
        return [(("weights",), f"{rule}; got a list of {len(weights)}")]
    if weights[0] == "search":
        return [(("weights", "0"), "the first weight is not searched, since only ratios matter; write a number or a domain")]
    for position, (label, weight) in enumerate(zip(labels, weights, strict=True)):
        flat.settings[f"{label}.weight"] = weight
        flat.places[f"{label}.weight"] = ("weights", str(position))
    return []
