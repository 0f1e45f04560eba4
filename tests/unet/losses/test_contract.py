"""What every loss of the registry must keep, tested over the registry: a new loss is tested the moment it is registered."""

import copy
import pickle

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.unet.losses.cases import gradient, random_case
from unet.losses import LOSSES, build_loss

NAMES = list(LOSSES)
HALVES = [torch.float16, torch.bfloat16]
THESIS = {"bce", "dice", "dice_bce", "iou", "focal", "tversky"}


def settings_of(name: str) -> list[dict]:
    """The defaults, the ends of each range, and each choice."""
    variants = [{}]
    for key, spec in LOSSES[name].parameters.items():
        values = spec.choices or (spec.search_low, spec.search_high, spec.low, spec.high)
        variants += [{key: value} for value in values if value is not None]
    return variants


EVERY_SETTING = [(name, parameters) for name in NAMES for parameters in settings_of(name)]


def test_the_thesis_losses_are_registered():
    assert set(LOSSES) >= THESIS


@pytest.mark.parametrize("name", NAMES)
def test_an_entry_says_everything(name):
    spec = LOSSES[name]
    assert spec.name == name
    assert spec.family in {"distribution", "region", "boundary", "compound", "topology"}
    assert spec.cost in {"pixel", "overlap", "distance"}
    assert spec.formula.isascii() and spec.source and spec.when
    for key, parameter in spec.parameters.items():
        assert parameter.meaning and parameter.source, key
        assert parameter.problem_with(parameter.default) is None
        if parameter.choices is None:
            assert parameter.low < parameter.high
        if parameter.searchable:
            assert parameter.low <= parameter.search_low < parameter.search_high <= parameter.high
            assert parameter.search_low <= parameter.default <= parameter.search_high
            assert not parameter.log or parameter.search_low > 0
    assert any(parameter.searchable for parameter in spec.parameters.values()), "a loss has a search space"


@pytest.mark.parametrize(("name", "parameters"), EVERY_SETTING)
@pytest.mark.parametrize("masked", [False, True])
def test_gradient_in_float64(name, parameters, masked):
    logits, target, mask = random_case()
    loss = build_loss(name, **parameters)
    assert torch.autograd.gradcheck(lambda logits: loss(logits, target, mask if masked else None), logits.requires_grad_())


@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_prediction_has_the_stated_value_and_is_the_minimum(name):
    _, target, _ = random_case()
    perfect = build_loss(name)(1e4 * (2 * target - 1), target)
    assert perfect.item() == pytest.approx(LOSSES[name].perfect, abs=1e-12)
    for seed in range(20):
        assert build_loss(name)(random_case(seed)[0], target) > perfect


@pytest.mark.parametrize("name", NAMES)
def test_moving_a_pixel_towards_its_target_never_costs(name):
    for seed in range(5):
        logits, target, _ = random_case(seed)
        loss = build_loss(name)
        better = logits + (2 * target - 1) * torch.rand(logits.shape, dtype=logits.dtype, generator=torch.Generator().manual_seed(seed))
        assert loss(better, target) <= loss(logits, target)


