"""The training loop, as a generator of measurements. It knows no framework: whoever iterates decides what a measurement is for.

    run = start_run(stack=stack, split=split, loss=build_loss("dice"), model=ModelConfig(width=16), train=TrainConfig(epochs=20),
                    crops=CropConfig(), seed=0)
    for measurement in fit(run):
        print(measurement.epoch, measurement.scores["membrane_dice"])

Between two measurements nobody's time is on a clock, so a caller may write a checkpoint, report, or stop.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from data_utils.batches import Batch
from unet.evaluate import NonFiniteLoss, membrane_scores
from unet.precision import autocast
from unet.run import Run, TrainConfig, Validation, start_run

__all__ = ["Measurement", "NonFiniteLoss", "Run", "TrainConfig", "Validation", "fit", "start_run", "train_step"]


@dataclass(frozen=True, kw_only=True)
class Measurement:
    """What is known of a run after an epoch."""

    epoch: int
    """Finished epochs, from 1."""
    step: int
    """Finished optimizer steps."""
    train_loss: float
    """Mean loss of the epoch's crops. Never comparable between losses."""
    scores: dict[str, float]
    """membrane_dice (at the best threshold), threshold, membrane_dice_at_half; on the calibration sections."""
    train_seconds: float
    """Seconds of training since the run began, over all resumes."""
    eval_seconds: float
    """Seconds of evaluation, likewise."""


def fit(run: Run) -> Iterator[Measurement]:
    """Train `run` from where it stands to its last epoch, measuring after each. Keeps the best weights in `run.best_weights`.

    On the CPU the curve is the same bit for bit for the same seed, number of threads and machine, resumed or not.
    Raises NonFiniteLoss when a loss of the epoch, or a probability after it, is NaN or infinite.
    """
    while run.epoch < run.config.epochs:
        with run.stopwatch.clock("train"):
            train_loss = _train_epoch(run)
        run.epoch += 1
        with run.stopwatch.clock("eval"):
            scores = membrane_scores(run)
        if scores["membrane_dice"] > run.best_score:
            run.best_score, run.best_epoch = scores["membrane_dice"], run.epoch
            run.best_weights = {name: tensor.detach().clone() for name, tensor in run.model.state_dict().items()}
        yield Measurement(
            epoch=run.epoch,
            step=run.step,
            train_loss=train_loss,
            scores=scores,
            train_seconds=run.stopwatch.seconds("train"),
            eval_seconds=run.stopwatch.seconds("eval"),
        )


def _train_epoch(run: Run) -> float:
    """The mean loss of one epoch's crops. The device is read once, at the end: a read a step would make it wait for us."""
    run.model.train()
    losses: list[Tensor] = []
    sizes: list[int] = []
    first_step = run.step
    # Crops have one shape, so trying out convolution algorithms pays on a GPU.
    with torch.backends.cudnn.flags(enabled=True, benchmark=True, deterministic=False):
        for batch in run.crops.epoch(run.epoch):
            losses.append(train_step(run, batch))
            sizes.append(len(batch.image_N1HW))
    values = torch.stack(losses).tolist()
    for offset, value in enumerate(values, start=1):
        if not math.isfinite(value):
            raise NonFiniteLoss(
                f"the loss became {value} in epoch {run.epoch + 1}, step {first_step + offset} of {run.total_steps}: {run.loss.name!r} "
                f"with {dict(run.loss.parameters)}, lr {run.config.lr:g}, precision {run.precision}. "
                "Nothing after this step can be used; try a lower lr"
            )
    return sum(value * size for value, size in zip(values, sizes, strict=True)) / sum(sizes)


def train_step(run: Run, batch: Batch) -> Tensor:
    """One optimizer step; the loss of the batch, still on the device. The model must be in training mode."""
    progress = run.step / run.total_steps
    if run.config.schedule == "cosine":
        # From the step alone: a resumed run needs no state of a scheduler.
        for group in run.optimizer.param_groups:
            group["lr"] = run.config.lr * 0.5 * (1.0 + math.cos(math.pi * progress))
    with autocast(run.precision, run.device):
        logits_N1HW = run.model(batch.image_N1HW)
    loss = run.loss(logits_N1HW, batch.target_N1HW, batch.mask_N1HW, aux=batch.aux, progress=progress)
    run.optimizer.zero_grad(set_to_none=True)
    loss.backward()
    run.optimizer.step()
    run.step += 1
    return loss.detach()
