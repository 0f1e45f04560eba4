"""The scores, and which way each is better. A loss's own value is never a score: it depends on the loss.

`METRICS` tells each: formula, range, unit, source, and what an empty section does. `mask_scores` and `cell_scores` compute those of a mask
and of cells, `challenge_scores` the challenge's V_rand and V_info, `older_scores` those of its first tables, all on the CPU;
`unet.metrics.overlap` computes membrane Dice on the device. Membrane is True. Names are imported when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from unet.metrics.registry import METRICS, MetricSpec

if TYPE_CHECKING:
    from unet.metrics.calibration import calibration_error
    from unet.metrics.cell_errors import cell_scores
    from unet.metrics.challenge import ChallengeScores, challenge_scores
    from unet.metrics.confusion import Confusion
    from unet.metrics.masks import mask_scores
    from unet.metrics.older import OlderScores, older_scores
    from unet.metrics.overlap import best_dice, confusion_at, dice_at, iou_at, precision_at, probability_histogram, recall_at
    from unet.metrics.sanity import sanity_rows
    from unet.metrics.sections import SectionScores

_HOMES = {
    "ChallengeScores": "unet.metrics.challenge",
    "Confusion": "unet.metrics.confusion",
    "OlderScores": "unet.metrics.older",
    "SectionScores": "unet.metrics.sections",
    "best_dice": "unet.metrics.overlap",
    "calibration_error": "unet.metrics.calibration",
    "cell_scores": "unet.metrics.cell_errors",
    "challenge_scores": "unet.metrics.challenge",
    "confusion_at": "unet.metrics.overlap",
    "dice_at": "unet.metrics.overlap",
    "iou_at": "unet.metrics.overlap",
    "mask_scores": "unet.metrics.masks",
    "older_scores": "unet.metrics.older",
    "precision_at": "unet.metrics.overlap",
    "probability_histogram": "unet.metrics.overlap",
    "recall_at": "unet.metrics.overlap",
    "sanity_rows": "unet.metrics.sanity",
}

__all__ = [
    "METRICS",
    "ChallengeScores",
    "Confusion",
    "MetricSpec",
    "OlderScores",
    "SectionScores",
    "best_dice",
    "calibration_error",
    "cell_scores",
    "challenge_scores",
    "confusion_at",
    "dice_at",
    "iou_at",
    "mask_scores",
    "older_scores",
    "precision_at",
    "probability_histogram",
    "recall_at",
    "sanity_rows",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'unet.metrics' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
