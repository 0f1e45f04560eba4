"""Relations between the losses that are means over pixels, and values worked out by hand. p_t is the probability of the target."""

import math

import pytest
import torch

from tests.unet.losses.cases import gradient, random_case, value_of
from unet.losses import build_loss

TIGHT = {"rtol": 1e-12, "atol": 1e-15}
PER_SET = ["balanced_bce", "topk_bce", "bce_region_size"]


def same(one, other, *, factor=1.0, masked=True):
    """Value and gradient of `one` are `factor` times those of `other`, with and without a mask."""
    for seed in range(3):
        logits, target, mask = random_case(seed)
        for used in (None, mask) if masked else (None,):
            value, slope = gradient(one, logits, target, used)
            expected, expected_slope = gradient(other, logits, target, used)
            torch.testing.assert_close(value, factor * expected, **TIGHT)
            torch.testing.assert_close(slope, factor * expected_slope, **TIGHT)


def image(*values: float) -> torch.Tensor:
    """One image of one row."""
    return torch.tensor(values, dtype=torch.float64).reshape(1, 1, 1, -1)


def logit_of(*probabilities: float) -> torch.Tensor:
    return torch.logit(image(*probabilities))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("weighted_bce", {"positive_weight": 1.0}),
        ("balanced_bce", {"kappa": 0.0}),
        ("balanced_bce", {"kappa": 0.0, "batch_reduce": "batch"}),
        ("border_bce", {"w0": 0.0}),
        ("distance_bce", {"border_weight": 0.0}),
        ("topk_bce", {"k": 1.0, "batch_reduce": "batch"}),
        ("poly1_bce", {"epsilon": 0.0}),
        ("bce_region_size", {"size_weight": 0.0}),
    ],
)
def test_at_the_end_of_its_range_each_is_cross_entropy(name, parameters):
    same(build_loss(name, **parameters), build_loss("bce"))


def test_all_pixels_of_each_image_are_cross_entropy():
    # With a mask images of few pixels would weigh more.
    same(build_loss("topk_bce", k=1.0), build_loss("bce"), masked=False)


@pytest.mark.parametrize("alpha", [0.1, 0.25, 0.8])
def test_focal_without_focus_is_weighted_cross_entropy(alpha):
    same(build_loss("focal", alpha=alpha, gamma=0.0), build_loss("weighted_bce", positive_weight=alpha / (1 - alpha)), factor=1 - alpha)


def test_a_weight_of_the_positives_is_its_inverse_for_the_negatives():
    logits, target, mask = random_case()
    one, other = build_loss("weighted_bce", positive_weight=4.0), build_loss("weighted_bce", positive_weight=0.25)
    torch.testing.assert_close(one(-logits, 1 - target, mask), 4.0 * other(logits, target, mask), **TIGHT)


@pytest.mark.parametrize("name", ["poly1_bce", "balanced_bce", "topk_bce", "distance_bce", "bce_region_size"])
def test_classes_can_be_swapped(name):
    loss = build_loss(name)
    for seed in range(3):
        logits, target, mask = random_case(seed)
        # The distance of a masked pixel is that of the pixels as they stand; swapping leaves it but for the sign.
        torch.testing.assert_close(value_of(loss, -logits, 1 - target, mask), value_of(loss, logits, target, mask), **TIGHT)


def test_poly1_is_a_line_in_epsilon():
    logits, target, mask = random_case()
    wrong = torch.sigmoid(logits * (1 - 2 * target))
    expected = build_loss("bce")(logits, target, mask) + 5.0 * (wrong * mask).sum() / mask.sum()
    torch.testing.assert_close(build_loss("poly1_bce", epsilon=5.0)(logits, target, mask), expected, **TIGHT)