@pytest.mark.parametrize("name", NAMES)
def test_pixels_have_no_places(name):
    logits, target, mask = random_case()
    order = torch.randperm(35, generator=torch.Generator().manual_seed(1))
    shuffled = [tensor.flatten(1)[:, order].reshape(tensor.shape) for tensor in (logits, target, mask)]
    loss = build_loss(name)
    torch.testing.assert_close(loss(*shuffled), loss(logits, target, mask), rtol=1e-13, atol=0)
    torch.testing.assert_close(loss(logits.flip(0), target.flip(0)), loss(logits, target), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_batch_is_the_mean_of_its_images(name):
    logits, target, _ = random_case()
    loss = build_loss(name)
    each = torch.stack([loss(logits[i : i + 1], target[i : i + 1]) for i in range(len(logits))])
    torch.testing.assert_close(loss(logits, target), each.mean(), rtol=1e-13, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_masked_pixels_count_for_nothing(name):
    logits, target, mask = random_case()
    loss = build_loss(name)
    kept = mask[0].bool()
    value, slope = gradient(loss, logits[:1], target[:1], mask[:1])
    alone = loss(logits[0][kept][None, None, None], target[0][kept][None, None, None])
    torch.testing.assert_close(value, alone, rtol=1e-13, atol=0)
    assert (slope[0][~kept] == 0).all()
    noise = torch.where(mask.bool(), logits, -1e4)
    torch.testing.assert_close(loss(noise, target, mask), loss(logits, target, mask), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_a_mask_of_zeros_gives_no_gradient(name):
    logits, target, mask = random_case()
    value, slope = gradient(build_loss(name), logits, target, torch.zeros_like(mask))
    assert value == 0
    assert (slope == 0).all()


@pytest.mark.parametrize(("name", "parameters"), EVERY_SETTING)
@pytest.mark.parametrize("size", [1e4, -1e4, 0.0, 30.0, -30.0])
@pytest.mark.parametrize("fill", [0.0, 1.0])
def test_finite_for_certain_logits_and_empty_or_full_targets(name, parameters, size, fill):
    for dtype in (torch.float32, torch.float16, torch.bfloat16, torch.float64):
        value, slope = gradient(build_loss(name, **parameters), torch.full((2, 1, 8, 8), size, dtype=dtype), torch.full((2, 1, 8, 8), fill))
        assert value.isfinite() and slope.isfinite().all(), (dtype, value)


@pytest.mark.parametrize("name", NAMES)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_finite_whatever_the_input(name, data):
    dtype = data.draw(st.sampled_from([torch.float64, torch.float32, *HALVES]))
    shape = data.draw(st.sampled_from([(1, 1, 1, 1), (2, 1, 3, 5), (1, 1, 9, 2)]))
    logits = torch.from_numpy(data.draw(hnp.arrays("float64", shape, elements=st.floats(-1e4, 1e4)))).to(dtype)
    target = torch.from_numpy(data.draw(hnp.arrays("bool", shape)))
    mask = torch.from_numpy(data.draw(hnp.arrays("bool", shape)))
    for used in (None, mask):
        value, slope = gradient(build_loss(name), logits, target, used)
        assert value.isfinite() and slope.isfinite().all()
        assert value >= 0


@pytest.mark.parametrize("name", NAMES)
def test_huge_logits_stay_finite(name):
    value, slope = gradient(build_loss(name), torch.full((4, 1, 16, 16), 1e30), torch.zeros(4, 1, 16, 16))
    assert value.isfinite() and slope.isfinite().all()


@pytest.mark.parametrize("name", NAMES)
def test_a_nan_is_not_hidden(name):
    logits, target, _ = random_case()
    logits[0, 0, 0, 0] = torch.nan
    assert build_loss(name)(logits, target).isnan()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", HALVES)
def test_halves_are_computed_in_fp32(name, dtype):
    # 512 x 512 pixels: sums beyond 65504 are infinite in fp16 and stall at 256 in bf16.
    logits, target, _ = random_case(shape=(2, 1, 512, 512), dtype=torch.float32)
    value, slope = gradient(build_loss(name), logits.to(dtype), target.to(dtype))
    expected, expected_slope = gradient(build_loss(name), logits.to(dtype).float(), target)
    assert value.dtype == torch.float32 and slope.dtype == dtype
    assert value == expected
    torch.testing.assert_close(slope, expected_slope.to(dtype), rtol=0, atol=0)


@pytest.mark.parametrize("name", NAMES)
def test_autocast_changes_nothing(name):
    logits, target, _ = random_case(dtype=torch.float32)
    expected = build_loss(name)(logits, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert build_loss(name)(logits, target) == expected


@pytest.mark.parametrize("name", NAMES)
def test_float64_stays(name):
    logits, target, _ = random_case()
    assert build_loss(name)(logits, target.bool()).dtype == torch.float64


@pytest.mark.parametrize("name", NAMES)
def test_a_target_may_be_bool_integer_or_float(name):
    logits, target, mask = random_case()
    loss = build_loss(name)
    values = {loss(logits, target.to(dtype), mask.to(dtype)).item() for dtype in (torch.bool, torch.uint8, torch.float64)}
    assert len(values) == 1


@pytest.mark.parametrize("name", NAMES)
def test_channels_last_is_the_same_image(name):
    logits, target, _ = random_case()
    moved = [tensor.to(memory_format=torch.channels_last) for tensor in (logits, target)]
    assert build_loss(name)(*moved) == build_loss(name)(logits, target)


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_is_used(name):
    """Reading `loss.parameters` back proves what trained only if each of them moves the value."""
    logits, target, _ = random_case()
    default = build_loss(name)(logits, target)
    for key, spec in LOSSES[name].parameters.items():
        values = [value for value in (spec.choices or (spec.low, spec.high)) if value != spec.default]
        assert any(build_loss(name, **{key: value})(logits, target) != default for value in values), key


@pytest.mark.parametrize("name", NAMES)
def test_parameters_are_complete_and_cannot_be_changed(name):
    loss = build_loss(name)
    assert dict(loss.parameters) == {key: spec.default for key, spec in LOSSES[name].parameters.items()}
    with pytest.raises(TypeError, match="does not support item assignment"):
        loss.parameters["smooth"] = 2.0
    with pytest.raises(AttributeError, match="cannot assign to field"):
        loss.parameters = {}


@pytest.mark.parametrize("name", NAMES)
def test_a_loss_survives_the_way_to_another_process(name):
    loss = build_loss(name, **settings_of(name)[1])
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert twin.spec is loss.spec and twin.parameters == loss.parameters


def test_the_second_derivative_is_refused_rather_than_wrong():
    logits, target, _ = random_case()
    logits.requires_grad_()
    (slope,) = torch.autograd.grad(build_loss("dice")(logits, target), logits, create_graph=True)
    with pytest.raises(RuntimeError, match="does not require grad"):
        torch.autograd.grad(slope.sum(), logits)
