"""Binary cross-entropy whose pixels weigh more or less: by class, by the share of the class, by the place in the image.

z is the logit, p its sigmoid, g in {0, 1} the target, CE = -g ln p - (1 - g) ln(1 - p). Each is a mean over the pixels that count: divided
by their number, never by the sum of the weights, so that a weight of 1 everywhere is BCE. The weights come from the target alone and have
no gradient. An image with no positive pixel is an ordinary case; a mask of zeros gives 0.
"""

import torch
from torch import Tensor

from unet.losses.boundary import everywhere
from unet.losses.counts import as_sets
from unet.losses.cross_entropy import cross_entropy
from unet.losses.parameters import BATCH_REDUCE
from unet.losses.pixels import pixel_mean
from unet.losses.spec import LossSpec, ParameterSpec


def weighted_bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, positive_weight: float) -> Tensor:
    """mean(-w g ln p - (1 - g) ln(1 - p)), w = positive_weight. The class weights w_c of Ronneberger et al. 2015, that of g = 0 being 1."""
    return pixel_mean(cross_entropy, logits_N1HW, target_N1HW, mask_N1HW, positive=positive_weight)


def balanced_bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, kappa: float, batch_reduce: str) -> Tensor:
    """mean(-b^kappa g ln p - (1 - b)^kappa (1 - g) ln(1 - p)), b the share of pixels with g = 0 among those that count.

    Xie and Tu 2015, eq. 2, at kappa = 1, as a mean; BCE at kappa = 0. Between them the classes weigh as their frequencies to the power of
    -kappa. b is of each image or of the whole batch. Where one class is absent there is nothing to balance, and the weights are 1: the
    paper's formula would give the only class there is the weight 0, so that false positives in an empty image were free.
    """
    positive_K, negative_K = class_weights(target_N1HW, mask_N1HW, kappa, batch_reduce)
    return pixel_mean(cross_entropy, logits_N1HW, target_N1HW, mask_N1HW, positive=positive_K, negative=negative_K)


def class_weights(target_N1HW: Tensor, mask_N1HW: Tensor | None, kappa: float, batch_reduce: str) -> tuple[Tensor, Tensor]:
    """b^kappa and (1 - b)^kappa of each set; both 1 where a class is absent."""
    target_KP, mask_KP = as_sets(batch_reduce, target_N1HW, mask_N1HW)
    assert target_KP is not None
    if mask_KP is None:
        actual_K, pixels_K = target_KP.sum(dim=1), target_KP.shape[1]
    else:
        actual_K, pixels_K = (target_KP * mask_KP).sum(dim=1), mask_KP.sum(dim=1)
    rest_K = pixels_K - actual_K
    one_class_K = (actual_K == 0) | (rest_K == 0)
    # Where both classes are there, their counts add up to the pixels; where not, the quotient is not used.
    positive_K, negative_K = ((part_K / (actual_K + rest_K).clamp_min(1.0)) ** kappa for part_K in (rest_K, actual_K))
    return torch.where(one_class_K, 1.0, positive_K), torch.where(one_class_K, 1.0, negative_K)


def border_bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, w0: float, sigma: float, cell_gap: Tensor) -> Tensor:
    """mean(w CE), w = 1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2)). Ronneberger et al. 2015, eq. 1 and 2, with w_c = 1.

    cell_gap is d1 + d2, the distances to the two nearest cells in px. As the paper's formula, it weighs pixels of either class: those of a
    thin membrane, and the rims of the two cells beside it. With fewer than two cells the map is the section's diagonal, and w all but 1.
    """
    rate = -0.5 / sigma**2

    def rule(logits: Tensor, target: Tensor, gap: Tensor) -> tuple[Tensor, Tensor]:
        weight = gap.square().mul_(rate).exp_().mul_(w0).add_(1.0)
        value, slope = cross_entropy(logits, target)
        return value.mul_(weight), slope.mul_(weight)

    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, cell_gap)


def distance_bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, border_weight: float, distance: Tensor) -> Tensor:
    """mean((1 + border_weight phi) CE), phi = 1 - (|d| - 1) / m. Caliva et al. 2019, whose border_weight is 1.

    d is the signed distance in px, at least 1 in size; m is the largest |d| among the pixels of the image that count and have the pixel's
    class: as in the paper each side of the border is turned around on its own, m - |d|, here plus 1 and over m. So phi is 1 beside the
    border, falls in a line, and is 1 / m > 0 where the border is farthest. In an image of one class, where the map is a constant, phi is
    1 / m everywhere: BCE but for a hair.
    """

    def rule(logits: Tensor, target: Tensor, distance: Tensor, inside: Tensor, outside: Tensor) -> tuple[Tensor, Tensor]:
        # (|d| - 1) / m: of the two lines the one of the other side is below 0.
        steps = torch.maximum((-1.0 - distance).mul_(inside), (distance - 1.0).mul_(outside))
        weight = steps.mul_(-border_weight).add_(1.0 + border_weight)
        value, slope = cross_entropy(logits, target)
        return value.mul_(weight), slope.mul_(weight)

    rates = (everywhere(1.0 / deepest_N, distance) for deepest_N in _deepest(distance, mask_N1HW))
    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, distance, *rates)


