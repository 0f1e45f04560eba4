"""Relations between the region losses that hold exactly, and values worked out by hand."""

import math

import pytest
import torch

from tests.unet.losses.cases import gradient, random_case
from unet.losses import build_loss

TIGHT = {"rtol": 1e-12, "atol": 1e-15}
SETS = [{"batch_reduce": batch_reduce, "empty": empty} for batch_reduce in ("image", "batch") for empty in ("smooth", "skip", "penalise")]
every_set = pytest.mark.parametrize("sets", SETS, ids=lambda sets: "-".join(sets.values()))


def same(one, other):
    """Value and gradient of `one` are those of `other`, with and without a mask."""
    for seed in range(3):
        logits, target, mask = random_case(seed)
        for used in (None, mask):
            for got, expected in zip(gradient(one, logits, target, used), gradient(other, logits, target, used), strict=True):
                torch.testing.assert_close(got, expected, **TIGHT)


def image(*rows: list[float]) -> torch.Tensor:
    """One image, [1, 1, H, W]."""
    return torch.tensor([[rows]], dtype=torch.float64)


def logits_of(*rows: list[float]) -> torch.Tensor:
    """The logits of these probabilities."""
    return torch.logit(image(*rows))


@every_set
@pytest.mark.parametrize("beta", [0.0, 0.5, 1.5, 3.0])
def test_asymmetric_similarity_is_tversky(beta, sets):
    # F_beta divided by 1 + beta^2 above and below.
    whole = 1 + beta**2
    tversky = build_loss("tversky", alpha=1 / whole, beta=beta**2 / whole, smooth=2.0 / whole, **sets)
    same(build_loss("asymmetric_similarity", beta=beta, smooth=2.0, **sets), tversky)


