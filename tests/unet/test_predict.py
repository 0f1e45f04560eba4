"""Whole-section predictions: padding, modes, classes, precisions."""

import numpy as np
import pytest
import torch
from torch import nn

from data_utils.batches import Normalisation
from unet.context import context_px
from unet.folding import folded
from unet.model import UNet
from unet.predict import NUM_VIEWS, Member, num_passes, predict_membrane, predict_sections, predict_stack


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


@pytest.fixture
def sure(unet: UNet) -> UNet:
    """The same, with logits far from each other, so that what is a little wrong shows in the probabilities."""
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            if name.endswith("bn.bias"):
                parameter.uniform_(-0.5, 0.5)
        logits = unet.eval()(torch.randn(1, 1, 64, 64))
        unet.head.weight /= logits.std()
        unet.head.bias.copy_((unet.head.bias - logits.mean()) / logits.std())
    return unet


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


@pytest.mark.parametrize("tile_px", [64, 100, 128, 256])
def test_tiles_are_the_single_pass_away_from_the_border(sure, tile_px):
    raw = torch.randn(1, 175, 226)
    whole, tiled = predict_sections(sure, raw), predict_sections(sure, raw, tile_px=tile_px)
    assert whole.std() > 0.1
    inside = (slice(None), *[slice(context_px(3), -context_px(3))] * 2)
    torch.testing.assert_close(tiled[inside], whole[inside], rtol=0, atol=1e-5)
    fits = tile_px >= 228
    assert (tiled - whole).abs().max() == 0 if fits else (tiled - whole).abs().max() > 1e-4  # mirrored, where the pass has zeros


def test_a_large_section_in_tiles_is_the_single_pass_away_from_the_border():
    torch.manual_seed(0)
    model = UNet(width=2, depth=5).to(memory_format=torch.channels_last)
    model(torch.randn(2, 1, 64, 64))
    with torch.no_grad():
        model.head.weight /= model.eval()(torch.randn(1, 1, 64, 64)).std()
    raw = np.random.default_rng(0).integers(0, 256, (1, 700, 900), dtype=np.uint8)
    options = {"normalisation": Normalisation(mean=128.0, std=74.0)}
    whole, tiled = predict_sections(model, raw, **options), predict_sections(model, raw, tile_px=512, **options)
    inside = (0, *[slice(context_px(5), -context_px(5))] * 2)
    assert whole.std() > 0.02
    np.testing.assert_allclose(tiled[inside], whole[inside], rtol=0, atol=1e-5)


def test_a_narrower_margin_would_show(sure, monkeypatch):
    """The margin is what makes tiles agree: were it too small, the test above would fail."""
    raw = torch.randn(1, 175, 226)
    whole = predict_sections(sure, raw)
    monkeypatch.setattr("unet.context.context_px", lambda depth: 8)
    tiled = predict_sections(sure, raw, tile_px=64)
    assert (tiled - whole)[:, 23:-23, 23:-23].abs().max() > 1e-4


@pytest.mark.parametrize("shape", [(16, 16), (20, 28)])
@pytest.mark.parametrize("positive", ["membrane", "cell"])
def test_augmentation_is_the_mean_over_all_flips_and_turns(sure, shape, positive):
    raw = np.random.default_rng(3).normal(size=(1, *shape)).astype(np.float32)
    views = []
    for turns in range(4):
        for mirror in (False, True):
            seen = np.rot90(raw[0, :, ::-1] if mirror else raw[0], turns)
            back = np.rot90(predict_sections(sure, np.ascontiguousarray(seen)[None], positive=positive)[0], -turns)
            views.append(back[:, ::-1] if mirror else back)
    assert len(views) == NUM_VIEWS and np.std(views, axis=0).max() > 1e-3
    found = predict_sections(sure, raw, positive=positive, tta=True)[0]
    np.testing.assert_allclose(found, np.mean(views, axis=0), rtol=0, atol=1e-6)


@pytest.mark.parametrize("shape", [(17, 22), (1, 5), (3, 40)])
def test_augmentation_of_sides_that_do_not_divide(sure, shape):
    raw = torch.randn(2, *shape)
    found = predict_sections(sure, raw, tta=True)
    assert found.shape == raw.shape and (found >= 0).all() and (found <= 1).all()
    torch.testing.assert_close(found, predict_sections(sure, raw), rtol=0, atol=0.6)


def test_augmentation_does_not_care_how_a_section_lies(sure):
    raw = torch.randn(1, 16, 24)
    upright = predict_sections(sure, raw, tta=True)
    torch.testing.assert_close(predict_sections(sure, raw.rot90(1, (1, 2)), tta=True), upright.rot90(1, (1, 2)), rtol=0, atol=1e-6)
    torch.testing.assert_close(predict_sections(sure, raw.flip(2), tta=True), upright.flip(2), rtol=0, atol=1e-6)


def test_augmented_tiles_are_the_augmented_single_pass(sure):
    raw = torch.randn(1, 120, 132)
    whole, tiled = predict_sections(sure, raw, tta=True), predict_sections(sure, raw, tta=True, tile_px=100)
    torch.testing.assert_close(tiled[:, 23:-23, 23:-23], whole[:, 23:-23, 23:-23], rtol=0, atol=1e-5)


def test_several_networks_are_averaged_each_with_its_own_scale_and_class(sure):
    other = UNet(width=2, depth=2).eval()
    raw = np.random.default_rng(4).integers(0, 256, (2, 20, 30), dtype=np.uint8)
    members = [
        Member(model=sure, normalisation=Normalisation(mean=100.0, std=50.0)),
        Member(model=folded(other), normalisation=Normalisation(mean=128.0, std=70.0), positive="cell"),
        Member(model=sure, normalisation=Normalisation(mean=0.0, std=255.0)),
    ]
    each = [predict_sections(member.model, raw, normalisation=member.normalisation, positive=member.positive) for member in members]
    found = predict_membrane(members, raw, precision="fp32").numpy()
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=0, atol=1e-6)


@pytest.mark.parametrize(("tile_px", "tta", "expected"), [(None, False, 2), (64, False, 2 + 6), (64, True, 8 * (2 + 6)), (72, True, 16)])
def test_passes_are_counted_beforehand(unet, tile_px, tta, expected):
    members = [Member(model=UNet(width=1, depth=2)), Member(model=unet)]
    counted = []
    predict_membrane(members, torch.randn(1, 64, 70), tile_px=tile_px, tta=tta, on_pass=lambda: counted.append(1))
    assert len(counted) == expected == num_passes(members, 64, 70, tile_px=tile_px, tta=tta)


def test_a_nan_is_not_hidden(unet):
    with torch.no_grad():
        unet.head.bias.fill_(float("nan"))
    assert torch.isnan(predict_sections(unet, torch.randn(1, 80, 80), tile_px=64)).all()


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 99, 99), {"tile_px": 50}, "multiple of 4 px, and at least 64 px"),
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
