"""The means over pixels against torch, MONAI, kornia and scipy, in float64: value and gradient.

torch's `weight` and `pos_weight` multiply the cross-entropy of a pixel, and its "mean" divides by the number of pixels, as ours do. A mask
is a weight of 0 and a division by the pixels that are left. MONAI's FocalLoss computes in fp32 whatever it is given.
"""

import warnings

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import ndimage

from tests.unet.losses.cases import gradient, random_case
from unet.losses import build_loss

TIGHT = {"rtol": 1e-10, "atol": 1e-14}


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


def agree(ours, pixels, *, shape=(3, 1, 9, 11), exact=TIGHT):
    """Ours is the mean over the pixels that count of `pixels(logits, target, mask)`, losses of the shape of the logits."""

    def theirs(logits, target, mask):
        kept = torch.ones_like(target) if mask is None else mask
        return (pixels(logits, target, kept) * kept).sum() / kept.sum()

    for seed in range(3):
        logits, target, mask = random_case(seed, shape=shape)
        for used in (None, mask):
            value, slope = gradient(ours, logits, target, used)
            expected, expected_slope = gradient(theirs, logits, target, used)
            torch.testing.assert_close(value, expected, **exact)
            torch.testing.assert_close(slope, expected_slope, **exact)


def cross_entropies(logits, target, weight=None, pos_weight=None):
    return F.binary_cross_entropy_with_logits(logits, target, weight=weight, pos_weight=pos_weight, reduction="none")


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_torch_label_smoothing(smoothing):
    agree(
        build_loss("bce", label_smoothing=smoothing),
        lambda logits, target, _: cross_entropies(logits, target * (1 - smoothing) + smoothing / 2),
    )


@pytest.mark.parametrize("weight", [0.1, 3.5, 10.0])
def test_torch_pos_weight(weight):
    agree(
        build_loss("weighted_bce", positive_weight=weight),
        lambda logits, target, _: cross_entropies(logits, target, pos_weight=torch.tensor(weight, dtype=torch.float64)),
    )


@pytest.mark.parametrize("weight", [0.1, 3.5])
def test_torch_class_weights(weight):
    # The "mean" of torch's two-class loss divides by the sum of the weights, so it is the sum that agrees.
    logits, target, _ = random_case()
    two_classes = torch.cat([torch.zeros_like(logits), logits], dim=1)
    total = F.cross_entropy(two_classes, target[:, 0].long(), weight=torch.tensor([1.0, weight], dtype=torch.float64), reduction="sum")
    torch.testing.assert_close(build_loss("weighted_bce", positive_weight=weight)(logits, target), total / target.numel(), **TIGHT)


@pytest.mark.parametrize("batch_reduce", ["image", "batch"])
@pytest.mark.parametrize("kappa", [0.4, 1.0])
def test_torch_weights_of_the_frequencies(batch_reduce, kappa):
    def pixels(logits, target, kept):
        dims = (0, 1, 2, 3) if batch_reduce == "batch" else (1, 2, 3)
        beta = ((1 - target) * kept).sum(dims, keepdim=True) / kept.sum(dims, keepdim=True)
        weight = torch.where(target == 1, beta**kappa, (1 - beta) ** kappa)
        return cross_entropies(logits, target, weight=torch.where(beta == 1, 1.0, weight).expand_as(logits))

    agree(build_loss("balanced_bce", kappa=kappa, batch_reduce=batch_reduce), pixels)


@pytest.mark.parametrize("epsilon", [-1.0, 2.0, 6.0])
def test_torch_poly1(epsilon):
    def pixels(logits, target, _):
        p_t = (torch.stack([-logits, logits]).softmax(0) * torch.stack([1 - target, target])).sum(0)
        # softmax of -z and z is the sigmoid of 2 z
        return cross_entropies(2 * logits, target) + epsilon * (1 - p_t)

    ours = build_loss("poly1_bce", epsilon=epsilon)
    agree(lambda logits, target, mask: ours(2 * logits, target, mask), pixels)


def two_nearest_cells(target_HW):
    """d1 + d2 by one distance transform a cell; a cell is a 4-connected component of what is not membrane."""
    labels_HW, num_cells = ndimage.label(target_HW == 0)
    if num_cells < 2:
        return np.full(target_HW.shape, np.hypot(*target_HW.shape))
    distances = np.sort([ndimage.distance_transform_edt(labels_HW != cell) for cell in range(1, num_cells + 1)], axis=0)
    return distances[0] + distances[1]


@pytest.mark.parametrize(("w0", "sigma"), [(10.0, 5.0), (20.0, 2.0)])
def test_scipy_border_weights(w0, sigma):
    def pixels(logits, target, _):
        gap = torch.from_numpy(np.stack([two_nearest_cells(image[0]) for image in target.numpy()])[:, None])
        # The map is an fp32 one.
        return cross_entropies(logits, target, weight=1 + w0 * torch.exp(-gap.float().double().square() / (2 * sigma**2)))

    agree(build_loss("border_bce", w0=w0, sigma=sigma), pixels, shape=(2, 1, 14, 12))


