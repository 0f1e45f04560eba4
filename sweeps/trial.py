"""One trial on a worker: recipe and suggestion in, measurements out, everything on the disk before it is told to anybody.

A trial knows nothing of Ray: the sweep drives it through `sweeps.worker`, and `sweeps.rerun` drives the very same code by itself.
"""

import json
import logging
import os
import time
import traceback
import uuid
from collections.abc import Iterator
from typing import Any

import torch

from data_utils import Stack
from data_utils.errors import DataError
from data_utils.folds import Split
from sweeps.late_scores import PREDICTION
from sweeps.pinned import pinned_recipe
from sweeps.plan import TrialPlan
from sweeps.predicted import Prediction, predict_run
from sweeps.proof import verify
from sweeps.recipe.file import dump_yaml
from sweeps.recipe.schema import Recipe
from sweeps.record import PENDING, read_json, read_rows
from sweeps.result import outcome, outline, save_pictures, seconds, weights_metadata, with_scores
from sweeps.scoring import quick_scores, score
from sweeps.stacks import cached_stack, split_of
from unet.checkpoint import CheckpointError, load_checkpoint, save_checkpoint, save_weights
from unet.durable import write_durably
from unet.fit import Measurement, NonFiniteLoss, Run, fit, start_run
from unet.losses import build_loss

logger = logging.getLogger(__name__)

METRICS = "metrics.jsonl"
CHECKPOINT = "checkpoint.safetensors"
WEIGHTS = "best.safetensors"
#: what is worth another try from the trial's own checkpoint; everything else would fail again
RETRIED = ("memory", "io")


class Superseded(RuntimeError):
    """Another attempt of this trial has begun; this one must not write any more."""


def reason_of(error: BaseException) -> str:
    """Return the class of a failure: nan, data, memory, io or code."""
    match error:
        case NonFiniteLoss():
            return "nan"
        case DataError():
            return "data"
        case torch.OutOfMemoryError() | MemoryError():
            return "memory"
        case OSError():
            return "io"
        case _:
            return "code"


