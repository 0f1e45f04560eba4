"""Whole-section predictions: padding, modes, classes, precisions."""

import numpy as np
import pytest
import torch
from torch import nn

from data_utils.batches import Normalisation
from unet.model import UNet
from unet.predict import predict_sections, predict_stack


class Shift(nn.Module):
    """Logits that are the image itself; records what it was given."""

    def __init__(self, depth: int = 3) -> None:
        super().__init__()
        self.depth = depth
        self.scale = nn.Parameter(torch.ones(()))
        self.seen: list[torch.Tensor] = []

    def forward(self, image_N1HW: torch.Tensor) -> torch.Tensor:
        assert not self.training
        assert not torch.is_grad_enabled()
        self.seen.append(image_N1HW)
        return image_N1HW * self.scale


@pytest.fixture
def unet() -> UNet:
    torch.manual_seed(0)
    model = UNet(width=4, depth=3).to(memory_format=torch.channels_last)
    model(torch.randn(2, 1, 16, 16))  # running statistics that are not the initial ones
    return model


@pytest.mark.parametrize(("height", "width"), [(8, 8), (5, 7), (1, 3), (9, 12), (2, 4)])
def test_every_size_is_mirrored_and_cropped_again(height, width):
    raw = np.random.default_rng(0).normal(size=(3, height, width)).astype(np.float32)
    model = Shift()
    probability = predict_sections(model, raw)
    assert probability.dtype == np.float32
    np.testing.assert_allclose(probability, 1 / (1 + np.exp(-raw.astype(np.float64))), rtol=1e-6)
    before = [(-size % 4) // 2 for size in (height, width)]
    after = [-size % 4 - start for size, start in zip((height, width), before, strict=True)]
    pads = list(zip(before, after, strict=True))
    for section, seen in zip(raw, model.seen, strict=True):
        expected = np.pad(section, [pads[0], (0, 0)], mode="reflect" if height > 1 else "edge")
        expected = np.pad(expected, [(0, 0), pads[1]], mode="reflect" if width > 1 else "edge")
        np.testing.assert_array_equal(seen[0, 0].numpy(), expected)
        assert seen.is_contiguous(memory_format=torch.channels_last)


def test_tensors_stay_tensors_and_arrays_arrays(unet):
    raw = torch.randn(2, 16, 20)
    as_tensor, as_array = predict_sections(unet, raw), predict_sections(unet, raw.numpy())
    assert isinstance(as_tensor, torch.Tensor)
    assert isinstance(as_array, np.ndarray)
    assert as_tensor.dtype == torch.float32
    assert not as_tensor.requires_grad
    np.testing.assert_array_equal(as_tensor.numpy(), as_array)


def test_batches_change_nothing(unet):
    raw = torch.randn(5, 16, 16)
    torch.testing.assert_close(predict_sections(unet, raw), predict_sections(unet, raw, batch_size=3), rtol=0, atol=1e-6)


def test_normalisation_is_the_training_one(unet):
    raw = np.random.default_rng(1).integers(0, 256, (2, 16, 16), dtype=np.uint8)
    normalisation = Normalisation(mean=120.5, std=33.25)
    expected = predict_sections(unet, torch.from_numpy(normalisation.apply(raw))).numpy()
    np.testing.assert_array_equal(predict_sections(unet, raw, normalisation=normalisation), expected)
    from_tensor = predict_sections(unet, torch.from_numpy(raw), normalisation=normalisation).numpy()
    np.testing.assert_allclose(from_tensor, expected, atol=1e-5)


def test_positive_cell_is_turned_into_membrane(unet):
    raw = torch.randn(2, 16, 16)
    torch.testing.assert_close(predict_sections(unet, raw, positive="cell"), 1.0 - predict_sections(unet, raw), rtol=0, atol=0)


def test_predict_stack_is_one_where_there_is_no_membrane(unet):
    raw = np.random.default_rng(2).integers(0, 256, (2, 18, 16), dtype=np.uint8)
    normalisation = Normalisation(mean=128.0, std=40.0)
    proposal = predict_stack(unet, raw, normalisation=normalisation, precision="fp32")
    membrane = predict_sections(unet, raw, normalisation=normalisation)
    assert proposal.dtype == np.float32
    assert proposal.shape == raw.shape
    np.testing.assert_allclose(proposal + membrane, 1.0, atol=1e-6)
    as_cell = predict_stack(unet, raw, normalisation=normalisation, positive="cell", precision="fp32")
    np.testing.assert_allclose(as_cell, membrane, atol=1e-6)


def test_modes_are_given_back_module_by_module_even_after_an_error(unet):
    unet.train()
    unet.enc1_1.bn.eval()
    modes = [module.training for module in unet.modules()]
    statistics = unet.enc1_2.bn.running_mean.clone()
    predict_sections(unet, torch.randn(1, 16, 16))
    assert [module.training for module in unet.modules()] == modes
    torch.testing.assert_close(unet.enc1_2.bn.running_mean, statistics, rtol=0, atol=0)
    broken = Shift()
    broken.forward = None
    with pytest.raises(TypeError):
        predict_sections(broken, torch.randn(1, 4, 4))
    assert broken.training


def test_bf16_is_near_fp32_and_comes_back_as_fp32(unet):
    raw = torch.randn(1, 16, 16)
    half = predict_sections(unet, raw, precision="bf16")
    assert half.dtype == torch.float32
    torch.testing.assert_close(half, predict_sections(unet, raw), rtol=0, atol=0.05)


def test_read_only_sections_are_fine(unet):
    raw = np.zeros((1, 16, 16), dtype=np.float32)
    raw.flags.writeable = False
    assert predict_sections(unet, raw).shape == (1, 16, 16)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((16, 16), {}, r"section\[None\]"),
        ((0, 16, 16), {}, r"not empty, got \[0, 16, 16\]"),
        ((1, 16, 16), {"positive": "axon"}, "membrane or cell, got 'axon'"),
        ((1, 16, 16), {"precision": "fp8"}, "precision must be one of"),
        ((1, 16, 16), {"batch_size": 0}, "at least 1, got 0"),
    ],
)
def test_refused(unet, shape, options, message):
    with pytest.raises(ValueError, match=message):
        predict_sections(unet, torch.zeros(shape), **options)
