"""The unified focal losses: a focal cross-entropy and a focal Tversky that share their parameters. Yeung et al. 2022 (arXiv 2102.04525).

Both classes have a soft index over an image or the batch, delta weighing misses: for the positive class
I_1 = (TP + s) / (TP + delta FN + (1 - delta) FP + s), for the other I_0 = (TN + s) / (TN + delta FP + (1 - delta) FN + s).
The paper's equations and the authors' program differ; the authors say that the program is right, and so it is done here: the exponent of a
Tversky term is 1 - gamma, and the cross-entropy sums over the classes where the Tversky half takes their mean.
"""

from torch import Tensor

from unet.losses.counts import SoftCounts, mean_over_sets, soft_counts
from unet.losses.cross_entropy import cross_entropy
from unet.losses.exponential import positive_power
from unet.losses.focal import focal_pixels
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH
from unet.losses.pixels import pixel_mean
from unet.losses.spec import LossSpec, ParameterSpec


def asym_unified_focal(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    overlap_weight: float,
    delta: float,
    gamma: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """w mean((1 - I_0) + (1 - I_1)^(1 - gamma)) / 2 + (1 - w) mean(-delta g ln p - (1 - delta) (1 - g) p^gamma ln(1 - p)).

    The focus acts on the cross-entropy of the negative class and the exponent on the index of the positive class alone, so that the rare
    class loses nothing of its gradient. An image with no positive pixel follows `empty` in the Tversky half.
    """

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        value, slope = focal_pixels(logits, target, gamma)
        plain_value, plain_slope = cross_entropy(logits, target)
        return value.lerp_(plain_value, target), slope.lerp_(plain_slope, target)

    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    positive_K, negative_K = _misses(counts, delta, smooth)
    overlap = mean_over_sets(0.5 * (negative_K + positive_power(positive_K, 1.0 - gamma)), counts, empty)
    pixels = pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, positive=delta, negative=1.0 - delta)
    return overlap_weight * overlap + (1.0 - overlap_weight) * pixels


def sym_unified_focal(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    overlap_weight: float,
    delta: float,
    gamma: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """w mean((1 - I_0)^(1 - gamma) + (1 - I_1)^(1 - gamma)) / 2 + (1 - w) mean(-delta_t (1 - p_t)^gamma ln p_t).

    delta_t is delta where g = 1 and 1 - delta elsewhere. An image with no positive pixel follows `empty` in the Tversky half.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    positive_K, negative_K = (positive_power(miss_K, 1.0 - gamma) for miss_K in _misses(counts, delta, smooth))
    overlap = mean_over_sets(0.5 * (negative_K + positive_K), counts, empty)

    def rule(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
        return focal_pixels(logits, target, gamma)

    pixels = pixel_mean(rule, logits_N1HW, target_N1HW, mask_N1HW, positive=delta, negative=1.0 - delta)
    return overlap_weight * overlap + (1.0 - overlap_weight) * pixels


def _misses(counts: SoftCounts, delta: float, smooth: float) -> tuple[Tensor, Tensor]:
    """1 - I of the positive and of the negative class, without the difference from 1 that nearly right predictions would be lost in."""
    fp, fn = counts.fp.clamp_min(0.0), counts.fn.clamp_min(0.0)  # which rounding may miss by a hair
    positive_K = delta * fn + (1.0 - delta) * fp
    negative_K = delta * fp + (1.0 - delta) * fn
    return positive_K / (counts.tp + positive_K + smooth), negative_K / (counts.tn + negative_K + smooth)


_PARAMETERS = {
    "overlap_weight": ParameterSpec(
        default=0.5,
        low=0.0,
        high=1.0,
        search_low=0.2,
        search_high=0.8,
        meaning="share of the Tversky half; 0 leaves the focal cross-entropy alone",
        source="Yeung et al. 2022 (arXiv 2102.04525): 0.5",
    ),
    "delta": ParameterSpec(
        default=0.6,
        low=0.0,
        high=1.0,
        search_low=0.5,
        search_high=0.9,
        meaning="weight of missed positives, 1 - delta that of false ones; more finds more of the positive class",
        source="Yeung et al. 2022 (arXiv 2102.04525): 0.6",
    ),
    "gamma": ParameterSpec(
        default=0.5,
        low=0.0,
        high=0.99,
        search_low=0.1,
        search_high=0.9,
        meaning="how strongly easy negatives are ignored, and how strongly images that are nearly right still pull; 0 is neither",
        source="Yeung et al. 2022 (arXiv 2102.04525): 0.5, searched 0.1 to 0.9",
    ),
    "smooth": FIXED_SMOOTH,
    "batch_reduce": BATCH_REDUCE,
    "empty": EMPTY,
}

SPECS = (
    LossSpec(
        name="asym_unified_focal",
        family="compound",
        formula="w [(1 - I_0) + (1 - I_1)^(1 - gamma)] / 2 + (1 - w) mean(-delta g ln p - (1 - delta) (1 - g) p^gamma ln(1 - p)),  "
        "I_1 = (TP + smooth) / (TP + delta FN + (1 - delta) FP + smooth), I_0 the same of the negative class, w = overlap_weight",
        parameters=_PARAMETERS,
        source="Yeung et al. 2022 (arXiv 2102.04525), section 3.3, as in the authors' program",
        cost="overlap",
        when="when the positive class is rare and both its pixels and its outline matter; three parameters to tune",
        function=asym_unified_focal,
    ),
    LossSpec(
        name="sym_unified_focal",
        family="compound",
        formula="w [(1 - I_0)^(1 - gamma) + (1 - I_1)^(1 - gamma)] / 2 + (1 - w) mean(-delta_t (1 - p_t)^gamma ln p_t),  "
        "delta_t = delta if g = 1 else 1 - delta, w = overlap_weight",
        parameters=_PARAMETERS,
        source="Yeung et al. 2022 (arXiv 2102.04525), section 3.3, as in the authors' program",
        cost="overlap",
        when="like the asymmetric form, where neither class is to be favoured by the exponents",
        function=sym_unified_focal,
    ),
)
