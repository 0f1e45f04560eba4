"""Boundary and topology losses against MONAI, kornia and SciPy, in float64: how their conventions are met stands beside each."""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage
from skimage.morphology import dilation

from data_utils.maps import maps_of
from tests.unet.losses.cases import gradient
from unet.losses import build_loss
from unet.losses.edt import squared_distances

TIGHT = {"rtol": 1e-10, "atol": 1e-14}
# MONAI rounds its distances to fp32.
FLOAT_MAPS = {"rtol": 1e-6, "atol": 1e-12}


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


def smooth_case(seed, images=3):
    """Logits and target with pieces a few pixels thick, both classes in every image."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(2, images, 1, 21, 17, generator=generator, dtype=torch.float64)
    pieces = F.avg_pool2d(noise.flatten(0, 1), 5, 1, 2).reshape(noise.shape)
    target = (pieces[0] > 0.1).double()
    target[:, :, 0, 0], target[:, :, 0, 1] = 0.0, 1.0
    return 6.0 * pieces[0] + 9.0 * pieces[1] + 0.3 * noise[1], target


def agree(ours, theirs, *, images=3, **tolerance):
    for seed in range(4):
        logits, target = smooth_case(seed, images)
        value, slope = gradient(ours, logits, target)
        expected, expected_slope = gradient(lambda logits, target, _: theirs(logits, target), logits, target)
        torch.testing.assert_close(value, expected, **tolerance)
        torch.testing.assert_close(slope, expected_slope, **tolerance)


@pytest.mark.parametrize("alpha", [1.0, 2.0, 2.7])
def test_monai_hausdorff_dt(monai_losses, alpha):
    theirs = monai_losses.HausdorffDTLoss(sigmoid=True, include_background=True, alpha=alpha)
    # In an image of one class its field is 0, ours of the target the diagonal: smooth_case has both classes.
    agree(build_loss("hausdorff_dt", alpha=alpha, scale="none"), theirs, **FLOAT_MAPS)


def test_monai_log_hausdorff_dt(monai_losses):
    theirs = monai_losses.LogHausdorffDTLoss(sigmoid=True, include_background=True)
    # It takes the logarithm of the batch's mean, ours of each image: the same of one image.
    agree(build_loss("log_hausdorff_dt"), theirs, images=1, **FLOAT_MAPS)


@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_monai_distances_one_sided(monai_losses, alpha):
    field = monai_losses.HausdorffDTLoss().distance_field

    def theirs(logits, target):
        return ((torch.sigmoid(logits) - target) ** 2 * field(target) ** alpha).mean()

    agree(build_loss("hausdorff_dt_onesided", alpha=alpha, scale="none"), theirs, **FLOAT_MAPS)


def test_monai_boundary_is_ours_but_for_a_constant(monai_losses):
    """Its map takes 1 px off inside, so both are given its map; its value lacks the target's constant, so that of the truth goes off."""
    theirs = monai_losses.BoundaryLoss(sigmoid=True)
    ours = build_loss("boundary", scale="none")
    for seed in range(4):
        logits, target = smooth_case(seed)
        distance = theirs.compute_distance_map(target)
        value, slope = gradient(lambda logits, target, _, d=distance: ours(logits, target, aux={"distance": d}), logits, target)
        expected, expected_slope = gradient(lambda logits, target, _: theirs(logits, target), logits, target)
        torch.testing.assert_close(value, expected - theirs(1e4 * (2 * target - 1), target), rtol=1e-9, atol=0)
        torch.testing.assert_close(slope, expected_slope, **TIGHT)


@pytest.mark.parametrize("iterations", [0, 1, 3, 10])
def test_monai_soft_cldice(monai_losses, iterations):
    # Its `smooth` stands in the denominator of the harmonic mean, where ours has nothing; it must be positive, so it is made nothing.
    theirs = monai_losses.SoftclDiceLoss(sigmoid=True, iter_=iterations, smooth=1e-30)
    agree(build_loss("soft_cldice", iterations=iterations, core="drop"), theirs, **TIGHT)


