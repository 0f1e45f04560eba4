"""Weights files and results folders as trials leave them, of networks too small to be good."""

import json
from pathlib import Path

import torch

from unet.checkpoint import save_weights
from unet.model import UNet

TUNED = {"threshold": "0.45", "v_rand_threshold": "0.5", "smallest_cell_px": "4"}


def save_network(path: Path, *, seed: int = 0, depth: int = 2, drop: tuple[str, ...] = (), **metadata: str) -> Path:
    """Write a network whose probabilities are spread over (0, 1), with what a trial says of its weights, less `drop`."""
    torch.manual_seed(seed)
    model = UNet(width=4, depth=depth)
    model(torch.randn(2, 1, 32, 32))
    with torch.no_grad():
        logits = model.eval()(torch.randn(1, 1, 32, 32))
        model.head.weight /= logits.std()
        model.head.bias.copy_((model.head.bias - logits.mean()) / logits.std())
    said = {
        "trial": path.parent.name,
        "normalisation": json.dumps({"mean": 128.0, "std": 74.0}),
        "positive": "membrane",
        **TUNED,
        **metadata,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    save_weights(model, path, {key: value for key, value in said.items() if key not in drop})
    return path
