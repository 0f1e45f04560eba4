"""The losses: one registry, one family a file.

    from unet.losses import LOSSES, build_loss
    build_loss("focal", gamma=1.5)(logits_N1HW, target_N1HW)
    LOSSES["focal"].formula

A new loss is a function and a `LossSpec` in its family's file (or a new file, named here); the contract tests find it by themselves.
"""

from collections.abc import Mapping
from types import MappingProxyType

from unet.losses import (
    boundary,
    boundary_compound,
    boundary_dou,
    compound,
    cross_entropy,
    dice,
    dice_variants,
    erosions,
    exponential,
    focal,
    focal_compound,
    hard_pixels,
    hausdorff,
    lovasz,
    region,
    region_size,
    skeletons,
    tversky,
    unified_focal,
    weighted_cross_entropy,
)
from unet.losses.composition import SIGN, compose
from unet.losses.loss import Loss, known_spec, make_loss
from unet.losses.spec import LossSpec, ParameterSpec, Value

__all__ = ["LOSSES", "Loss", "LossSpec", "ParameterSpec", "build_loss", "loss_spec"]

# The thesis's six first, in its order, then family by family: also the order in tables.
_ORDER = ("bce", "dice", "dice_bce", "iou", "focal", "tversky")
_FILES = (
    cross_entropy,
    weighted_cross_entropy,
    hard_pixels,
    region_size,
    focal,
    dice,
    dice_variants,
    tversky,
    region,
    lovasz,
    boundary,
    boundary_dou,
    hausdorff,
    erosions,
    skeletons,
    compound,
    focal_compound,
    boundary_compound,
    exponential,
    unified_focal,
)
_BY_NAME = {spec.name: spec for file in _FILES for spec in file.SPECS}
LOSSES: Mapping[str, LossSpec] = MappingProxyType(
    {name: _BY_NAME[name] for name in (*_ORDER, *(name for name in _BY_NAME if name not in _ORDER))}
)


def loss_spec(name: str, /) -> LossSpec:
    """What is known of a loss of the registry, or of a sum of them such as "dice+focal".

    Raises ValueError, with the nearest name, for a loss that does not exist.
    """
    if SIGN in name:
        return compose(LOSSES, name)
    return known_spec(LOSSES, name)


def build_loss(name: str, /, **parameters: Value) -> Loss:
    """The loss `name`, its unnamed parameters at their defaults.

    A sum's parameters are dotted: build_loss("dice+focal", **{"focal.gamma": 1}).

    Raises ValueError, with every problem and the nearest names, for an unknown loss, an unknown parameter or a value out of range.
    """
    return make_loss(loss_spec(name), parameters)
