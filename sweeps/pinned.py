"""The recipe of one configuration alone: its loss and numbers fixed, one trial, the same data, network and finalists."""

from collections.abc import Mapping
from typing import Any

from sweeps.recipe.schema import Recipe


def pinned_recipe(recipe: Recipe, loss: str, suggestion: Mapping[str, Any]) -> Recipe:
    """Return the recipe that trains what a trial trained: `loss` is its name in `recipe`, `suggestion` what was proposed."""
    raw = recipe.resolved()
    raw["losses"] = {loss: {"loss": recipe.losses[loss].function, **recipe.loss_parameters(loss, suggestion)}}
    raw["train"] |= {key.removeprefix("train."): value for key, value in suggestion.items() if key.startswith("train.")}
    raw["search"] |= {"trials_per_loss": 1, "early_stop": None, "allocation": "equal"}
    raw["finalists"] |= {"per_loss": 1}  # there is one configuration
    raw["published"] = None  # its figures are of losses that are not here
    return Recipe.from_resolved(raw)
