"""Region losses that are not a ratio of three sums: sensitivity and specificity, correlation.

p is the sigmoid of the logit, g in {0, 1} the target, sums over an image or over the batch (`batch_reduce`). An image with no positive
pixel follows `empty`.
"""

from torch import Tensor

from unet.losses.class_sums import class_sums, error_power
from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.parameters import BATCH_REDUCE, EMPTY, SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def sensitivity_specificity(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    sensitivity_weight: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """r sum (g - p)^2 g / sum g + (1 - r) sum (g - p)^2 (1 - g) / sum (1 - g), r the sensitivity_weight. Brosch et al. 2015.

    The mean squared error of either class, weighed. By its own formula an image of one class has the error of that class alone.
    """
    sums = class_sums(error_power(2.0), logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    # A class without pixels has no errors either: 0 / 1 in place of 0 / 0.
    sensitivity_K = sums.missed / sums.actual.clamp_min(1.0)
    specificity_K = sums.spurious / (sums.pixels - sums.actual).clamp_min(1.0)
    return mean_over_sets(sensitivity_weight * sensitivity_K + (1.0 - sensitivity_weight) * specificity_K, sums, empty)


def mcc(logits_N1HW: Tensor, target_N1HW: Tensor, mask_N1HW: Tensor | None, *, smooth: float, batch_reduce: str, empty: str) -> Tensor:
    """1 - (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)), from 0 to 2. Abhishek and Hamarneh 2021, eq. 3 to 5.

    The coefficient does not exist where a class is missing. So `smooth` pixels that are right are added to each class, to TP and to TN: a
    perfect prediction of an image of one class is then still 1, and one with no positive pixel costs
    1 - sqrt(s (n - sum p + s) / ((sum p + s) (n + s))), n its pixels. All in shares of n + 2 s, whose products fp32 can hold.
    """
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    whole_K = counts.pixels + 2.0 * smooth
    tp_K, tn_K = (counts.tp + smooth) / whole_K, (counts.tn + smooth) / whole_K
    fp_K, fn_K = counts.fp / whole_K, counts.fn / whole_K
    positive_K = (counts.predicted + smooth) * ((counts.actual + smooth) / whole_K) / whole_K
    negative_K = (counts.pixels - counts.predicted + smooth) * ((counts.pixels - counts.actual + smooth) / whole_K) / whole_K
    coefficient_K = (tp_K * tn_K - fp_K * fn_K) / (positive_K.sqrt() * negative_K.sqrt())
    # Below its rounding error the difference may come out negative.
    return mean_over_sets((1.0 - coefficient_K).clamp_min(0.0), counts, empty)


SPECS = (
    LossSpec(
        name="sensitivity_specificity",
        family="region",
        formula="r sum((g - p)^2 g) / sum(g) + (1 - r) sum((g - p)^2 (1 - g)) / sum(1 - g),  r = sensitivity_weight",
        parameters={
            "sensitivity_weight": ParameterSpec(
                default=0.05,
                low=0.0,
                high=1.0,
                search_low=0.01,
                search_high=0.9,
                log=True,
                meaning="share of the positive class; more gives fewer false negatives",
                source="Brosch et al. 2015 (doi 10.1007/978-3-319-24574-4_1): 0.01 to 0.1 alike; 0.05 in NiftyNet",
            ),
            "batch_reduce": BATCH_REDUCE,
            "empty": EMPTY,
        },
        source="Brosch et al. 2015 (doi 10.1007/978-3-319-24574-4_1)",
        cost="overlap",
        when="for a class of a few percent, with one number to trade its two errors; pixels that are surely wrong hardly move",
        function=sensitivity_specificity,
    ),
    LossSpec(
        name="mcc",
        family="region",
        formula="1 - (TP TN - FP FN) / sqrt((TP + FP) (TP + FN) (TN + FP) (TN + FN)),  TP and TN with smooth added",
        parameters={"smooth": SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY},
        source="Abhishek and Hamarneh 2021 (arXiv 2010.13454), eq. 3 to 5",
        cost="overlap",
        when="when both classes matter alike: it does not change when they are swapped; weak where an image has one class only",
        function=mcc,
    ),
)