@every_set
@pytest.mark.parametrize(
    ("name", "parameters", "other", "others"),
    [
        ("asymmetric_similarity", {"beta": 1.0}, "dice", {}),
        ("focal_tversky", {"gamma": 1.0, "alpha": 0.2, "beta": 0.9}, "tversky", {"alpha": 0.2, "beta": 0.9}),
        ("dice_pp", {"gamma": 1.0}, "dice", {}),
        ("noise_robust_dice", {"gamma": 2.0}, "dice_squared", {}),
        ("boundary_dou", {"alpha_cap": -1.0}, "dice_squared", {}),
        ("jaccard_metric", {"label_smoothing": 0.0}, "iou", {}),
        ("penalty_dice", {"k": 0.0, "weighting": "simple"}, "generalized_dice", {"weighting": "simple"}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_at_this_setting_it_is_another_loss(name, parameters, other, others, sets):
    same(build_loss(name, **parameters, **sets), build_loss(other, **others, **sets))


def test_the_soft_formula_of_the_jaccard_metric_meets_the_hard_one():
    # The branch without label smoothing leaves out a pass over the pixels; just above it the value must not jump.
    logits, target, mask = random_case()
    for used in (None, mask):
        value, slope = gradient(build_loss("jaccard_metric", label_smoothing=1e-9), logits, target, used)
        expected, expected_slope = gradient(build_loss("iou"), logits, target, used)
        torch.testing.assert_close(value, expected, rtol=1e-7, atol=0)
        torch.testing.assert_close(slope, expected_slope, rtol=1e-6, atol=1e-12)


def test_the_jaccard_metric_is_least_at_a_soft_target():
    # TP / (TP + FP + FN) with the soft target in the place of g would not be.
    _, target, _ = random_case()
    loss = build_loss("jaccard_metric", label_smoothing=0.2)
    assert loss(torch.logit(0.8 * target + 0.1), target).item() == pytest.approx(0.0, abs=1e-12)
    assert loss(1e4 * (2 * target - 1), target) > 0.1


@every_set
def test_a_uniform_generalized_dice_is_the_mean_error(sets):
    loss = build_loss("generalized_dice", weighting="uniform", smooth=1e-8, **{**sets, "empty": "smooth"})
    logits, target, _ = random_case()
    expected = (torch.sigmoid(logits) - target).abs().mean()
    torch.testing.assert_close(loss(logits, target), expected, rtol=1e-8, atol=0)


@pytest.mark.parametrize("weighting", ["square", "simple", "uniform"])
@pytest.mark.parametrize("name", ["generalized_dice", "penalty_dice"])
def test_classes_can_be_swapped_in_the_generalized_dice(name, weighting):
    logits, target, mask = random_case()
    loss = build_loss(name, weighting=weighting)
    torch.testing.assert_close(loss(-logits, 1 - target, mask), loss(logits, target, mask), **TIGHT)


def test_classes_can_be_swapped_in_mcc_and_sensitivity_specificity():
    logits, target, mask = random_case()
    mcc = build_loss("mcc")
    torch.testing.assert_close(mcc(-logits, 1 - target, mask), mcc(logits, target, mask), **TIGHT)
    one, other = (
        build_loss("sensitivity_specificity", sensitivity_weight=0.2),
        build_loss("sensitivity_specificity", sensitivity_weight=0.8),
    )
    torch.testing.assert_close(one(-logits, 1 - target, mask), other(logits, target, mask), **TIGHT)


@pytest.mark.parametrize("weighting", ["square", "simple"])
def test_equal_classes_weigh_alike(weighting):
    logits = random_case(shape=(3, 1, 7, 4))[0]
    target = (torch.arange(84).reshape(3, 1, 7, 4) % 2).double()
    mask = torch.ones_like(target)
    mask[:, 0, :2] = 0.0
    expected = build_loss("generalized_dice", weighting="uniform")(logits, target, mask)
    torch.testing.assert_close(build_loss("generalized_dice", weighting=weighting)(logits, target, mask), expected, **TIGHT)


def test_penalty_dice_bends_the_generalized_dice():
    logits, target, _ = random_case()
    loss = build_loss("generalized_dice")(logits[:1], target[:1])
    index = 1 - loss
    torch.testing.assert_close(build_loss("penalty_dice", k=2.5)(logits[:1], target[:1]), 1 - index / (1 + 2.5 * (1 - index)), **TIGHT)


def test_log_dice_and_log_cosh_dice_bend_dice():
    logits, target, _ = random_case()
    for i in range(3):
        dice = build_loss("dice")(logits[i : i + 1], target[i : i + 1])
        torch.testing.assert_close(build_loss("log_dice")(logits[i : i + 1], target[i : i + 1]), -torch.log(1 - dice), **TIGHT)
        torch.testing.assert_close(build_loss("log_cosh_dice")(logits[i : i + 1], target[i : i + 1]), torch.log(torch.cosh(dice)), **TIGHT)


def test_log_cosh_dice_keeps_its_digits_in_fp32():
    # Three of 10,000 pixels wrong: ln cosh x is x^2 / 2 to 1e-9 of itself, and cosh x is 1 in fp32.
    target = torch.ones(1, 1, 100, 100)
    logits = torch.full_like(target, 1e4)
    logits[0, 0, 0, :3] = -1e4
    loss = 3 / (2 * 10_000 - 3 + 1)
    assert build_loss("log_cosh_dice")(logits, target).item() == pytest.approx(loss**2 / 2, rel=1e-5)


@pytest.mark.parametrize("batch_reduce", ["image", "batch"])
@pytest.mark.parametrize("smooth", [0.0, 3.0])
def test_lovasz_of_a_hard_prediction_is_one_minus_iou(batch_reduce, smooth):
    logits, target, mask = random_case()
    logits, target, mask = logits[::2], target[::2], mask[::2]
    iou = build_loss("iou", smooth=smooth or 1e-8, batch_reduce=batch_reduce)
    for used in (None, mask):
        expected = iou(1e4 * logits, target, used)
        exact = {"rtol": 1e-12 if smooth else 1e-8, "atol": 0}
        of_errors = build_loss("lovasz_sigmoid", smooth=smooth, batch_reduce=batch_reduce)(1e4 * logits, target, used)
        torch.testing.assert_close(of_errors, expected, **exact)
        # Where z is 1 or -1 the hinge error is 0 or 2.
        of_hinges = build_loss("lovasz_hinge", smooth=smooth, batch_reduce=batch_reduce)(logits.sign(), target, used)
        torch.testing.assert_close(of_hinges, 2 * expected, **exact)


def test_lovasz_worked_out():
    # Errors 0.8 (false), 0.5 (missed), 0.3 (missed), 0.1 (false) of a target of two pixels: after one, two and three wrong pixels
    # 1 - IoU is 1 - 2/3, 1 - 1/3 and 1, and stays there.
    probability, target = logits_of([0.8, 0.5], [0.7, 0.1]), image([0.0, 1.0], [1.0, 0.0])
    value, slope = gradient(build_loss("lovasz_sigmoid"), probability, target)
    assert value.item() == pytest.approx(0.8 / 3 + 0.5 / 3 + 0.3 / 3)
    # The factor times p (1 - p), upwards where g = 0.
    torch.testing.assert_close(slope, image([0.16 / 3, -0.25 / 3], [-0.21 / 3, 0.0]))
    # Hinge errors 2, 1.5, 0.5, and none where the logit is beyond 1.
    value, slope = gradient(build_loss("lovasz_hinge"), image([1.0, -0.5], [0.5, -3.0]), target)
    assert value.item() == pytest.approx((2 + 1.5 + 0.5) / 3)
    torch.testing.assert_close(slope, image([1 / 3, -1 / 3], [-1 / 3, 0.0]))


def test_lovasz_of_an_image_without_positive_pixels():
    logits, target = image([2.0, 0.5], [-0.5, -4.0]), torch.zeros(1, 1, 2, 2)
    value, slope = gradient(build_loss("lovasz_hinge"), logits, target)
    assert value.item() == 3.0
    assert slope.flatten().tolist() == [1.0, 0.0, 0.0, 0.0], "all on the worst pixel"
    assert build_loss("lovasz_sigmoid")(logits, target).item() == pytest.approx(1 / (1 + math.exp(-2)))
    # J of k wrong pixels is k / (k + s): 1/4, 2/5, 3/6, 4/7 for s = 3.
    value, slope = gradient(build_loss("lovasz_hinge", smooth=3.0), logits, target)
    assert value.item() == pytest.approx(3 / 4 + 1.5 * (2 / 5 - 1 / 4) + 0.5 * (3 / 6 - 2 / 5))
    torch.testing.assert_close(slope, image([1 / 4, 3 / 20], [1 / 10, 0.0]))
    assert gradient(build_loss("lovasz_hinge", empty="skip"), logits, target)[1].abs().max() == 0
    penalised = gradient(build_loss("lovasz_hinge", empty="penalise"), logits, target)[1]
    assert 0 < penalised.abs().max() <= 1 / 16  # p (1 - p) / 4


def test_lovasz_keeps_its_digits_in_fp32():
    # The factors of 512 x 512 pixels are 1e-6 and less; as differences of Jaccard losses near 1 they would keep two digits.
    logits, target, _ = random_case(shape=(1, 1, 512, 512), dtype=torch.float32)
    for name in ("lovasz_hinge", "lovasz_sigmoid"):
        value, slope = gradient(build_loss(name), logits, target)
        expected, expected_slope = gradient(build_loss(name), logits.double(), target.double())
        torch.testing.assert_close(value.double(), expected, rtol=1e-6, atol=0)
        torch.testing.assert_close(slope.double(), expected_slope, rtol=1e-4, atol=1e-12)


def test_mcc_worked_out():
    # Three of four positive pixels found, one of six negative ones taken for positive: TP 3, FN 1, FP 1, TN 5.
    target = image([1.0, 1.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0])
    logits = 1e4 * image([1.0, 1.0, 1.0, -1.0, 1.0], [-1.0, -1.0, -1.0, -1.0, -1.0])
    assert build_loss("mcc", smooth=1e-8)(logits, target).item() == pytest.approx(1 - (15 - 1) / math.sqrt(4 * 4 * 6 * 6), abs=1e-7)
    # One more pixel of each class that is right: TP 4, TN 6.
    assert build_loss("mcc", smooth=1.0)(logits, target).item() == pytest.approx(1 - (24 - 1) / math.sqrt(5 * 5 * 7 * 7))
    # Everything the wrong way round.
    worst = build_loss("mcc", smooth=1e-8)(-1e4 * (2 * target - 1), target)
    assert worst.item() == pytest.approx(2.0, abs=1e-7)


@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_mcc_of_one_class_alone(fill):
    # 16 pixels, four of them wrong; s = 2: 1 - sqrt(s (n - sum + s) / ((sum + s) (n + s))).
    target = torch.full((1, 1, 4, 4), fill)
    logits = torch.full((1, 1, 4, 4), 1e4) * (2 * fill - 1)
    logits[0, 0, 0] *= -1
    assert build_loss("mcc", smooth=2.0)(logits, target).item() == pytest.approx(1 - math.sqrt(2 * 14 / (6 * 18)), rel=1e-6)


def test_mcc_of_millions_of_pixels_in_fp32():
    # The product of the four sums is 1e24 here, and would be infinite for a batch of sections.
    logits, target, _ = random_case(shape=(2, 1, 1024, 1024), dtype=torch.float32)
    exact = build_loss("mcc", batch_reduce="batch")(logits.double(), target.double())
    assert build_loss("mcc", batch_reduce="batch")(logits, target).item() == pytest.approx(exact.item(), rel=1e-5)


def test_sensitivity_specificity_worked_out():
    # p of the positive pixels 0.5 and 0.9, of the negative ones 0.2 and 0: mean squared errors 0.13 and 0.02.
    logits, target = torch.cat([logits_of([0.5, 0.9, 0.2]), image([-1e4])], dim=-1), image([1.0, 1.0, 0.0, 0.0])
    for weight in (0.0, 0.05, 1.0):
        value = build_loss("sensitivity_specificity", sensitivity_weight=weight)(logits, target)
        assert value.item() == pytest.approx(0.13 * weight + 0.02 * (1 - weight))
    # One class alone: its own error, weighed.
    value = build_loss("sensitivity_specificity", sensitivity_weight=0.05)(logits, torch.zeros_like(target))
    assert value.item() == pytest.approx(0.95 * (0.25 + 0.81 + 0.04) / 4)


@pytest.mark.parametrize(
    ("name", "parameters", "expected"),
    [
        # TP 1.4, sum p 1.6, sum g 2, sum of p^2 0.25 + 0.81 + 0.04, errors 0.5, 0.1, 0.2.
        ("dice_squared", {}, 0.3 / (1.1 + 2 + 1)),
        ("log_dice", {}, math.log((1.6 + 2 + 1) / (2.8 + 1))),
        ("dice_pp", {"gamma": 2.0}, 0.3 / (2.8 + 0.3 + 1)),
        ("noise_robust_dice", {"gamma": 1.5}, (0.5**1.5 + 0.1**1.5 + 0.2**1.5) / (1.1 + 2 + 1)),
        ("focal_tversky", {"alpha": 0.3, "beta": 0.7, "gamma": 4 / 3}, ((0.06 + 0.42) / (1.4 + 0.06 + 0.42 + 1)) ** 0.75),
        ("asymmetric_similarity", {"beta": 2.0}, 1 - (5 * 1.4 + 1) / (5 * 1.4 + 4 * 0.6 + 0.2 + 1)),
        # Sizes 2 and 3: 1/4 and 1/9, of sum 1: 9/13 and 4/13. The other class has sum p 3.4, sum g 3 and TP 2.8.
        ("generalized_dice", {}, 1 - (2 * (9 * 1.4 + 4 * 2.8) / 13 + 1) / ((9 * 3.6 + 4 * 6.4) / 13 + 1)),
        ("generalized_dice", {"weighting": "simple"}, 1 - (2 * (3 * 1.4 + 2 * 2.8) / 5 + 1) / ((3 * 3.6 + 2 * 6.4) / 5 + 1)),
        # g' is 0.9 and 0.1: distances 0.4, 0, 0.1 and twice 0.1; norms 1.6 and 2.1.
        ("jaccard_metric", {"label_smoothing": 0.2}, 2 * 0.7 / (1.6 + 2.1 + 0.7 + 2)),
    ],
)
def test_worked_out(name, parameters, expected):
    logits, target = torch.cat([logits_of([0.5, 0.9, 0.2]), image([-1e4, -1e4])], dim=-1), image([1.0, 1.0, 0.0, 0.0, 0.0])
    assert build_loss(name, **parameters)(logits, target).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        # sum p 1.6, sum p^2 1.1, three pixels.
        ("dice_squared", 1.1 / 2.1),
        ("generalized_dice", 1.6 / 4),
        ("penalty_dice", 3.5 * 0.4 / (1 + 2.5 * 0.4)),
        ("log_dice", math.log(2.6)),
        ("log_cosh_dice", math.log(math.cosh(1.6 / 2.6))),
        ("dice_pp", 1.1 / 2.1),
        ("noise_robust_dice", (0.5**1.5 + 0.9**1.5 + 0.2**1.5) / 2.1),
        ("jaccard_metric", 1.6 / 2.6),
        ("focal_tversky", (0.48 / 1.48) ** 0.75),
        ("asymmetric_similarity", 1.6 / 2.6),
        ("boundary_dou", 1.1 / 2.1),
    ],
)
def test_an_image_without_positive_pixels_costs_what_its_docstring_says(name, expected):
    logits, target = logits_of([0.5, 0.9, 0.2]), image([0.0, 0.0, 0.0])
    assert build_loss(name)(logits, target).item() == pytest.approx(expected, rel=1e-12)
    assert build_loss(name, empty="skip")(logits, target).item() == 0
    assert build_loss(name, empty="penalise")(logits, target).item() == pytest.approx(1.6 / 3)


def test_a_root_has_a_finite_slope_at_a_perfect_prediction():
    _, target, _ = random_case()
    for size in (10.0, 30.0, 40.0, 1e4):
        for dtype in (torch.float32, torch.float64):
            value, slope = gradient(build_loss("focal_tversky", gamma=3.0), (size * (2 * target - 1)).to(dtype), target.to(dtype))
            assert 0 <= value < 0.2 and slope.abs().max() < 10
    # Between the line and the root there is no jump.
    near = [
        gradient(build_loss("focal_tversky", gamma=3.0), torch.full((1, 1, 1, 1), z).double(), target[1:2, :, :1, :1])[0]
        for z in (-36.8, -37.3)
    ]
    assert near[0] > near[1] > 0 and near[0] / near[1] < 2


def test_a_noise_robust_dice_can_pull_the_wrong_way():
    # What its docstring warns of, and why empty "skip" exists: a sure false pixel is pulled up where nothing is positive.
    logits = torch.cat([logits_of([0.9]), logits_of([0.2] * 200)], dim=-1)
    _, slope = gradient(build_loss("noise_robust_dice"), logits, torch.zeros_like(logits))
    assert slope[0, 0, 0, 0] < 0
    _, slope = gradient(build_loss("noise_robust_dice", empty="penalise"), logits, torch.zeros_like(logits))
    assert (slope > 0).all()


def block(size: int, low: int, high: int) -> torch.Tensor:
    target = torch.zeros(1, 1, size, size, dtype=torch.float64)
    target[..., low:high, low:high] = 1.0
    return target


@pytest.mark.parametrize(
    ("target", "mask", "alpha"),
    [
        # A block of 5 x 5 has 16 border pixels; in a corner of the frame 9 of them, two sides.
        (block(9, 2, 7), None, 1 - 2 * 16 / 25),
        (block(9, 0, 5), None, 1 - 2 * 9 / 25),
        # A full image has no border, and the cap holds.
        (block(9, 0, 9), None, 0.8),
        # Of a block of 21 x 21 in the middle 80 of 441.
        (block(25, 2, 23), None, 1 - 2 * 80 / 441),
        # Nothing but the block counts: its neighbours are unknown.
        (block(9, 2, 7), block(9, 2, 7), 0.8),
        # The block and one ring: the same as without a mask. Half the block: a column of 5 with its two ends, and a row of 5.
        (block(9, 2, 7), block(9, 1, 8), 1 - 2 * 16 / 25),
    ],
)
def test_the_weight_of_a_border(target, mask, alpha):
    logits = random_case(shape=target.shape)[0]
    p, counted = torch.sigmoid(logits), torch.ones_like(target) if mask is None else mask
    both, squares = (p * target * counted).sum(), (p**2 * counted).sum() + (target * counted).sum()
    expected = (squares - 2 * both) / (squares - (1 + alpha) * both + 1)
    torch.testing.assert_close(build_loss("boundary_dou")(logits, target, mask), expected, **TIGHT)


def test_a_batch_shares_its_border():
    target = torch.cat([block(9, 2, 7), block(9, 0, 9)])
    logits = random_case(shape=target.shape)[0]
    p = torch.sigmoid(logits)
    both, squares = (p * target).sum(), (p**2).sum() + target.sum()
    expected = (squares - 2 * both) / (squares - (1 + 1 - 2 * 16 / (25 + 81)) * both + 1)
    torch.testing.assert_close(build_loss("boundary_dou", batch_reduce="batch")(logits, target), expected, **TIGHT)
