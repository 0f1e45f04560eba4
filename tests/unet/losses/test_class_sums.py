"""Sums over classes, and borders found a band at a time: the same numbers by every way through them, and when a pass is repeated."""

import pytest
import torch

from data_utils.maps import maps_of
from tests.unet.losses.cases import random_case
from unet.losses import build_loss
from unet.losses import counts as counts_module
from unet.losses import pixels as pixels_module
from unet.losses.boundary_dou import border_pixels
from unet.losses.class_sums import class_sums, error_power

SHAPE = (3, 1, 23, 17)  # the second image has no positive pixel
LENGTHS = {"whole": 2**20, "two images": 800, "an image": 17 * 23, "odd pieces": 100, "less than a row": 13}
every_reduction = pytest.mark.parametrize("batch_reduce", ["image", "batch"])
masked_or_not = pytest.mark.parametrize("masked", [False, True])


def cut_into(monkeypatch, length):
    monkeypatch.setattr(pixels_module, "PIECE", length)
    monkeypatch.setattr(pixels_module.torch, "get_num_threads", lambda: 1)
    monkeypatch.setattr(counts_module, "STRETCH", length)
    monkeypatch.setattr(counts_module, "_SHORT", 2**20 if length == 2**20 else 1)


@pytest.fixture(params=list(LENGTHS))
def cut(request, monkeypatch):
    cut_into(monkeypatch, LENGTHS[request.param])


def slope_of(value, logits, times=1.0):
    (slope,) = torch.autograd.grad(value * times, logits, retain_graph=True)
    return slope


def combined(sums):
    """One number in which every sum has a say of its own."""
    return (sums.missed.square() + 2.0 * sums.spurious * sums.tp + 3.0 * sums.predicted.sqrt() + 0.5 * sums.squared * sums.spurious).sum()


@pytest.mark.usefixtures("cut")
@every_reduction
@masked_or_not
@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 3.3])
def test_class_sums_are_what_autograd_makes_of_them(power, masked, batch_reduce):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    sums = class_sums(error_power(power), logits, target, mask if masked else None, batch_reduce=batch_reduce, squared=True)
    rows = 1 if batch_reduce == "batch" else len(logits)
    p, g, m = (each.reshape(rows, -1) for each in (torch.sigmoid(logits), target, mask if masked else torch.ones_like(mask)))
    expected = {
        "missed": (1 - p) ** power * g * m, "spurious": p**power * (1 - g) * m, "tp": p * g * m, "predicted": p * m, "actual": g * m,
        "squared": p * p * m, "pixels": m, "fp": p * (1 - g) * m, "fn": (1 - p) * g * m,
    }  # fmt: skip
    expected = {name: each.sum(dim=1) for name, each in expected.items()}
    for name, each in expected.items():
        torch.testing.assert_close(getattr(sums, name), each, rtol=1e-12, atol=1e-12)
    plain = combined(type(sums)(**{name: each for name, each in expected.items() if name not in ("fp", "fn")}))
    torch.testing.assert_close(slope_of(combined(sums), logits), slope_of(plain, logits), rtol=1e-11, atol=1e-14)


@pytest.mark.usefixtures("cut")
@every_reduction
def test_a_second_pass_gives_the_same_though_the_first_was_given_away(batch_reduce):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    value = combined(class_sums(error_power(1.5), logits, target, mask, batch_reduce=batch_reduce, squared=True))
    first = slope_of(value, logits)
    kept = first.clone()
    first.zero_()  # it is the caller's
    assert torch.equal(slope_of(value, logits), kept)
    torch.testing.assert_close(slope_of(value, logits, -2.0), -2.0 * kept, rtol=1e-14, atol=0)


@pytest.mark.usefixtures("cut")
def test_any_strides_will_do():
    logits, target, mask = (each.transpose(2, 3) for each in random_case(shape=SHAPE))
    plain = [each.contiguous() for each in (logits, target, mask)]
    slopes = []
    for case in ((logits, target, mask), plain):
        leaf = case[0].detach().requires_grad_()
        slopes.append(slope_of(combined(class_sums(error_power(2.0), leaf, *case[1:], batch_reduce="image", squared=True)), leaf))
    torch.testing.assert_close(*slopes, rtol=1e-14, atol=0)


@masked_or_not
@pytest.mark.parametrize("length", list(LENGTHS.values())[1:])
@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("boundary", {}),
        ("boundary", {"power": 1.7, "scale": "none"}),
        ("generalized_surface", {}),
        ("generalized_surface", {"alpha": 2.7}),
        ("hausdorff_dt_onesided", {}),
        ("hausdorff_dt", {"alpha": 1.3}),
        ("distance_bce", {}),
        ("jaccard_metric", {"label_smoothing": 0.1}),
        ("boundary_dou", {}),
    ],
)
def test_a_loss_in_pieces_is_the_loss(name, parameters, length, masked, monkeypatch):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    mask = mask if masked else None
    loss = build_loss(name, **parameters)
    maps = maps_of(target, loss.needs)
    whole = loss(logits, target, mask, aux=maps)
    slope = slope_of(whole, logits)
    cut_into(monkeypatch, length)
    value = loss(logits, target, mask, aux=maps)
    torch.testing.assert_close(value, whole, rtol=1e-13, atol=0)
    torch.testing.assert_close(slope_of(value, logits), slope, rtol=1e-11, atol=1e-17)


@masked_or_not
@pytest.mark.parametrize("shape", [SHAPE, (2, 1, 1, 30), (2, 1, 30, 1)])
@pytest.mark.parametrize("length", LENGTHS.values())
def test_a_border_is_counted_pixel_by_pixel(length, shape, masked, monkeypatch):
    cut_into(monkeypatch, length)
    _, target, mask = random_case(seed=3, shape=shape)
    mask = mask if masked else torch.ones_like(mask)
    expected = [0] * len(target)
    for n, _, y, x in (target * mask).nonzero().tolist():
        around = [(y + dy, x + dx) for dy, dx in ((1, 0), (-1, 0), (0, 1), (0, -1))]
        inside = [(v, u) for v, u in around if 0 <= v < shape[2] and 0 <= u < shape[3]]
        expected[n] += any(mask[n, 0, v, u] == 1 and target[n, 0, v, u] == 0 for v, u in inside)
    assert border_pixels(target, mask if masked else None).tolist() == expected
