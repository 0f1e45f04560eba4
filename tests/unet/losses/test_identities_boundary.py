"""Boundary and topology losses: relations that hold exactly, and values worked out by hand."""

import pytest
import torch

from data_utils.maps import maps_of
from tests.unet.losses.cases import gradient, random_case, shaped_case, value_of
from unet.losses import LOSSES, build_loss

TIGHT = {"rtol": 1e-12, "atol": 1e-15}


def same(one, other, *, certain=False):
    """Value and gradient are the same, with and without a mask; `certain`: of hard predictions, and the value only."""
    for seed in range(4):
        logits, target, mask = random_case(seed)
        logits = 1e4 * logits.sign() if certain else logits
        for used in (None, mask):
            (value, slope), (expected, expected_slope) = gradient(one, logits, target, used), gradient(other, logits, target, used)
            torch.testing.assert_close(value, expected, **TIGHT)
            assert value > 0
            if not certain:
                torch.testing.assert_close(slope, expected_slope, **TIGHT)


def certain(rows):
    """Logits that are sure of a picture of 0 and 1."""
    return 1e4 * (2 * picture(rows) - 1)


def picture(rows):
    return torch.tensor([[[[float(pixel) for pixel in row] for row in rows.split()]]], dtype=torch.float64)


def of_counted(formula):
    """formula(p, g, phi), a mean over the pixels that count, as a function of logits, target and mask."""

    def loss(logits, target, mask):
        field = formula(torch.sigmoid(logits), target, maps_of(target, ["distance"])["distance"])
        return field.mean() if mask is None else (field * mask).sum() / mask.sum()

    return loss


def test_boundary_is_the_papers_integral_less_that_of_the_truth():
    same(build_loss("boundary", scale="none"), of_counted(lambda p, g, phi: phi * p - phi * g))
    logits, target, _ = random_case()
    _, slope = gradient(build_loss("boundary", scale="none"), logits, target)
    _, expected = gradient(of_counted(lambda p, g, phi: phi * p), logits, target)
    torch.testing.assert_close(slope, expected, **TIGHT)


@pytest.mark.parametrize("name", ["boundary", "generalized_surface"])
def test_without_power_distance_is_nothing(name):
    error = {"boundary": lambda e: e, "generalized_surface": lambda e: 1 - (1 - e) ** 2}[name]
    for parameters in [{"power": 0.0}, {"power": 0.0, "scale": "none"}] if name == "boundary" else [{"alpha": 0.0}]:
        same(build_loss(name, **parameters), of_counted(lambda p, g, _: error((p - g).abs())))


def test_the_scale_of_boundary_is_the_largest_distance():
    logits, target, _ = random_case()
    ours, raw = build_loss("boundary", power=1.5), build_loss("boundary", power=1.5, scale="none")
    for i in range(len(logits)):
        one = slice(i, i + 1)
        largest = maps_of(target[one], ["distance"])["distance"].abs().max().double()
        torch.testing.assert_close(
            largest**1.5 * value_of(ours, logits[one], target[one]), value_of(raw, logits[one], target[one]), **TIGHT
        )


def test_boundary_costs_at_most_one():
    target = picture("0000 0000 0000")
    assert value_of(build_loss("boundary"), certain("1111 1111 1111"), target) == 1
    _, target, _ = random_case()
    assert value_of(build_loss("boundary"), 1e4 * (1 - 2 * target), target) <= 1


def test_generalized_surface_of_a_hard_prediction_is_one_sided_hausdorff():
    for alpha in (1.0, 2.0, 3.0):
        same(build_loss("generalized_surface", alpha=alpha), build_loss("hausdorff_dt_onesided", alpha=alpha), certain=True)


def test_hausdorff_of_a_prediction_of_one_class_is_one_sided():
    logits, target, _ = random_case()
    for flat in (-logits.abs(), logits.abs()):
        for scale in ("map", "none"):
            one, other = (value_of(build_loss(name, scale=scale), flat, target) for name in ("hausdorff_dt", "hausdorff_dt_onesided"))
            torch.testing.assert_close(one, other, **TIGHT)


