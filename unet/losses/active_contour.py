"""The active contour loss: wrong area, and contour that is longer than need be."""

import torch
from torch import Tensor

from unet.losses.boundary import wrong_probability
from unet.losses.spec import LossSpec, ParameterSpec

_SOFT = 1e-6
"""Keeps the square root differentiable where p is flat; the length of target and prediction have it alike."""


def active_contour(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, region_weight: float) -> Tensor:
    """The mean over images of max(length(p) - length(g), 0) + region_weight mean(|p - g|). After Chen et al. 2019, section 3.

    length(u) is the sum of |grad u| over the image by its number of pixels: in each square of 2 x 2 pixels sqrt(a + b), a and b the means
    of the squared differences along rows and along columns, so that flips and turns change nothing and a straight border counts its px.
    Region: with the paper's constants 1 inside and 0 outside, p (1 - g)^2 + (1 - p) (0 - g)^2 is |p - g|.

    The paper adds length(p) itself. That is least for no contour at all, so the truth would not be the minimum; here only what goes beyond
    the target's own length costs. Not monotone: sharpening a pixel makes the contour longer before it removes one.

    Where masked there is no length across and no region; an image without a pixel that counts costs 0.
    """
    probability_N1HW = torch.sigmoid(logits_N1HW)
    wrong_N1HW = wrong_probability(logits_N1HW, target_N1HW)[1]
    if mask_N1HW is None:
        pixels_N: Tensor | float = float(logits_N1HW[0].numel())
    else:
        wrong_N1HW = wrong_N1HW * mask_N1HW
        pixels_N = mask_N1HW.flatten(1).sum(dim=1).clamp_min(1.0)
    excess_N = torch.relu(_length(probability_N1HW, mask_N1HW) - _length(target_N1HW, mask_N1HW))
    return ((excess_N + region_weight * wrong_N1HW.flatten(1).sum(dim=1)) / pixels_N).mean()


def _length(field_N1HW: Tensor, mask_N1HW: Tensor | None) -> Tensor:
    """The sum of |grad u| of each image over the squares of four pixels that count, [N]."""
    down = (field_N1HW[:, :, 1:] - field_N1HW[:, :, :-1]).square()
    right = (field_N1HW[..., 1:] - field_N1HW[..., :-1]).square()
    squared = 0.5 * (down[..., 1:] + down[..., :-1] + right[:, :, 1:] + right[:, :, :-1])
    slope = torch.sqrt(squared + _SOFT)
    if mask_N1HW is not None:
        pair = mask_N1HW[:, :, 1:] * mask_N1HW[:, :, :-1]
        slope = slope * (pair[..., 1:] * pair[..., :-1])
    return slope.flatten(1).sum(dim=1)


SPECS = (
    LossSpec(
        name="active_contour",
        family="boundary",
        formula="max(length(p) - length(g), 0) + region_weight mean(|p - g|), for each image;  length(u) = mean(|grad u|)",
        parameters={
            "region_weight": ParameterSpec(
                default=1.0,
                low=1e-3,
                high=1e3,
                search_low=0.1,
                search_high=10.0,
                log=True,
                meaning="weight of the wrong area beside the excess length; less gives smoother borders and fewer specks",
                source="lambda in Chen et al. 2019 (doi 10.1109/CVPR.2019.01190)",
            ),
        },
        source="Chen et al. 2019 (doi 10.1109/CVPR.2019.01190), section 3, with the length beyond the target's",
        spatial=True,
        monotone=False,
        when="against specks and ragged borders; an absolute error fades where the network is sure, so certain mistakes stay",
        function=active_contour,
    ),
)
