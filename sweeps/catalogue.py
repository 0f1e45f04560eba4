"""What there is to choose from, as plain data: losses out of the registry, recipes out of their files."""

import math
from typing import Any

from sweeps.recipe.schema import shipped_recipes
from unet.losses import LOSSES, LossSpec, ParameterSpec, loss_spec


def loss_rows() -> dict[str, dict[str, Any]]:
    """Each loss of the registry, by name."""
    return {name: loss_row(name) for name in LOSSES}


def loss_row(name: str) -> dict[str, Any]:
    """One loss of the registry, or a sum such as dice+focal. Every field holds something, but what a parameter does not have, which is
    None: choices of a number; low and high of choices; search_low and search_high of what is not searched by itself.
    """
    spec = loss_spec(name)
    parameters = {key: _parameter_row(parameter) for key, parameter in spec.parameters.items()}
    searched = [key for key, parameter in spec.parameters.items() if parameter.searchable]
    return _loss_row(spec) | {"parameters": parameters, "searched": searched}


def recipe_rows() -> dict[str, dict[str, str]]:
    """Each shipped recipe, by name: what it answers and what it costs, as its own first lines say."""
    rows = {}
    for name, path in shipped_recipes().items():
        comment = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.startswith("#"):
                break
            comment.append(line.lstrip("# ").rstrip())
        answers, _, cost = " ".join(comment).partition("Cost: ")
        rows[name] = {"name": name, "answers": answers.strip(), "cost": cost.strip()}
    return rows


def _loss_row(spec: LossSpec) -> dict[str, Any]:
    return {
        "name": spec.name,
        "family": spec.family,
        "formula": spec.formula,
        "source": spec.source,
        "needs": list(spec.needs),
        "uses_progress": spec.uses_progress,
        "perfect": spec.perfect,
        "spatial": spec.spatial,
        "monotone": spec.monotone,
        "detached": spec.detached,
        "cost": spec.cost,
        "when": spec.when,
    }


def _parameter_row(parameter: ParameterSpec) -> dict[str, Any]:
    bounds = {"low": parameter.low, "high": parameter.high, "search_low": parameter.search_low, "search_high": parameter.search_high}
    finite = {key: None if value is None or math.isinf(value) else value for key, value in bounds.items()}
    choices = list(parameter.choices) if parameter.choices else None
    about = {"meaning": parameter.meaning, "source": parameter.source}
    kind = {"log": parameter.log, "whole": parameter.whole, "searched": parameter.searchable, "choices": choices}
    return {"default": parameter.default, **finite, **kind, **about}
