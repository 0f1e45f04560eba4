"""One simulated sweep over recorded curves: the program's own studies, pruners and allocation, with a look-up where a network would train.

The driver is `sweeps.search.sources.SearchSource`, as in a sweep. `concurrent` trials run at a time, one epoch each in turn; one that
ends is replaced at once. What is counted is epochs, until the trial that would go to the finals by the rule of `sweeps.finalists` is good
enough.
"""

import math
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sweeps.bench.search_curves import LossCurves
from sweeps.plan import TrialPlan

if TYPE_CHECKING:
    from sweeps.recipe.schema import Recipe

#: (epochs spent, the finalist's score from then on), whenever the finalist changes
Steps = list[tuple[int, float]]


@dataclass(kw_only=True)
class Replayed:
    """What one simulated sweep cost and found."""

    losses: dict[str, Steps]
    """Loss -> its finalist, against the epochs of this loss."""
    best: Steps = field(default_factory=list)
    """The best finalist of all, against the epochs of all losses."""
    spent: dict[str, int]
    """Loss -> epochs in all."""
    trials: dict[str, int]
    """Loss -> trials in all."""


def epochs_until(steps: Sequence[tuple[int, float]], target: float) -> float:
    """Return the epochs spent when the finalist first was as good as the target; infinite where it never was."""
    return next((float(epochs) for epochs, score in steps if score >= target), math.inf)


@dataclass
class _Running:
    plan: TrialPlan
    scores: tuple[float, ...]
    epoch: int = 0


class SimulatedSweep:
    """A sweep that looks up what a trial would have measured."""

    def __init__(self, recipe: "Recipe", curves: Mapping[str, LossCurves], *, neighbours: int = 1) -> None:
        from sweeps.search.sources import SearchSource

        self.source = SearchSource(recipe, (), _plan, None)
        self._curves = curves
        self._epochs = recipe.train.epochs
        self._neighbours = neighbours
        self._finalists: dict[str, tuple[bool, float]] = {}
        losses = list(recipe.losses)
        self.result = Replayed(losses={loss: [] for loss in losses}, spent=dict.fromkeys(losses, 0), trials=dict.fromkeys(losses, 0))

    def run(self, concurrent: int) -> Replayed:
        """Run the whole budget."""
        running: deque[_Running] = deque()
        while True:
            while len(running) < concurrent and (plan := self.source.next_plan()) is not None:
                running.append(_Running(plan, self._curves[plan.loss].play(plan.suggestion, self._neighbours)))
                self.result.trials[plan.loss] += 1
            if not running:
                return self.result
            trial = running.popleft()
            if not self._step(trial):
                running.append(trial)

    def _step(self, trial: _Running) -> bool:
        """Play one epoch; True when the trial has ended."""
        plan, trial.epoch = trial.plan, trial.epoch + 1
        self.result.spent[plan.loss] += 1
        stopped = self.source.measured(plan, {"epoch": trial.epoch, "membrane_dice": trial.scores[trial.epoch - 1]})
        if not stopped and trial.epoch < self._epochs:
            return False
        score = max(trial.scores[: trial.epoch])
        self.source.ended(plan, "pruned" if stopped else "complete", {"membrane_dice": score})
        self._note(plan.loss, (not stopped, score))
        return True

    def _note(self, loss: str, ended: tuple[bool, float]) -> None:
        """Keep the finalist to be: whole trials before stopped ones, then by score, the earlier of equals."""
        if ended <= self._finalists.get(loss, (False, -math.inf)):
            return
        self._finalists[loss] = ended
        self.result.losses[loss].append((self.result.spent[loss], ended[1]))
        _, best = max(self._finalists.values())
        if not self.result.best or self.result.best[-1][1] != best:
            self.result.best.append((sum(self.result.spent.values()), best))


def _plan(*, trial_id: str, loss: str, suggestion: dict[str, Any], seed: int, fold: int | None) -> TrialPlan:
    return TrialPlan(
        trial_id=trial_id, stage="search", loss=loss, function=loss, suggestion=suggestion, seed=seed, fold=fold, sweep="replay", uuid="",
        recipe={}, data_sha256="", folder="",
    )  # fmt: skip
