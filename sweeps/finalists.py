"""The second stage: the best configuration of each loss again, over fresh seeds and folds. Only this stage ranks.

The best of many trials is biased upward (it was chosen for its luck as well), so no score of the search is ever compared. Every loss's
finalist runs with the same seeds on the same folds: same initial weights, same order of the data, so differences are paired.
"""

import logging
from collections.abc import Sequence

from sweeps.ledger import FINISHED
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.record import TrialRecord
from sweeps.search.sources import PlanFor

logger = logging.getLogger(__name__)


def best_of_each(recipe: Recipe, search: Sequence[TrialRecord]) -> dict[str, list[TrialRecord]]:
    """Return each loss's best search trials, at most `finalists.per_loss`; a loss without any has an empty list.

    Complete trials come before pruned ones, then by score; equal configurations count once.
    """
    chosen: dict[str, list[TrialRecord]] = {}
    for loss in recipe.losses:
        ranked = [trial for trial in search if trial.loss == loss and trial.state in ("complete", "pruned") and trial.score is not None]
        ranked.sort(key=lambda trial: (trial.state != "complete", -(trial.score or 0.0), trial.trial_id))
        distinct: list[TrialRecord] = []
        for trial in ranked:
            if all(trial.suggestion != other.suggestion for other in distinct):
                distinct.append(trial)
        chosen[loss] = distinct[: recipe.finalists.per_loss]
        if not chosen[loss]:
            logger.warning("%s has no finalist: none of its trials ended with a score", loss)
    return chosen


def plan_finalists(recipe: Recipe, records: Sequence[TrialRecord], plan_for: PlanFor) -> list[TrialPlan]:
    """Return the finalists still to run, losses in turn within each fold and seed."""
    search = [record for record in records if record.stage == "search"]
    finalists = {record.trial_id: record for record in records if record.stage == "finalist"}
    first = recipe.search.seed + 1  # fresh seeds: the search's own is never among them
    grid = [(seed, fold) for seed in range(first, first + recipe.finalists.seeds) for fold in recipe.finalist_folds()]
    chosen = {(loss, rank): trial for loss, trials in best_of_each(recipe, search).items() for rank, trial in enumerate(trials)}
    plans = []
    for seed, fold in grid:
        for (loss, rank), trial in chosen.items():
            names = [finalist_id(loss, rank, *place) for place in grid]
            # What one finalist of a configuration was asked holds for all, even if a retried trial of the search is better by now.
            suggestion = next((finalists[name].suggestion for name in names if name in finalists), trial.suggestion)
            trial_id = finalist_id(loss, rank, seed, fold)
            if trial_id not in finalists or finalists[trial_id].state not in FINISHED:
                plans.append(plan_for(trial_id=trial_id, loss=loss, suggestion=suggestion, seed=seed, fold=fold))
    return plans


def finalist_id(loss: str, rank: int, seed: int, fold: int) -> str:
    """Return a finalist's name: `focal-f0-s1`, and `focal.2-f0-s1` for a loss's second configuration."""
    return f"{loss}{f'.{rank + 1}' if rank else ''}-f{fold}-s{seed}"
