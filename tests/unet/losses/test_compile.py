"""Losses that work on the prediction's shape on the CPU, under torch.compile: the transform steps outside the graph, the rest is compiled.

That every other loss is one graph is tested beside the benchmark that compiles them, `tests/sweeps/bench/test_loss.py`.
"""

import pytest
import torch

from data_utils.maps import maps_of
from tests.unet.losses.cases import shaped_case
from unet.losses import LOSSES, build_loss


# 2026-11-25: torch 2.13 makes an instance of torch.autograd.Function while it compiles, and warns of it itself.
@pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # 2026-11-25: likewise, at a break
@pytest.mark.parametrize("name", [name for name, spec in LOSSES.items() if spec.cost == "distance"])
def test_a_distance_transform_survives_compilation(name):
    torch.compiler.reset()
    logits, target = shaped_case()
    loss = build_loss(name)
    aux = maps_of(target, loss.needs)
    found = []
    for function in (loss, torch.compile(lambda *args, **more: loss(*args, **more), backend="aot_eager")):
        moved = logits.clone().requires_grad_()
        value = function(moved, target, aux=aux)
        found.append((value.detach(), *torch.autograd.grad(value, moved)))
    for got, expected in zip(*found, strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-14)
