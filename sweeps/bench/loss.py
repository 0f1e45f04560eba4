"""What each registered loss costs, forward and backward, beside its formula typed in plainly and beside MONAI's (where installed)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec

import torch
from torch import Tensor

from sweeps.bench.pairs import SAME, Comparison, Timer, compare, seconds_of
from unet.allocator import keep_freed_memory
from unet.losses import LOSSES, build_loss

LossFunction = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class LossBench:
    """What is compared."""

    names: tuple[str, ...] = tuple(LOSSES)
    """Losses of the registry."""
    batch: int = 4
    """Images a call."""
    size_px: int = 512
    """Side of the images."""
    blocks: int = 8
    """A B B A blocks a form."""
    repeats: int = 5
    """Calls in one timing."""


def bench_loss(config: LossBench, device: torch.device) -> dict[str, list[Comparison]]:
    """For each loss the comparisons A/A, ours and MONAI, with the plain form as baseline.

    A loss without a plain form here has itself as baseline: its time is measured, and its ratio says nothing.
    """
    generator = torch.Generator().manual_seed(0)
    shape = (config.batch, 1, config.size_px, config.size_px)
    logits_N1HW = torch.randn(shape, generator=generator).to(device).requires_grad_()
    target_N1HW = (torch.rand(shape, generator=generator) < 0.22).float().to(device)

    def timed(function: LossFunction) -> Timer:
        return lambda: seconds_of(
            lambda: torch.autograd.grad(function(logits_N1HW, target_N1HW), logits_N1HW), device=device, repeats=config.repeats
        )

    keep_freed_memory()  # on both sides: here the arithmetic is compared, not the allocator
    results = {}
    for name in config.names:
        ours = build_loss(name)
        plain = PLAIN.get(name, ours)
        forms = {SAME: timed(plain), "ours": timed(ours)}
        if name in MONAI and find_spec("monai"):
            forms["MONAI"] = timed(MONAI[name]())
        results[name] = compare(timed(plain), forms, blocks=config.blocks)
    return results


def _plain_bce(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    return -(target * probability.log() + (1 - target) * (1 - probability).log()).mean()


def _plain_dice(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(dim=(1, 2, 3))
    return (1 - (2 * overlap + 1) / (probability.sum(dim=(1, 2, 3)) + target.sum(dim=(1, 2, 3)) + 1)).mean()


def _plain_iou(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits)
    overlap = (probability * target).sum(dim=(1, 2, 3))
    return (1 - (overlap + 1) / ((probability + target).sum(dim=(1, 2, 3)) - overlap + 1)).mean()


def _plain_tversky(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits)
    right = (probability * target).sum(dim=(1, 2, 3))
    extra = (probability * (1 - target)).sum(dim=(1, 2, 3))
    missed = ((1 - probability) * target).sum(dim=(1, 2, 3))
    return (1 - (right + 1) / (right + 0.3 * extra + 0.7 * missed + 1)).mean()


def _plain_focal(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    p_t = probability * target + (1 - probability) * (1 - target)
    alpha_t = 0.25 * target + 0.75 * (1 - target)
    return (-alpha_t * (1 - p_t) ** 2.0 * p_t.log()).mean()


def _plain_dice_bce(logits: Tensor, target: Tensor) -> Tensor:
    return 0.5 * _plain_bce(logits, target) + 0.5 * _plain_dice(logits, target)


PLAIN: Mapping[str, LossFunction] = {
    "bce": _plain_bce,
    "dice": _plain_dice,
    "dice_bce": _plain_dice_bce,
    "iou": _plain_iou,
    "focal": _plain_focal,
    "tversky": _plain_tversky,
}


def _monai(class_name: str, **options: object) -> Callable[[], LossFunction]:
    def build() -> LossFunction:
        from monai import losses  # seconds to import, and optional

        return getattr(losses, class_name)(**options)

    return build


MONAI: Mapping[str, Callable[[], LossFunction]] = {
    "dice": _monai("DiceLoss", sigmoid=True),
    "dice_bce": _monai("DiceCELoss", sigmoid=True),
    "iou": _monai("DiceLoss", sigmoid=True, jaccard=True),
    "focal": _monai("FocalLoss", alpha=0.25, gamma=2.0),
    "tversky": _monai("TverskyLoss", sigmoid=True, alpha=0.3, beta=0.7),
}
