"""What V_rand and V_info are measured on: labels, and a probability map as soft and as noisy as a network's.

Neither a hard mask nor white noise would do: how much there is to flood, and how many basins there are, decides the time.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import ndimage

from data_utils.datasets import load_dataset
from data_utils.errors import DataError
from data_utils.synthetic import make_synthetic

_SURENESS = 5.0  # logit far from any membrane
_BLUR_PX = 1.5
_DOUBT_PX, _DOUBT, _NOISE = 2.0, 1.5, 0.5  # errors as large as gaps in membranes, and grain


@dataclass(frozen=True, kw_only=True, eq=False)
class ScoreInputs:
    """A stack to be scored."""

    labels_ZHW: np.ndarray
    """bool, True inside cells."""
    proposal_ZHW: np.ndarray
    """float32 in [0, 1], 1 = not membrane."""
    description: str
    """Where both come from."""


def make_inputs(*, sections: int, size_px: int, data: Path | None = None) -> ScoreInputs:
    """The first sections of a generated stack, or of the labels in a folder; the same arguments give the same inputs.

    Args:
        sections: how many at most.
        size_px: side of generated sections; those of a folder stay as large as they are.
        data: folder with labelled sections; None: they are generated.

    Raises:
        DataError: The folder has no labels, or cannot be read.
    """
    stack = make_synthetic(sections=sections, size_px=size_px) if data is None else load_dataset(data)
    if stack.membrane_ZHW is None:
        raise DataError(f"{stack.name}: there are no labels to score against; name a folder with images and labels")
    membrane_ZHW = stack.membrane_ZHW[:sections]
    labels_ZHW = ~membrane_ZHW if stack.counted_ZHW is None else ~membrane_ZHW & stack.counted_ZHW[:sections]
    rng = np.random.default_rng(0)
    proposal_ZHW = np.stack([_soften(~membrane_HW, rng) for membrane_HW in membrane_ZHW])
    labels = "generated labels" if data is None else f"labels of {stack.name}"
    return ScoreInputs(
        labels_ZHW=labels_ZHW, proposal_ZHW=proposal_ZHW, description=f"{labels}; probabilities: the labels blurred, with doubt and grain"
    )


def _soften(cell_HW: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A map like a network's: sure inside cells, less so beside membranes, and wrong where a membrane is weak."""
    blurred_HW = ndimage.gaussian_filter(2.0 * cell_HW - 1.0, _BLUR_PX)
    doubt_HW = ndimage.gaussian_filter(rng.standard_normal(cell_HW.shape), _DOUBT_PX)
    logit_HW = _SURENESS * blurred_HW + _DOUBT * doubt_HW / doubt_HW.std() + _NOISE * rng.standard_normal(cell_HW.shape)
    return (1.0 / (1.0 + np.exp(-logit_HW))).astype(np.float32)
