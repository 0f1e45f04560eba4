"""The losses as they are usually typed in: a sigmoid, flattened tensors, products and sums, and the gradient left to autograd.

Nothing is slowed on purpose and nothing is tuned. Each gives the registry's loss at its default parameters, for targets that have positive
pixels.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

NaiveLoss = Callable[..., Tensor]
"""naive(logits_N1HW, target_N1HW, **maps) -> scalar."""


def _flat(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    return torch.sigmoid(logits).view(len(logits), -1), target.view(len(target), -1)


def _bce(logits: Tensor, target: Tensor, positive: float = 1.0) -> Tensor:
    probability = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    return -(positive * target * probability.log() + (1 - target) * (1 - probability).log()).mean()


def _dice_K(logits: Tensor, target: Tensor) -> Tensor:
    p, g = _flat(logits, target)
    overlap = (p * g).sum(1)
    return 1 - (2 * overlap + 1) / (p.sum(1) + g.sum(1) + 1)


def _dice(logits: Tensor, target: Tensor) -> Tensor:
    return _dice_K(logits, target).mean()


def _dice_squared(logits: Tensor, target: Tensor) -> Tensor:
    p, g = _flat(logits, target)
    overlap = (p * g).sum(1)
    return (1 - (2 * overlap + 1) / ((p * p).sum(1) + g.sum(1) + 1)).mean()


def _iou(logits: Tensor, target: Tensor) -> Tensor:
    p, g = _flat(logits, target)
    overlap = (p * g).sum(1)
    return (1 - (overlap + 1) / ((p + g).sum(1) - overlap + 1)).mean()


def _tversky_K(logits: Tensor, target: Tensor) -> Tensor:
    p, g = _flat(logits, target)
    right = (p * g).sum(1)
    extra = (p * (1 - g)).sum(1)
    missed = ((1 - p) * g).sum(1)
    return 1 - (right + 1) / (right + 0.3 * extra + 0.7 * missed + 1)


def _focal(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    p_t = probability * target + (1 - probability) * (1 - target)
    alpha_t = 0.25 * target + 0.75 * (1 - target)
    return (-alpha_t * (1 - p_t) ** 2.0 * p_t.log()).mean()


def _topk_bce(logits: Tensor, target: Tensor) -> Tensor:
    probability = torch.sigmoid(logits).clamp(1e-7, 1 - 1e-7)
    each = -(target * probability.log() + (1 - target) * (1 - probability).log()).view(len(logits), -1)
    return each.topk(each.shape[1] // 10, dim=1).values.mean()


def _lovasz(errors: Tensor, target: Tensor) -> Tensor:
    losses = []
    for error, g in zip(errors.view(len(errors), -1), target.view(len(target), -1), strict=True):
        ordered, order = torch.sort(error, descending=True)
        g = g[order]
        jaccard = 1 - (g.sum() - g.cumsum(0)) / (g.sum() + (1 - g).cumsum(0))
        jaccard = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
        losses.append(torch.dot(torch.relu(ordered), jaccard))
    return torch.stack(losses).mean()


def _boundary(logits: Tensor, target: Tensor, distance: Tensor) -> Tensor:
    scaled = distance / distance.abs().amax(dim=(1, 2, 3), keepdim=True)
    return (scaled * (torch.sigmoid(logits) - target)).mean()


NAIVE: Mapping[str, NaiveLoss] = {
    "bce": _bce,
    "dice": _dice,
    "dice_bce": lambda logits, target: 0.5 * _bce(logits, target) + 0.5 * _dice(logits, target),
    "iou": _iou,
    "focal": _focal,
    "tversky": lambda logits, target: _tversky_K(logits, target).mean(),
    "weighted_bce": lambda logits, target: _bce(logits, target, positive=3.5),
    "topk_bce": _topk_bce,
    "dice_squared": _dice_squared,
    "log_cosh_dice": lambda logits, target: torch.log(torch.cosh(_dice_K(logits, target))).mean(),
    "focal_tversky": lambda logits, target: (_tversky_K(logits, target) ** 0.75).mean(),
    "lovasz_hinge": lambda logits, target: _lovasz(1 - logits * (2 * target - 1), target),
    "lovasz_sigmoid": lambda logits, target: _lovasz((torch.sigmoid(logits) - target).abs(), target),
    "boundary": _boundary,
    "bce_iou": lambda logits, target: 0.5 * _bce(logits, target) + 0.5 * _iou(logits, target),
    "dice_focal": lambda logits, target: _dice(logits, target) + _focal(logits, target),
}
"""By the name in the registry."""
