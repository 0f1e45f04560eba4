"""The three answers beside each other, as verdict.json holds them under `speed`."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sweeps.record import read_json
from sweeps.speed.loss_cost import loss_cost
from sweeps.speed.loss_times import FILE
from sweeps.speed.step_cost import step_cost
from sweeps.speed.to_target import to_target
from sweeps.verdict.contenders import Contender, section

if TYPE_CHECKING:
    from sweeps.record import SweepRecord


def speed_of(record: "SweepRecord", order: Sequence[Contender], target: Mapping[str, Any], *, by_fold: bool) -> dict[str, Any]:
    """Return {loss_cost, step_cost, to_target} as plain data; a part that cannot be told has its reason in words.

    The three are different questions and have no common winner: a cheap loss may need more steps, and a loss's own cost is a small share of
    a step. Each has `fastest`, `ties` (what cannot be told apart from it), `rows` (fastest first) and `noise` (its A/A row); to_target has
    these by seconds and by steps.

    Args:
        record: the sweep; what the losses cost is read from speed.json in its folder.
        order: the ranked losses.
        target: the verdict's target.
        by_fold: whether the folds are the independent units.
    """
    folder = getattr(record, "folder", None)
    stored = read_json(Path(folder) / FILE) if folder is not None else None
    return {
        "loss_cost": loss_cost(stored, order),
        "step_cost": step_cost(section(record.recipe, "losses"), order, by_fold=by_fold),
        "to_target": to_target(order, target, by_fold=by_fold),
    }
