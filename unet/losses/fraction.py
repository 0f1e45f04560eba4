"""Overlap losses that are one fraction of the counts, such as Dice, IoU and Tversky: here the fraction is differentiated by hand as well.

For a set of pixels with TP = sum(p g), P = sum(p) and G = sum(g) such a loss is, with numbers of its own a, b, c and d,

    1 - n / m,  n = a TP + s,  m = b TP + c P + d G + s;  its derivatives are (b n - a m) / m^2 by TP and c n / m^2 by P.

On a CPU that is arithmetic on a few plain numbers. The two dozen operations on tensors of K numbers that autograd would record and walk
back instead take a tenth of the time of such a loss. On a GPU, and under torch.compile, it is made of `unet.losses.counts` like any other.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from unet.losses.counts import as_sets, mean_over_sets, soft_counts, sum_over_pixels, write_gradient
from unet.losses.pixels import on_cpu


@dataclass(frozen=True, kw_only=True)
class Fraction:
    """1 - (hits TP + smooth) / (tp TP + predicted P + actual G + smooth)."""

    hits: float
    """a: factor of TP above."""
    tp: float
    """b: factor of TP below."""
    predicted: float
    """c: factor of P."""
    actual: float
    """d: factor of G."""
    smooth: float
    """s: above 0."""

    def at(self, tp: float, predicted: float, actual: float) -> tuple[float, float, float]:
        """Value, derivative by TP and derivative by P."""
        above = self.hits * tp + self.smooth
        below = self.tp * tp + self.predicted * predicted + self.actual * actual + self.smooth
        return 1.0 - above / below, (self.tp * above - self.hits * below) / below**2, self.predicted * above / below**2


def fraction_loss(
    fraction: Fraction, logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, batch_reduce: str, empty: str
) -> Tensor:
    """The mean of the sets' losses; a set with no positive pixel follows `empty`, as in `mean_over_sets`."""
    if on_cpu(logits_N1HW):
        return FractionMean.apply(fraction, empty, logits_N1HW, *as_sets(batch_reduce, target_N1HW, mask_N1HW))
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    below_K = fraction.tp * counts.tp + fraction.predicted * counts.predicted + (fraction.actual * counts.actual + fraction.smooth)
    return mean_over_sets(1.0 - (fraction.hits * counts.tp + fraction.smooth) / below_K, counts, empty)


class FractionMean(torch.autograd.Function):
    """fraction, empty, logits_N1HW, target_KP, mask_KP or None -> scalar. What holds of `SoftSums` holds of it."""

    @staticmethod
    def forward(ctx, fraction, empty, logits_N1HW, target_KP, mask_KP):
        probability_N1HW = torch.sigmoid(logits_N1HW.contiguous())
        probability_KP = probability_N1HW.view(target_KP.shape)
        sums = (
            sum_over_pixels(probability_KP, target_KP, mask_KP).tolist(),
            sum_over_pixels(probability_KP, mask_KP).tolist(),
            sum_over_pixels(target_KP, mask_KP).tolist(),
            [target_KP.shape[1]] * len(target_KP) if mask_KP is None else mask_KP.sum(dim=1).tolist(),
        )
        found = [_of_set(fraction, empty, *of_set) for of_set in zip(*sums, strict=True)]
        present = [three for three in found if three is not None]
        value, by_tp, by_predicted = ([three[part] / max(len(present), 1) if three else 0.0 for three in found] for part in range(3))
        ctx.save_for_backward(logits_N1HW, target_KP, mask_KP, logits_N1HW.new_tensor([by_tp, by_predicted]))
        ctx.probability_N1HW = probability_N1HW
        return logits_N1HW.new_tensor(sum(value))

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, grad_output):
        logits_N1HW, target_KP, mask_KP, slopes_2K = ctx.saved_tensors
        probability_N1HW, ctx.probability_N1HW = ctx.probability_N1HW, None
        if probability_N1HW is None:
            probability_N1HW = torch.sigmoid(logits_N1HW.contiguous())
        write_gradient(probability_N1HW.view(target_KP.shape), target_KP, mask_KP, *(slopes_2K * grad_output))
        return None, None, probability_N1HW, None, None


def _of_set(fraction: Fraction, empty: str, tp: float, predicted: float, actual: float, pixels: float) -> tuple[float, float, float] | None:
    """Value and derivatives of one set; None where it leaves the mean."""
    if actual or empty == "smooth":
        return fraction.at(tp, predicted, actual)
    return (predicted / max(pixels, 1.0), 0.0, 1.0 / max(pixels, 1.0)) if empty == "penalise" else None