def closeness(target_HW, kept_HW):
    """The reverted distance of either class, each from its own distance transform."""
    if len(np.unique(target_HW)) == 1:
        return np.full(target_HW.shape, 1 / np.float32(np.hypot(*target_HW.shape)).astype(float))
    phi_HW = np.zeros(target_HW.shape)
    for side_HW in (target_HW == 1, target_HW == 0):
        depth_HW = ndimage.distance_transform_edt(side_HW).astype(np.float32).astype(float)
        deepest = depth_HW[side_HW & (kept_HW == 1)].max()
        phi_HW += side_HW * (deepest - depth_HW + 1) / deepest
    return phi_HW


@pytest.mark.parametrize("border_weight", [0.1, 1.0, 10.0])
def test_scipy_distance_weights(border_weight):
    def pixels(logits, target, kept):
        phi = [closeness(image[0], mask[0]) for image, mask in zip(target.numpy(), kept.numpy(), strict=True)]
        return cross_entropies(logits, target, weight=1 + border_weight * torch.from_numpy(np.stack(phi)[:, None]))

    agree(build_loss("distance_bce", border_weight=border_weight), pixels, shape=(2, 1, 14, 12))


@pytest.mark.parametrize("num_hardest", [1, 10, 77, 99])
def test_torch_topk(num_hardest):
    # 99 pixels an image: k n is a whole number, but for a rounding that may go either way.
    for seed in range(5):
        logits, target, _ = random_case(seed, shape=(3, 1, 9, 11))

        def theirs(logits, target, _):
            return cross_entropies(logits, target).flatten(1).topk(num_hardest, dim=1).values.mean()

        value, slope = gradient(build_loss("topk_bce", k=num_hardest / 99), logits, target)
        expected, expected_slope = gradient(theirs, logits, target)
        torch.testing.assert_close(value, expected, **TIGHT)
        torch.testing.assert_close(slope, expected_slope, **TIGHT)


def test_torch_topk_of_the_pixels_that_count():
    logits, target, mask = random_case(shape=(3, 1, 9, 11))
    pixels = int(mask.sum())

    def theirs(logits, target, mask):
        return cross_entropies(logits, target)[mask == 1].topk(40).values.mean()

    value, slope = gradient(build_loss("topk_bce", k=40 / pixels, batch_reduce="batch"), logits, target, mask)
    expected, expected_slope = gradient(theirs, logits, target, mask)
    torch.testing.assert_close(value, expected, **TIGHT)
    torch.testing.assert_close(slope, expected_slope, **TIGHT)


@pytest.mark.parametrize("smooth", [1e-6, 1.0])
def test_torch_divergence_of_sizes(smooth):
    def theirs(logits, target, mask):
        kept = torch.ones_like(target) if mask is None else mask
        true, predicted = (
            torch.distributions.Bernoulli(probs=((share * kept).sum((1, 2, 3)) + smooth) / (kept.sum((1, 2, 3)) + 2 * smooth))
            for share in (target, logits.sigmoid())
        )
        entropy = (cross_entropies(logits, target) * kept).sum() / kept.sum()
        return entropy + 0.3 * torch.distributions.kl_divergence(true, predicted).mean()

    for seed in range(3):
        logits, target, mask = random_case(seed)
        for used in (None, mask):
            value, slope = gradient(build_loss("bce_region_size", size_weight=0.3, smooth=smooth), logits, target, used)
            expected, expected_slope = gradient(theirs, logits, target, used)
            torch.testing.assert_close(value, expected, rtol=1e-9, atol=0)
            torch.testing.assert_close(slope, expected_slope, rtol=1e-8, atol=1e-14)


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.8, 0.5), (0.5, 0.0), (0.1, 5.0)])
def test_kornia_focal_pixels(kornia_losses, alpha, gamma):
    # alpha weighs the positive class in both.
    theirs = kornia_losses.BinaryFocalLossWithLogits(alpha=alpha, gamma=gamma, reduction="none")
    agree(build_loss("focal", alpha=alpha, gamma=gamma), lambda logits, target, _: theirs(logits, target))


@pytest.mark.parametrize(("alpha", "gamma"), [(0.25, 2.0), (0.8, 0.5), (0.1, 5.0)])
def test_monai_focal_pixels(monai_losses, alpha, gamma):
    # The sigmoid path: alpha where g = 1, 1 - alpha where g = 0. In fp32, so that a few digits less agree.
    theirs = monai_losses.FocalLoss(alpha=alpha, gamma=gamma, reduction="none")
    agree(
        build_loss("focal", alpha=alpha, gamma=gamma),
        lambda logits, target, _: theirs(logits, target).double(),
        exact={"rtol": 1e-5, "atol": 1e-9},
    )
