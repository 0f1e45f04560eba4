"""Losses after the Hausdorff distance: squared errors, weighed by distances to the borders of target and prediction.

z is the logit, p its sigmoid, g in {0, 1} the target. d_g = |map "distance"| of `data_utils.maps`, px to the nearest pixel of the other
class, the diagonal everywhere in an image of one class. d_p is the same of the hard prediction p > 1/2, computed at every call on the CPU
and constant for the gradient; a prediction of one class has no border and d_p = 0 everywhere. Masked pixels of the prediction are taken to
be the target's, so that what is predicted there moves no border. A mask of zeros gives 0.
"""

import torch
from torch import Tensor

from unet.losses.boundary import dear_power, distance_weight, everywhere, inverse_mean, wrong_probability
from unet.losses.edt import squared_distances
from unet.losses.pixels import pixel_mean
from unet.losses.spec import LossSpec, ParameterSpec


def hausdorff_dt(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, scale: str, distance: Tensor
) -> Tensor:
    """mean((p - g)^2 (d_p^alpha + d_g^alpha)). Karimi and Salcudean 2019, eq. 8.

    Scale "map" divides by the mean of d_g^alpha over each image. A run then starts near 1/4, whatever the size of cells and image: that is
    what p = 1/2 everywhere costs. Not monotone: a pixel that turns right may move the border of the prediction away from wrong ones.
    """
    positive_N1HW = logits_N1HW > 0
    if mask_N1HW is not None:
        positive_N1HW = torch.where(mask_N1HW > 0, positive_N1HW, target_N1HW > 0.5)
    own = squared_distances(positive_N1HW).to(logits_N1HW.dtype)
    return _weighted_square(logits_N1HW, target_N1HW, mask_N1HW, own, alpha=alpha, scale=scale, distance=distance)


def hausdorff_dt_onesided(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, scale: str, distance: Tensor
) -> Tensor:
    """mean((p - g)^2 d_g^alpha): no transform of the prediction. Karimi and Salcudean 2019, section II-B, the one-sided form of eq. 8."""
    return _weighted_square(logits_N1HW, target_N1HW, mask_N1HW, alpha=alpha, scale=scale, distance=distance)


def log_hausdorff_dt(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, scale: str, distance: Tensor
) -> Tensor:
    """The mean over images of ln(1 + HD), HD as in `hausdorff_dt`; MONAI's LogHausdorffDTLoss takes one logarithm of the whole batch."""
    images = [
        hausdorff_dt(
            logits_N1HW[i : i + 1],
            target_N1HW[i : i + 1],
            None if mask_N1HW is None else mask_N1HW[i : i + 1],
            alpha=alpha,
            scale=scale,
            distance=distance[i : i + 1],
        )
        for i in range(len(logits_N1HW))
    ]
    return torch.stack(images).log1p().mean()


def _weighted_square(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *own_squared: Tensor, alpha: float, scale: str, distance: Tensor
) -> Tensor:
    """mean((p - g)^2 (d_p^alpha + d_g^alpha)) / scale, from d_p^2 (or nothing, for 0) and the map of the target."""

    def rule(logits: Tensor, target: Tensor, kept: Tensor, factor: Tensor, *own_squared: Tensor) -> tuple[Tensor, Tensor]:
        sign, wrong = wrong_probability(logits, target)
        weight = distance_weight(kept, exponent)
        for squared in own_squared:
            weight.add_(squared if alpha == 2.0 else squared.pow(0.5 * alpha))
        weight.mul_(factor).mul_(wrong)
        slope = torch.ops.aten.sigmoid_backward(weight, wrong).mul_(sign.mul_(2.0))
        return weight.mul_(wrong), slope

    kept_N1HW, exponent = dear_power(distance, alpha)
    factor_N = torch.ones_like(distance[:, 0, 0, 0]) if scale == "none" else inverse_mean(kept_N1HW, mask_N1HW, exponent)
    factor = everywhere(factor_N, distance)
    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, kept_N1HW, factor, *own_squared)


def _parameters(scale: str) -> dict[str, ParameterSpec]:
    return {
        "alpha": ParameterSpec(
            default=2.0,
            low=0.5,
            high=4.0,
            search_low=1.0,
            search_high=3.0,
            meaning="exponent of the distance; more makes the largest distances count for more of the loss",
            source="Karimi and Salcudean 2019 (arXiv 1904.10030): tried 1 to 3, uses 2",
        ),
        "scale": ParameterSpec(
            default=scale,
            choices=("map", "none"),
            meaning="map: divided by each image's mean of d_g^alpha, so that p = 1/2 everywhere costs 1/4; none: px^alpha, as in the paper",
            source="none in Karimi and Salcudean 2019 (arXiv 1904.10030), who weigh the term by its ratio to Dice instead",
        ),
    }


_SOURCE = "Karimi and Salcudean 2019 (arXiv 1904.10030), eq. 8"

SPECS = (
    LossSpec(
        name="hausdorff_dt",
        family="boundary",
        formula="mean((p - g)^2 (d_p^alpha + d_g^alpha)), over mean(d_g^alpha) of each image with scale map",
        parameters=_parameters("map"),
        source=_SOURCE,
        needs=("distance",),
        spatial=True,
        monotone=False,
        cost="distance",
        when="beside a region loss, when the worst distance between borders counts; slow, and thin gaps in membranes weigh little in it",
        function=hausdorff_dt,
    ),
    LossSpec(
        name="log_hausdorff_dt",
        family="boundary",
        formula="mean over images of ln(1 + mean((p - g)^2 (d_p^alpha + d_g^alpha)))",
        # The logarithm is there to tame px^alpha; of a value near 1/4 it would change little.
        parameters=_parameters("none"),
        source="LogHausdorffDTLoss of MONAI, after " + _SOURCE,
        needs=("distance",),
        spatial=True,
        monotone=False,
        cost="distance",
        when="as hausdorff_dt without a scale to choose; the logarithm flattens the gradient of bad images, which then learn last",
        function=log_hausdorff_dt,
    ),
    LossSpec(
        name="hausdorff_dt_onesided",
        family="boundary",
        formula="mean((p - g)^2 d_g^alpha), over mean(d_g^alpha) of each image with scale map",
        parameters=_parameters("map"),
        source=_SOURCE + ", one-sided",
        needs=("distance",),
        spatial=True,
        when="in place of hausdorff_dt at the price of a pixel loss; blind to how far the prediction's own border is off",
        function=hausdorff_dt_onesided,
    ),
)
