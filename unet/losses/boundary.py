"""Losses that weigh an error by its distance from the border of the target.

z is the logit, p its sigmoid, g in {0, 1} the target; phi is the map "distance" of `data_utils.maps`: px to the nearest pixel of the other
class, negative where g = 1, at least 1 in size. An image of one class has no border: its map is the diagonal everywhere, so that under
scale "map" all its pixels weigh the same. A mask of zeros gives 0.
"""

import torch
from torch import Tensor

from unet.losses.counts import as_sets, sum_over_pixels
from unet.losses.pixels import pixel_mean
from unet.losses.spec import LossSpec, ParameterSpec


def boundary(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, power: float, scale: str, distance: Tensor) -> Tensor:
    """mean(phi' (p - g)), phi' = sign(phi) |phi|^power. Kervadec et al. 2019, eq. 5, with the constant of the target that makes it 0 there.

    With power 1 and scale "none" this is the distance between the contours before the paper drops its second term; value and gradient are
    those of mean(phi p) - mean(phi g). Since phi and p - g have the same sign everywhere it is mean(|phi|^power |p - g|), and computed so.
    """

    def rule(logits: Tensor, target: Tensor, distance: Tensor, *factor: Tensor) -> tuple[Tensor, Tensor]:
        sign, wrong = wrong_probability(logits, target)
        weight = distance if power == 1.0 else distance.abs().pow_(power).mul_(sign)
        for one in factor:
            weight = weight * one
        # By the logit phi' (p - g) has the derivative phi' p (1 - p), and p (1 - p) is that of |p - g| as well.
        return sign.mul_(wrong).mul_(weight), torch.ops.aten.sigmoid_backward(weight, wrong)

    factor = [] if scale == "none" else [everywhere(_largest(distance, mask_N1HW).pow(-power), distance)]
    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, distance, *factor)


def generalized_surface(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, distance: Tensor) -> Tensor:
    """1 - sum(|phi|^alpha (1 - g - p)^2) / sum(|phi|^alpha) of each image. Celaya et al. 2023, the generalized surface loss (alpha 2).

    |1 - g - p| is 1 - |p - g|, so a pixel costs 1 - (1 - |p - g|)^2 times its weight; the weights of an image have mean 1. The paper's
    weights of classes cancel where there is one.
    """

    def rule(logits: Tensor, target: Tensor, kept: Tensor, factor: Tensor) -> tuple[Tensor, Tensor]:
        sign, wrong = wrong_probability(logits, target)
        weight = distance_weight(kept, exponent).mul_(factor)
        right = torch.rsub(wrong, 1.0)
        slope = torch.ops.aten.sigmoid_backward(weight, wrong).mul_(right).mul_(sign.mul_(2.0))
        return right.add_(1.0).mul_(wrong).mul_(weight), slope

    kept_N1HW, exponent = dear_power(distance, alpha)
    factor = everywhere(inverse_mean(kept_N1HW, mask_N1HW, exponent), distance)
    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, kept_N1HW, factor)


def wrong_probability(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """1 - 2 g, and |p - g|: the probability given to the wrong class, without the cancellation of 1 - p."""
    sign = torch.sub(1.0, target, alpha=2.0)
    return sign, torch.sigmoid(logits * sign)


def everywhere(number_N: Tensor, like_N1HW: Tensor) -> Tensor:
    """A number of each image as a map for `pixel_mean`: of the maps' shape, without their memory."""
    return number_N.view(-1, 1, 1, 1).expand_as(like_N1HW)


def dear_power(distance: Tensor, alpha: float) -> tuple[Tensor, float]:
    """A map and an exponent, which is 2 or 1, such that `distance_weight` makes |phi|^alpha of them.

    A square costs less than the memory to keep it in, and is taken again wherever it is needed; any other power is taken once, and kept.
    """
    return (distance, 2.0) if alpha == 2.0 else (distance.abs().pow_(alpha), 1.0)


def distance_weight(kept: Tensor, exponent: float) -> Tensor:
    """|phi|^alpha, from what `dear_power` gives; a tensor of its own."""
    return kept.square() if exponent == 2.0 else kept.clone()


def inverse_mean(kept_N1HW: Tensor, mask_N1HW: Tensor | None, exponent: float) -> Tensor:
    """1 / mean of |phi|^alpha over the pixels of each image that count, [N]: what makes the weights' mean 1."""
    kept_NP, mask_NP = as_sets("image", kept_N1HW, mask_N1HW)
    assert kept_NP is not None
    total_N = sum_over_pixels(*([kept_NP] * int(exponent)), mask_NP)
    pixels = kept_NP.shape[1] if mask_NP is None else mask_NP.sum(dim=1)
    # An image without a pixel that counts has total 0; its factor multiplies nothing, and only has to be finite.
    return pixels / torch.where(total_N > 0, total_N, 1.0)


def _largest(distance_N1HW: Tensor, mask_N1HW: Tensor | None) -> Tensor:
    """The largest |phi| of each image among the pixels that count, [N]; 1 where none counts."""
    counted_NP = (distance_N1HW if mask_N1HW is None else distance_N1HW * mask_N1HW).flatten(1)
    largest_N = torch.maximum(counted_NP.amax(dim=1), -counted_NP.amin(dim=1))
    return torch.where(largest_N > 0, largest_N, 1.0)


SPECS = (
    LossSpec(
        name="boundary",
        family="boundary",
        formula="mean(phi' (p - g)) = mean(|phi'| |p - g|),  phi' = sign(phi) |phi|^power, over the image's largest with scale map",
        parameters={
            "power": ParameterSpec(
                default=1.0,
                low=0.0,
                high=4.0,
                search_low=0.5,
                search_high=2.0,
                meaning="exponent of the distance; more makes errors far from the border cost more beside those at it, 0 ignores distance",
                source="1 in Kervadec et al. 2019 (arXiv 1812.07032); an exponent as in Karimi and Salcudean 2019 (arXiv 1904.10030)",
            ),
            "scale": ParameterSpec(
                default="map",
                choices=("map", "none"),
                meaning="map: divided by the largest |phi'| of each image, so that the loss is at most 1; none: px^power, as in the paper",
                source="none in Kervadec et al. 2019 (arXiv 1812.07032)",
            ),
        },
        source="Kervadec et al. 2019 (arXiv 1812.07032), eq. 5 and the constant that it drops",
        needs=("distance",),
        spatial=True,
        when="beside a region loss, when far-off false pieces and holes should go first; alone it is slow at the border",
        function=boundary,
    ),
    LossSpec(
        name="generalized_surface",
        family="boundary",
        formula="1 - sum(|phi|^alpha (1 - g - p)^2) / sum(|phi|^alpha), for each image",
        parameters={
            "alpha": ParameterSpec(
                default=2.0,
                low=0.0,
                high=4.0,
                search_low=1.0,
                search_high=3.0,
                meaning="exponent of the distance; more makes errors far from the border cost more beside those at it, 0 ignores distance",
                source="2 in Celaya et al. 2023 (arXiv 2302.03868); the range as in Karimi and Salcudean 2019 (arXiv 1904.10030)",
            ),
        },
        source="Celaya et al. 2023 (arXiv 2302.03868), the generalized surface loss without its region term",
        needs=("distance",),
        spatial=True,
        when="like boundary, bounded by 1 without a scale; a pixel surely wrong has no gradient, so add it to a region loss that has one",
        function=generalized_surface,
    ),
)
