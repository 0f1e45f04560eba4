"""Compounds against their parts, against MONAI, and by hand."""

import math
import warnings

import pytest
import torch

from tests.unet.losses.cases import gradient, random_case, value_of
from tests.unet.losses.test_identities import TIGHT, same
from unet.losses import LOSSES, build_loss

OWN_TO_SUMS = {"weight", "ramp", "balance"}


def test_no_loss_uses_the_words_of_a_sum():
    for name, spec in LOSSES.items():
        assert not OWN_TO_SUMS & set(spec.parameters), name


def test_the_ends_of_each_compound_are_its_parts():
    same(build_loss("dice_bce", bce_weight=0.0), build_loss("dice"))
    same(build_loss("dice_bce", bce_weight=1.0), build_loss("bce"))
    same(build_loss("bce_iou", bce_weight=0.0), build_loss("iou"))
    same(build_loss("dice_focal", focal_weight=0.0), build_loss("dice"))
    same(build_loss("gdl_focal", focal_weight=0.0), build_loss("generalized_dice"))
    same(build_loss("dice_topk", topk_weight=0.0), build_loss("dice"))
    same(build_loss("bce_lovasz", lovasz_weight=1.0, warm_up=0.0), build_loss("lovasz_hinge"))
    same(build_loss("bce_lovasz", lovasz_weight=0.0), build_loss("bce"))
    same(build_loss("dice_boundary", start=0.0, end=0.0), build_loss("dice"))
    same(build_loss("dice_boundary", start=1.0, end=1.0, scaling="none"), build_loss("boundary"))
    same(build_loss("dice_hausdorff", hausdorff_weight=0.0), build_loss("dice"))


def test_combo_of_one_half_is_half_the_cross_entropy():
    same(build_loss("combo", bce_weight=1.0, positive_share=0.5), build_loss("bce"), factor=0.5)


def test_combo_rewards_the_index_where_dice_charges_its_lack():
    logits, target, mask = random_case()
    value, slope = gradient(build_loss("combo", bce_weight=0.0), logits, target, mask)
    dice, dice_slope = gradient(build_loss("dice"), logits, target, mask)
    torch.testing.assert_close(value, dice - 1.0, **TIGHT)
    torch.testing.assert_close(slope, dice_slope, **TIGHT)


@pytest.mark.parametrize("name", ["asym_unified_focal", "sym_unified_focal"])
def test_unified_focal_without_focus_is_dice_of_both_classes(name):
    loss = build_loss(name, overlap_weight=1.0, delta=0.5, gamma=0.0, smooth=1.0)
    dice = build_loss("dice", smooth=2.0)

    def other(logits, target, mask):
        return dice(-logits, 1 - target, mask)

    for seed in range(3):
        logits, target, mask = random_case(seed)
        both = gradient(dice, logits, target, mask), gradient(other, logits, target, mask)
        expected = [0.5 * (a + b) for a, b in zip(*both, strict=True)]
        for got, want in zip(gradient(loss, logits, target, mask), expected, strict=True):
            torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-15)


def test_unified_focal_without_overlap_is_focal():
    same(build_loss("sym_unified_focal", overlap_weight=0.0, delta=0.8, gamma=0.5), build_loss("focal", alpha=0.8, gamma=0.5))


def test_the_asymmetric_form_leaves_the_positive_class_its_cross_entropy():
    logits = torch.zeros(1, 1, 1, 2, dtype=torch.float64)  # p = 1/2 for both pixels
    target = torch.tensor([[[[1.0, 0.0]]]])
    value = build_loss("asym_unified_focal", overlap_weight=0.0, delta=0.6, gamma=0.5)(logits, target)
    # delta ln 2 for the positive pixel, (1 - delta) (1/2)^gamma ln 2 for the other, over two pixels
    assert value.item() == pytest.approx((0.6 + 0.4 * math.sqrt(0.5)) * math.log(2.0) / 2)


def test_exp_log_of_ones_is_a_logarithm_and_a_weighted_cross_entropy():
    same(build_loss("exp_log", dice_weight=1.0, gamma_dice=1.0), build_loss("log_dice"))
    logits, target, _ = random_case()
    image = logits[:1], target[:1]
    share = target[:1].mean()
    cross = torch.nn.functional.binary_cross_entropy_with_logits(*image, reduction="none")
    weight = torch.where(image[1] == 1, share.rsqrt(), (1 - share).rsqrt())
    loss = build_loss("exp_log", dice_weight=0.0, gamma_cross=1.0)
    torch.testing.assert_close(loss(*image), (weight * cross).mean(), **TIGHT)


def test_exp_log_by_hand():
    # Four pixels, one positive, p = 1/2: TP 1/2, sum p 2, index (1 + 1) / (2 + 1 + 1); weights sqrt(4 / 1) and sqrt(4 / 3).
    target = torch.tensor([[[[1.0, 0.0], [0.0, 0.0]]]], dtype=torch.float64)
    value = build_loss("exp_log", dice_weight=0.8, gamma_dice=0.3, gamma_cross=0.3)(torch.zeros_like(target), target)
    power = math.log(2.0) ** 0.3
    assert value.item() == pytest.approx(0.8 * power + 0.2 * power * (2.0 + 3 * math.sqrt(4 / 3)) / 4)


def test_the_lovasz_share_warms_up():
    logits, target, _ = random_case()
    loss = build_loss("bce_lovasz", lovasz_weight=0.8, warm_up=0.5)
    bce, hinge = (build_loss(name)(logits, target) for name in ("bce", "lovasz_hinge"))
    for progress, share in ((0.0, 0.0), (0.25, 0.4), (0.5, 0.8), (1.0, 0.8)):
        torch.testing.assert_close(value_of(loss, logits, target, progress=progress), (1 - share) * bce + share * hinge, **TIGHT)
    with pytest.raises(ValueError, match="pass progress="):
        loss(logits, target)
    build_loss("bce_lovasz", warm_up=0.0)(logits, target)


@pytest.fixture(scope="module")
def monai_losses():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2026-11-25: MONAI's imports warn of what it will drop, which is none of our business
        return pytest.importorskip("monai.losses", reason="MONAI is an oracle of the tests only")


def agree(ours, theirs, **tolerance):
    for seed in range(3):
        logits, target, _ = random_case(seed, shape=(4, 1, 9, 11))
        expected = gradient(lambda logits, target, _: theirs(logits, target), logits, target)
        for got, want in zip(gradient(ours, logits, target), expected, strict=True):
            torch.testing.assert_close(got, want, **tolerance)


def test_monai_dice_focal(monai_losses):
    # Its focal half is computed in fp32.
    theirs = monai_losses.DiceFocalLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, gamma=1.5, alpha=0.3, lambda_focal=0.7)
    agree(build_loss("dice_focal", focal_weight=0.7, alpha=0.3, gamma=1.5), theirs, rtol=1e-5, atol=1e-8)


def test_monai_jaccard_and_cross_entropy(monai_losses):
    # Its Jaccard doubles numerator and denominator, so its smooth counts half.
    theirs = monai_losses.DiceCELoss(sigmoid=True, jaccard=True, smooth_nr=2.0, smooth_dr=2.0, lambda_dice=0.3, lambda_ce=0.7)
    agree(build_loss("bce_iou", bce_weight=0.7, smooth=1.0), theirs, rtol=1e-10, atol=1e-14)
