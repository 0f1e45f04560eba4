"""The Hausdorff distance by erosion: how often the error can be eroded before it is gone.

z is the logit, p its sigmoid, g in {0, 1} the target. An erosion wears down pieces of error from their borders, so thick pieces, which
reach far from the border of the target, survive many. Outside the image, and where masked, there is no error. An image with no positive
pixel is an ordinary case; a mask of zeros gives 0.
"""

import torch
from torch import Tensor

from unet.losses.boundary import wrong_probability
from unet.losses.morphology import cross_sum
from unet.losses.spec import LossSpec, ParameterSpec


def hausdorff_er(
    logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, alpha: float, erosions: int, plain_weight: float
) -> Tensor:
    """mean(w e_0 + sum_k k^alpha e_k), k = 1 .. erosions, e_0 = (p - g)^2, e_k = max(2 (c(e_(k - 1)) - 1/2), 0), c the mean over a cross.

    Karimi and Salcudean 2019, eq. 9 and 10: the soft erosion is a convolution with a cross of fifths and a soft threshold at 1/2, which
    would leave at most 1/2 and nothing the next time. The factor 2 makes it an erosion of 0 and 1, continuous and monotone between.
    (kornia's HausdorffERLoss stretches each eroded image to its own least and largest value instead, so that an error that just passes the
    threshold jumps to 1. Both agree where an erosion leaves pixels of 1 and of 0.)

    The paper has no e_0 (w = 0). Without it errors below sqrt(1/2) have neither value nor gradient, nor has a lone pixel: p = 1/2
    everywhere would cost nothing.
    """
    error_N1HW = wrong_probability(logits_N1HW, target_N1HW)[1].square()
    pixels: Tensor | float = float(error_N1HW.numel())
    if mask_N1HW is not None:
        error_N1HW = error_N1HW * mask_N1HW
        pixels = mask_N1HW.sum().clamp_min(1.0)
    weights = [plain_weight, *(float(k) ** alpha for k in range(1, int(erosions) + 1))]
    return ErodedSums.apply(error_N1HW, mask_N1HW, weights) / pixels


class ErodedSums(torch.autograd.Function):
    """error_N1HW (0 where masked), mask_N1HW or None, weights -> sum_k weights[k] sum(e_k); kept is one bool a pixel and erosion."""

    @staticmethod
    def forward(ctx, error_N1HW, mask_N1HW, weights):
        total = weights[0] * error_N1HW.sum()
        left = []
        for weight in weights[1:]:
            error_N1HW = cross_sum(error_N1HW).mul_(0.4).sub_(1.0).clamp_min_(0.0)
            if mask_N1HW is not None:
                error_N1HW.mul_(mask_N1HW)
            left.append(error_N1HW > 0)
            total = total + weight * error_N1HW.sum()
            # Most errors are thin. Only a CPU knows without waiting.
            if error_N1HW.device.type == "cpu" and not torch.compiler.is_compiling() and not error_N1HW.any():
                break
        ctx.weights = weights
        ctx.save_for_backward(*left)
        return total

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        left = ctx.saved_tensors
        slope_N1HW = torch.zeros(left[0].shape, dtype=grad_output.dtype, device=grad_output.device)
        for weight, kept in reversed(list(zip(ctx.weights[1:], left, strict=False))):
            slope_N1HW = cross_sum(slope_N1HW.add_(weight).mul_(kept)).mul_(0.4)
        return slope_N1HW.add_(ctx.weights[0]).mul_(grad_output), None, None


SPECS = (
    LossSpec(
        name="hausdorff_er",
        family="boundary",
        formula="mean(plain_weight e_0 + sum_k k^alpha e_k),  e_0 = (p - g)^2, e_k = max(2 (cross_mean(e_(k - 1)) - 1/2), 0)",
        parameters={
            "alpha": ParameterSpec(
                default=2.0,
                low=0.0,
                high=4.0,
                search_low=1.0,
                search_high=3.0,
                meaning="exponent of the depth k; more makes thick pieces of error count for more of the loss",
                source="Karimi and Salcudean 2019 (arXiv 1904.10030): tried 1 to 3, uses 2",
            ),
            "erosions": ParameterSpec(
                default=10,
                low=1,
                high=64,
                search_low=5,
                search_high=15,
                whole=True,
                meaning="how often the error is eroded; more tells apart thicker pieces, and costs time where there are some",
                source="Karimi and Salcudean 2019 (arXiv 1904.10030): uses 10",
            ),
            "plain_weight": ParameterSpec(
                default=1.0,
                low=0.0,
                high=100.0,
                meaning="weight of the error before any erosion; 0 is the paper, blind to thin and to undecided errors",
                source="0 in Karimi and Salcudean 2019 (arXiv 1904.10030), who add a Dice loss that sees them",
            ),
        },
        source="Karimi and Salcudean 2019 (arXiv 1904.10030), eq. 9 and 10",
        spatial=True,
        cost="morphology",
        when="for the aim of hausdorff_dt without a transform of the prediction; errors of a pixel or two, such as gaps, hardly count",
        function=hausdorff_er,
    ),
)
