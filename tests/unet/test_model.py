"""The network: its size, its form, and what it refuses."""

import pytest
import torch
from torch import nn

from unet.model import ModelConfig, UNet


def count(model: nn.Module) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


@pytest.mark.parametrize(("redundant_bias", "expected"), [(True, 31_042_369), (False, 31_036_481)])
def test_parameters_of_the_thesis(redundant_bias, expected):
    with torch.device("meta"):
        assert count(UNet(redundant_bias=redundant_bias)) == expected


def test_the_difference_is_the_biases_before_batch_normalisation():
    with torch.device("meta"):
        lean, full = UNet(width=8), UNet(width=8, redundant_bias=True)
    extra = set(dict(full.named_parameters())) - set(dict(lean.named_parameters()))
    assert len(extra) == 18
    assert all(name.endswith("conv.bias") and "enc" in name or "dec" in name for name in extra)


def test_names_follow_the_figure():
    with torch.device("meta"):
        names = {name.split(".")[0] for name, _ in UNet(width=2).named_parameters()}
    blocks = {f"{side}{level}_{half}" for side, levels in (("enc", 5), ("dec", 4)) for level in range(1, levels + 1) for half in (1, 2)}
    assert names == blocks | {f"up{level}" for level in range(1, 5)} | {"head"}


@pytest.mark.parametrize("depth", [1, 2, 3, 5])
@pytest.mark.parametrize("channels_last", [False, True])
def test_the_output_has_the_size_of_the_input(depth, channels_last):
    model = UNet(width=2, depth=depth)
    image = torch.randn(2, 1, 32, 48)
    if channels_last:
        model, image = model.to(memory_format=torch.channels_last), image.to(memory_format=torch.channels_last)
    assert model(image).shape == (2, 1, 32, 48)


def plain_forward(model: UNet, image: torch.Tensor) -> torch.Tensor:
    """The two-level network, written out with functions that copy."""

    def block(name, x):
        for half in (1, 2):
            conv, bn = model.get_submodule(f"{name}_{half}.conv"), model.get_submodule(f"{name}_{half}.bn")
            x = nn.functional.conv2d(x, conv.weight, conv.bias, padding=1)
            x = nn.functional.batch_norm(x, None, None, bn.weight, bn.bias, training=True, eps=bn.eps)
            x = x.clamp(min=0)
        return x

    fine = block("enc1", image)
    coarse = block("enc2", nn.functional.max_pool2d(fine, 2))
    up = nn.functional.conv_transpose2d(coarse, model.up1.weight, model.up1.bias, stride=2)
    return nn.functional.conv2d(block("dec1", torch.cat([fine, up], dim=1)), model.head.weight, model.head.bias)


def test_in_place_operations_change_neither_output_nor_gradient():
    torch.manual_seed(0)
    model = UNet(width=3, depth=2, redundant_bias=True).double()
    image = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    weight = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    outputs = [model(image), plain_forward(model, image)]
    torch.testing.assert_close(*outputs, rtol=1e-12, atol=1e-12)
    parameters = [parameter for name, parameter in model.named_parameters() if not name.endswith("conv.bias")]
    gradients = [torch.autograd.grad((output * weight).sum(), parameters) for output in outputs]
    torch.testing.assert_close(*gradients, rtol=1e-9, atol=1e-11)


def test_the_redundant_bias_is_redundant():
    torch.manual_seed(0)
    model = UNet(width=3, depth=2, redundant_bias=True).double()
    image = torch.randn(2, 1, 8, 8, dtype=torch.float64)
    before = model(image)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("conv.bias"):
                parameter += 3.0
    torch.testing.assert_close(model(image), before, rtol=1e-9, atol=1e-9)


def test_a_size_that_cannot_be_halved_is_refused():
    with pytest.raises(ValueError, match=r"must divide by 16; got 100 x 64\. Crop or pad to 112 x 64"):
        UNet(width=2)(torch.zeros(1, 1, 100, 64))


@pytest.mark.parametrize("shape", [(1, 2, 32, 32), (1, 32, 32)])
def test_another_shape_is_refused(shape):
    with pytest.raises(ValueError, match=r"the U-Net takes \[N, 1, H, W\]"):
        UNet(width=2)(torch.zeros(shape))


def test_every_mistake_of_a_configuration_is_told():
    with pytest.raises(
        ValueError, match=r"architecture must be one of unet, got 'resnet'; width must be .* 1, got 0; depth must be 1 to 8, got 9"
    ):
        ModelConfig(architecture="resnet", width=0, depth=9)


def test_a_configuration_builds_its_network():
    model = ModelConfig(width=4, depth=3, redundant_bias=True).build()
    assert (model.width, model.depth, model.redundant_bias) == (4, 3, True)