def _deepest(distance_N1HW: Tensor, mask_N1HW: Tensor | None) -> tuple[Tensor, Tensor]:
    """m of `distance_bce` for the positive class, and for the negative one, of each image, [N]."""
    counted_NP = (distance_N1HW if mask_N1HW is None else distance_N1HW * mask_N1HW).flatten(1)
    # A class of which no pixel counts has the m 1; what phi is there plays no part.
    return counted_NP.amin(dim=1).neg().clamp_min(1.0), counted_NP.amax(dim=1).clamp_min(1.0)


SPECS = (
    LossSpec(
        name="weighted_bce",
        family="distribution",
        formula="mean(-positive_weight g ln p - (1 - g) ln(1 - p))",
        parameters={
            "positive_weight": ParameterSpec(
                default=3.5,
                low=1e-3,
                high=1e3,
                search_low=0.1,
                search_high=10.0,
                log=True,
                meaning="weight of positive pixels; above 1 finds more of them and more false ones, below 1 fewer; 1 is BCE",
                source="Ronneberger et al. 2015 (arXiv 1505.04597): w_c balances the classes; 78 % cell to 22 % membrane in ISBI 2012",
            ),
        },
        source="Ronneberger et al. 2015 (arXiv 1505.04597), eq. 2, the weights w_c; divided by the number of pixels",
        when="when one class is rare or its errors cost more; probabilities no longer mean what they say, so calibrate the threshold",
        function=weighted_bce,
    ),
    LossSpec(
        name="balanced_bce",
        family="distribution",
        formula="mean(-b^kappa g ln p - (1 - b)^kappa (1 - g) ln(1 - p)),  b = share of g = 0;  both weights 1 where a class is absent",
        parameters={
            "kappa": ParameterSpec(
                default=1.0,
                low=0.0,
                high=1.0,
                search_low=0.0,
                search_high=1.0,
                meaning="how far the classes are balanced: 0 is BCE, 1 gives both the same say in sum",
                source="1 in Xie and Tu 2015 (arXiv 1504.06375); below it the classes weigh as frequency^-kappa",
            ),
            "batch_reduce": BATCH_REDUCE,
        },
        source="Xie and Tu 2015 (arXiv 1504.06375), eq. 2, as a mean over pixels",
        when="when the share of the positive class differs much from image to image; rare classes come out too thick",
        function=balanced_bce,
    ),
    LossSpec(
        name="border_bce",
        family="distribution",
        formula="mean((1 + w0 exp(-(d1 + d2)^2 / (2 sigma^2))) CE),  d1, d2 = px to the two nearest cells",
        parameters={
            "w0": ParameterSpec(
                default=10.0,
                low=0.0,
                high=100.0,
                search_low=5.0,
                search_high=20.0,
                meaning="extra weight between two cells; more closes gaps in thin membranes and thickens them; 0 is BCE",
                source="Ronneberger et al. 2015 (arXiv 1505.04597), section 3: 10",
            ),
            "sigma": ParameterSpec(
                default=5.0,
                low=0.1,
                high=100.0,
                search_low=2.0,
                search_high=10.0,
                meaning="px over which the extra weight fades as the gap between two cells widens; more reaches thicker membranes",
                source="Ronneberger et al. 2015 (arXiv 1505.04597), section 3: about 5 px",
            ),
        },
        source="Ronneberger et al. 2015 (arXiv 1505.04597), eq. 1 and 2, with w_c = 1",
        needs=("cell_gap",),
        spatial=True,
        when="when merged cells are the costly error; it trusts the labels most where they are least sure, at the rims of cells",
        function=border_bce,
    ),
    LossSpec(
        name="distance_bce",
        family="distribution",
        formula="mean((1 + border_weight phi) CE),  phi = 1 - (|d| - 1) / m,  m = largest |d| of the pixel's class in the image",
        parameters={
            "border_weight": ParameterSpec(
                default=1.0,
                low=0.0,
                high=100.0,
                search_low=0.1,
                search_high=10.0,
                log=True,
                meaning="extra weight beside the border, fading with the distance from it; more sharpens borders; 0 is BCE",
                source="Caliva et al. 2019 (arXiv 1908.03679): 1",
            ),
        },
        source="Caliva et al. 2019 (arXiv 1908.03679), the distance map penalty on cross-entropy",
        needs=("distance",),
        spatial=True,
        when="when borders matter more than areas; where classes are thin nearly every pixel is beside a border and little changes",
        function=distance_bce,
    ),
)
