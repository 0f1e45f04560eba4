"""The region losses against MONAI, kornia and torch, in float64: value and gradient.

MONAI adds smooth_nr to the numerator and smooth_dr to the denominator. Its Jaccard doubles both, so there its smooth counts half. It knows
no mask that could be compared. A focal, logarithmic or penalised form is made of its loss without reduction, an image at a time.
"""

import warnings

import pytest
import torch
import torch.nn.functional as F

from tests.unet.losses.cases import gradient, random_case
from unet.losses import build_loss

TIGHT = {"rtol": 1e-10, "atol": 1e-14}
#: MONAI takes the sizes of the classes in fp32
LOOSE = {"rtol": 1e-6, "atol": 1e-12}


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


def agree(ours, theirs, exact=TIGHT):
    for seed in range(3):
        logits, target, _ = random_case(seed, shape=(4, 1, 9, 11))
        value, slope = gradient(ours, logits, target)
        expected, expected_slope = gradient(lambda logits, target, _: theirs(logits, target), logits, target)
        torch.testing.assert_close(value, expected, **exact)
        torch.testing.assert_close(slope, expected_slope, **exact)


def two_classes(logits, target):
    """Softmax logits and one-hot target: channel 0 is the complement."""
    return torch.cat([torch.zeros_like(logits), logits], dim=1), torch.cat([1 - target, target], dim=1)


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("smooth", [1.0, 1e-5])
def test_monai_squared_dice(monai_losses, batch, smooth):
    theirs = monai_losses.DiceLoss(sigmoid=True, squared_pred=True, batch=batch, smooth_nr=smooth, smooth_dr=smooth)
    agree(build_loss("dice_squared", smooth=smooth, batch_reduce="batch" if batch else "image"), theirs)


def monai_generalized(monai_losses, weighting, smooth):
    """Its loss of each image. Its weights are not scaled to sum 1, so its smooth is ours times their sum."""
    power = {"uniform": 0, "simple": 1, "square": 2}[weighting]

    def theirs(logits, target):
        losses = []
        for i in range(len(logits)):
            sizes = [size for size in (target[i].sum().item(), (1 - target[i]).sum().item()) if size > 0]
            # A class that is missing takes the largest weight of the others, in both libraries.
            weight = sum(size**-power for size in sizes) * 2 / len(sizes)
            scaled = {"smooth_nr": smooth * weight, "smooth_dr": smooth * weight}
            loss = monai_losses.GeneralizedDiceLoss(softmax=True, w_type=weighting, **scaled)
            losses.append(loss(*two_classes(logits[i : i + 1], target[i : i + 1])))
        return torch.stack(losses)

    return theirs


@pytest.mark.parametrize("smooth", [1.0, 1e-5])
@pytest.mark.parametrize("weighting", ["square", "simple", "uniform"])
def test_monai_generalized_dice(monai_losses, weighting, smooth):
    theirs = monai_generalized(monai_losses, weighting, smooth)
    agree(build_loss("generalized_dice", weighting=weighting, smooth=smooth), lambda *batch: theirs(*batch).mean(), LOOSE)


def test_penalty_dice_of_monai(monai_losses):
    theirs = monai_generalized(monai_losses, "square", 1.0)

    def penalised(logits, target):
        index = 1 - theirs(logits, target)
        return (1 - index / (1 + 2.5 * (1 - index))).mean()

    agree(build_loss("penalty_dice"), penalised, LOOSE)


@pytest.mark.parametrize("batch", [False, True])
def test_logarithms_of_monai(monai_losses, batch):
    theirs = monai_losses.DiceLoss(sigmoid=True, batch=batch, smooth_nr=1.0, smooth_dr=1.0, reduction="none")
    reduce = {"batch_reduce": "batch" if batch else "image"}
    agree(build_loss("log_dice", **reduce), lambda *pair: -torch.log(1 - theirs(*pair)).mean())
    agree(build_loss("log_cosh_dice", **reduce), lambda *pair: torch.log(torch.cosh(theirs(*pair))).mean())


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.2])
def test_monai_jaccard_of_soft_labels(monai_losses, smoothing):
    theirs = monai_losses.DiceLoss(sigmoid=True, jaccard=True, soft_label=True, smooth_nr=2.0, smooth_dr=2.0)
    soft = lambda target: target * (1 - smoothing) + smoothing / 2  # noqa: E731
    agree(build_loss("jaccard_metric", label_smoothing=smoothing), lambda logits, target: theirs(logits, soft(target)))