def test_poly1_without_its_first_term_starts_with_the_second():
    # -ln(1 - q) - q = q^2 / 2 + q^3 / 3 + ..., with the slope q^2 by the logit.
    q = 1e-3
    value, slope = gradient(build_loss("poly1_bce", epsilon=-1.0), logit_of(q), image(0.0))
    assert value.item() == pytest.approx(q**2 / 2 + q**3 / 3 + q**4 / 4, rel=1e-9)
    assert slope.item() == pytest.approx(q**2, rel=1e-12)
    # In fp32 the two terms are equal here but for the last digit, on either side.
    for logit in (-14.0, -16.0, -18.0, -20.0, -25.0):
        fp32, fp32_slope = gradient(build_loss("poly1_bce", epsilon=-1.0), torch.full((1, 1, 1, 64), logit), torch.zeros(1, 1, 1, 64))
        assert fp32 >= 0 and (fp32_slope > 0).all()


@pytest.mark.parametrize("target", [0.0, 1.0])
def test_cross_entropy_keeps_its_digits_where_it_is_small(target):
    # Not so with softplus(z) - z g: in fp32 it is 0, with no gradient, for z = 20 and g = 1.
    for certainty in (5.0, 12.0, 20.0, 60.0):
        logit = torch.full((1, 1, 1, 1), certainty * (2 * target - 1))
        value, slope = gradient(build_loss("bce"), logit, torch.full_like(logit, target))
        assert value.item() == pytest.approx(math.log1p(math.exp(-certainty)), rel=1e-6)
        assert slope.item() == pytest.approx((1 - 2 * target) / (1 + math.exp(certainty)), rel=1e-6)


def test_smoothed_labels_are_met_at_the_smoothed_label():
    target = image(0.0, 1.0)
    value, slope = gradient(build_loss("bce", label_smoothing=0.2), logit_of(0.1, 0.9), target)
    assert value.item() == pytest.approx(-0.1 * math.log(0.1) - 0.9 * math.log(0.9))
    torch.testing.assert_close(slope, torch.zeros_like(slope), rtol=0, atol=1e-16)


def test_weights_are_divided_by_the_number_of_pixels():
    # Two pixels at p = 1/2: (3 ln 2 + ln 2) / 2, where a division by the sum of the weights would give ln 2.
    value = build_loss("weighted_bce", positive_weight=3.0)(image(0.0, 0.0), image(1.0, 0.0))
    assert value.item() == pytest.approx(2 * math.log(2))


