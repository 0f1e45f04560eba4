"""The same losses in MONAI and kornia, for those who have them installed. Both are optional, and slow to import.

Their parameters are set to ours where they have them; the rest is theirs. MONAI's Hausdorff and boundary losses make the distance map of
the target at every call, ours are given it. Left out is what wants two or more channels, such as kornia's Dice and Hausdorff losses.
"""

import warnings
from collections.abc import Callable, Mapping
from importlib.util import find_spec

from torch import Tensor

RivalLoss = Callable[[Tensor, Tensor], Tensor]


def rivals_of(name: str) -> dict[str, RivalLoss]:
    """The rivals of a loss of the registry, by library: those that exist and are installed."""
    return {library: losses[name]() for library, losses in _RIVALS.items() if name in losses and find_spec(library.lower())}


def _monai(class_name: str, **options: object) -> Callable[[], RivalLoss]:
    def build() -> RivalLoss:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what its own imports warn of
            from monai import losses

            return getattr(losses, class_name)(**options)

    return build


def _kornia(name: str, target_like: Callable[[Tensor], Tensor] = Tensor.detach, **options: object) -> Callable[[], RivalLoss]:
    def build() -> RivalLoss:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # likewise
            from kornia import losses

            loss = getattr(losses, name)(**options)
        return lambda logits, target: loss(logits, target_like(target))

    return build


_SMOOTH: dict[str, object] = {"sigmoid": True, "smooth_nr": 1.0, "smooth_dr": 1.0}

_RIVALS: Mapping[str, Mapping[str, Callable[[], RivalLoss]]] = {
    "MONAI": {
        "dice": _monai("DiceLoss", **_SMOOTH),
        "dice_squared": _monai("DiceLoss", squared_pred=True, **_SMOOTH),
        # twice the overlap over twice the union: smooth is doubled with them
        "iou": _monai("DiceLoss", jaccard=True, sigmoid=True, smooth_nr=2.0, smooth_dr=2.0),
        "tversky": _monai("TverskyLoss", alpha=0.3, beta=0.7, **_SMOOTH),
        "generalized_dice": _monai("GeneralizedDiceLoss", **_SMOOTH),
        "focal": _monai("FocalLoss", alpha=0.25, gamma=2.0),
        "dice_bce": _monai("DiceCELoss", lambda_dice=0.5, lambda_ce=0.5, **_SMOOTH),
        "dice_focal": _monai("DiceFocalLoss", alpha=0.25, gamma=2.0, **_SMOOTH),
        "gdl_focal": _monai("GeneralizedDiceFocalLoss", gamma=2.0, **_SMOOTH),
        "hausdorff_dt": _monai("HausdorffDTLoss", sigmoid=True, include_background=True),
        "log_hausdorff_dt": _monai("LogHausdorffDTLoss", sigmoid=True, include_background=True),
        "boundary": _monai("BoundaryLoss", sigmoid=True),
        "mcc": _monai("MCCLoss", sigmoid=True),
        "dice_cldice": _monai("SoftDiceclDiceLoss", sigmoid=True, iter_=10),
        "soft_cldice": _monai("SoftclDiceLoss", sigmoid=True, iter_=10),
    },
    "kornia": {
        "focal": _kornia("BinaryFocalLossWithLogits", alpha=0.25, gamma=2.0, reduction="mean"),
        "lovasz_hinge": _kornia("LovaszHingeLoss", lambda target: target[:, 0]),
    },
}