@pytest.mark.parametrize("alpha", [0.1, 0.5])
def test_monai_dice_cldice(monai_losses, alpha):
    theirs = monai_losses.SoftDiceclDiceLoss(sigmoid=True, iter_=3, alpha=alpha, smooth_nr=0.7, smooth_dr=0.7, smooth=1e-30)
    agree(build_loss("dice_cldice", alpha=alpha, iterations=3, core="drop", smooth=0.7), theirs, **TIGHT)


@pytest.mark.parametrize("tube_px", [0, 1, 2])
def test_skeleton_recall_put_together_from_monai_torch_and_skimage(monai_losses, tube_px):
    region = monai_losses.DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0)

    def theirs(logits, target):
        tube = maps_of(target, ["skeleton"])["skeleton"][:, 0].numpy()
        for _ in range(tube_px):
            tube = np.stack([dilation(image) for image in tube])
        tube = torch.from_numpy(tube)[:, None] * target
        recall = ((torch.sigmoid(logits) * tube).sum((1, 2, 3)) + 1) / (tube.sum((1, 2, 3)) + 1)
        return region(logits, target) + F.binary_cross_entropy_with_logits(logits, target) + 1.5 * (1 - recall).mean()

    agree(build_loss("skeleton_recall", recall_weight=1.5, tube_px=tube_px), theirs, **TIGHT)


def in_two_channels(loss):
    """kornia compares each class with its own channel: the same twice over, of which it takes the mean. Its fifths are of fp32."""
    loss.kernel = loss.kernel.bool().double() / 5

    def both(logits, target):
        probability = torch.sigmoid(logits)
        return loss(torch.cat([1 - probability, probability], dim=1), target.long())

    return both


@pytest.mark.parametrize(("alpha", "erosions"), [(2.0, 10), (1.0, 4)])
def test_kornia_hausdorff_er_with_a_fixed_stretch(kornia_losses, alpha, erosions):
    """kornia stretches each eroded image between its own extremes; told that these are 0 and 1/2, it does what ours does."""

    class Fixed(kornia_losses.HausdorffERLoss):
        calls = 0

        def max_pool(self, field):
            self.calls += 1  # the largest is asked for first, then that of the negative
            return torch.full((len(field), 1, 1, 1), 0.5 * (self.calls % 2), dtype=field.dtype)

    agree(build_loss("hausdorff_er", alpha=alpha, erosions=erosions, plain_weight=0.0), in_two_channels(Fixed(alpha, erosions)), **TIGHT)


def test_kornia_hausdorff_er_of_a_thick_and_certain_error(kornia_losses):
    target = torch.zeros(1, 1, 32, 32, dtype=torch.float64)
    logits = torch.full_like(target, -1e4)
    logits[..., 6:25, 7:26] = 1e4  # 19 px across: 1 in the middle after 5 erosions, 0 outside
    theirs = in_two_channels(kornia_losses.HausdorffERLoss(2.0, 5))
    ours = build_loss("hausdorff_er", erosions=5, plain_weight=0.0)
    torch.testing.assert_close(ours(logits, target), theirs(logits, target), **TIGHT)


@pytest.mark.parametrize("shape", [(1, 2), (1, 40), (40, 1), (17, 23), (64, 300), (420, 90)])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.98])
def test_distances_are_those_of_scipy(shape, share):
    binary = np.random.default_rng(0).random((2, 1, *shape)) < share
    binary[..., 0, 0], binary[..., -1, -1] = True, False  # both classes; where `share` is 0, farther apart than uint16 squares go
    expected = np.stack([ndimage.distance_transform_edt(b) + ndimage.distance_transform_edt(~b) for b in binary[:, 0]])
    found = squared_distances(torch.from_numpy(binary))
    assert found.dtype == torch.float32 and found.shape == binary.shape
    np.testing.assert_array_equal(found[:, 0], np.rint(expected**2))


def test_distances_in_blobs_are_those_of_scipy():
    binary = ndimage.gaussian_filter(np.random.default_rng(1).normal(size=(300, 290)), 9) > 0
    expected = ndimage.distance_transform_edt(binary) + ndimage.distance_transform_edt(~binary)
    np.testing.assert_array_equal(squared_distances(torch.from_numpy(binary)[None, None])[0, 0], np.rint(expected**2))
