"""Proof that a trial trained with what was proposed.

Sweeps have been published whose trials were all the same, because a suggestion never reached the code that trained. Here the loss's
name and parameters, the learning rate and the network's shape are read back from the very objects that train, written with the
result, and compared with the suggestion; a difference fails the trial.
"""

import math
from typing import Any

from unet.fit import Run


class ProposalMismatch(RuntimeError):
    """What would train is not what was proposed."""


def read_back(run: Run) -> dict[str, Any]:
    """Return what the run will train with, read from its loss, optimizer and model."""
    group = run.optimizer.param_groups[0]
    return {
        "function": run.loss.name,
        "parameters": dict(run.loss.parameters),
        "lr": float(group["lr"]),
        "weight_decay": float(group.get("weight_decay", 0.0)),
        "width": int(run.model.width),
        "depth": int(run.model.depth),
    }


def _same(proposed: Any, built: Any) -> bool:
    if isinstance(proposed, float) and isinstance(built, int | float):
        return math.isclose(proposed, built, rel_tol=1e-12, abs_tol=0.0)
    return proposed == built


def verify(run: Run, *, function: str, parameters: dict[str, Any], suggestion: dict[str, Any]) -> dict[str, Any]:
    """Compare what will train with what was proposed; return the proof that is written with the result.

    `parameters` are the loss's fixed ones; `suggestion` maps dotted names (loss.gamma, train.lr) to what the sampler proposed.
    Raises ProposalMismatch with every difference at once.
    """
    built = read_back(run)
    expected = {f"loss.{key}": value for key, value in parameters.items()} | suggestion
    wrong = [] if built["function"] == function else [f"the loss is {built['function']}, proposed was {function}"]
    for key, value in expected.items():
        part, _, name = key.partition(".")
        met = built["parameters"].get(name) if part == "loss" else built.get(name)
        if not _same(value, met):
            wrong.append(f"{key} is {met!r}, proposed was {value!r}")
    if wrong:
        raise ProposalMismatch(
            "what would train is not what was proposed: " + "; ".join(wrong) + ". This is a fault of the program, not of the recipe."
        )
    return {"built": built, "proposed": expected, "matches": True}
