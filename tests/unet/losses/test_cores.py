"""The two cores and the fraction: the same numbers by every way through them, also when a pass is repeated and for any strides."""

import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from tests.unet.losses.cases import random_case
from unet.losses import counts as counts_module
from unet.losses import pixels as pixels_module
from unet.losses.counts import mean_over_sets, soft_counts
from unet.losses.cross_entropy import cross_entropy
from unet.losses.fraction import Fraction, fraction_loss
from unet.losses.pixels import pieces, pixel_mean

SHAPE = (3, 1, 23, 17)  # the second image has no positive pixel
DICE = Fraction(hits=2.0, tp=0.0, predicted=1.0, actual=1.0, smooth=1.0)
FRACTIONS = [
    DICE,
    Fraction(hits=1.0, tp=-1.0, predicted=1.0, actual=1.0, smooth=1e-3),
    Fraction(hits=1.5, tp=0.3, predicted=0.2, actual=0.9, smooth=7.0),
]
every_reduction = pytest.mark.parametrize("batch_reduce", ["image", "batch"])
masked_or_not = pytest.mark.parametrize("masked", [False, True])


@pytest.fixture(params=["whole", "pieces", "odd pieces"])
def cut(request, monkeypatch):
    """Images worked on at once, a row at a time, and in stretches that do not divide them."""
    length = {"whole": 2**20, "pieces": 17 * 23, "odd pieces": 100}[request.param]
    monkeypatch.setattr(pixels_module, "PIECE", length)
    monkeypatch.setattr(counts_module, "STRETCH", length)
    monkeypatch.setattr(counts_module, "_SHORT", 2**20 if request.param == "whole" else 1)


def slope_of(value, logits, times=1.0):
    (slope,) = torch.autograd.grad(value * times, logits, retain_graph=True)
    return slope


def fraction_by_autograd(fraction, logits, target, mask, batch_reduce, empty):
    """Everything in plain operations."""
    rows = 1 if batch_reduce == "batch" else len(logits)
    counted = (torch.ones_like(logits) if mask is None else mask).reshape(rows, -1)
    p, g = torch.sigmoid(logits).reshape(rows, -1), target.reshape(rows, -1)
    tp, predicted, actual = (p * g * counted).sum(1), (p * counted).sum(1), (g * counted).sum(1)
    value = 1 - (fraction.hits * tp + fraction.smooth) / (
        fraction.tp * tp + fraction.predicted * predicted + fraction.actual * actual + fraction.smooth
    )
    kept = [k for k in range(rows) if actual[k] > 0 or empty != "skip"]
    each = [predicted[k] / counted[k].sum().clamp_min(1) if empty == "penalise" and actual[k] == 0 else value[k] for k in kept]
    return torch.stack(each).mean() if each else 0.0 * predicted.sum()


@pytest.mark.usefixtures("cut")
@every_reduction
@masked_or_not
@pytest.mark.parametrize("empty", ["smooth", "skip", "penalise"])
@pytest.mark.parametrize("fraction", FRACTIONS)
def test_a_fraction_is_what_autograd_makes_of_it(fraction, empty, masked, batch_reduce):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    mask = mask if masked else None
    value = fraction_loss(fraction, logits, target, mask, batch_reduce=batch_reduce, empty=empty)
    expected = fraction_by_autograd(fraction, logits, target, mask, batch_reduce, empty)
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(slope_of(value, logits), slope_of(expected, logits), rtol=1e-11, atol=1e-17)


@every_reduction
def test_a_fraction_of_images_without_positive_pixels(batch_reduce):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    for empty, expected in (("skip", 0.0), ("penalise", torch.sigmoid(logits).mean().item())):
        value = fraction_loss(DICE, logits, torch.zeros_like(target), None, batch_reduce=batch_reduce, empty=empty)
        assert value.item() == pytest.approx(expected, rel=1e-12)
    nothing = fraction_loss(DICE, logits, target, torch.zeros_like(mask), batch_reduce=batch_reduce, empty="penalise")
    assert nothing == 0 and (slope_of(nothing, logits) == 0).all()


@pytest.mark.usefixtures("cut")
@every_reduction
@masked_or_not
def test_counts_are_what_autograd_makes_of_them(masked, batch_reduce):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    rows = 1 if batch_reduce == "batch" else len(logits)
    counts = soft_counts(logits, target, mask if masked else None, batch_reduce=batch_reduce, squared=True)
    p, g, m = (each.reshape(rows, -1) for each in (torch.sigmoid(logits), target, mask if masked else torch.ones_like(mask)))
    expected = {
        "tp": p * g * m, "predicted": p * m, "actual": g * m, "pixels": m, "squared": p * p * m,
        "fp": p * (1 - g) * m, "fn": (1 - p) * g * m, "tn": (1 - p) * (1 - g) * m,
    }  # fmt: skip
    for name, each in expected.items():
        torch.testing.assert_close(getattr(counts, name), each.sum(1), rtol=1e-12, atol=1e-12)
    ours = (counts.tp * counts.squared / counts.predicted).sum()
    plain = (expected["tp"].sum(1) * expected["squared"].sum(1) / expected["predicted"].sum(1)).sum()
    torch.testing.assert_close(slope_of(ours, logits), slope_of(plain, logits), rtol=1e-11, atol=1e-17)


