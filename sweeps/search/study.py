"""One Optuna study a loss: every loss gets the same budget, and trials are dealt in turn.

A single study with the loss as a categorical parameter spends most of its trials on whichever loss looked good first; the question here
is which loss is best, so each has a study of its own.

Optuna is told the truth: a trial that the pruner stopped is PRUNED with its intermediate values (never COMPLETE with an early score),
a failed one is FAIL, and none stays RUNNING for ever: studies live in memory, are rebuilt from the ledger, and are mirrored one way to
an SQLite file that optuna-dashboard reads.
"""

import logging
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution, FloatDistribution, IntDistribution
from optuna.trial import FrozenTrial, TrialState, create_trial

from sweeps.ledger import FINISHED, STATES
from sweeps.record import TrialRecord
from sweeps.search.samplers import build_sampler, quasi_random
from sweeps.space import Choice, Domain, Float, Int

logger = logging.getLogger(__name__)
optuna.logging.set_verbosity(optuna.logging.WARNING)


def distribution(domain: Domain) -> BaseDistribution:
    """Return Optuna's distribution for a domain of ours."""
    match domain:
        case Float():
            return FloatDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
        case Int():
            return IntDistribution(domain.low, domain.high, log=domain.log, step=domain.step)
        case Choice():
            return CategoricalDistribution(domain.choices)


class LossStudy:
    """The study of one loss over its search space: ask, tell, and be rebuilt from the ledger.

    `space` maps dotted names to domains; `defaults` (the literature's values) are the first trial when given.
    """

    def __init__(
        self,
        name: str,
        space: Mapping[str, Domain],
        *,
        budget: int,
        direction: Literal["minimize", "maximize"],
        kind: str = "tpe",
        seed: int = 0,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.budget = budget
        self._space = dict(space)
        self.distributions = {key: distribution(domain) for key, domain in space.items()}
        self._kind, self._seed = kind, seed
        self.study = optuna.create_study(study_name=name, direction=direction)
        self._running: dict[str, optuna.Trial] = {}
        self._told: dict[str, int] = {}
        self.asked = 0
        self._defaults = {key: value for key, value in (defaults or {}).items() if key in space}

    def ask(self, trial_id: str) -> dict[str, Any]:
        """Return the next suggestion for the trial `trial_id`."""
        if self.asked == 0 and self._defaults:
            self.study.enqueue_trial(self._defaults)
        elif self._kind == "qmc":
            self.study.enqueue_trial(quasi_random(self._space, name=f"{self._seed}/{self.name}", number=self.asked))
        return self._take(trial_id)

    def _take(self, trial_id: str) -> dict[str, Any]:
        # A sampler of its own for each suggestion: it depends on its number and on what has been told, not on where a sweep was resumed
        # (a sampler begun again from one seed would draw the numbers of the first trials once more).
        seed = zlib.crc32(f"{self._seed}/{self.name}/{self.asked}".encode())
        self.study.sampler = build_sampler(self._kind, seed=seed, budget=self.budget)
        trial = self.study.ask(self.distributions)
        trial.set_user_attr("trial", trial_id)
        self._running[trial_id] = trial
        self.asked += 1
        return dict(trial.params)

    def report(self, trial_id: str, step: int, value: float) -> None:
        """Tell an intermediate value. A trial that goes on from its checkpoint measures some epochs again; the first value stays."""
        if trial_id in self._running and step > self._told.get(trial_id, -1):
            self._running[trial_id].report(value, step)
            self._told[trial_id] = step

    def tell(self, trial_id: str, state: str, value: float | None) -> FrozenTrial:
        """Tell how a trial ended, in our words (`complete`, `pruned`, `failed`); returns Optuna's frozen trial."""
        trial = self._running.pop(trial_id)
        told = TrialState[STATES[state][0]]
        return self.study.tell(trial, value if told == TrialState.COMPLETE else None, state=told)

    def scores(self) -> list[float]:
        """Return the best value of every finished trial that has one, also of those that the pruner stopped."""
        finished = [trial for trial in self.study.get_trials(deepcopy=False) if trial.state in (TrialState.COMPLETE, TrialState.PRUNED)]
        best = max if self.study.direction == optuna.study.StudyDirection.MAXIMIZE else min
        values = [[*trial.intermediate_values.values(), *([] if trial.value is None else [trial.value])] for trial in finished]
        return [best(found) for found in values if found]

    def replay(self, record: TrialRecord) -> None:
        """Rebuild one trial from the ledger: finished ones as they ended, the others as asked and running."""
        if record.state not in FINISHED:
            self.study.enqueue_trial(record.suggestion)
            self._take(record.trial_id)
            for row in record.curve:
                self.report(record.trial_id, row["epoch"], row["membrane_dice"])
            return
        state = TrialState[STATES[record.state][0]]
        self.study.add_trial(
            create_trial(
                state=state,
                value=record.score if state == TrialState.COMPLETE else None,
                params={key: record.suggestion[key] for key in self.distributions},
                distributions=self.distributions,
                user_attrs={"trial": record.trial_id},
                intermediate_values={row["epoch"]: row["membrane_dice"] for row in record.curve},
            )
        )
        self.asked += 1


class StudyMirror:
    """A one-way copy of the studies in an SQLite file, for optuna-dashboard. Losing it costs nothing: it is rebuilt from memory."""

    def __init__(self, path: Path, studies: Mapping[str, LossStudy]) -> None:
        self._path = path
        self._studies = studies
        self._copies: dict[str, optuna.Study] = {}

    def rebuild(self) -> None:
        """Write the file anew from the studies in memory."""
        self._path.unlink(missing_ok=True)
        storage = optuna.storages.RDBStorage(f"sqlite:///{self._path.resolve()}")
        for name, loss_study in self._studies.items():
            self._copies[name] = optuna.create_study(study_name=name, storage=storage, directions=loss_study.study.directions)
            finished = [trial for trial in loss_study.study.get_trials(deepcopy=False) if trial.state.is_finished()]
            self._copies[name].add_trials(finished)

    def add(self, name: str, trial: FrozenTrial) -> None:
        """Copy one finished trial."""
        if name in self._copies:
            self._copies[name].add_trial(trial)
