"""A training step of ours beside the same net written the plain way.

The plain form is what most U-Net scripts do: fp32, contiguous tensors, biases that batch normalisation removes again, a ReLU that copies,
Adam one tensor at a time, memory given back to the kernel after each step. Ours is the very step of `unet.fit`. Both have the same batch,
loss and learning rate. Each form lives in a process of its own, for how memory is kept is a matter of the whole process.
"""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from data_utils.batches import CropConfig, Crops, Normalisation
from data_utils.folds import Split
from data_utils.stack import Stack
from sweeps.bench.pairs import SAME, Comparison, Timer, compare, seconds_of
from sweeps.bench.processes import TimerProcess
from unet.fit import start_run, train_step
from unet.losses import build_loss
from unet.model import ModelConfig, UNet
from unet.run import Run, TrainConfig

_MEMBRANE_BELOW = 56  # of 256 grey values: the share of membrane in real sections


@dataclass(frozen=True, kw_only=True)
class StepBench:
    """What is compared."""

    width: int = 16
    """Channels of the finest level."""
    batch: int = 4
    """Crops a step."""
    size_px: int = 256
    """Side of the crops."""
    depth: int = 5
    """Levels of the U-Net."""
    blocks: int = 8
    """A B B A blocks a form."""
    precision: str = "auto"
    """Of our form; the plain form is fp32."""
    threads: int = 1
    """CPU threads of each form."""


def bench_step(config: StepBench, device: torch.device) -> list[Comparison]:
    """The comparisons (A/A, then our form) with the plain form as baseline."""
    with ExitStack() as stack:
        builds = (plain_timer, plain_timer, our_timer)
        plain, again, ours = (stack.enter_context(TimerProcess(build, config, str(device))) for build in builds)
        return compare(plain, {SAME: again, "ours": ours}, blocks=config.blocks)


def plain_timer(config: StepBench, device_name: str) -> Timer:
    """The timer of the plain form; called in its own process."""
    device = _prepare(config, device_name)
    batch = next(iter(_crops(config, device).epoch(0)))
    step = plain_step(config, device, batch.image_N1HW.contiguous(), batch.target_N1HW.contiguous())
    return lambda: seconds_of(step, device=device, repeats=_repeats(device))


def our_timer(config: StepBench, device_name: str) -> Timer:
    """The timer of our form; called in its own process."""
    device = _prepare(config, device_name)
    run = _our_run(config, device)
    run.model.train()
    batch = next(iter(run.crops.epoch(0)))
    return lambda: seconds_of(lambda: train_step(run, batch), device=device, repeats=_repeats(device))


def plain_step(config: StepBench, device: torch.device, image_N1HW: Tensor, target_N1HW: Tensor) -> Callable[[], Tensor]:
    """The step of the plain form, with a net of its own."""
    torch.manual_seed(0)
    model = UNet(width=config.width, depth=config.depth, redundant_bias=True).to(device).train()
    for module in model.modules():
        if isinstance(module, nn.ReLU):
            module.inplace = False
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def step() -> Tensor:
        loss = nn.functional.binary_cross_entropy_with_logits(model(image_N1HW), target_N1HW)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


def _our_run(config: StepBench, device: torch.device) -> Run:
    return start_run(
        stack=_noise(config),
        split=Split(train=(0,), calibration=(2,), test=(2,)),
        loss=build_loss("bce"),
        model=ModelConfig(width=config.width, depth=config.depth),
        train=TrainConfig(epochs=1_000_000, precision=config.precision),
        crops=_crop_config(config),
        seed=0,
        device=device,
    )


def _crops(config: StepBench, device: torch.device) -> Crops:
    raw_ZHW = _noise(config).raw_ZHW
    return Crops(
        raw_ZHW,
        raw_ZHW < _MEMBRANE_BELOW,
        (0,),
        config=_crop_config(config),
        normalisation=Normalisation.of(raw_ZHW, (0,)),
        device=device,
        seed=0,
    )


def _crop_config(config: StepBench) -> CropConfig:
    return CropConfig(crop_px=config.size_px, crops_per_section=config.batch, batch_size=config.batch)


def _noise(config: StepBench) -> Stack:
    raw_ZHW = np.random.default_rng(0).integers(0, 256, (3, config.size_px, config.size_px), dtype=np.uint8)
    return Stack(raw_ZHW=raw_ZHW, membrane_ZHW=raw_ZHW < _MEMBRANE_BELOW, name="noise", membrane_rule="dark noise")


def _prepare(config: StepBench, device_name: str) -> torch.device:
    torch.set_num_threads(config.threads)
    torch.backends.cudnn.benchmark = True
    return torch.device(device_name)


def _repeats(device: torch.device) -> int:
    # A step on a GPU is short beside the noise of starting it.
    return 20 if device.type == "cuda" else 1
