"""The losses: one registry, one family a file.

    from unet.losses import LOSSES, build_loss
    build_loss("focal", gamma=1.5)(logits_N1HW, target_N1HW)
    LOSSES["focal"].formula

A new loss is a function and a `LossSpec` in its family's file (or a new file, named here); the contract tests find it by themselves.
"""

from collections.abc import Mapping
from types import MappingProxyType

from unet.losses import compound, distribution, region
from unet.losses.loss import Loss, make_loss
from unet.losses.spec import LossSpec, ParameterSpec, Value

__all__ = ["LOSSES", "Loss", "LossSpec", "ParameterSpec", "build_loss"]

# The order of the thesis, which is also the order in tables.
_ORDER = ("bce", "dice", "dice_bce", "iou", "focal", "tversky")
_BY_NAME = {spec.name: spec for family in (distribution, region, compound) for spec in family.SPECS}
LOSSES: Mapping[str, LossSpec] = MappingProxyType({name: _BY_NAME[name] for name in (*_ORDER, *sorted(set(_BY_NAME) - set(_ORDER)))})


def build_loss(name: str, /, **parameters: Value) -> Loss:
    """The loss `name`, its unnamed parameters at their defaults.

    Raises ValueError, with every problem and the nearest names, for an unknown loss, an unknown parameter or a value out of range.
    """
    return make_loss(LOSSES, name, parameters)
