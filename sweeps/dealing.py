"""Tune's faces of the conductor: searcher, scheduler, callback and stopper. None of them has a state of its own that Tune could save."""

from pathlib import Path
from typing import Any

from ray.tune import Callback
from ray.tune.schedulers import FIFOScheduler, TrialScheduler
from ray.tune.search import Searcher
from ray.tune.stopper import Stopper

from sweeps.stage import Conductor


class DealingSearcher(Searcher):
    """Tune's searcher: deals the conductor's plans. Its state is the ledger, so Tune has nothing to save."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__(metric="membrane_dice", mode="max")
        self._conductor = conductor
        self.ids: dict[str, str] = {}

    def suggest(self, trial_id: str) -> dict[str, Any] | str | None:
        """Return the config of Tune's trial `trial_id`."""
        plan = self._conductor.next_plan()
        if plan is None:
            return Searcher.FINISHED
        self.ids[trial_id] = plan.trial_id
        return {"plan": plan.as_dict()}

    def on_trial_complete(self, trial_id: str, result: dict[str, Any] | None = None, error: bool = False) -> None:
        """Pass on the end of a trial, unless its process was lost (the callback tells those)."""
        if not error and result is not None and trial_id in self.ids:
            self._conductor.ended(self.ids[trial_id], _unflatten_scores(result))

    def save(self, checkpoint_path: str) -> None:
        """Write nothing: the ledger is the state."""

    def restore(self, checkpoint_path: str) -> None:
        """Read nothing: the ledger is the state."""

    def __getstate__(self) -> dict[str, Any]:
        return {}


def _unflatten_scores(result: dict[str, Any]) -> dict[str, Any]:
    scores = {key.removeprefix("scores/"): value for key, value in result.items() if key.startswith("scores/")}
    return {key: value for key, value in result.items() if "/" not in key} | ({"scores": scores} if scores else {})


class DealingScheduler(FIFOScheduler):
    """Tune's scheduler: stops a trial when its own loss's pruner says so."""

    def __init__(self, conductor: Conductor) -> None:
        super().__init__()
        self._conductor = conductor

    def on_trial_result(self, tune_controller: Any, trial: Any, result: dict[str, Any]) -> str:
        """Pass on one epoch and answer with the pruner's decision."""
        stop = self._conductor.measured(trial.config["plan"]["trial_id"], result)
        return TrialScheduler.STOP if stop else TrialScheduler.CONTINUE

    def __getstate__(self) -> dict[str, Any]:
        return {}


class DealingCallback(Callback):
    """Tune's callback: starts and lost processes."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def on_trial_start(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note the start."""
        self._conductor.started(trial.config["plan"]["trial_id"])

    def on_trial_recover(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a process was lost and the trial is tried again."""
        self._conductor.lost(trial.config["plan"]["trial_id"], "the worker's process or node was lost")

    def on_trial_error(self, iteration: int, trials: list[Any], trial: Any, **info: Any) -> None:
        """Note that a trial's process was lost too often."""
        path = Path(trial.error_file) if trial.error_file else None
        text = path.read_text().strip().splitlines()[-1] if path and path.exists() else "the worker's process or node was lost too often"
        self._conductor.gave_up(trial.config["plan"]["trial_id"], text)

    def __getstate__(self) -> dict[str, Any]:
        return {}


class DealingStopper(Stopper):
    """Tune's stopper: ends the stage after an interrupt or too many identical faults."""

    def __init__(self, conductor: Conductor) -> None:
        self._conductor = conductor

    def __call__(self, trial_id: str, result: dict[str, Any]) -> bool:
        """Never stop a single trial."""
        return False

    def stop_all(self) -> bool:
        """Whether to stop everything."""
        return self._conductor.stopping

    def __getstate__(self) -> dict[str, Any]:
        return {}
