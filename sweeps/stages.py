"""The two stages of a sweep, each through a Tuner: the only builder of a Tuner.

Tuner.restore is never used: a new Tuner is built from the ledger, unfinished trials are dealt again under their own names and go on from
their own checkpoints (docs/decisions/0002-our-ledger-instead-of-tuner-restore.md).
"""

import logging
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ray import tune

from cluster.connect import Resources
from sweeps.dealing import DealingCallback, DealingScheduler, DealingSearcher, DealingStopper
from sweeps.finalists import plan_finalists
from sweeps.ledger import FINISHED, Ledger
from sweeps.plan import TrialPlan
from sweeps.progress import Mode, SweepProgress
from sweeps.recipe.schema import Recipe
from sweeps.record import SweepRecord, load_results, trial_folder
from sweeps.search.sources import FixedSource, SearchSource
from sweeps.stage import Conductor, Interrupt
from sweeps.worker import TrialWorker

LOST_NODE_RETRIES = 20
CHECKPOINT_SECONDS = 30.0


class Stages:
    """The two stages of one sweep, each through a Tuner of its own."""

    def __init__(self, record: SweepRecord, ledger: Ledger, resources: Resources, *, tracking: str) -> None:
        self.record = record
        self.recipe = Recipe.from_resolved(record.recipe)
        self.ledger = ledger
        self.resources = resources
        self.tracking = tracking
        self.interrupt = Interrupt()

    def plan_for(self, *, trial_id: str, loss: str, suggestion: dict[str, Any], seed: int, fold: int | None) -> TrialPlan:
        """Return the plan of one trial."""
        stage = "search" if fold is None else "finalist"
        return TrialPlan(
            trial_id=trial_id,
            stage=stage,
            loss=loss,
            function=self.recipe.losses[loss].function,
            suggestion=suggestion,
            seed=seed,
            fold=fold,
            sweep=self.record.name,
            uuid=self.record.uuid,
            recipe=self.record.recipe,
            data_sha256=self.record.data["sha256"],
            folder=str(trial_folder(self.record.folder.resolve(), stage, trial_id)),
            threads=max(1, int(self.resources.cpus_per_trial)),
            tracking=self.tracking,
            checkpoint_seconds=float(os.environ.get("SWEEPS_CHECKPOINT_SECONDS", CHECKPOINT_SECONDS)),
        )

    def run(self, progress_mode: Mode) -> int:
        """Run what is left of both stages; return 0, 6, 75 or 130."""
        search = [trial for trial in self.record.trials if trial.stage == "search"]
        source = SearchSource(self.recipe, search, self.plan_for, self.record.folder / "study.sqlite3")
        planned = {loss: self.recipe.budget(loss) for loss in self.recipe.losses}
        with SweepProgress(self.record.name, planned, progress_mode) as progress:
            for trial in search:
                if trial.state in FINISHED:
                    progress.ended(trial.trial_id, trial.state, trial.score, trial.error)
            code = self._stage("search", source, progress)
            if code:
                return code
            trials = load_results(self.record.folder).trials
            plans = plan_finalists(self.recipe, trials, self.plan_for)
            progress.stage("finalists", {loss: sum(plan.loss == loss for plan in plans) for loss in self.recipe.losses})
            return self._stage("finalists", FixedSource(plans), progress)

    def _stage(self, name: str, source: SearchSource | FixedSource, progress: SweepProgress) -> int:
        remaining = source.remaining()
        if remaining == 0:
            return 0
        conductor = Conductor(source, self.ledger, progress, self.interrupt, stop_after=self.recipe.failures.stop_after_consecutive)
        self.ledger.append("stage", stage=name, remaining=remaining)
        try:
            _fit(conductor, self.resources, self.record.folder / ".tune", name, remaining)
        finally:
            if conductor.fault is not None:
                raise conductor.fault
        if self.interrupt.signal is not None:
            return 130 if self.interrupt.signal == signal.SIGINT else 75
        return 6 if conductor.too_many_failed else 0


def _fit(conductor: Conductor, resources: Resources, storage: Path, name: str, remaining: int) -> None:
    tuner = tune.Tuner(
        tune.with_resources(TrialWorker, {"cpu": resources.cpus_per_trial, "gpu": resources.gpus_per_trial}),
        tune_config=tune.TuneConfig(
            num_samples=remaining,
            max_concurrent_trials=resources.max_concurrent,
            search_alg=DealingSearcher(conductor),
            scheduler=DealingScheduler(conductor),
            reuse_actors=True,
        ),
        run_config=tune.RunConfig(
            name=name,
            storage_path=str(storage.resolve()),
            callbacks=[DealingCallback(conductor)],
            stop=DealingStopper(conductor),
            verbose=0,
            failure_config=tune.FailureConfig(max_failures=LOST_NODE_RETRIES),
            checkpoint_config=tune.CheckpointConfig(checkpoint_frequency=0, checkpoint_at_end=False),
        ),
    )
    with _quiet(storage):
        tuner.fit()


@contextmanager
def _quiet(storage: Path) -> Iterator[None]:
    """Keep what Ray and Tune log in .tune/ray.log, away from the terminal: what matters of it the ledger and the display have."""
    storage.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(storage / "ray.log", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    ray_logger = logging.getLogger("ray")
    handlers, propagate = ray_logger.handlers[:], ray_logger.propagate
    ray_logger.handlers, ray_logger.propagate = [handler], False
    try:
        yield
    finally:
        ray_logger.handlers, ray_logger.propagate = handlers, propagate
        handler.close()