@pytest.mark.parametrize("name", ["hausdorff_dt", "hausdorff_dt_onesided"])
def test_an_undecided_prediction_costs_a_quarter(name):
    logits, target, _ = random_case()
    for alpha in (0.5, 2.0, 4.0):
        assert value_of(build_loss(name, alpha=alpha), torch.zeros_like(logits), target).item() == pytest.approx(0.25, rel=1e-12)


def test_the_logarithm_is_taken_of_each_image():
    logits, target, _ = random_case()
    plain = build_loss("hausdorff_dt", scale="none")
    each = [value_of(plain, logits[i : i + 1], target[i : i + 1]).log1p() for i in range(len(logits))]
    torch.testing.assert_close(value_of(build_loss("log_hausdorff_dt"), logits, target), torch.stack(each).mean(), **TIGHT)


def test_hausdorff_by_hand():
    # target 0001: distances 3 2 1 1; prediction 1000: 1 1 2 3; wrong at both ends, which cost 3^a + 1^a each.
    target, logits = picture("0001"), certain("1000")
    for alpha in (1.0, 2.0, 3.0):
        assert value_of(build_loss("hausdorff_dt", alpha=alpha, scale="none"), logits, target).item() == pytest.approx((3**alpha + 1) / 2)
        assert value_of(build_loss("hausdorff_dt_onesided", alpha=alpha, scale="none"), logits, target).item() == pytest.approx(
            (3**alpha + 1) / 4
        )
    assert value_of(build_loss("boundary", scale="none"), logits, target).item() == pytest.approx((3 + 1) / 4)
    assert value_of(build_loss("boundary"), logits, target).item() == pytest.approx((3 + 1) / 3 / 4)
    assert value_of(build_loss("hausdorff_dt"), logits, target).item() == pytest.approx((9 + 1) / 2 / ((9 + 4 + 1 + 1) / 4))


def test_erosion_by_hand():
    # A block of 3 x 3 wrong pixels: of the cross of the centre 5/5 are wrong, of a side 4/5, of a corner 3/5, of what lies beside it 1/5.
    # Eroded once: 1, 4 times 2 (4/5 - 1/2) = 0.6, 4 times 0.2. Twice: the centre, 2 ((1 + 4 * 0.6) / 5 - 1/2) = 0.36; a side has
    # (0.6 + 1 + 2 * 0.2) / 5 = 0.4, too little.
    target, logits = torch.zeros(1, 1, 7, 7, dtype=torch.float64), certain("0000000 0000000 0011100 0011100 0011100 0000000 0000000")
    parts = [9.0, 1 + 4 * 0.6 + 4 * 0.2, 0.36, 0.0]
    for erosions in (1, 2, 3):
        for alpha, plain in ((2.0, 1.0), (1.0, 0.0), (0.0, 3.0)):
            expected = (plain * parts[0] + sum(k**alpha * parts[k] for k in range(1, erosions + 1))) / 49
            value = build_loss("hausdorff_er", erosions=erosions, alpha=alpha, plain_weight=plain)(logits, target)
            assert value.item() == pytest.approx(expected, rel=1e-12)


def test_without_its_first_term_erosion_is_blind_to_doubt():
    logits, target = torch.zeros(1, 1, 9, 9, dtype=torch.float64), torch.zeros(1, 1, 9, 9, dtype=torch.float64)
    value, slope = gradient(build_loss("hausdorff_er", plain_weight=0.0), logits, target)
    assert value == 0 and (slope == 0).all()
    value, slope = gradient(build_loss("hausdorff_er"), logits, target)
    assert value == 0.25 and (slope > 0).all()


@pytest.mark.parametrize("name", ["hausdorff_er", "soft_cldice", "dice_cldice"])
def test_a_masked_frame_is_as_good_as_cropped(name):
    logits, target = shaped_case()
    inside = (..., slice(5, 40), slice(8, 47))
    mask = torch.zeros_like(target)
    mask[inside] = 1.0
    value, slope = gradient(build_loss(name), logits, target, mask)
    expected, expected_slope = gradient(build_loss(name), logits[inside], target[inside])
    torch.testing.assert_close(value, expected, **TIGHT)
    torch.testing.assert_close(slope[inside], expected_slope, **TIGHT)


