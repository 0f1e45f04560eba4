"""The stack that a recipe names, and the sections of it that a trial gets."""

from pathlib import Path

from data_utils import Stack, load_dataset
from data_utils.folds import Split, finalist_split, search_split
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe


def split_of(plan: TrialPlan, recipe: Recipe, num_sections: int) -> Split:
    """Return the sections that a trial trains on, calibrates on and is scored on."""
    if plan.fold is None:
        return search_split(num_sections, folds=recipe.data.folds, search_fold=recipe.data.search_fold, gap=recipe.data.gap)
    return finalist_split(num_sections, plan.fold, folds=recipe.data.folds, gap=recipe.data.gap)


def load_stack(recipe: Recipe) -> Stack:
    """Return the stack that a recipe names."""
    data = recipe.data
    images, labels = (Path(path) if path is not None else None for path in (data.images, data.labels))
    return load_dataset(data.source, images=images, labels=labels, membrane=data.membrane, ignore=data.ignore)


_stacks: dict[str, Stack] = {}


def cached_stack(recipe: Recipe, sha256: str) -> Stack:
    """Return the stack of the process's last trial if it has this hash; else read the one that the recipe names, whatever its hash."""
    if sha256 not in _stacks:
        stack = load_stack(recipe)
        _stacks.clear()
        _stacks[stack.sha256()] = stack
        return stack
    return _stacks[sha256]
