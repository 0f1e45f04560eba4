"""The second stage: the best configuration of each loss again, over fresh seeds and folds. Only this stage ranks.

The best of many trials is biased upward (it was chosen for its luck as well), so no score of the search is ever compared. Every loss's
finalist runs with the same seeds on the same folds: same initial weights, same order of the data, so differences are paired. Only a
repeat of a loss under another name has seeds of its own (sweeps.repeats).
"""

import logging
from collections.abc import Sequence

from sweeps.ledger import FINISHED
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.record import TrialRecord
from sweeps.repeats import repeat_numbers, seed_of
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
    chosen = [(loss, rank, trial) for loss, trials in best_of_each(recipe, search).items() for rank, trial in enumerate(trials)]
    places = _places(recipe)
    plans = []
    for number in range(recipe.finalists.seeds * len(recipe.finalist_folds())):
        for loss, rank, trial in chosen:
            names = [finalist_id(loss, rank, *place) for place in places[loss]]
            # What one finalist of a configuration was asked holds for all, even if a retried trial of the search is better by now.
            suggestion = next((finalists[name].suggestion for name in names if name in finalists), trial.suggestion)
            if names[number] not in finalists or finalists[names[number]].state not in FINISHED:
                seed, fold = places[loss][number]
                plans.append(plan_for(trial_id=names[number], loss=loss, suggestion=suggestion, seed=seed, fold=fold))
    return plans


def _places(recipe: Recipe) -> dict[str, list[tuple[int, int]]]:
    """Return each loss's (seed, fold) in the order in which they run; the same for all but repeats, which have seeds of their own."""
    first, seeds = recipe.search.seed + 1, recipe.finalists.seeds  # fresh seeds: the search's own is never among them
    return {
        loss: [
            (seed_of(number, first=first, seeds=seeds, repeat=repeat), fold) for number in range(seeds) for fold in recipe.finalist_folds()
        ]
        for loss, repeat in repeat_numbers(recipe.resolved()["losses"]).items()
    }


def finalist_id(loss: str, rank: int, seed: int, fold: int) -> str:
    """Return a finalist's name: `focal-f0-s1`, and `focal.2-f0-s1` for a loss's second configuration."""
    return f"{loss}{f'.{rank + 1}' if rank else ''}-f{fold}-s{seed}"
