"""Relations between losses that hold exactly, and values worked out by hand."""

import pytest
import torch

from tests.unet.losses.cases import gradient, random_case
from unet.losses import build_loss

TIGHT = {"rtol": 1e-12, "atol": 1e-15}


def same(one, other, *, factor=1.0):
    """Value and gradient of `one` are `factor` times those of `other`, with and without a mask."""
    for seed in range(5):
        logits, target, mask = random_case(seed)
        for used in (None, mask):
            value, slope = gradient(one, logits, target, used)
            expected, expected_slope = gradient(other, logits, target, used)
            torch.testing.assert_close(value, factor * expected, **TIGHT)
            torch.testing.assert_close(slope, factor * expected_slope, **TIGHT)


@pytest.mark.parametrize("batch_reduce", ["image", "batch"])
def test_tversky_of_halves_is_dice_with_twice_the_smooth(batch_reduce):
    one = build_loss("tversky", alpha=0.5, beta=0.5, smooth=1.0, batch_reduce=batch_reduce)
    same(one, build_loss("dice", smooth=2.0, batch_reduce=batch_reduce))


@pytest.mark.parametrize("empty", ["smooth", "skip", "penalise"])
def test_tversky_of_ones_is_iou(empty):
    same(build_loss("tversky", alpha=1.0, beta=1.0, empty=empty), build_loss("iou", empty=empty))


def test_focal_without_focus_is_half_the_cross_entropy():
    same(build_loss("focal", alpha=0.5, gamma=0.0), build_loss("bce"), factor=0.5)


def test_the_ends_of_dice_bce_are_its_parts():
    same(build_loss("dice_bce", bce_weight=0.0), build_loss("dice"))
    same(build_loss("dice_bce", bce_weight=1.0), build_loss("bce"))


def test_jaccard_follows_from_dice():
    # J = D / (2 - D) for the indices of one image, up to the smooth term.
    logits, target, _ = random_case()
    d = 1 - build_loss("dice", smooth=1e-8)(logits[:1], target[:1])
    j = 1 - build_loss("iou", smooth=1e-8)(logits[:1], target[:1])
    torch.testing.assert_close(j, d / (2 - d), rtol=1e-7, atol=0)


@pytest.mark.parametrize("name", ["bce", "focal"])
def test_classes_can_be_swapped(name):
    parameters = {"alpha": 0.5} if name == "focal" else {}
    logits, target, _ = random_case()
    loss = build_loss(name, **parameters)
    torch.testing.assert_close(loss(-logits, 1 - target), loss(logits, target), **TIGHT)


@pytest.mark.parametrize("name", ["dice", "iou", "tversky"])
def test_classes_cannot_be_swapped_in_an_overlap(name):
    logits, target, _ = random_case()
    assert not torch.isclose(build_loss(name)(-logits, 1 - target), build_loss(name)(logits, target), rtol=1e-3)


def test_soft_dice_of_a_hard_prediction_is_the_dice_of_the_masks():
    logits, target, _ = random_case()
    hard = (logits > 0).double()
    for i in (0, 2):
        expected = 2 * (hard[i] * target[i]).sum() / (hard[i].sum() + target[i].sum())
        loss = build_loss("dice", smooth=1e-8)(1e4 * logits[i : i + 1], target[i : i + 1])
        torch.testing.assert_close(1 - loss, expected, rtol=1e-7, atol=0)


def test_tversky_alpha_is_about_false_positives():
    # One membrane pixel of four, all predicted membrane: TP 1, FP 3, FN 0.
    target = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]], dtype=torch.float64)
    everything = torch.full_like(target, 1e4)
    value = build_loss("tversky", alpha=0.3, beta=0.7, smooth=1.0)(everything, target)
    assert value.item() == pytest.approx(1 - (1 + 1) / (1 + 0.3 * 3 + 1))
    # Nothing predicted: FN 1.
    value = build_loss("tversky", alpha=0.3, beta=0.7, smooth=1.0)(-everything, target)
    assert value.item() == pytest.approx(1 - 1 / (0.7 + 1))


def test_focal_alpha_is_about_the_positive_class():
    logits = torch.zeros(1, 1, 1, 2, dtype=torch.float64)  # p = 1/2 for both pixels
    target = torch.tensor([[[[1.0, 0.0]]]])
    one_pixel = 0.5**2 * torch.log(torch.tensor(2.0, dtype=torch.float64))
    value, slope = gradient(build_loss("focal", alpha=0.8, gamma=2.0), logits, target)
    torch.testing.assert_close(value, (0.8 + 0.2) / 2 * one_pixel)
    assert slope[0, 0, 0, 0] == pytest.approx(-4 * slope[0, 0, 0, 1].item())


@pytest.mark.parametrize(("empty", "expected"), [("smooth", 1 - 1 / (4 * 0.5 + 1)), ("skip", 0.0), ("penalise", 0.5)])
def test_what_an_empty_image_costs(empty, expected):
    logits = torch.zeros(1, 1, 2, 2, dtype=torch.float64)
    value, slope = gradient(build_loss("dice", empty=empty), logits, torch.zeros_like(logits))
    assert value.item() == pytest.approx(expected)
    assert (slope == 0).all() if empty == "skip" else (slope > 0).all()


def test_skipping_takes_the_empty_image_out_of_the_mean():
    logits, target, _ = random_case()  # the second image is empty
    loss = build_loss("dice", empty="skip")
    torch.testing.assert_close(loss(logits, target), loss(logits[::2], target[::2]), **TIGHT)


def test_batch_and_image_differ_where_images_do():
    logits, target, _ = random_case()
    assert build_loss("dice", batch_reduce="batch")(logits, target) != build_loss("dice")(logits, target)
    torch.testing.assert_close(
        build_loss("dice", batch_reduce="batch")(logits[:1], target[:1]), build_loss("dice")(logits[:1], target[:1]), rtol=0, atol=0
    )
