"""Losses that a recipe holds at a constant: they have no gradient, so that nothing would be trained, and no search could tell."""

from collections.abc import Mapping

from sweeps.recipe.sums import FlatSum
from sweeps.recipe.values import Problems
from sweeps.space import Value
from unet.losses import LOSSES, loss_spec
from unet.losses.composition import Sum

#: loss -> parameters without which nothing of it depends on the prediction; a test looks for them in the whole registry
_NOT_ALL_ZERO = {"tversky": ("alpha", "beta"), "focal_tversky": ("alpha", "beta")}


def constant_problems(flat: FlatSum, fixed: Mapping[str, Value]) -> Problems:
    """Where a loss, or a term of a sum, cannot train anything with these fixed values; paths start below the entry."""
    compute = loss_spec(flat.function).function
    if not isinstance(compute, Sum):
        return _all_zero(flat, fixed, flat.function, "")
    problems: Problems = []
    for label, spec in compute.terms.items():
        problems += _all_zero(flat, fixed, spec.name, f"{label}.")
    weights = [f"{label}.weight" for label in compute.terms]
    if all(fixed.get(key) == 0 for key in weights):
        problems.append((_place(flat, weights), "the weights of a sum cannot all be 0: nothing would be left to train by"))
    return problems


def _all_zero(flat: FlatSum, fixed: Mapping[str, Value], loss: str, prefix: str) -> Problems:
    keys = [prefix + key for key in _NOT_ALL_ZERO.get(loss, ())]
    if not keys or any(fixed.get(key) != 0 for key in keys):
        return []
    defaults = ", ".join(f"{key}: {LOSSES[loss].parameters[key].default}" for key in _NOT_ALL_ZERO[loss])
    rule = f"{' and '.join(_NOT_ALL_ZERO[loss])} cannot both be 0: {loss} would cost the same whatever is predicted"
    return [(_place(flat, keys), f"{rule}; its defaults are {defaults}")]


def _place(flat: FlatSum, keys: list[str]) -> tuple[str, ...]:
    """Where the last of them was written."""
    key = next(key for key in reversed(flat.settings) if key in keys)
    return flat.places.get(key, (key,))
