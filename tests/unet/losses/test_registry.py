"""What building and calling a loss refuses, and how it says so."""

import dataclasses

import pytest
import torch

from unet.losses import LOSSES, LossSpec, ParameterSpec, build_loss
from unet.losses.loss import make_loss


def test_an_unknown_name_lists_the_nearest_and_all():
    with pytest.raises(ValueError, match=r"no loss is called 'tverski'; did you mean 'tversky'\? there are bce, dice, .*, tversky"):
        build_loss("tverski")


def test_all_problems_come_at_once():
    with pytest.raises(ValueError, match="gama") as caught:
        build_loss("focal", gama=1.0, alpha=1.5)
    assert "did you mean 'gamma'?" in str(caught.value)
    assert "alpha must lie in 0 to 1, got 1.5" in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -1.0, "2", True, None])
def test_a_number_is_wanted(value):
    with pytest.raises(ValueError, match="gamma must"):
        build_loss("focal", gamma=value)


def test_a_choice_is_wanted():
    with pytest.raises(ValueError, match="empty must be one of smooth, skip, penalise, got 'drop'"):
        build_loss("dice", empty="drop")


def test_whole_numbers_are_numbers():
    assert build_loss("focal", gamma=2).parameters["gamma"] == 2


def test_shapes_must_agree():
    logits, target = torch.zeros(2, 1, 4, 4), torch.zeros(2, 1, 4, 1)
    with pytest.raises(ValueError, match=r"loss 'dice' needs a target of the logits' shape \[2, 1, 4, 4\], got \[2, 1, 4, 1\]"):
        build_loss("dice")(logits, target)
    with pytest.raises(ValueError, match=r"needs a mask of shape \[2, 1, 4, 4\]"):
        build_loss("dice")(logits, torch.zeros(2, 1, 4, 4), target)


def test_an_empty_batch_is_refused():
    with pytest.raises(ValueError, match=r"loss 'dice' needs at least one pixel, got logits of shape \[0, 1, 4, 4\]"):
        build_loss("dice")(torch.zeros(0, 1, 4, 4), torch.zeros(0, 1, 4, 4))


@pytest.mark.parametrize("name", ["dice", "mcc", "bce", "lovasz_sigmoid"])
def test_only_the_logits_have_a_gradient(name):
    for side in (6, 300):
        logits = torch.zeros(1, 1, side, side, requires_grad=True)
        target = (torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0)) < 0.3).float().requires_grad_()
        build_loss(name)(logits, target).backward()
        assert target.grad is None and logits.grad.abs().sum() > 0


def test_aux_and_progress_are_ignored_by_those_who_do_not_need_them():
    logits, target = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    for name in ("bce", "dice"):
        assert build_loss(name)(logits, target, aux={"distance": target}, progress=0.5) == build_loss(name)(logits, target)


def needy(logits, target, mask, *, distance, progress):
    return progress * (distance * logits).mean()


def test_a_loss_that_needs_a_map_gets_it_or_says_so():
    spec = dataclasses.replace(LOSSES["bce"], name="needy", parameters={}, needs=("distance",), uses_progress=True, function=needy)
    loss = make_loss(spec, {})
    logits = torch.ones(1, 1, 2, 2)
    assert loss.needs == ("distance",)
    assert loss(logits, logits, aux={"distance": 3 * logits}, progress=0.5).item() == 1.5
    # The map of another precision is brought to that of the arithmetic.
    assert loss(logits.half(), logits, aux={"distance": 3 * logits.double()}, progress=0.5).dtype == torch.float32
    with pytest.raises(ValueError, match=r"loss 'needy' needs the map distance of its target, got skeleton: pass aux=maps_of\(target"):
        loss(logits, logits, aux={"skeleton": logits}, progress=0.5)
    with pytest.raises(ValueError, match=r"needs a map 'distance' of shape \[1, 1, 2, 2\], got \[2, 2\]"):
        loss(logits, logits, aux={"distance": logits[0, 0]}, progress=0.5)


@pytest.mark.parametrize(
    ("wrong", "match"), [({"family": "other"}, "family must be one of distribution"), ({"cost": "free"}, "cost must be")]
)
def test_an_entry_that_cannot_be_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        dataclasses.replace(LOSSES["bce"], **wrong)


def test_a_count_is_a_whole_number():
    spec = ParameterSpec(default=3, low=1, high=9, whole=True, meaning="m", source="s")
    assert spec.problem_with(4) is None and spec.problem_with(4.0) is None
    assert spec.problem_with(2.5) == "must be a whole number from 1 to 9, got 2.5"
    assert spec.problem_with(float("nan")) is not None


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"default": 1.0}, "either choices, or low and high"),
        ({"default": 1.0, "low": 0.0, "high": 2.0, "choices": (1.0,)}, "either choices, or low and high"),
        ({"default": 3.0, "low": 0.0, "high": 2.0}, "the default is no allowed value: it must lie in 0 to 2, got 3.0"),
        ({"default": "c", "choices": ("a", "b")}, "the default is no allowed value: it must be one of a, b"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(wrong, match):
    with pytest.raises(ValueError, match=match):
        ParameterSpec(meaning="m", source="s", **wrong)


def test_the_registry_is_read_only():
    with pytest.raises(TypeError, match="does not support item assignment"):
        LOSSES["mine"] = LOSSES["bce"]
    assert dataclasses.fields(LossSpec)
    with pytest.raises(dataclasses.FrozenInstanceError):
        LOSSES["bce"].name = "other"
