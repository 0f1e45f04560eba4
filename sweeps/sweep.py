"""Launch and resume: the only builder of a Tuner.

Resuming never uses Tuner.restore: a new Tuner is built from the ledger, unfinished trials are dealt again under their own names and go
on from their own checkpoints (docs/decisions/0002-our-ledger.md).
"""

import logging
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ray import tune

from cluster.connect import Resources, connect, plan_resources
from data_utils.folds import finalist_split, search_split
from sweeps.closing import close_sweep
from sweeps.finalists import plan_finalists
from sweeps.folder import create_folder, locked, write_json
from sweeps.ledger import FINISHED, Ledger
from sweeps.plan import TrialPlan
from sweeps.progress import SweepProgress
from sweeps.provenance import describe_data, provenance
from sweeps.recipe import Recipe
from sweeps.reconcile import check_unchanged, reconcile
from sweeps.record import SweepRecord, load_results, trial_folder
from sweeps.sources import FixedSource, SearchSource
from sweeps.stage import Conductor, DealingCallback, DealingScheduler, DealingSearcher, DealingStopper, Interrupt
from sweeps.tracking_mode import choose_mode
from sweeps.trial import load_stack
from sweeps.worker import TrialWorker

logger = logging.getLogger(__name__)

LOST_NODE_RETRIES = 20


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """How a sweep ended."""

    folder: Path
    """The results folder."""
    exit_code: int
    """0 all complete, 5 some trials failed, 6 stopped since too many failed, 75 or 130 interrupted and resumable."""
    verdict: dict[str, Any] | None
    """verdict.json, when the sweep reached it."""
    report: Path | None
    """The report's page, when the sweep reached it."""


def launch(
    recipe: Recipe,
    *,
    results: Path = Path("results"),
    name: str | None = None,
    recipe_text: str | None = None,
    address: str | None = None,
    offline: bool = False,
    progress: str = "plain",
    say: Callable[[str], None] = logger.info,
) -> Outcome:
    """Run a sweep from its recipe to its verdict and report.

    Everything that can be refused (data, folds, resources, the name) is refused before a folder or a trial exists. Raises DataError,
    ClusterError, FolderError or NameTaken.
    """
    stack = load_stack(recipe)
    split = search_split(len(stack.raw_ZHW), folds=recipe.data.folds, search_fold=recipe.data.search_fold, gap=recipe.data.gap)
    for fold in recipe.finalist_folds():
        finalist_split(len(stack.raw_ZHW), fold, folds=recipe.data.folds, gap=recipe.data.gap)
    say(f"data: {stack.name}, {stack.membrane_rule}")
    for note in stack.notes:
        say(f"note: {note}")
    with connect(address):
        resources = _resources(recipe)
        tracking, sentence = choose_mode(recipe.wandb.mode if not offline else "offline")
        say(sentence)
        folder = create_folder(results, recipe.name, name)
        write_json(folder / "data.json", describe_data(stack, str(recipe.data.source), split.test))
        write_json(folder / "recipe.resolved.yaml", recipe.resolved())
        (folder / "recipe.yaml").write_text(recipe_text or (folder / "recipe.resolved.yaml").read_text())
        write_json(folder / "provenance.json", provenance(folder.name))
        say(f"results: {folder}")
        with locked(folder):
            return _run(folder, resources, tracking=tracking, progress=progress, say=say)


def resume(
    folder: Path,
    *,
    address: str | None = None,
    offline: bool = False,
    retry_failed: bool = False,
    allow_changed: frozenset[str] = frozenset(),
    progress: str = "plain",
    say: Callable[[str], None] = logger.info,
) -> Outcome:
    """Go on with a sweep to the same total. Finished trials are never run again; `retry_failed` tries the failed ones once more.

    Raises FileNotFoundError when the folder holds no sweep, ChangedError when data or code differ from the launch's.
    """
    record = load_results(folder)
    recipe = Recipe.from_resolved(record.recipe)
    check_unchanged(record, load_stack(recipe), allow_changed)
    with locked(folder), connect(address):
        resources = _resources(recipe)
        tracking, sentence = choose_mode(recipe.wandb.mode if not offline else "offline")
        say(sentence)
        return _run(folder, resources, tracking=tracking, progress=progress, say=say, retry_failed=retry_failed)


def _resources(recipe: Recipe) -> Resources:
    asked = recipe.resources
    return plan_resources(cpus_per_trial=asked.cpus_per_trial, gpus_per_trial=asked.gpus_per_trial, max_concurrent=asked.max_concurrent)


def _run(
    folder: Path, resources: Resources, *, tracking: str, progress: str, say: Callable[[str], None], retry_failed: bool = False
) -> Outcome:
    ledger = Ledger(folder / "ledger")
    try:
        ledger.append("resumed" if ledger.events else "sweep")
        reconcile(folder, ledger, retry_failed=retry_failed)
        record = load_results(folder)
        stages = _Stages(record, ledger, resources, tracking=tracking)
        with _signals(stages.interrupt, say):
            exit_code = stages.run(progress)
    finally:
        ledger.close()
    if exit_code in (75, 130):
        return Outcome(folder=folder, exit_code=exit_code, verdict=None, report=None)
    verdict, report = close_sweep(folder)
    failed = any(trial.state == "failed" for trial in load_results(folder).trials)
    return Outcome(folder=folder, exit_code=exit_code or (5 if failed else 0), verdict=verdict, report=report)


@contextmanager
def _signals(interrupt: Interrupt, say: Callable[[str], None]) -> Iterator[None]:
    """Turn the first Ctrl-C (or TERM, or HUP) into a graceful stop; the second Ctrl-C ends the process as usual."""

    def handle(number: int, frame: Any) -> None:
        interrupt.signal = number
        say("stopping: running trials finish their epoch and save; once more stops at once")
        signal.signal(signal.SIGINT, signal.default_int_handler)

    numbers = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    before = {number: signal.signal(number, handle) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler or signal.SIG_DFL)


class _Stages:
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
        )

    def run(self, progress_mode: str) -> int:
        """Run what is left of both stages; return 0, 6, 75 or 130."""
        search = [trial for trial in self.record.trials if trial.stage == "search"]
        source = SearchSource(self.recipe, search, self.plan_for, self.record.folder / "study.sqlite3")
        planned = dict.fromkeys(self.recipe.losses, self.recipe.search.trials_per_loss)
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
        _fit(conductor, self.resources, self.record.folder / ".tune", name, remaining)
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
    """Keep what Ray and Tune log away from the terminal, in .tune/ray.log: what matters of it is in the ledger and on the progress display."""
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
