"""Many runs, and the answer: launch a sweep over losses, resume it, read its results.

Everything is loaded on first use, so that `python -m sweeps.bench` runs where there is torch and nothing of Ray, Optuna or W&B.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sweeps.recipe.schema import Recipe, read_recipe
    from sweeps.record import SweepRecord, TrialRecord, load_results
    from sweeps.sweep import Outcome, launch, resume

_HOMES = {
    "Outcome": "sweeps.sweep",
    "Recipe": "sweeps.recipe.schema",
    "SweepRecord": "sweeps.record",
    "TrialRecord": "sweeps.record",
    "launch": "sweeps.sweep",
    "load_results": "sweeps.record",
    "read_recipe": "sweeps.recipe.schema",
    "resume": "sweeps.sweep",
}
__all__ = ["Outcome", "Recipe", "SweepRecord", "TrialRecord", "launch", "load_results", "read_recipe", "resume"]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'sweeps' has no attribute {name!r}; it has {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)