@pytest.mark.usefixtures("cut")
@masked_or_not
@pytest.mark.parametrize("weights", ["none", "numbers", "images"])
def test_a_mean_over_pixels_is_what_autograd_makes_of_it(weights, masked):
    logits, target, mask = random_case(shape=SHAPE)
    logits.requires_grad_()
    mask = mask if masked else None
    positive, negative = {"none": (1.0, 1.0), "numbers": (0.25, 0.75), "images": (torch.tensor([0.1, 2.0, 3.0]).double(), 0.5)}[weights]
    value = pixel_mean(cross_entropy, logits, target, mask, positive=positive, negative=negative)
    by_class = [torch.as_tensor(weight).double().reshape(-1, 1, 1, 1) for weight in (positive, negative)]
    weight = torch.where(target > 0, *by_class) * (1.0 if mask is None else mask)
    total = (binary_cross_entropy_with_logits(logits, target, reduction="none") * weight).sum()
    expected = total / (logits.numel() if mask is None else mask.sum())
    torch.testing.assert_close(value, expected, rtol=1e-12, atol=0)
    torch.testing.assert_close(slope_of(value, logits, 3.0), 3.0 * slope_of(expected, logits), rtol=1e-11, atol=1e-17)


LOSSES = {
    "pixels": lambda logits, target: pixel_mean(cross_entropy, logits, target, None, positive=0.3, negative=0.7),
    "counts": lambda logits, target: mean_over_sets(
        (c := soft_counts(logits, target, None, batch_reduce="image")).tp / c.predicted, c, "smooth"
    ),
    "fraction": lambda logits, target: fraction_loss(DICE, logits, target, None, batch_reduce="image", empty="smooth"),
}
every_core = pytest.mark.parametrize("core", list(LOSSES))


@pytest.mark.usefixtures("cut")
@every_core
def test_a_second_pass_gives_the_same_though_the_first_was_given_away(core):
    logits, target, _ = random_case(shape=SHAPE)
    logits.requires_grad_()
    value = LOSSES[core](logits, target)
    first = slope_of(value, logits)
    kept = first.clone()
    first.zero_()  # it is the caller's
    assert torch.equal(slope_of(value, logits), kept)
    torch.testing.assert_close(slope_of(value, logits, -2.0), -2.0 * kept, rtol=1e-15, atol=0)


@every_core
def test_a_graph_that_was_not_kept_and_logits_that_were_changed_are_refused(core):
    logits, target, _ = random_case(shape=SHAPE)
    logits = (2.0 * logits.requires_grad_()).sin()
    value = LOSSES[core](logits, target)
    value.backward()
    with pytest.raises(RuntimeError, match="second time"):
        value.backward()
    value = LOSSES[core](logits, target)
    with torch.no_grad():
        logits.add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.usefixtures("cut")
@every_core
@pytest.mark.parametrize("layout", ["channels last", "turned", "every second", "expanded"])
def test_any_strides(core, layout):
    logits, target, _ = random_case(shape=SHAPE)
    if layout == "channels last":
        logits, target = (each.to(memory_format=torch.channels_last) for each in (logits, target))
    elif layout == "turned":
        logits, target = (each.rot90(1, (-2, -1)) for each in (logits, target))
    elif layout == "every second":
        logits, target = (torch.stack([each, each], dim=-1).flatten(-2)[..., ::2] for each in (logits, target))
    else:
        logits, target = (each[:1].expand(3, -1, -1, -1) for each in (logits, target))
    plain = logits.clone(memory_format=torch.contiguous_format).requires_grad_()
    expected = LOSSES[core](plain, target.contiguous())
    logits = logits.detach().requires_grad_()
    value = LOSSES[core](logits, target)
    torch.testing.assert_close(value, expected, rtol=1e-13, atol=0)
    torch.testing.assert_close(slope_of(value, logits), slope_of(expected, plain), rtol=1e-12, atol=1e-18)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("shape", [(7, 50_000), (3, 200_000), (1, 1_000_000), (40, 4_096), (2, 1)])
def test_pieces_cover_everything_once(shape, threads, monkeypatch):
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    seen = torch.zeros(shape)
    sizes = []
    for piece in pieces(seen):
        seen[piece] += 1
        sizes.append(seen[piece].numel())
    assert (seen == 1).all()
    assert max(sizes) <= pixels_module.PIECE * threads


def test_sums_in_fp32_are_exact_to_its_precision():
    """A dot product adds up in a few lanes, and is wrong by 1e-5 at this size."""
    logits = torch.randn(1, 1, 1024, 1024, generator=torch.Generator().manual_seed(0))
    target = (logits.roll(1) > 0.5).float()
    counts = soft_counts(logits, target, None, batch_reduce="image", squared=True)
    exact = soft_counts(logits.double(), target.double(), None, batch_reduce="image", squared=True)
    for name in ("tp", "predicted", "squared", "actual"):
        torch.testing.assert_close(getattr(counts, name).double(), getattr(exact, name), rtol=4e-7, atol=0)
