"""Where a sweep stands: counts and the best score of each loss in each stage, and the last errors."""

from typing import Any

from sweeps.recipe.schema import Recipe
from sweeps.record import SweepRecord

STATES = ("complete", "pruned", "failed", "running", "waiting")


def standing(record: SweepRecord, errors: int = 3) -> tuple[list[dict[str, Any]], list[str]]:
    """Return one row a stage and loss, and a line for each of the last failures."""
    rows: list[dict[str, Any]] = []
    recipe = Recipe.from_resolved(record.recipe)
    finalists = recipe.finalists.per_loss * recipe.finalists.seeds * recipe.finalists.folds
    for stage in ("search", "finalist"):
        for loss in record.recipe["losses"]:
            trials = record.of(loss, stage)
            if stage == "finalist" and not trials:
                continue
            row: dict[str, Any] = {"stage": stage, "loss": loss, "planned": recipe.budget(loss) if stage == "search" else finalists}
            row |= {state: sum(trial.state == state for trial in trials) for state in STATES}
            scored = [trial for trial in trials if trial.score is not None and trial.state != "failed"]
            leader = max(scored, key=lambda trial: trial.score or 0.0, default=None)
            row |= {"best": leader.score if leader else None, "best trial": leader.trial_id if leader else None}
            rows.append(row)
    failed = sorted((trial for trial in record.trials if trial.state == "failed"), key=lambda trial: trial.ended_at or 0.0)
    lines = [f"{trial.trial_id} failed ({trial.reason}): {trial.error}; see {trial.folder / 'error.txt'}" for trial in failed[-errors:]]
    return rows, lines
