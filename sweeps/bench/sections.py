"""What the losses are measured on: generated sections with membranes, and logits like those of a network half way through its training.

Random pixels would not do: a distance transform, a sort or an erosion takes another time on noise than on lines.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from data_utils.maps import maps_of
from data_utils.synthetic import make_synthetic

DESCRIPTION = "generated sections with membranes; logits: the blurred target with noise"

_SMALLEST_PX = 32  # of a generated section; a smaller one is cut out of it


@dataclass(frozen=True, kw_only=True, eq=False)
class Sections:
    """A batch, on one device."""

    logits_N1HW: Tensor
    """fp32, with a gradient wanted."""
    target_N1HW: Tensor
    """0 or 1, fp32: 1 is membrane."""

    @property
    def pair(self) -> tuple[Tensor, Tensor]:
        """Logits and target, as a loss is called with them."""
        return self.logits_N1HW, self.target_N1HW

    def maps(self, names: Iterable[str]) -> dict[str, Tensor]:
        """The maps of the target that a loss needs; made outside the clock, as training makes them outside its steps."""
        return maps_of(self.target_N1HW, names)


def make_sections(*, batch: int, size_px: int, device: torch.device) -> Sections:
    """`batch` different sections of size_px x size_px; the same arguments give the same sections."""
    membrane_ZHW = make_synthetic(sections=batch, size_px=max(size_px, _SMALLEST_PX)).membrane_ZHW
    assert membrane_ZHW is not None, "what is generated has labels"
    target_N1HW = torch.from_numpy(membrane_ZHW[:, None, :size_px, :size_px].astype("float32"))
    noise_N1HW = torch.randn(target_N1HW.shape, generator=torch.Generator().manual_seed(0))
    logits_N1HW = 4.0 * avg_pool2d(2.0 * target_N1HW - 1.0, 5, stride=1, padding=2) + noise_N1HW
    return Sections(logits_N1HW=logits_N1HW.to(device).requires_grad_(), target_N1HW=target_N1HW.to(device))