class Trial:
    """One attempt at a trial. `rows()` yields a row an epoch and, last, the result."""

    def __init__(self, plan: TrialPlan, stack: Stack | None = None, *, device: str, late_scores: bool = False) -> None:
        """Begin an attempt; without `stack` the one that the recipe names is read, or taken from this process's last trial.

        With `late_scores` the trial ends with membrane Dice alone, and leaves the rest to `sweeps.late_scores`.
        """
        self.plan = plan
        self.recipe = Recipe.from_resolved(plan.recipe)
        self._stack = stack
        self.device = device
        self.late_scores = late_scores
        self.attempt = uuid.uuid4().hex
        self.run: Run | None = None
        self.proof: dict[str, Any] = {}
        self._begun = time.monotonic()
        self._saved_at = time.monotonic()

    def rows(self) -> Iterator[dict[str, Any]]:
        """Yield each epoch's row as `state: running`, then the result as `complete` or `failed`. A fault of the trial is never raised."""
        retries = self.recipe.failures.retries
        for left in range(retries, -1, -1):
            try:
                yield from self._attempt()
                return
            except (Superseded, GeneratorExit):
                raise
            except Exception as error:
                reason = reason_of(error)
                logger.warning("%s failed (%s): %s", self.plan.trial_id, reason, error, exc_info=True)
                if reason in RETRIED and left:
                    logger.warning("%s: trying again from its last checkpoint, %d left", self.plan.trial_id, left)
                    time.sleep(min(60.0, 2.0 ** (retries - left)))
                    continue
                yield self._fail(reason, error)
                return

    def _attempt(self) -> Iterator[dict[str, Any]]:
        plan, self.run, self._begun = self.plan, None, time.monotonic()
        plan.path.mkdir(parents=True, exist_ok=True)
        ended = read_json(plan.path / "result.json")
        if ended is not None and ended.get("state") in ("complete", "failed") and ended.get("suggestion") == plan.suggestion:
            logger.info("%s had ended before its worker was lost", plan.trial_id)
            yield ended
            return
        write_durably(plan.path / "attempt", self.attempt.encode())
        write_durably(plan.path / "plan.json", json.dumps(plan.as_dict(), indent=1).encode())
        (plan.path / "recipe.yaml").write_text(dump_yaml(pinned_recipe(self.recipe, plan.loss, plan.suggestion).resolved()))
        stack = self._stack or cached_stack(self.recipe, plan.data_sha256)
        if stack.sha256() != plan.data_sha256:
            raise DataError(f"the data changed since the sweep was launched: SHA-256 {stack.sha256()}, recorded {plan.data_sha256}")
        split = split_of(plan, self.recipe, len(stack.raw_ZHW))
        self.run = self._build(stack, split)
        self._resume()
        for measurement in fit(self.run):
            yield self._row(measurement)
        yield self._complete(stack, split)

    def _build(self, stack: Stack, split: Split) -> Run:
        plan, recipe = self.plan, self.recipe
        torch.set_num_threads(plan.threads)
        parameters: dict[str, Any] = recipe.loss_parameters(plan.loss, plan.suggestion)
        run = start_run(
            stack=stack,
            split=split,
            loss=build_loss(plan.function, **parameters),
            model=recipe.network_config(),
            train=recipe.train_config(plan.suggestion),
            crops=recipe.crop_config(),
            seed=plan.seed,
            device=self.device,
            positive=recipe.data.positive,
        )
        self.proof = verify(run, function=plan.function, parameters=parameters, suggestion=plan.suggestion)
        return run

    def _resume(self) -> None:
        assert self.run is not None
        rows, path = read_rows(self.plan.path / METRICS), self.plan.path / CHECKPOINT
        if path.exists():
            try:
                load_checkpoint(self.run, path)
            except CheckpointError as error:
                logger.warning("%s starts again: %s", self.plan.trial_id, error)
        kept = rows[: self.run.epoch] if len(rows) >= self.run.epoch else []
        if len(kept) < self.run.epoch:
            raise CheckpointError(
                f"{path} is at epoch {self.run.epoch}, {METRICS} beside it has {len(rows)} rows: delete both to start again"
            )
        if rows:
            logger.info("%s goes on from epoch %d (%d had been measured)", self.plan.trial_id, self.run.epoch, len(rows))
        write_durably(self.plan.path / METRICS, b"".join(_line(row) for row in kept))
        self._wall_before = kept[-1]["wall_seconds"] if kept else 0.0

    def _own(self) -> None:
        if (self.plan.path / "attempt").read_bytes() != self.attempt.encode():
            raise Superseded(f"another attempt of {self.plan.trial_id} has begun")

    def _wall(self) -> float:
        return self._wall_before + time.monotonic() - self._begun

    def _row(self, measurement: Measurement) -> dict[str, Any]:
        assert self.run is not None
        self._own()
        row = {"epoch": measurement.epoch, "step": measurement.step, "train_loss": measurement.train_loss, **measurement.scores}
        row |= {"train_seconds": measurement.train_seconds, "eval_seconds": measurement.eval_seconds, "wall_seconds": self._wall()}
        with (self.plan.path / METRICS).open("ab") as file:
            file.write(_line(row))
        if measurement.epoch < self.run.config.epochs and time.monotonic() - self._saved_at >= self.plan.checkpoint_seconds:
            self.save()
        return row | {"state": "running"}

    def save(self) -> None:
        """Write a checkpoint, so that another attempt goes on from here. Rows reach the disk before it does."""
        if self.run is None or self.run.epoch == 0:
            return
        self._own()
        with (self.plan.path / METRICS).open("ab") as file:
            os.fsync(file.fileno())
        save_checkpoint(self.run, self.plan.path / CHECKPOINT)
        self._saved_at = time.monotonic()

    def _complete(self, stack: Stack, split: Split) -> dict[str, Any]:
        run = self.run
        assert run is not None
        begun = time.monotonic()
        run.model.load_state_dict(run.best_weights)
        prediction = predict_run(run, stack, split)
        result = outline(self.plan, run, self.proof, "complete") | outcome(run, prediction, split)
        result |= self._scores_later(prediction) if self.late_scores else self._scores_now(prediction)
        result["seconds"] = seconds(run, time.monotonic() - begun, self._wall())
        write_durably(self.plan.path / "result.json", json.dumps(result, indent=1, allow_nan=False).encode())
        (self.plan.path / CHECKPOINT).unlink(missing_ok=True)
        return result

    def _scores_now(self, prediction: Prediction) -> dict[str, Any]:
        scored = score(prediction)
        self._own()
        save_pictures(self.plan.path / "sections.npz", scored)
        return with_scores({"weights": self._save_weights(scored.tuning())}, scored)

    def _scores_later(self, prediction: Prediction) -> dict[str, Any]:
        scores = quick_scores(prediction)
        self._own()
        prediction.save(self.plan.path / PREDICTION)
        weights = self._save_weights({"threshold": repr(scores["threshold"])})
        return {"weights": weights, "scores": scores, "calibration": {}, "per_section": [], PENDING: True}

    def _save_weights(self, tuning: dict[str, str]) -> dict[str, str]:
        assert self.run is not None
        metadata = weights_metadata(self.plan, self.run, tuning)
        return {"file": WEIGHTS, "sha256": save_weights(self.run.model, self.plan.path / WEIGHTS, metadata)}

    def _fail(self, reason: str, error: Exception) -> dict[str, Any]:
        words = {"reason": reason, "error": f"{type(error).__name__}: {error}"}
        result = outline(self.plan, self.run, self.proof, "failed") | words
        try:
            (self.plan.path / "error.txt").write_text("".join(traceback.format_exception(error)))
            write_durably(self.plan.path / "result.json", json.dumps(result, indent=1).encode())
        except OSError:
            logger.exception("%s: its failure could not be written", self.plan.trial_id)
        return result


def _line(row: dict[str, Any]) -> bytes:
    return (json.dumps(row, separators=(",", ":"), allow_nan=False) + "\n").encode()