def test_cldice_of_a_line_with_a_gap():
    # A line of one pixel is its own skeleton: precision 1, sensitivity (4 + 1) / (7 + 1), so 1 - 2 (5/8) / (13/8).
    target, logits = picture("000000000 011111110 000000000"), certain("000000000 011000110 000000000")
    assert build_loss("soft_cldice")(logits, target).item() == pytest.approx(3 / 13)
    # The other way round the sensitivity is 1.
    assert build_loss("soft_cldice")(
        certain("000000000 011111110 000000000"), picture("000000000 011000110 000000000")
    ).item() == pytest.approx(3 / 13)


def disc(radius_px, side_px=65):
    place = torch.arange(side_px, dtype=torch.float64) - side_px // 2
    return (place[:, None].square() + place.square() <= radius_px**2).double()[None, None]


def test_cldice_is_not_blind_where_the_iterations_do_not_reach():
    target = disc(23)
    inverted = 1e4 * (1 - 2 * target)
    everything = torch.full_like(target, 1e4)
    for logits, blind in ((inverted, 0.05), (everything, 1e-12)):
        assert build_loss("soft_cldice", iterations=3, core="drop")(logits, target) < blind
        assert build_loss("soft_cldice", iterations=3)(logits, target) > 0.3
    # Where they do, both are the same.
    thin = disc(4)
    logits = 1e4 * (2 * thin.roll(2, dims=-1) - 1)
    assert build_loss("soft_cldice", core="drop")(logits, thin) == build_loss("soft_cldice")(logits, thin)


@pytest.mark.parametrize(("empty", "expected"), [("smooth", 1 - 2 * 0.25 / 1.25), ("skip", 0.0), ("penalise", 3 / 15)])
def test_cldice_of_an_image_without_a_membrane(empty, expected):
    # Three pixels of skeleton, none of them right: precision 1 / (3 + 1), sensitivity 1.
    logits = certain("00000 01110 00000")
    assert build_loss("soft_cldice", empty=empty)(logits, torch.zeros_like(logits)).item() == pytest.approx(expected)


def test_the_ends_of_dice_cldice_are_its_parts():
    same(build_loss("dice_cldice", alpha=0.0), build_loss("dice"))
    same(build_loss("dice_cldice", alpha=1.0), build_loss("soft_cldice"))


@pytest.mark.parametrize(("tube_px", "expected"), [(0, 1 - 3 / 6), (1, 1 - 4 / 16)])
def test_skeleton_recall_by_hand(tube_px, expected):
    # The middle line of 5 pixels; with one dilation, cut off at the border of the target, the whole block of 15. Found: two, three.
    target = picture("0000000 0111110 0111110 0111110 0000000")
    skeleton = picture("0000000 0000000 0111110 0000000 0000000")
    logits = certain("0000000 0100000 0110000 0000000 0000000")
    values = [
        build_loss("skeleton_recall", recall_weight=w, tube_px=tube_px)(logits, target, aux={"skeleton": skeleton}) for w in (1.0, 2.0)
    ]
    assert (values[1] - values[0]).item() == pytest.approx(expected)


def test_skeleton_recall_without_weight_is_dice_and_cross_entropy():
    plain = build_loss("dice_bce", bce_weight=0.5)

    def twice(logits, target, mask):
        return 2 * plain(logits, target, mask)

    same(build_loss("skeleton_recall", recall_weight=0.0), twice)


@pytest.mark.parametrize("name", ["hausdorff_er", "soft_cldice", "skeleton_recall"])
@pytest.mark.parametrize("fraction", [0.5, 2.0, float("nan")])
def test_counts_are_whole(name, fraction):
    (key,) = [key for key, spec in LOSSES[name].parameters.items() if spec.whole]
    if fraction == 2.0:
        logits, target = shaped_case()
        assert value_of(build_loss(name, **{key: 2.0}), logits, target) == value_of(build_loss(name, **{key: 2}), logits, target)
    else:
        with pytest.raises(ValueError, match=f"{key} must be a whole number"):
            build_loss(name, **{key: fraction})
