"""The boundary difference-over-union loss: an overlap loss that stresses the border more, the more compact the target is."""

import torch
from torch import Tensor
from torch.nn import functional

from unet.losses.counts import as_sets, mean_over_sets, soft_counts
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def boundary_dou(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    alpha_cap: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """(U - I) / (U - a I + s), I = sum p g, U = sum p^2 + sum g^2 - I, a = min(1 - 2 C / S, alpha_cap). Sun et al. 2023.

    S is the number of positive pixels, C of those with one of their four neighbours negative. A compact target has a near the cap, so that
    the interior is taken out of the union and what is left is border; a target of border alone has a = -1. Unlike the authors' code, pixels
    on the frame of the image are no border (their outer neighbour is unknown, as is a masked one), and `smooth` is added below only, so
    that a perfect prediction costs 0. By its own formula an image with no positive pixel costs sum p^2 / (sum p^2 + s).
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce, squared=True)
    (border_KP,) = as_sets(batch_reduce, border(target_N1HW, mask_N1HW))
    alpha_K = (1.0 - 2.0 * border_KP.sum(dim=1) / counts.actual.clamp_min(1.0)).clamp_max(alpha_cap)
    # A difference of large sums: below its rounding error it may come out negative.
    difference_K = (counts.squared + counts.actual - 2.0 * counts.tp).clamp_min(0.0)
    return mean_over_sets(difference_K / (difference_K + (1.0 - alpha_K) * counts.tp + smooth), counts, empty)


def border(target_N1HW: Tensor, mask_N1HW: Tensor | None) -> Tensor:
    """1 where the target is 1 and one of the four neighbours is 0; neither may be masked, and there are no neighbours beyond the frame."""
    counted_N1HW = target_N1HW if mask_N1HW is None else target_N1HW * mask_N1HW
    negative_N1HW = 1.0 - target_N1HW if mask_N1HW is None else mask_N1HW - counted_N1HW
    around = functional.pad(negative_N1HW, (1, 1, 1, 1))
    rows = torch.maximum(around[..., :-2, 1:-1], around[..., 2:, 1:-1])
    columns = torch.maximum(around[..., 1:-1, :-2], around[..., 1:-1, 2:])
    return torch.maximum(rows, columns).mul_(counted_N1HW)


SPECS = (
    LossSpec(
        name="boundary_dou",
        family="boundary",
        formula="(U - I) / (U - a I + smooth),  I = sum(p g),  U = sum(p^2) + sum(g) - I,  "
        "a = min(1 - 2 border pixels / positive pixels, alpha_cap)",
        parameters={
            "alpha_cap": ParameterSpec(
                default=0.8,
                low=-1.0,
                high=0.99,
                search_low=0.0,
                search_high=0.95,
                meaning="largest part of the overlap that is taken out of the union; more stresses the borders of compact targets, -1 is "
                "dice_squared",
                source="Sun et al. 2023 (arXiv 2308.00220): 0.8; from 0, because membranes a few pixels wide have a near 0.4",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Sun et al. 2023 (arXiv 2308.00220)",
        spatial=True,
        cost="overlap",
        when="when cell interiors are the positive class and their borders the question; thin membranes keep a below the cap, and it idles",
        function=boundary_dou,
    ),
)
