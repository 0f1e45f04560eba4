"""One training run as plain functions: the network, the losses, the scores and the loop. Knows nothing of sweeps.

    from unet import UNet, fit, predict_stack

Names are imported when first asked for, so that `import unet` costs nothing and `unet.losses` can be used alone. `unet.fit` is the
function, always; the module of that name is reached by `from unet.fit import ...`.
"""

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from unet.checkpoint import load_checkpoint, load_model, save_checkpoint, save_weights
    from unet.fit import Measurement, NonFiniteLoss, Run, TrainConfig, fit, start_run
    from unet.model import ModelConfig, UNet
    from unet.predict import predict_membrane, predict_sections, predict_stack

_HOMES = {
    "Measurement": "unet.fit",
    "ModelConfig": "unet.model",
    "NonFiniteLoss": "unet.fit",
    "Run": "unet.fit",
    "TrainConfig": "unet.fit",
    "UNet": "unet.model",
    "fit": "unet.fit",
    "load_checkpoint": "unet.checkpoint",
    "load_model": "unet.checkpoint",
    "predict_membrane": "unet.predict",
    "predict_sections": "unet.predict",
    "predict_stack": "unet.predict",
    "save_checkpoint": "unet.checkpoint",
    "save_weights": "unet.checkpoint",
    "start_run": "unet.fit",
}

__all__ = [
    "Measurement",
    "ModelConfig",
    "NonFiniteLoss",
    "Run",
    "TrainConfig",
    "UNet",
    "fit",
    "load_checkpoint",
    "load_model",
    "predict_membrane",
    "predict_sections",
    "predict_stack",
    "save_checkpoint",
    "save_weights",
    "start_run",
]


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module 'unet' has no attribute {name!r}; it offers {', '.join(__all__)}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return list(__all__)


class _Package(ModuleType):
    def __setattr__(self, name: str, value: object) -> None:
        # Importing a submodule sets it as an attribute of its package, which would hide the function `fit` behind the module `fit`.
        if name == "fit" and isinstance(value, ModuleType):
            value = value.fit
        super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
