"""The smallest sweep that is still one: real sections (generated), a real network, seconds on one core."""

from functools import cache
from pathlib import Path
from typing import Any

from data_utils import Stack
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.stacks import load_stack

SOURCE = "synthetic:sections=10,size_px=64,seed=0"
RECIPE: dict[str, Any] = {
    "name": "small",
    "data": {"source": SOURCE, "crop_px": 32, "crops_per_section": 1},
    "model": {"width": 4, "depth": 3},
    "train": {"epochs": 3, "lr": {"low": 1e-4, "high": 1e-2, "log": True}},
    "losses": {"bce": {}, "focal": {"alpha": {"low": 0.05, "high": 0.95}, "gamma": {"low": 0.0, "high": 5.0}}},
    "search": {"trials_per_loss": 2, "early_stop": None},
    "finalists": {"seeds": 2, "folds": 1},
    "wandb": {"mode": "disabled"},
}


def small_recipe(**sections: dict[str, Any]) -> Recipe:
    """The small recipe, with some keys of its sections changed."""
    raw = {key: dict(value) if isinstance(value, dict) else value for key, value in RECIPE.items()}
    for section, changes in sections.items():
        raw[section] = changes if section == "losses" else raw.get(section, {}) | changes
    return Recipe.from_resolved(raw)


@cache
def small_stack() -> Stack:
    """The small recipe's sections."""
    return load_stack(small_recipe())


def plan_for(folder: Path, loss: str, suggestion: dict[str, Any], recipe: Recipe | None = None, **changes: Any) -> TrialPlan:
    """A plan of one trial of the small recipe."""
    recipe = recipe or small_recipe()
    plan = {
        "trial_id": f"{loss}-0001",
        "stage": "search",
        "loss": loss,
        "function": recipe.losses[loss].function,
        "suggestion": suggestion,
        "seed": 0,
        "fold": None,
        "sweep": "small-001",
        "uuid": "0" * 32,
        "recipe": recipe.resolved(),
        "data_sha256": small_stack().sha256(),
        "folder": str(folder),
    }
    return TrialPlan(**plan | changes)
