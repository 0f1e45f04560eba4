"""The boundary difference-over-union loss: an overlap loss that stresses the border more, the more compact the target is."""

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH
from unet.losses.pixels import pieces
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
    border_K = border_pixels(target_N1HW, mask_N1HW)
    if batch_reduce == "batch":
        border_K = border_K.sum(dim=0, keepdim=True)
    alpha_K = (1.0 - 2.0 * border_K / counts.actual.clamp_min(1.0)).clamp_max(alpha_cap)
    # A difference of large sums: below its rounding error it may come out negative.
    difference_K = (counts.squared + counts.actual - 2.0 * counts.tp).clamp_min(0.0)
    return mean_over_sets(difference_K / (difference_K + (1.0 - alpha_K) * counts.tp + smooth), counts, empty)


def border_pixels(target_N1HW: Tensor, mask_N1HW: Tensor | None) -> Tensor:
    """How many pixels of each image are 1 with one of the four neighbours 0, [N].

    Neither may be masked, and there are no neighbours beyond the frame.
    """
    border_N = target_N1HW.new_zeros(len(target_N1HW))
    height = target_N1HW.shape[2]
    for images, start, stop in _bands(target_N1HW):
        # With a row more above and below, or, at the frame and at the sides, a row or column that is not 0.
        reach = slice(max(start - 1, 0), stop + 1)
        target = target_N1HW[images, :, reach]
        mask = None if mask_N1HW is None else mask_N1HW[images, :, reach]
        positive = target if mask is None else target * mask
        negative = torch.rsub(target, 1.0) if mask is None else mask - positive
        around = functional.pad(negative, (1, 1, int(start == 0), int(stop == height)))
        rows = torch.maximum(around[:, :, :-2, 1:-1], around[:, :, 2:, 1:-1])
        columns = torch.maximum(around[:, :, 1:-1, :-2], around[:, :, 1:-1, 2:])
        here = positive.narrow(2, start - reach.start, stop - start)
        border_N[images].add_(torch.maximum(rows, columns).mul_(here).flatten(1).sum(dim=1))
    return border_N


def _bands(tensor_N1HW: Tensor) -> Iterator[tuple[slice, int, int]]:
    """(images, first row, the row after the last): of `pieces` the size, but of whole rows, which have neighbours above and below."""
    num_images, _, height, width = tensor_N1HW.shape
    images, pixels = next(pieces(tensor_N1HW.reshape(num_images, -1)))
    rows = height if pixels.stop is None else max(pixels.stop // width, 1)
    group = num_images if images.stop is None else images.stop
    for image in range(0, num_images, group):
        for row in range(0, height, rows):
            yield slice(image, image + group), row, min(row + rows, height)


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
