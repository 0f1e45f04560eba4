"""Sums of losses by name, weights that move, and scales that follow a partner."""

import pytest
import torch

from data_utils.maps import maps_of
from tests.unet.losses.cases import gradient, random_case, value_of
from unet.losses import LOSSES, build_loss, loss_spec
from unet.losses.schedule import between, partner_scale, ramp

TIGHT = {"rtol": 1e-12, "atol": 1e-15}


def test_a_sum_is_the_sum_of_its_terms():
    logits, target, mask = random_case()
    parameters = {"dice.smooth": 0.5, "focal.weight": 0.25, "focal.gamma": 1.5}
    value, slope = gradient(build_loss("dice+focal", **parameters), logits, target, mask)
    dice, dice_slope = gradient(build_loss("dice", smooth=0.5), logits, target, mask)
    focal, focal_slope = gradient(build_loss("focal", gamma=1.5), logits, target, mask)
    torch.testing.assert_close(value, dice + 0.25 * focal, **TIGHT)
    torch.testing.assert_close(slope, dice_slope + 0.25 * focal_slope, **TIGHT)


def test_a_registered_sum_is_the_composed_one():
    logits, target, mask = random_case()
    composed = build_loss("bce+dice", **{"bce.weight": 0.3, "dice.weight": 0.7})
    for got, expected in zip(
        gradient(composed, logits, target, mask), gradient(build_loss("dice_bce", bce_weight=0.3), logits, target, mask), strict=True
    ):
        torch.testing.assert_close(got, expected, **TIGHT)


def test_the_entry_of_a_sum_gathers_those_of_its_terms():
    spec = loss_spec("dice+boundary+skeleton_recall+boundary")
    assert spec.needs == ("distance", "skeleton")
    assert spec.family == "compound" and spec.spatial and spec.detached and spec.uses_progress
    assert spec.parameters["dice.smooth"] is LOSSES["dice"].parameters["smooth"]
    assert spec.parameters["boundary_2.balance"].default == "partner"
    assert "dice.balance" not in spec.parameters, "the first term is the partner of the others"
    assert not spec.parameters["dice.weight"].searchable, "a common factor is the learning rate's business"
    assert spec.parameters["boundary.weight"].searchable
    assert loss_spec("dice+focal").detached is False
    assert loss_spec("boundary+dice").detached is False, "nothing is scaled to the size of what comes after it"
    assert loss_spec("dice+hausdorff_er").parameters["hausdorff_er.balance"].default == "partner"
    assert loss_spec("focal+combo").perfect == LOSSES["combo"].perfect


@pytest.mark.parametrize(
    ("name", "match"),
    [
        ("dice+", "'' ; write|''; write two or more of bce, dice"),
        ("dice+focl", "'dice\\+focl' is no sum of losses: 'focl'; write two or more of bce"),
        ("+", "no sum of losses"),
    ],
)
def test_a_sum_of_what_does_not_exist_is_refused(name, match):
    with pytest.raises(ValueError, match=match):
        build_loss(name)


def test_parameters_of_a_sum_are_checked_all_at_once():
    with pytest.raises(ValueError, match=r"loss 'dice\+focal'") as caught:
        build_loss("dice+focal", **{"focal.gama": 1.0, "focal.weight": -1.0, "dice.ramp": "up"})
    for part in (
        "did you mean 'focal.gamma'?",
        "focal.weight must lie in 0 to 1e+06, got -1.0",
        "dice.ramp must be one of constant, rise, fall",
    ):
        assert part in str(caught.value)


def test_ramps_move_the_weights_with_the_training():
    logits, target, _ = random_case()
    loss = build_loss("dice+bce", **{"dice.ramp": "fall", "bce.ramp": "rise"})
    dice, bce = (build_loss(name)(logits, target) for name in ("dice", "bce"))
    for progress in (0.0, 0.25, 1.0):
        torch.testing.assert_close(loss(logits, target, progress=progress), (1 - progress) * dice + progress * bce, **TIGHT)
    with pytest.raises(ValueError, match="a weight of this loss moves while training: pass progress="):
        loss(logits, target)
    build_loss("dice+bce")(logits, target)  # nothing moves, nothing is asked


