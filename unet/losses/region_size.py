"""Cross-entropy with a second eye on how much of the image is positive."""

from torch import Tensor

from unet.losses.counts import soft_counts
from unet.losses.cross_entropy import bce
from unet.losses.parameters import BATCH_REDUCE, FIXED_SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def bce_region_size(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    size_weight: float,
    smooth: float,
    batch_reduce: str,
) -> Tensor:
    """BCE + size_weight KL(r || q), the divergence a ln(a / b) + (1 - a) ln((1 - a) / (1 - b)). Liu et al. 2023, with the KL divergence.

    a = (sum(g) + smooth) / (n + 2 smooth) is the share of the positive class in the target, b = (sum(p) + smooth) / (n + 2 smooth) in the
    prediction, over the n pixels of an image or of the batch that count; r and q are the two-class distributions they stand for. Without
    smooth an image whose b comes out as 0 would cost infinitely much. An image with no positive pixel is an ordinary case.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    whole_K = counts.pixels + 2.0 * smooth
    # In fp32 sum(p) may come out a hair above the number of pixels.
    rest_K = (counts.pixels - counts.predicted).clamp_min(0.0) + smooth
    actual_K, actual_rest_K = counts.actual + smooth, counts.pixels - counts.actual + smooth
    divergence_K = actual_K * (actual_K / (counts.predicted + smooth)).log() + actual_rest_K * (actual_rest_K / rest_K).log()
    # By rounding it may come out below 0.
    size = (divergence_K / whole_K).clamp_min(0.0).mean()
    return bce(logits_N1HW, target_N1HW, mask_N1HW, label_smoothing=0.0) + size_weight * size


SPECS = (
    LossSpec(
        name="bce_region_size",
        family="distribution",
        formula="BCE + size_weight (a ln(a / b) + (1 - a) ln((1 - a) / (1 - b))),  a, b = (sum(g or p) + smooth) / (n + 2 smooth)",
        parameters={
            "size_weight": ParameterSpec(
                default=0.1,
                low=0.0,
                high=100.0,
                search_low=0.01,
                search_high=1.0,
                log=True,
                meaning="weight of the divergence of the two shares; more holds the predicted area to that of the target; 0 is BCE",
                source="0.1 in the authors' code of Liu et al. 2023",
            ),
            "smooth": FIXED_SMOOTH,
            "batch_reduce": BATCH_REDUCE,
        },
        source="Liu et al. 2023 (arXiv 2104.08717), cross-entropy with the KL divergence of region sizes",
        monotone=False,
        cost="overlap",
        when="when the positive area comes out too large or too small; BCE minds the area by itself, so expect little",
        function=bce_region_size,
    ),
)