@pytest.mark.parametrize(
    ("kappa", "expected"),
    [
        (1.0, (0.75 * 2.0 + 0.25 * 3 * 1.0) / 4),  # one positive of four: it weighs 3/4, each negative 1/4
        (0.5, (0.75**0.5 * 2.0 + 0.5 * 3 * 1.0) / 4),
        (0.0, (2.0 + 3 * 1.0) / 4),
    ],
)
def test_balanced_by_hand(kappa, expected):
    logits = torch.logit(torch.exp(-image(2.0, 1.0, 1.0, 1.0)))  # -ln p of 2, and of 1, 1, 1
    logits = logits * image(1.0, -1.0, -1.0, -1.0)
    assert build_loss("balanced_bce", kappa=kappa)(logits, image(1.0, 0.0, 0.0, 0.0)).item() == pytest.approx(expected)
    # Pixels that do not count have no share, whatever their class.
    padded = [torch.cat([tensor, tensor.new_ones(1, 1, 1, 5)], dim=-1) for tensor in (logits, image(1.0, 0.0, 0.0, 0.0))]
    mask = image(1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert build_loss("balanced_bce", kappa=kappa)(*padded, mask).item() == pytest.approx(expected)


def test_balanced_classes_have_the_same_say():
    # HED's mean is f (1 - f) times the sum of both classes' means, f the share of the positives.
    logits, target, _ = random_case()
    logits, target = logits[:1], target[:1]
    share = target.mean()
    each = torch.stack([build_loss("bce")(logits, target, (target == g).double()) for g in (0, 1)])
    torch.testing.assert_close(build_loss("balanced_bce")(logits, target), share * (1 - share) * each.sum(), **TIGHT)


@pytest.mark.parametrize("kappa", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("batch_reduce", ["image", "batch"])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_one_class_alone_is_not_free(kappa, batch_reduce, fill):
    logits, target, mask = random_case()
    loss = build_loss("balanced_bce", kappa=kappa, batch_reduce=batch_reduce)
    value, slope = gradient(loss, logits, torch.full_like(target, fill), mask)
    expected, expected_slope = gradient(build_loss("bce"), logits, torch.full_like(target, fill), mask)
    torch.testing.assert_close(value, expected, **TIGHT)
    torch.testing.assert_close(slope, expected_slope, **TIGHT)


def test_shares_are_of_the_image_or_of_the_batch():
    logits, target = torch.zeros(2, 1, 1, 4, dtype=torch.float64), torch.cat([image(1, 0, 0, 0), image(1, 1, 1, 0)])
    # Of each image 3/4 and 1/4; of the batch one half: every pixel costs ln 2 / 2.
    by_image = (0.75 * 1 + 0.25 * 3 + 0.25 * 3 + 0.75 * 1) / 8
    assert build_loss("balanced_bce")(logits, target).item() == pytest.approx(by_image * math.log(2))
    assert build_loss("balanced_bce", batch_reduce="batch")(logits, target).item() == pytest.approx(0.5 * math.log(2))


def test_border_weights_by_hand():
    # At d1 + d2 = sigma sqrt(2 ln 2) the exponential is 1/2; at 0 it is 1; far away it is 0.
    gap = image(5.0 * math.sqrt(2 * math.log(2)), 0.0, 1e6)
    value, slope = gradient(
        lambda logits, target, mask: build_loss("border_bce", w0=10.0, sigma=5.0)(logits, target, mask, aux={"cell_gap": gap}),
        image(0.0, 0.0, 0.0),
        image(1.0, 0.0, 0.0),
    )
    assert value.item() == pytest.approx((6 + 11 + 1) / 3 * math.log(2))
    assert slope.flatten().tolist() == pytest.approx([-6 / 6, 11 / 6, 1 / 6])


def test_distance_weights_by_hand():
    # Two positive pixels, then four negative ones: phi is 1, 1/2 away from the border inside, and 1, 3/4, 1/2, 1/4 outside.
    target = image(1, 1, 0, 0, 0, 0)
    distance = image(-2, -1, 1, 2, 3, 4)
    loss = build_loss("distance_bce", border_weight=4.0)
    slope = gradient(lambda logits, target, mask: loss(logits, target, mask, aux={"distance": distance}), torch.zeros_like(target), target)[
        1
    ]
    assert (12 * slope.flatten()).tolist() == pytest.approx([-3.0, -5.0, 5.0, 4.0, 3.0, 2.0])
    torch.testing.assert_close(value_of(loss, torch.zeros_like(target), target), loss(0 * target, target, aux={"distance": distance}))


def test_the_farthest_pixel_is_one_that_counts():
    target, mask = image(1, 1, 0, 0, 0, 0), image(1, 1, 1, 1, 0, 0)
    loss = build_loss("distance_bce", border_weight=4.0)
    slope = gradient(loss, torch.zeros_like(target), target, mask)[1]
    assert (8 * slope.flatten()).tolist() == pytest.approx([-3.0, -5.0, 5.0, 3.0, 0.0, 0.0])


def test_an_image_of_one_class_has_no_border():
    logits = torch.zeros(1, 1, 3, 4, dtype=torch.float64)
    for target in (torch.zeros_like(logits), torch.ones_like(logits)):
        # The map is the diagonal, 5 px.
        assert value_of(build_loss("distance_bce", border_weight=1.0), logits, target).item() == pytest.approx((1 + 1 / 5) * math.log(2))


COSTS = (4.0, 1.0, 2.0, 0.5)  # of four pixels with g = 0


@pytest.mark.parametrize(
    ("k", "expected", "weights"),
    [
        (0.5, 3.0, [1 / 2, 0, 1 / 2, 0]),
        (0.375, (4.0 + 0.5 * 2.0) / 1.5, [1 / 1.5, 0, 0.5 / 1.5, 0]),
        (0.25, 4.0, [1, 0, 0, 0]),
        (0.1, 4.0, [1, 0, 0, 0]),  # less than one pixel is one
        (1e-6, 4.0, [1, 0, 0, 0]),
        (1.0, 7.5 / 4, [1 / 4] * 4),
    ],
)
@pytest.mark.parametrize("padding", [0, 5])
def test_hardest_pixels_by_hand(k, expected, weights, padding):
    p = 1 - torch.exp(-image(*COSTS))
    # What does not count is wrong beyond measure, and changes nothing.
    logits = torch.cat([torch.logit(p), torch.full((1, 1, 1, padding), 1e4, dtype=torch.float64)], dim=-1)
    mask = (logits < 1e4).double() if padding else None
    value, slope = gradient(build_loss("topk_bce", k=k), logits, torch.zeros_like(logits), mask)
    assert value.item() == pytest.approx(expected)
    assert slope.flatten().tolist() == pytest.approx([*(torch.tensor(weights) * p.flatten()).tolist(), *[0.0] * padding])


def test_ties_for_the_last_place_share_it():
    # So that which way the image is turned plays no part.
    value, slope = gradient(build_loss("topk_bce", k=0.5), image(3.0, 0.0, 0.0, 0.0), torch.zeros(1, 1, 1, 4))
    assert value.item() == pytest.approx((math.log1p(math.exp(3)) + math.log(2)) / 2)
    assert slope.flatten().tolist() == pytest.approx([torch.sigmoid(torch.tensor(3.0)).item() / 2, *[0.5 / 3 / 2] * 3], rel=1e-6)


def test_hardest_of_the_image_or_of_the_batch():
    logits, target = torch.cat([image(5.0, 4.0), image(1.0, 0.0)]), torch.zeros(2, 1, 1, 2)
    cost = torch.nn.functional.softplus(logits).flatten()
    torch.testing.assert_close(build_loss("topk_bce", k=0.5)(logits, target), (cost[0] + cost[2]) / 2, **TIGHT)
    torch.testing.assert_close(build_loss("topk_bce", k=0.5, batch_reduce="batch")(logits, target), (cost[0] + cost[1]) / 2, **TIGHT)


def test_fewer_pixels_cost_more():
    logits, target, mask = random_case()
    values = [build_loss("topk_bce", k=k)(logits, target, mask).item() for k in (0.01, 0.1, 0.2, 0.201, 0.5, 0.9, 1.0)]
    assert values == sorted(values, reverse=True)


def test_region_size_by_hand():
    # One positive of four, all at p = 1/2, smooth 1: the shares are 2/6 and 3/6.
    value = build_loss("bce_region_size", size_weight=2.0, smooth=1.0)(image(0, 0, 0, 0), image(1, 0, 0, 0))
    divergence = 1 / 3 * math.log((1 / 3) / (1 / 2)) + 2 / 3 * math.log((2 / 3) / (1 / 2))
    assert value.item() == pytest.approx(math.log(2) + 2.0 * divergence)


def test_region_size_minds_the_size_alone():
    # The divergence is 0 where the shares agree, though every pixel is wrong.
    target = image(1, 0, 1, 0)
    wrong = 3.0 * image(-1, 1, -1, 1)
    torch.testing.assert_close(build_loss("bce_region_size", size_weight=100.0)(wrong, target), build_loss("bce")(wrong, target), **TIGHT)


@pytest.mark.parametrize("name", PER_SET)
def test_one_image_is_its_batch(name):
    logits, target, mask = random_case()
    values = [build_loss(name, batch_reduce=batch_reduce)(logits[:1], target[:1], mask[:1]) for batch_reduce in ("image", "batch")]
    assert values[0] == values[1]
