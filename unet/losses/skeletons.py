"""Losses of skeletons: whether what is thin and long is covered from end to end.

z is the logit, p its sigmoid, g in {0, 1} the target; s(.) is the soft skeleton of `morphology`; sums over an image or over the batch
(`batch_reduce`). A set with no positive pixel follows `empty`. Masked pixels are as good as outside the image.
"""

import torch
from torch import Tensor

from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.cross_entropy import bce
from unet.losses.dice import dice
from unet.losses.morphology import dilate, soft_skeleton
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH
from unet.losses.spec import LossSpec, ParameterSpec


def soft_cldice(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    iterations: int,
    core: str,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """1 - 2 P S / (P + S), P = (sum(s(p) g) + c) / (sum(s(p)) + c), S = (sum(s(g) p) + c) / (sum(s(g)) + c), c = smooth.

    Shit et al. 2021, algorithms 1 and 2. Without a skeleton in p, P is 1, and without one in g, S is 1: in an image with no
    positive pixel every skeleton that p has costs. The paper's soft skeleton of a piece thicker than the iterations reach, or of a constant
    p, is empty, so that p = 1 everywhere costs 0 (core "drop"). With core "keep" the last erosion counts as skeleton, and it does not.

    Not monotone: a pixel that turns right may thicken a piece and move its skeleton.
    """
    probability_N1HW = torch.sigmoid(logits_N1HW)
    if mask_N1HW is not None:
        probability_N1HW, target_N1HW = probability_N1HW * mask_N1HW, target_N1HW * mask_N1HW
    shape = {"iterations": int(iterations), "core": core}
    predicted, actual = (soft_skeleton(field, mask_N1HW, **shape) for field in (probability_N1HW, target_N1HW))
    precision_K = _covered(predicted, target_N1HW, smooth, batch_reduce)
    sensitivity_K = _covered(actual, probability_N1HW, smooth, batch_reduce)
    # 1 - 2 P S / (P + S) without the difference: exactly 0 where both are 1, and never below.
    missed_K = precision_K * (1.0 - sensitivity_K) + sensitivity_K * (1.0 - precision_K)
    counts = soft_counts(logits_N1HW, target_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    return mean_over_sets(missed_K / (precision_K + sensitivity_K), counts, empty)


def dice_cldice(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    alpha: float,
    iterations: int,
    core: str,
    smooth: float,
    batch_reduce: str,
    empty: str,
) -> Tensor:
    """(1 - alpha) Dice + alpha clDice, `smooth`, `batch_reduce` and `empty` in both. Shit et al. 2021, section 3: the loss L_c."""
    sets = {"smooth": smooth, "batch_reduce": batch_reduce, "empty": empty}
    lines = soft_cldice(logits_N1HW, target_N1HW, mask_N1HW, iterations=iterations, core=core, **sets)
    return (1.0 - alpha) * dice(logits_N1HW, target_N1HW, mask_N1HW, **sets) + alpha * lines


def skeleton_recall(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    recall_weight: float,
    tube_px: int,
    smooth: float,
    batch_reduce: str,
    empty: str,
    skeleton: Tensor,
) -> Tensor:
    """Dice + BCE + recall_weight (1 - (sum(p t) + smooth) / (sum(t) + smooth)), t the skeleton of g, `tube_px` dilations thick, within g.

    Kirchhoff et al. 2024, section 3. An image with no positive pixel follows `empty` in the Dice part, and has no skeleton to miss.
    """
    tube_N1HW = dilate(skeleton, int(tube_px)) * target_N1HW
    counts = soft_counts(logits_N1HW, tube_N1HW, mask_N1HW, batch_reduce=batch_reduce)
    missed = (counts.fn / (counts.actual + smooth)).mean()
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    return region + bce(logits_N1HW, target_N1HW, mask_N1HW, label_smoothing=0.0) + recall_weight * missed


def _covered(skeleton_N1HW: Tensor, field_N1HW: Tensor, smooth: float, batch_reduce: str) -> Tensor:
    """(sum(s u) + smooth) / (sum(s) + smooth) of each set."""
    inside_N, all_N = ((tensor.flatten(1).sum(dim=1)) for tensor in (skeleton_N1HW * field_N1HW, skeleton_N1HW))
    if batch_reduce == "batch":
        inside_N, all_N = inside_N.sum(dim=0, keepdim=True), all_N.sum(dim=0, keepdim=True)
    return (inside_N + smooth) / (all_N + smooth)


_SHIT = "Shit et al. 2021 (arXiv 2003.07311)"
_SHAPE = {
    "iterations": ParameterSpec(
        default=10,
        low=0,
        high=40,
        search_low=3,
        search_high=20,
        whole=True,
        meaning="erosions of the soft skeleton; a piece more than this many px from axis to border has no thin skeleton; more costs time",
        source=_SHIT + ": at least the largest radius, 10 in its code; membranes have a radius of 2 to 10 px, seldom 30",
    ),
    "core": ParameterSpec(
        default="keep",
        choices=("keep", "drop"),
        meaning="keep: what is left of pieces thicker than the iterations reach counts as skeleton; drop: it does not, as in the paper",
        source="drop in " + _SHIT + ", where p = 1 everywhere has no skeleton and costs nothing",
    ),
}
_SETS = {"smooth": FIXED_SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY}

SPECS = (
    LossSpec(
        name="soft_cldice",
        family="topology",
        formula="1 - 2 P S / (P + S),  P = (sum(s(p) g) + c) / (sum(s(p)) + c), S = (sum(s(g) p) + c) / (sum(s(g)) + c), c = smooth",
        parameters={**_SHAPE, **_SETS},
        source=_SHIT + ", algorithms 1 and 2",
        spatial=True,
        monotone=False,
        cost="morphology",
        when="beside a region loss, for membranes without gaps; alone it does not care how thick they are",
        function=soft_cldice,
    ),
    LossSpec(
        name="dice_cldice",
        family="topology",
        formula="(1 - alpha) Dice + alpha clDice",
        parameters={
            "alpha": ParameterSpec(
                default=0.5,
                low=0.0,
                high=1.0,
                search_low=0.1,
                search_high=0.5,
                meaning="share of clDice; more cares for unbroken membranes, less for their thickness",
                source=_SHIT + ": 0.1 to 0.5",
            ),
            **_SHAPE,
            **_SETS,
        },
        source=_SHIT + ", section 3, L_c",
        spatial=True,
        monotone=False,
        cost="morphology",
        when="when a gap in a membrane merges two cells and Dice hardly sees it; several times as slow as skeleton_recall",
        function=dice_cldice,
    ),
    LossSpec(
        name="skeleton_recall",
        family="topology",
        formula="Dice + BCE + recall_weight (1 - (sum(p t) + smooth) / (sum(t) + smooth)),  t = dilate^tube_px(skeleton(g)) g",
        parameters={
            "recall_weight": ParameterSpec(
                default=1.0,
                low=0.0,
                high=100.0,
                search_low=0.25,
                search_high=4.0,
                log=True,
                meaning="weight of the recall of skeletons; more closes gaps, at the price of thicker and of false membranes",
                source="1 in Kirchhoff et al. 2024 (arXiv 2404.03010)",
            ),
            "tube_px": ParameterSpec(
                default=2,
                low=0,
                high=16,
                search_low=0,
                search_high=3,
                whole=True,
                meaning="dilations of the skeleton; more asks for the middle of the membrane, 0 for a line of a pixel",
                source="2 in Kirchhoff et al. 2024 (arXiv 2404.03010)",
            ),
            **_SETS,
        },
        source="Kirchhoff et al. 2024 (arXiv 2404.03010), section 3; dilations by a cross, cut off at the border of g",
        needs=("skeleton",),
        spatial=True,
        cost="overlap",
        when="for unbroken membranes at the price of an overlap loss; only Dice and BCE speak against false ones",
        function=skeleton_recall,
    ),
)