def test_what_a_ramp_and_a_line_are():
    assert [ramp(kind, 0.25) for kind in ("constant", "rise", "fall")] == [1.0, 0.25, 0.75]
    assert ramp("rise", 1.5) == 1.0 and ramp("rise", -0.5) == 0.0
    assert between(0.2, 0.6, 0.5) == pytest.approx(0.4)
    assert between(0.3, 0.3, None) == 0.3
    with pytest.raises(ValueError, match="pass progress="):
        between(0.0, 1.0, None)


def test_a_partner_brings_a_term_to_its_own_size():
    partner, term = torch.tensor(0.5, requires_grad=True), torch.tensor(1174.0, requires_grad=True)
    scale = partner_scale(partner, term)
    assert not scale.requires_grad
    torch.testing.assert_close(scale * term, torch.tensor(0.5))
    assert partner_scale(torch.tensor(0.5), torch.tensor(0.0)) == 1e6
    assert partner_scale(torch.tensor(0.0), torch.tensor(3.0)) == 1.0, "a partner that skips the batch has no size to be brought to"
    assert partner_scale(torch.tensor(-0.5), torch.tensor(2.0)) == 0.25, "sizes, not signs"


@pytest.mark.parametrize("distance", ["boundary", "hausdorff_dt", "hausdorff_dt_onesided"])
@pytest.mark.parametrize("scale", ["map", "none"])
def test_no_run_starts_with_a_distance_alone(distance, scale):
    """At random weights the balanced term is as large as its partner, though distances reach hundreds of pixels."""
    target = torch.zeros(1, 1, 256, 256, dtype=torch.float64)
    target[..., 100:104] = 1.0
    logits = 0.1 * torch.randn(target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dice = build_loss("dice")(logits, target)
    loss = build_loss(f"dice+{distance}", **{f"{distance}.scale": scale})
    torch.testing.assert_close(value_of(loss, logits, target), 2.0 * dice)
    both = gradient(loss, logits, target)[1]
    alone = gradient(build_loss("dice"), logits, target)[1]
    assert (both - alone).norm() < 100 * alone.norm()


@pytest.mark.parametrize("name", ["dice_boundary", "dice_hausdorff"])
def test_the_registered_sums_balance_themselves(name):
    target = torch.zeros(1, 1, 256, 256, dtype=torch.float64)
    target[..., 100:104] = 1.0
    logits = 0.1 * torch.randn(target.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    dice = build_loss("dice")(logits, target)
    expected = {"dice_boundary": dice, "dice_hausdorff": 2.0 * dice}[name]
    torch.testing.assert_close(value_of(build_loss(name), logits, target), expected)
    assert build_loss(name).needs == ("distance",)


@pytest.mark.parametrize(("registered", "composed"), [("dice_hausdorff", "dice+hausdorff_dt")])
def test_a_balanced_sum_is_the_registered_one(registered, composed):
    logits, target, mask = random_case()
    for got, expected in zip(
        gradient(build_loss(composed), logits, target, mask), gradient(build_loss(registered), logits, target, mask), strict=True
    ):
        torch.testing.assert_close(got, expected, **TIGHT)


def test_the_boundary_share_moves_from_start_to_end():
    logits, target, _ = random_case()
    loss = build_loss("dice_boundary", start=0.0, end=1.0, scaling="none")
    dice = build_loss("dice")(logits, target)
    contour = value_of(build_loss("boundary"), logits, target)
    for progress in (0.0, 0.3, 1.0):
        expected = (1 - progress) * dice + progress * contour
        torch.testing.assert_close(loss(logits, target, aux=maps_of(target, ["distance"]), progress=progress), expected, **TIGHT)