@pytest.mark.parametrize("batch", [False, True])
@pytest.mark.parametrize("gamma", [0.75, 4 / 3, 3.0])
def test_focal_tversky_of_monai(monai_losses, batch, gamma):
    theirs = monai_losses.TverskyLoss(sigmoid=True, alpha=0.2, beta=0.9, batch=batch, smooth_nr=1.0, smooth_dr=1.0, reduction="none")
    ours = build_loss("focal_tversky", alpha=0.2, beta=0.9, gamma=gamma, batch_reduce="batch" if batch else "image")
    agree(ours, lambda logits, target: (theirs(logits, target) ** (1 / gamma)).mean())


@pytest.mark.parametrize("beta", [0.5, 1.5, 3.0])
def test_asymmetric_similarity_of_monai(monai_losses, beta):
    whole = 1 + beta**2
    smooth = {"smooth_nr": 1.0 / whole, "smooth_dr": 1.0 / whole}
    agree(
        build_loss("asymmetric_similarity", beta=beta),
        monai_losses.TverskyLoss(sigmoid=True, alpha=1 / whole, beta=beta**2 / whole, **smooth),
    )


@pytest.mark.parametrize("batch", [False, True])
def test_monai_mcc(monai_losses, batch):
    """Smooth 1 is a pixel more of either class that is right; a batch has one more of each in all."""
    theirs = monai_losses.MCCLoss(sigmoid=True, batch=batch, smooth_dr=0.0)

    def with_two_more(logits, target):
        if batch:
            logits, target = logits.reshape(1, 1, -1), target.reshape(1, 1, -1)
        logits, target = logits.flatten(2), target.flatten(2)
        sure = torch.tensor([1e4, -1e4], dtype=logits.dtype).expand(len(logits), 1, 2)
        return theirs(torch.cat([logits, sure], dim=2), torch.cat([target, (sure > 0).to(target.dtype)], dim=2))

    agree(build_loss("mcc", batch_reduce="batch" if batch else "image"), with_two_more)


def test_kornia_lovasz_hinge(kornia_losses):
    agree(build_loss("lovasz_hinge"), lambda logits, target: kornia_losses.lovasz_hinge_loss(logits, target[:, 0]))


def test_kornia_lovasz_softmax(kornia_losses):
    """kornia means over both classes; the other class is ours with signs and classes swapped."""
    ours = build_loss("lovasz_sigmoid")

    def both(logits, target, _):
        return (ours(logits, target) + ours(-logits, 1 - target)) / 2

    def theirs(logits, target):
        return kornia_losses.lovasz_softmax_loss(two_classes(logits, target)[0], target[:, 0].long())

    agree(both, theirs)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("weight", [0.05, 0.5])
def test_torch_squared_error_of_each_class(weight, masked):
    def theirs(logits, target, mask):
        losses = []
        for z, g, m in zip(logits, target, torch.ones_like(target) if mask is None else mask, strict=True):
            parts = []
            for label in (1.0, 0.0):
                p = torch.sigmoid(z[(g == label) & (m == 1)])
                parts.append(F.mse_loss(p, torch.full_like(p, label)) if p.numel() else p.sum())
            losses.append(weight * parts[0] + (1 - weight) * parts[1])
        return torch.stack(losses).mean()

    ours = build_loss("sensitivity_specificity", sensitivity_weight=weight)
    for seed in range(3):
        logits, target, mask = random_case(seed)
        used = mask if masked else None
        for got, expected in zip(gradient(ours, logits, target, used), gradient(theirs, logits, target, used), strict=True):
            torch.testing.assert_close(got, expected, **TIGHT)


@pytest.mark.parametrize("power", [1.0, 1.5, 2.0, 4.0])
@pytest.mark.parametrize("batch_reduce", ["image", "batch"])
def test_autograd_of_the_errors_to_a_power(power, batch_reduce):
    """The slope of |p - g|^power is written out; torch's own, of the absolute value and the power, must be the same."""

    def plain(logits, target, mask):
        p = torch.sigmoid(logits)
        kept = torch.ones_like(target) if mask is None else mask
        axes = (0, 1, 2, 3) if batch_reduce == "batch" else (1, 2, 3)
        errors = ((p - target).abs() ** power * kept).sum(axes)
        return (errors / (2 * (p * target * kept).sum(axes) + errors + 1.0)).mean()

    for seed in range(3):
        logits, target, mask = random_case(seed)
        for used in (None, mask):
            ours = gradient(build_loss("dice_pp", gamma=power, batch_reduce=batch_reduce), logits, target, used)
            for got, expected in zip(ours, gradient(plain, logits, target, used), strict=True):
                torch.testing.assert_close(got, expected, **TIGHT)
