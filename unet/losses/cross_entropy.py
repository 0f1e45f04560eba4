"""Binary cross-entropy, and poly-1, which adds to it: losses that are a mean over pixels.

z is the logit, p its sigmoid, g in {0, 1} the target, p_t the probability of the target: p where g = 1, 1 - p elsewhere. Nothing here takes
log(p): the softplus of the logit is the same number, without the overflow. An image with no positive pixel is an ordinary case; a mask of
zeros gives 0.
"""

import torch
from torch import Tensor

from unet.losses.pixels import pixel_mean, softplus
from unet.losses.spec import LossSpec, ParameterSpec


def bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, label_smoothing: float) -> Tensor:
    """mean(-g' ln p - (1 - g') ln(1 - p)), g' = g (1 - s) + s / 2. Smoothing after Szegedy et al. 2016, for two classes.

    With smoothing the least loss is no longer at certainty but at p = g', and no longer 0.
    """

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return cross_entropy(logits, target, label_smoothing)

    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW)


def cross_entropy(logits: Tensor, target: Tensor, label_smoothing: float = 0.0) -> tuple[Tensor, Tensor]:
    """-g' ln p - (1 - g') ln(1 - p) of each pixel, and its derivative by the logit.

    With y = z (1 - 2 g) it is softplus(y) - y s / 2, with the derivative sigmoid(y) - s / 2 by y. The usual softplus(z) - z g is the same,
    but a difference of large numbers where a positive pixel is right: in fp32 the loss of z = 8 would keep three digits, and the gradient
    would be 0 from z = 17 on.
    """
    sign, away = away_from_target(logits, target)
    value, slope = softplus(away), torch.sigmoid(away)
    if label_smoothing:
        value.sub_(away, alpha=0.5 * label_smoothing)
        slope.sub_(0.5 * label_smoothing)
    return value, slope.mul_(sign)


def away_from_target(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    """1 - 2 g, and y = z (1 - 2 g): the logit of the wrong class. sigmoid(y) is 1 - p_t, softplus(y) is -ln p_t."""
    sign = torch.sub(1.0, target, alpha=2.0)
    return sign, logits * sign


def poly1_bce(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, epsilon: float) -> Tensor:
    """mean(-ln p_t + epsilon (1 - p_t)). Leng et al. 2022, the Poly-1 cross-entropy, for two classes.

    -ln p_t is the sum of (1 - p_t)^j / j over j = 1, 2, ...; epsilon is added to the factor 1 of the first term, which -1 takes away.
    """

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        sign, away = away_from_target(logits, target)
        wrong = torch.sigmoid(away)
        # At epsilon = -1 and a small 1 - p_t the two terms are equal but for rounding, which must not leave less than nothing.
        value = softplus(away).add_(wrong, alpha=epsilon).clamp_min_(0.0)
        # By y: q + epsilon q (1 - q), q = 1 - p_t, in an order that keeps q^2 at epsilon = -1.
        return value, (wrong * -epsilon).add_(1.0 + epsilon).mul_(wrong).mul_(sign)

    return pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW)


SPECS = (
    LossSpec(
        name="bce",
        family="distribution",
        formula="mean(-g' ln p - (1 - g') ln(1 - p)),  g' = g (1 - label_smoothing) + label_smoothing / 2",
        parameters={
            "label_smoothing": ParameterSpec(
                default=0.0,
                low=0.0,
                high=0.5,
                search_low=0.0,
                search_high=0.2,
                meaning="moves the target from 0 and 1 towards 1/2; more makes the network less certain",
                source="Szegedy et al. 2016 (arXiv 1512.00567), section 7: uses 0.1",
            ),
        },
        source="binary cross-entropy; Ronneberger et al. 2015 (arXiv 1505.04597), eq. 1 without the border weight",
        when="first, and whenever probabilities should mean what they say",
        function=bce,
    ),
    LossSpec(
        name="poly1_bce",
        family="distribution",
        formula="mean(-ln p_t + epsilon (1 - p_t))",
        parameters={
            "epsilon": ParameterSpec(
                default=2.0,
                low=-1.0,
                high=6.0,
                search_low=-1.0,
                search_high=6.0,
                meaning="factor of 1 - p_t; more pulls on pixels that are nearly right as well, below 0 leaves those alone; 0 is BCE",
                source="Leng et al. 2022 (arXiv 2204.12511): at least -1; 2 for ImageNet, -1 for Mask R-CNN, so it must be searched",
            ),
        },
        source="Leng et al. 2022 (arXiv 2204.12511), Poly-1 with cross-entropy",
        when="as a small variation of BCE with one knob; which sign helps depends on the data",
        function=poly1_bce,
    ),
)
