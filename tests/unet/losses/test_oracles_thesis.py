"""The thesis's losses against torch, MONAI and kornia.

MONAI's Dice family defaults to a smooth of 1e-5 on both sides of the fraction; ours is passed to it. Its FocalLoss takes logits.
"""

import warnings

import pytest
import torch
import torch.nn.functional as F

from tests.unet.losses.cases import gradient, random_case
from unet.losses import build_loss

# fp64 on both sides and at most a few hundred terms: what differs is the order of the sums.
TIGHT = {"rtol": 1e-10, "atol": 1e-14}


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
