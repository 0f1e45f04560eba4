"""Batch normalisation folded into convolutions: the same function, and another network."""

import copy

import numpy as np
import pytest
import torch
from torch import nn

from unet.folding import folded
from unet.model import UNet


def trained(*, redundant_bias: bool = False, depth: int = 3) -> UNet:
    """A network whose statistics, scales and shifts are all far from their first values, and whose logits are far from each other."""
    torch.manual_seed(1)
    model = UNet(width=4, depth=depth, redundant_bias=redundant_bias).to(memory_format=torch.channels_last)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, -2.0, 2.0)
            nn.init.uniform_(module.bias, -1.0, 1.0)
            module.running_mean.uniform_(-1.0, 1.0)
            module.running_var.uniform_(0.1, 4.0)
    with torch.no_grad():
        model.head.weight /= model.eval()(torch.randn(1, 1, 32, 32)).std()
    return model


@pytest.mark.parametrize("redundant_bias", [False, True])
@pytest.mark.parametrize("depth", [1, 3])
def test_the_same_function(redundant_bias: bool, depth: int) -> None:
    model = trained(redundant_bias=redundant_bias, depth=depth)
    image = torch.randn(2, 1, 32, 24)
    with torch.no_grad():
        expected, found = model(image), folded(model)(image)
    assert expected.std() > 0.5
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
    torch.testing.assert_close(found.sigmoid(), expected.sigmoid(), rtol=0, atol=1e-5)


def test_a_channel_by_hand() -> None:
    model = UNet(width=1, depth=1).eval()
    block = model.enc1_1
    with torch.no_grad():
        block.conv.weight.fill_(0.0)
        block.conv.weight[0, 0, 1, 1] = 3.0
        block.bn.weight.fill_(2.0)
        block.bn.bias.fill_(0.5)
        block.bn.running_mean.fill_(1.0)
        block.bn.running_var.fill_(4.0 - block.bn.eps)
    conv = folded(model).enc1_1[0]
    assert conv.weight[0, 0, 1, 1].item() == pytest.approx(3.0)  # 2 / sqrt(4) * 3
    assert conv.bias.item() == pytest.approx(-0.5)  # 2 / sqrt(4) * (0 - 1) + 0.5


def test_the_model_is_left_alone_and_nothing_is_left_to_fold() -> None:
    model = trained().train()
    before = copy.deepcopy(model.state_dict())
    copied = folded(model)
    assert model.training and not copied.training
    assert not any(isinstance(module, nn.BatchNorm2d) for module in copied.modules())
    assert folded(copied) is copied
    with torch.no_grad():
        for parameter in copied.parameters():
            parameter.zero_()
    for name, tensor in model.state_dict().items():
        torch.testing.assert_close(tensor, before[name], rtol=0, atol=0)


def test_weights_keep_their_layout() -> None:
    weight = folded(trained()).dec1_1[0].weight
    assert weight.is_contiguous(memory_format=torch.channels_last)


def test_a_network_that_has_gone_wrong_stays_wrong() -> None:
    """A NaN in the statistics must show in the prediction, or a dead run would look alive."""
    model = trained()
    model.enc2_1.bn.running_var.fill_(float("nan"))
    with torch.no_grad():
        assert np.isnan(folded(model)(torch.randn(1, 1, 8, 8)).numpy()).any()
