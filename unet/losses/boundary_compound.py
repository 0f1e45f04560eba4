"""Dice and a distance: sums in which the distance is brought to the size of its partner.

A distance in pixels, or in pixels squared, starts hundreds of times larger than Dice and would be all that is learnt. With scaling
"partner" it is multiplied at every step by Dice / distance, held constant for the gradient (`unet.losses.schedule.partner_scale`), so that
both count alike whatever the image's size; with "none" it stands as a share of the longest distance, or of the mean one.
"""

from torch import Tensor

from unet.losses import boundary as boundary_file
from unet.losses import hausdorff
from unet.losses.boundary import boundary
from unet.losses.dice import dice
from unet.losses.hausdorff import hausdorff_dt
from unet.losses.parameters import BATCH_REDUCE, EMPTY, FIXED_SMOOTH, factor_of
from unet.losses.schedule import between, partner_scale
from unet.losses.spec import LossSpec, ParameterSpec


def dice_boundary(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    start: float,
    end: float,
    scaling: str,
    power: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
    distance: Tensor,
    progress: float | None,
) -> Tensor:
    """(1 - a) Dice + a b boundary, a from `start` to `end` over the training. Kervadec et al. 2019, eq. 8, and the rebalancing of 4.2.

    An image with no positive pixel follows `empty` in the Dice part; its distances are the diagonal, so the boundary part costs its mean
    probability.
    """
    share = between(start, end, progress)
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    contour = boundary(logits_N1HW, target_N1HW, mask_N1HW, power=power, scale="map", distance=distance)
    if scaling == "partner":
        contour = partner_scale(region, contour) * contour
    return (1.0 - share) * region + share * contour


def dice_hausdorff(
    logits_N1HW: Tensor,
    target_N1HW: Tensor,
    mask_N1HW: Tensor | None,
    *,
    hausdorff_weight: float,
    scaling: str,
    alpha: float,
    smooth: float,
    batch_reduce: str,
    empty: str,
    distance: Tensor,
) -> Tensor:
    """Dice + w b hausdorff_dt. Karimi and Salcudean 2019, eq. 12, with its lambda found anew at every step instead of every epoch.

    An image with no positive pixel follows `empty` in the Dice part.
    """
    region = dice(logits_N1HW, target_N1HW, mask_N1HW, smooth=smooth, batch_reduce=batch_reduce, empty=empty)
    far = hausdorff_dt(logits_N1HW, target_N1HW, mask_N1HW, alpha=alpha, scale="map", distance=distance)
    if scaling == "partner":
        far = partner_scale(region, far) * far
    return region + hausdorff_weight * far


def _share(default: float, when: str, source: str, search: tuple[float, float]) -> ParameterSpec:
    return ParameterSpec(
        default=default,
        low=0.0,
        high=1.0,
        search_low=search[0],
        search_high=search[1],
        meaning=f"share of the boundary term {when}, Dice having the rest; more weighs far errors against near ones",
        source=source,
    )


_SCALING = ParameterSpec(
    default="partner",
    choices=("partner", "none"),
    meaning="partner: the distance is scaled at every step to the size of Dice; none: it stands as it is, a share of the longest distance",
    source="Karimi and Salcudean 2019 (arXiv 1904.10030), section II-C; Ma et al. 2021 (doi 10.1016/j.media.2021.102035)",
)
_DICE = {"smooth": FIXED_SMOOTH, "batch_reduce": BATCH_REDUCE, "empty": EMPTY}

SPECS = (
    LossSpec(
        name="dice_boundary",
        family="compound",
        formula="(1 - a) Dice + a b boundary,  a from start to end over the training,  "
        "b = Dice / boundary held constant (scaling partner) or 1",
        parameters={
            "start": _share(0.01, "at the first step", "Kervadec et al. 2019 (arXiv 1812.07032), section 4.2: 0.01", (0.0, 0.1)),
            "end": _share(0.5, "at the last step", "Kervadec et al. 2019 (arXiv 1812.07032), section 4.2: 0.01 more an epoch", (0.1, 0.95)),
            "scaling": _SCALING,
            "power": boundary_file.SPECS[0].parameters["power"],
            **_DICE,
        },
        source="Kervadec et al. 2019 (arXiv 1812.07032), eq. 8",
        needs=("distance",),
        uses_progress=True,
        spatial=True,
        detached=True,
        cost="overlap",
        when="when outlines matter and far errors are worse than near ones; needs Dice to get going",
        function=dice_boundary,
    ),
    LossSpec(
        name="dice_hausdorff",
        family="compound",
        formula="Dice + hausdorff_weight b hausdorff_dt,  b = Dice / hausdorff_dt held constant (scaling partner) or 1",
        parameters={
            "hausdorff_weight": factor_of("the Hausdorff term", "1 in Karimi and Salcudean 2019 (arXiv 1904.10030)"),
            "scaling": _SCALING,
            "alpha": hausdorff.SPECS[0].parameters["alpha"],
            **_DICE,
        },
        source="Karimi and Salcudean 2019 (arXiv 1904.10030), eq. 12",
        needs=("distance",),
        spatial=True,
        monotone=False,
        detached=True,
        cost="distance",
        when="when the largest error decides; the dearest loss here, for its distance transform of every prediction",
        function=dice_hausdorff,
    ),
)
