"""The scores, and which way each is better. A loss's own value is never a score: it depends on the loss.

`unet.metrics.overlap` computes membrane Dice on the device, `unet.metrics.challenge` the challenge's V_rand and V_info on the CPU.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from unet.metrics.challenge import ChallengeScores, challenge_scores
    from unet.metrics.overlap import best_dice, dice_at, probability_histogram
    from unet.metrics.sanity import sanity_rows

_HOMES = {
    "ChallengeScores": "unet.metrics.challenge",
    "best_dice": "unet.metrics.overlap",
    "challenge_scores": "unet.metrics.challenge",
    "dice_at": "unet.metrics.overlap",
    "probability_histogram": "unet.metrics.overlap",
    "sanity_rows": "unet.metrics.sanity",
}

__all__ = [
    "METRICS",
    "ChallengeScores",
    "MetricSpec",
    "best_dice",
    "challenge_scores",
    "dice_at",
    "probability_histogram",
    "sanity_rows",
]


@dataclass(frozen=True, kw_only=True)
class MetricSpec:
    """One entry of the registry of scores."""

    name: str
    """The name in recipes, measurements and reports."""
    goal: Literal["maximise", "minimise"]
    """Which way is better."""
    low: float
    """Smallest possible value."""
    high: float
    """Largest possible value."""
    formula: str
    """ASCII; what is computed, on which pixels, at which threshold."""
    source: str
    """Paper and equation, or who defined it."""
    while_training: bool
    """Cheap enough to be measured after every epoch, so that a search can prune by it."""

    @property
    def perfect(self) -> float:
        """The value of a perfect prediction."""
        return self.high if self.goal == "maximise" else self.low

    def better(self, score: float, than: float) -> bool:
        """Whether `score` beats `than`; never true of a NaN."""
        return score > than if self.goal == "maximise" else score < than


_DICE = "Dice 1945 (doi 10.2307/1932409); Zijdenbos et al. 1994 (doi 10.1109/42.363096) for segmentation"
_CHALLENGE = "Arganda-Carreras et al. 2015 (doi 10.3389/fnana.2015.00142), the ISBI 2012 challenge's thinned scores"

_SPECS = (
    MetricSpec(
        name="membrane_dice",
        goal="maximise",
        low=0.0,
        high=1.0,
        formula="max over thresholds t of 2 TP / (2 TP + FP + FN) of (membrane probability >= t), pooled over all pixels of the sections",
        source=_DICE,
        while_training=True,
    ),
    MetricSpec(
        name="membrane_dice_at_half",
        goal="maximise",
        low=0.0,
        high=1.0,
        formula="2 TP / (2 TP + FP + FN) of (membrane probability >= 0.5), pooled over all pixels of the sections",
        source=_DICE,
        while_training=True,
    ),
    MetricSpec(
        name="v_rand",
        goal="maximise",
        low=0.0,
        high=1.0,
        formula="max over thresholds of the mean over sections of 2 sum p_ij^2 / (sum a_i^2 + sum b_j^2), cells against watershed basins",
        source=_CHALLENGE,
        while_training=False,
    ),
    MetricSpec(
        name="v_info",
        goal="maximise",
        low=0.0,
        high=1.0,
        formula="max over thresholds of the mean over sections of 2 I(cells; basins) / (H(cells) + H(basins))",
        source=_CHALLENGE,
        while_training=False,
    ),
)
METRICS: Mapping[str, MetricSpec] = MappingProxyType({spec.name: spec for spec in _SPECS})


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'unet.metrics' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)
