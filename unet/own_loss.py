"""The loss's own value on whole sections: what it is on data that it was not trained on. Never comparable between losses."""

import logging
import math
from collections.abc import Sequence

import numpy as np
import torch

from data_utils.maps import section_map
from unet.precision import autocast
from unet.run import Run

logger = logging.getLogger(__name__)


def own_loss_values(
    run: Run, raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None = None, *, sections: Sequence[int]
) -> list[float]:
    """Return the run's loss on each of the sections, at the end of its schedule, with the weights as they are.

    Sections are seen whole, but for the margin that the network cannot halve: up to 2**(depth - 1) - 1 px of an axis, at both its ends.
    Maps of the target are of the whole section, as in training. A value may be NaN or infinite where the weights
    are, and is NaN where it could not be computed, which is logged.

    Args:
        run: its model, loss, normalisation, positive class and precision are used.
        raw_ZHW: grey values of the stack.
        membrane_ZHW: bool, True = membrane.
        counted_ZHW: bool, True where the label is known; None: everywhere. Other pixels do not count.
        sections: indices into the stack.
    """
    run.model.eval()
    values = []
    for at in sections:
        try:
            values.append(_value(run, raw_ZHW[at], membrane_ZHW[at], None if counted_ZHW is None else counted_ZHW[at]))
        except Exception:  # no memory for a whole section, for one: a number that is compared with nothing must not cost a trained network
            logger.warning("%s has no value on section %d", run.loss.name, at, exc_info=True)
            values.append(math.nan)
    return values


def _value(run: Run, raw_HW: np.ndarray, membrane_HW: np.ndarray, counted_HW: np.ndarray | None) -> float:
    divisor = 2 ** (run.model.depth - 1)
    if min(raw_HW.shape) < divisor:
        return float("nan")  # smaller than what the network halves down to one pixel: it sees such a section only mirrored
    rows, columns = (_middle(size, divisor) for size in raw_HW.shape)
    target_HW = membrane_HW.astype(bool) if run.positive == "membrane" else ~membrane_HW.astype(bool)
    if counted_HW is not None:
        target_HW &= counted_HW
    maps = {name: section_map(target_HW, name, positive=run.positive, counted_HW=counted_HW) for name in run.loss.needs}

    def placed(array_HW: np.ndarray) -> torch.Tensor:
        return torch.from_numpy(np.array(array_HW[rows, columns], dtype=np.float32)).to(run.device)[None, None]

    with torch.no_grad():
        with autocast(run.precision, run.device):
            logits_N1HW = run.model(placed(run.normalisation.apply(raw_HW)).to(memory_format=torch.channels_last))
        mask_N1HW = None if counted_HW is None else placed(counted_HW)
        aux = {name: placed(map_HW) for name, map_HW in maps.items()}
        return float(run.loss(logits_N1HW, placed(target_HW), mask_N1HW, aux=aux, progress=1.0))


def _middle(size: int, divisor: int) -> slice:
    rest = size % divisor
    return slice(rest // 2, size - (rest - rest // 2))
