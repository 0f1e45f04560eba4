"""Weights that move: with the training, or with the size of a partner."""

import torch
from torch import Tensor

RAMPS = ("constant", "rise", "fall")


def ramp(kind: str, progress: float | None) -> float:
    """The factor of a weight at `progress` (0 to 1 of the training): constant 1, rise from 0 to 1, or fall from 1 to 0.

    Raises ValueError where the weight moves and nobody says how far the training is.
    """
    if kind == "constant":
        return 1.0
    done = known_progress(progress)
    return done if kind == "rise" else 1.0 - done


def between(start: float, end: float, progress: float | None) -> float:
    """The value on the straight line from `start` at the first step to `end` at the last; needs no progress where they are equal."""
    return start if start == end else start + (end - start) * known_progress(progress)


def known_progress(progress: float | None) -> float:
    """`progress` within 0 and 1. Raises ValueError where it is None."""
    if progress is None:
        raise ValueError("a weight of this loss moves while training: pass progress=, the part of the training that is done, 0 to 1")
    return min(max(progress, 0.0), 1.0)


LARGEST_SCALE = 1e6


def partner_scale(partner: Tensor, term: Tensor) -> Tensor:
    """partner / term, held constant for the gradient: it brings a term in pixels, or in pixels squared, to the size of its partner.

    After Karimi and Salcudean 2019 (arXiv 1904.10030), section II-C, who weigh the Hausdorff term by the ratio of the means of both; here
    afresh at every step. At most 1e6, which a term of 0 never reaches in value: 1e6 times 0 is 0. A partner of 0 (nothing wrong, or a batch
    that it skips) has no size to be brought to, and the term stands as it is.
    """
    with torch.no_grad():
        size = term.detach().abs()
        other = partner.detach().abs()
        scale = (other / size.clamp_min(torch.finfo(size.dtype).tiny)).clamp_max(LARGEST_SCALE)
        return torch.where(other > 0, scale, torch.ones_like(scale))
