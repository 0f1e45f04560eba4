"""The scores of a run on its calibration sections: whole sections, in fp32, whatever the loss and the precision."""

import torch

from unet.metrics.overlap import best_dice, dice_at, probability_histogram
from unet.predict import predict_sections
from unet.run import Run


class NonFiniteLoss(ArithmeticError):
    """The loss, or what the weights predict, is NaN or infinite: the run is dead and will not come back."""


def membrane_scores(run: Run) -> dict[str, float]:
    """membrane_dice at its best threshold, that threshold, and membrane_dice_at_half; over the pixels whose label is known.

    Raises NonFiniteLoss when the weights predict a NaN.
    """
    probability_ZHW = predict_sections(run.model, run.validation.raw_ZHW, positive=run.positive, precision=run.precision, device=run.device)
    if not torch.isfinite(probability_ZHW).all():
        raise NonFiniteLoss(
            f"after epoch {run.epoch} (step {run.step}) the weights predict NaN, though the last loss was finite: a gradient overflowed. "
            f"Loss {run.loss.name!r} with {dict(run.loss.parameters)}, lr {run.config.lr:g}; try a lower lr or precision fp32"
        )
    counts = probability_histogram(probability_ZHW, run.validation.membrane_ZHW, counted=run.validation.counted_ZHW)
    dice, threshold = best_dice(counts)
    return {"membrane_dice": dice, "threshold": threshold, "membrane_dice_at_half": dice_at(counts, 0.5)}
