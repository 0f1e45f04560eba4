"""One training as an object: everything that changes while it trains, and how it begins.

Nothing here depends on the loss but the loss itself: the same seed gives the same first weights and the same crops, so that two losses
with one seed are a pair.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from data_utils.batches import CropConfig, Crops, Normalisation
from data_utils.folds import check_counted
from unet.allocator import keep_freed_memory
from unet.losses import Loss
from unet.model import ModelConfig, UNet
from unet.precision import PRECISIONS, resolve_precision
from unet.stopwatch import Stopwatch

if TYPE_CHECKING:
    from data_utils.folds import Split
    from data_utils.stack import Stack

OPTIMIZERS = ("adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine")


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """How a run trains, apart from network, loss and crops."""

    epochs: int = 100
    """Passes over the training sections."""
    optimizer: str = "adam"
    """adam, adamw (decoupled weight decay) or sgd (Nesterov momentum 0.9)."""
    lr: float = 1e-3
    """Learning rate, the first one where a schedule lowers it."""
    weight_decay: float = 0.0
    """L2 penalty for adam and sgd, decoupled decay for adamw."""
    precision: str = "auto"
    """auto, fp32 or bf16; auto is bf16 where the hardware multiplies it."""
    schedule: str = "constant"
    """constant, or cosine: from lr to 0 over all steps."""

    def __post_init__(self) -> None:
        problems = []
        for name, allowed in (("optimizer", OPTIMIZERS), ("precision", PRECISIONS), ("schedule", SCHEDULES)):
            if getattr(self, name) not in allowed:
                problems.append(f"{name} must be one of {', '.join(allowed)}, got {getattr(self, name)!r}")
        if self.epochs < 1:
            problems.append(f"epochs must be at least 1, got {self.epochs}")
        if not 0.0 < self.lr < float("inf"):
            problems.append(f"lr must be positive and finite, got {self.lr}")
        if not 0.0 <= self.weight_decay < float("inf"):
            problems.append(f"weight_decay must be 0 or more, and finite, got {self.weight_decay}")
        if problems:
            raise ValueError("; ".join(problems))


@dataclass(frozen=True, kw_only=True)
class Validation:
    """The calibration sections, on the device, whole."""

    raw_ZHW: Tensor
    """float32, normalised like the crops."""
    membrane_ZHW: Tensor
    """bool, True = membrane."""
    counted_ZHW: Tensor | None = None
    """bool, True where the label is known; None where it is known everywhere."""


@dataclass(kw_only=True)
class Run:
    """The state of one training. `fit` moves it on, `save_checkpoint` and `load_checkpoint` keep it."""

    model: UNet
    optimizer: torch.optim.Optimizer
    loss: Loss
    crops: Crops
    validation: Validation
    config: TrainConfig
    model_config: ModelConfig
    normalisation: Normalisation
    device: torch.device
    precision: str
    """Resolved: fp32 or bf16."""
    positive: str
    """The class that is 1 for the loss: membrane or cell. Scores are about membrane either way."""
    seed: int
    stopwatch: Stopwatch
    epoch: int = 0
    """Finished epochs."""
    step: int = 0
    """Finished optimizer steps."""
    best_score: float = float("-inf")
    """Best membrane Dice so far, at its best threshold."""
    best_epoch: int = 0
    """The epoch (from 1) that reached it; 0 before the first measurement."""
    best_weights: dict[str, Tensor] = field(default_factory=dict)
    """Copy of the model's state at that epoch, on the device."""

    @property
    def total_steps(self) -> int:
        """Optimizer steps of the whole run."""
        return self.config.epochs * self.crops.steps_per_epoch


def start_run(
    *,
    stack: "Stack",
    split: "Split",
    loss: Loss,
    model: ModelConfig,
    train: TrainConfig,
    crops: CropConfig,
    seed: int,
    device: torch.device | str = "cpu",
    positive: str = "membrane",
) -> Run:
    """A run before its first step: stack, the maps that the loss needs, and calibration sections on the device, weights from `seed` alone.

    Raises ValueError for a stack without labels, crops that the network cannot halve, or an unknown `positive`; DataError for crops that do
    not fit, or for training, calibration or test sections without a single known label.
    """
    device = torch.device(device)
    membrane_ZHW = _checked_membrane(stack, positive)
    _check_crop(crops, model)
    check_counted(stack.counted_ZHW, vars(split), name=stack.name)
    if device.type == "cpu":
        keep_freed_memory()
    normalisation = Normalisation.of(stack.raw_ZHW, split.train)
    network = _build_network(model, seed, device)
    where = {"normalisation": normalisation, "device": device, "channels_last": True}
    wanted = {"counted_ZHW": stack.counted_ZHW, "maps": loss.needs}
    return Run(
        model=network,
        optimizer=build_optimizer(network, train),
        loss=loss,
        crops=Crops(stack.raw_ZHW, membrane_ZHW, split.train, config=crops, seed=seed, positive=positive, **where, **wanted),
        validation=_validation(stack, membrane_ZHW, split.calibration, normalisation, device),
        config=train,
        model_config=model,
        normalisation=normalisation,
        device=device,
        precision=resolve_precision(train.precision, device),
        positive=positive,
        seed=seed,
        stopwatch=Stopwatch(device),
    )


def _build_network(config: ModelConfig, seed: int, device: torch.device) -> UNet:
    # The global generator is left as it was: a notebook that trains twice gets the same run twice.
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = config.build()
    return network.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stub lacks this form


def build_optimizer(model: torch.nn.Module, config: TrainConfig) -> torch.optim.Optimizer:
    """The optimizer of a configuration, fused into one kernel where torch has one."""
    fused = next(model.parameters()).device.type in ("cpu", "cuda")
    common = {"lr": config.lr, "weight_decay": config.weight_decay, "fused": fused}
    if config.optimizer == "adam":
        return torch.optim.Adam(model.parameters(), **common)
    if config.optimizer == "adamw":
        return torch.optim.AdamW(model.parameters(), **common)
    return torch.optim.SGD(model.parameters(), momentum=0.9, nesterov=True, **common)


def _validation(
    stack: "Stack", membrane_ZHW: np.ndarray, sections: tuple[int, ...], normalisation: Normalisation, device: torch.device
) -> Validation:
    chosen = list(sections)
    return Validation(
        raw_ZHW=torch.from_numpy(normalisation.apply(stack.raw_ZHW[chosen])).to(device),
        membrane_ZHW=torch.from_numpy(membrane_ZHW[chosen].astype(bool)).to(device),
        counted_ZHW=None if stack.counted_ZHW is None else torch.from_numpy(stack.counted_ZHW[chosen]).to(device),
    )


def _checked_membrane(stack: "Stack", positive: str) -> np.ndarray:
    if positive not in ("membrane", "cell"):
        raise ValueError(f"positive must be membrane or cell, got {positive!r}")
    if stack.membrane_ZHW is None:
        raise ValueError(f"stack {stack.name!r} has no labels: training needs a membrane mask. Read it with read_stack(images, labels)")
    return stack.membrane_ZHW


def _check_crop(crops: CropConfig, model: ModelConfig) -> None:
    divisor = 2 ** (model.depth - 1)
    if crops.crop_px % divisor:
        raise ValueError(
            f"crop_px must divide by {divisor} for a U-Net of depth {model.depth}, got {crops.crop_px}; "
            f"the nearest are {crops.crop_px // divisor * divisor} and {-(-crops.crop_px // divisor) * divisor}"
        )
