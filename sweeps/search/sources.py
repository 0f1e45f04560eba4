"""Where a stage's plans come from: the studies of the search, dealt in turn, or the finalists' fixed list."""

import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sweeps.ledger import FINISHED
from sweeps.plan import TrialPlan
from sweeps.recipe.schema import Recipe
from sweeps.record import TrialRecord
from sweeps.search.allocation import next_loss, unspent
from sweeps.search.pruner import LossPruner
from sweeps.search.study import LossStudy, StudyMirror

logger = logging.getLogger(__name__)

#: trial_id, loss, suggestion, seed -> plan
PlanFor = Callable[..., TrialPlan]


def build_studies(recipe: Recipe) -> dict[str, LossStudy]:
    """Return an empty study for each loss of the recipe."""
    return {
        loss: LossStudy(
            loss,
            recipe.search_space(loss),
            budget=recipe.budget(loss),
            direction="maximize",
            kind=recipe.search.sampler,
            seed=recipe.search.seed,
            defaults=recipe.defaults(loss) if recipe.search.start_with_defaults else None,
        )
        for loss in recipe.losses
    }


def build_pruners(recipe: Recipe) -> dict[str, LossPruner]:
    """Return a pruner for each loss, or none when the recipe has no early stopping."""
    stop = recipe.search.early_stop
    if stop is None:
        return {}
    return {
        loss: LossPruner(
            metric="membrane_dice", mode="max", epochs=recipe.train.epochs, grace_epochs=stop.grace_epochs, factor=float(stop.factor)
        )
        for loss in recipe.losses
    }


class SearchSource:
    """Deals the losses their trials, each from its own study, until the budget is spent; unfinished trials of the ledger come first.

    `mirror_path` is where Optuna's dashboard looks (study.sqlite3); None: nowhere.
    """

    def __init__(self, recipe: Recipe, records: Sequence[TrialRecord], plan_for: PlanFor, mirror_path: Path | None) -> None:
        self.studies = build_studies(recipe)
        self._allocation = recipe.search.allocation
        self._seed = recipe.search.seed
        self.pruners = build_pruners(recipe)
        self._plan_for = plan_for
        self._again: deque[TrialRecord] = deque()
        for record in records:
            self.studies[record.loss].replay(record)
            if record.loss in self.pruners:
                self.pruners[record.loss].replay(record)
            if record.state not in FINISHED:
                self._again.append(record)
        self._mirror: StudyMirror | None = StudyMirror(mirror_path, self.studies) if mirror_path else None
        self._mirrored(lambda mirror: mirror.rebuild())

    def _mirrored(self, write: Callable[[StudyMirror], None]) -> None:
        if self._mirror is None:
            return
        try:
            write(self._mirror)
        except Exception as error:  # noqa: BLE001 - the mirror is for looking at; whatever is wrong with it, the sweep goes on
            logger.warning("study.sqlite3 is not written any more (%s); `sweeps resume` makes it anew", error)
            self._mirror = None

    def remaining(self) -> int:
        """Return how many trials are still to run."""
        return len(self._again) + unspent(self.studies, self._allocation)

    def next_plan(self) -> TrialPlan | None:
        """Return the next trial to run, or None when the budget is spent."""
        if self._again:
            record = self._again.popleft()
            return self._plan_for(trial_id=record.trial_id, loss=record.loss, suggestion=record.suggestion, seed=record.seed, fold=None)
        loss = next_loss(self.studies, self._allocation)
        if loss is None:
            return None
        study = self.studies[loss]
        trial_id = f"{loss}-{study.asked + 1:04d}"
        return self._plan_for(trial_id=trial_id, loss=loss, suggestion=study.ask(trial_id), seed=self._seed, fold=None)

    def measured(self, plan: TrialPlan, row: dict[str, Any]) -> bool:
        """Tell the study and ask the loss's pruner."""
        self.studies[plan.loss].report(plan.trial_id, row["epoch"], row["membrane_dice"])
        return plan.loss in self.pruners and self.pruners[plan.loss].stops(plan.trial_id, row)

    def ended(self, plan: TrialPlan, state: str, scores: Mapping[str, Any]) -> None:
        """Tell the study how the trial ended, and the mirror."""
        frozen = self.studies[plan.loss].tell(plan.trial_id, state, scores.get("membrane_dice"))
        self._mirrored(lambda mirror: mirror.add(plan.loss, frozen))


class FixedSource:
    """Deals a fixed list, without a pruner: the finalists are compared at full length."""

    def __init__(self, plans: Sequence[TrialPlan]) -> None:
        self._plans = deque(plans)

    def remaining(self) -> int:
        """Return how many trials are still to run."""
        return len(self._plans)

    def next_plan(self) -> TrialPlan | None:
        """Return the next trial to run, or None."""
        return self._plans.popleft() if self._plans else None

    def measured(self, plan: TrialPlan, row: dict[str, Any]) -> bool:
        """Never stop a finalist."""
        return False

    def ended(self, plan: TrialPlan, state: str, scores: Mapping[str, Any]) -> None:
        """Nothing learns from a finalist."""
