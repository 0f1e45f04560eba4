"""The losses against implementations that were written elsewhere: NumPy from the papers, torch, MONAI and kornia.

MONAI's Dice family defaults to a smooth of 1e-5 on both sides of the fraction; ours is passed to it. Its FocalLoss takes logits.
"""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reference import losses as reference
from tests.unet.losses.cases import gradient, random_case
from unet.losses import LOSSES, build_loss

# fp64 on both sides and at most a few hundred terms: what differs is the order of the sums.
TIGHT = {"rtol": 1e-10, "atol": 1e-14}


def random_parameters(name: str, draw) -> dict:
    """Anything within the valid range of every parameter, but never a smooth so small that the reference divides 0 by 0."""
    values = {}
    for key, spec in LOSSES[name].parameters.items():
        if spec.choices:
            values[key] = draw(st.sampled_from(spec.choices))
        else:
            values[key] = draw(st.floats(max(spec.low, 1e-6) if key == "smooth" else spec.low, min(spec.high, 100.0)))
    return values


@pytest.mark.parametrize("name", list(reference.LOSSES))
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_numpy_from_the_papers(name, data):
    logits, target, mask = random_case(data.draw(st.integers(0, 10_000)), shape=(3, 1, 5, 3))
    parameters = random_parameters(name, data.draw)
    loss = build_loss(name, **parameters)
    for used in (None, mask):
        expected = reference.LOSSES[name](*(None if t is None else t.numpy() for t in (logits, target, used)), **parameters)
        np.testing.assert_allclose(loss(logits, target, used).item(), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", list(reference.LOSSES))
def test_fp32_agrees_with_numpy_at_full_size(name):
    logits, target, _ = random_case(shape=(2, 1, 129, 127), dtype=torch.float32)
    expected = reference.LOSSES[name](logits.numpy(), target.numpy())
    # 16,000 fp32 terms summed pairwise: relative error of a few 1e-7.
    np.testing.assert_allclose(build_loss(name)(logits, target).item(), expected, rtol=2e-6)


def test_every_registered_loss_of_the_thesis_has_a_reference():
    assert set(reference.LOSSES) == {"bce", "dice", "dice_bce", "iou", "focal", "tversky"}


def test_torch_cross_entropy():
    logits, target, _ = random_case()
    two_classes = torch.cat([torch.zeros_like(logits), logits], dim=1)
    torch.testing.assert_close(build_loss("bce")(logits, target), F.cross_entropy(two_classes, target[:, 0].long()), **TIGHT)
    smoothed = F.cross_entropy(two_classes, target[:, 0].long(), label_smoothing=0.1)
    torch.testing.assert_close(build_loss("bce", label_smoothing=0.1)(logits, target), smoothed, **TIGHT)


@pytest.fixture(scope="module")
def monai_losses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2026-11-25: MONAI's imports warn of what it will drop, which is none of our business
        return pytest.importorskip("monai.losses", reason="MONAI is an oracle of the tests only")


@pytest.fixture(scope="module")
def kornia_losses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2026-11-25: as above, kornia's imports
        return pytest.importorskip("kornia.losses", reason="kornia is an oracle of the tests only")


def agree(ours, theirs):
    for seed in range(3):
        logits, target, _ = random_case(seed, shape=(4, 1, 9, 11))
        value, slope = gradient(ours, logits, target)
        expected, expected_slope = gradient(lambda logits, target, _: theirs(logits, target), logits, target)
        torch.testing.assert_close(value, expected, **TIGHT)
        torch.testing.assert_close(slope, expected_slope, **TIGHT)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("jaccard", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 1e-5])
def test_monai_dice_and_jaccard(monai_losses, batch, jaccard, smooth):
    theirs = monai_losses.DiceLoss(sigmoid=True, jaccard=jaccard, batch=batch, smooth_nr=smooth, smooth_dr=smooth)
    ours = build_loss("iou" if jaccard else "dice", smooth=smooth, batch_reduce="batch" if batch else "image")
    if jaccard:
        # MONAI's Jaccard doubles the numerator's intersection inside 2 (A + B - I), so its smooth counts half.
        ours = build_loss("iou", smooth=smooth / 2, batch_reduce="batch" if batch else "image")
    agree(ours, theirs)


@pytest.mark.parametrize("batch", [False, True])
def test_monai_tversky(monai_losses, batch):
    theirs = monai_losses.TverskyLoss(sigmoid=True, alpha=0.3, beta=0.7, batch=batch, smooth_nr=1.0, smooth_dr=1.0)
    agree(build_loss("tversky", batch_reduce="batch" if batch else "image"), theirs)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.8, 2.0), (0.5, 0.0), (0.1, 5.0)])
def test_monai_focal(monai_losses, alpha, gamma):
    def theirs(logits, target):
        return monai_losses.FocalLoss(alpha=alpha, gamma=gamma)(logits.float(), target.float())

    logits, target, _ = random_case(shape=(4, 1, 9, 11))
    # It computes in fp32.
    ours = build_loss("focal", alpha=alpha, gamma=gamma)(logits, target).float()
    torch.testing.assert_close(ours, theirs(logits, target), rtol=1e-5, atol=0)


def test_monai_dice_bce(monai_losses):
    theirs = monai_losses.DiceCELoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, lambda_dice=0.3, lambda_ce=0.7)
    agree(build_loss("dice_bce", bce_weight=0.7), theirs)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.8, 0.5), (0.1, 5.0)])
def test_kornia_focal(kornia_losses, alpha, gamma):
    theirs = kornia_losses.BinaryFocalLossWithLogits(alpha=alpha, gamma=gamma, reduction="mean")
    agree(build_loss("focal", alpha=alpha, gamma=gamma), theirs)
