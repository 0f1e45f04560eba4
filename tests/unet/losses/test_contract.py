"""What every loss of the registry must keep, tested over the registry: a new loss is tested the moment it is registered.

A few sums stand for all that can be composed of them.
"""

import copy
import pickle
from functools import partial

import pytest
import torch

from data_utils.maps import maps_of
from tests.unet.losses.cases import HALF_WAY, gradient, random_case, shaped_case, value_of
from unet.losses import LOSSES, build_loss, composition, loss_spec

SUMS = ["dice+focal", "dice+boundary", "bce+tversky+focal+focal"]
NAMES = [*LOSSES, *SUMS]
THESIS = {"bce", "dice", "dice_bce", "iou", "focal", "tversky"}
MINIMUM = 40


def settings_of(name: str) -> list[dict]:
    """The defaults, the ends of each range, and each choice."""
    variants = [{}]
    for key, spec in loss_spec(name).parameters.items():
        # A weight's end of 1e6 is there for units that nobody foresaw; finite differences of it prove nothing.
        ends = (spec.search_low, spec.search_high, spec.low, spec.high if spec.high is not None and spec.high < 1e6 else None)
        values = spec.choices or ends
        variants += [{key: value} for value in dict.fromkeys(values) if value is not None and value != spec.default]
    return variants


EVERY_SETTING = [pytest.param(name, parameters, id=f"{name}-{parameters}") for name in NAMES for parameters in settings_of(name)]
every_loss = pytest.mark.parametrize("name", NAMES)
every_setting = pytest.mark.parametrize(("name", "parameters"), EVERY_SETTING)


def test_there_are_as_many_as_promised():
    assert len(LOSSES) >= MINIMUM
    assert set(LOSSES) >= THESIS
    assert list(LOSSES)[:6] == ["bce", "dice", "dice_bce", "iou", "focal", "tversky"]


@every_loss
def test_an_entry_says_everything(name):
    spec = loss_spec(name)
    assert spec.name == name
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
        if parameter.whole:
            ends = (parameter.default, parameter.low, parameter.high, parameter.search_low, parameter.search_high)
            assert all(float(value).is_integer() for value in ends if value is not None)
    assert any(parameter.searchable for parameter in spec.parameters.values()), "a loss has a search space"


@every_setting
def test_gradient_in_float64(name, parameters, monkeypatch):
    # A scale that is held constant for the gradient is one here, so that value and gradient belong together.
    hold_scales(monkeypatch)
    logits, target, mask = random_case(shape=(2, 1, 4, 3))
    loss = build_loss(name, **parameters)
    aux = maps_of(target, loss.needs)
    for used in (None, mask):
        call = partial(loss, target_N1HW=target, mask_N1HW=used, aux=aux, progress=HALF_WAY)
        assert torch.autograd.gradcheck(call, logits.requires_grad_())


def hold_scales(monkeypatch):
    """Puts a constant in the place of every scale that follows a partner."""
    from unet.losses import boundary_compound

    for module in (composition, boundary_compound):
        monkeypatch.setattr(module, "partner_scale", lambda partner, term: torch.full_like(term.detach(), 0.7))


@every_loss
def test_a_perfect_prediction_has_the_stated_value_and_is_the_minimum(name):
    _, target, _ = random_case()
    loss = build_loss(name)
    perfect = value_of(loss, 1e4 * (2 * target - 1), target)
    assert perfect.item() == pytest.approx(loss.spec.perfect, abs=1e-12)
    for seed in range(20):
        assert value_of(loss, random_case(seed)[0], target) > perfect


@every_setting
def test_no_prediction_beats_the_truth(name, parameters):
    if any(key.rpartition(".")[2] == "label_smoothing" and value for key, value in parameters.items()):
        pytest.skip("smoothed labels are there to make certainty cost: the best probability is that of the smoothed target")
    _, target, _ = random_case()
    loss = build_loss(name, **parameters)
    perfect = value_of(loss, 1e4 * (2 * target - 1), target)
    for seed in range(5):
        assert value_of(loss, random_case(seed)[0], target) >= perfect - 1e-12


@every_loss
def test_moving_pixels_towards_their_target_never_costs(name):
    loss = build_loss(name)
    if not loss.spec.monotone:
        pytest.skip(f"{name} follows the shape of the prediction, which jumps as pixels move; its minimum is tested instead")
    for seed in range(5):
        logits, target, _ = random_case(seed)
        step = torch.rand(logits.shape, dtype=logits.dtype, generator=torch.Generator().manual_seed(seed))
        assert value_of(loss, logits + (2 * target - 1) * step, target) <= value_of(loss, logits, target) + 1e-15


@every_loss
def test_pixels_have_no_places_unless_the_entry_says_so(name):
    logits, target = shaped_case()
    loss = build_loss(name)
    order = torch.randperm(48 * 48, generator=torch.Generator().manual_seed(1))
    shuffled = [tensor.flatten(1)[:, order].reshape(tensor.shape) for tensor in (logits, target)]
    value, slope = gradient(loss, logits, target)
    moved_value, moved_slope = gradient(loss, *shuffled)
    moved_back = moved_slope.flatten(1)[:, order.argsort()].reshape(slope.shape)
    if loss.spec.spatial:
        # A term scaled to its partner has the partner's value; the gradient tells.
        assert not torch.allclose(moved_back, slope, rtol=1e-6, atol=0), "then spatial should be False"
    else:
        torch.testing.assert_close(moved_value, value, rtol=1e-12, atol=0)
        torch.testing.assert_close(moved_back, slope, rtol=1e-9, atol=1e-15)


@every_loss
def test_a_flip_or_a_turn_of_everything_changes_nothing(name):
    logits, target, mask = random_case(shape=(3, 1, 9, 7))
    loss = build_loss(name)
    expected = value_of(loss, logits, target, mask)
    for move in (lambda t: t.flip(-1), lambda t: t.flip(-2), lambda t: t.rot90(1, (-2, -1)), lambda t: t.flip(0)):
        torch.testing.assert_close(value_of(loss, *map(move, (logits, target, mask))), expected, rtol=1e-12, atol=1e-15)


@every_loss
def test_a_batch_is_the_mean_of_its_images(name):
    logits, target, _ = random_case()
    loss = build_loss(name)
    each = torch.stack([value_of(loss, logits[i : i + 1], target[i : i + 1]) for i in range(len(logits))])
    torch.testing.assert_close(value_of(loss, logits, target), each.mean(), rtol=1e-12, atol=1e-15)


@every_loss
def test_masked_pixels_count_for_nothing(name):
    logits, target, mask = random_case()
    loss = build_loss(name)
    value, slope = gradient(loss, logits, target, mask)
    assert (slope[~mask.bool()] == 0).all()
    noise = torch.where(mask.bool(), logits, -1e4 * logits.sign())
    torch.testing.assert_close(value_of(loss, noise, target, mask), value, rtol=0, atol=0)
    if not loss.spec.spatial:
        kept = mask[0].bool()
        alone = value_of(loss, logits[0][kept][None, None, None], target[0][kept][None, None, None])
        torch.testing.assert_close(value_of(loss, logits[:1], target[:1], mask[:1]), alone, rtol=1e-12, atol=0)


@every_loss
def test_a_mask_of_ones_changes_nothing(name):
    logits, target, mask = random_case()
    loss = build_loss(name)
    for got, expected in zip(gradient(loss, logits, target, torch.ones_like(mask)), gradient(loss, logits, target), strict=True):
        torch.testing.assert_close(got, expected, rtol=1e-12, atol=1e-16)


@every_loss
def test_a_mask_of_zeros_gives_no_gradient(name):
    logits, target, mask = random_case()
    value, slope = gradient(build_loss(name), logits, target, torch.zeros_like(mask))
    assert value.item() == pytest.approx(loss_spec(name).perfect, abs=1e-12)
    assert (slope == 0).all()


@every_loss
def test_a_nan_is_not_hidden(name):
    logits, target, _ = random_case()
    logits[0, 0, 0, 0] = torch.nan
    assert value_of(build_loss(name), logits, target).isnan()


@every_loss
def test_autocast_changes_nothing(name):
    logits, target, _ = random_case(dtype=torch.float32)
    expected = value_of(build_loss(name), logits, target)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert value_of(build_loss(name), logits, target) == expected


@every_loss
def test_a_target_may_be_bool_integer_or_float(name):
    logits, target, mask = random_case()
    loss = build_loss(name)
    values = [value_of(loss, logits, target.to(dtype), mask.to(dtype)) for dtype in (torch.bool, torch.uint8, torch.float64)]
    assert {value.dtype for value in values} == {torch.float64}
    assert len({value.item() for value in values}) == 1


@every_loss
def test_channels_last_is_the_same_image(name):
    logits, target, _ = random_case()
    moved = [tensor.to(memory_format=torch.channels_last) for tensor in (logits, target)]
    assert value_of(build_loss(name), *moved) == value_of(build_loss(name), logits, target)


@every_loss
def test_every_parameter_is_used(name):
    """Reading `loss.parameters` back proves what trained only if each of them moves the value."""
    scenes = [shaped_case(), random_case()[:2]]  # shapes for what follows them, and an image without a positive pixel
    spec = loss_spec(name)
    defaults = [gradient(build_loss(name), *scene)[1] for scene in scenes]
    for key, parameter in spec.parameters.items():
        ends = (parameter.low, parameter.high, parameter.search_low, parameter.search_high)
        values = [value for value in (parameter.choices or ends) if value not in (None, parameter.default)]
        # A scale to the partner swallows what multiplies the term alone; its gradient still moves.
        changed = (
            not torch.equal(gradient(build_loss(name, **{key: value}), *scene)[1], default)
            for value in values
            for scene, default in zip(scenes, defaults, strict=True)
        )
        assert any(changed), key


@every_loss
def test_a_search_is_never_over_a_mere_factor(name):
    """From one end of its range to the other a searched parameter turns the gradient: a common factor is the learning rate's business."""
    spec = loss_spec(name)
    for key, parameter in spec.parameters.items():
        if not parameter.searchable:
            continue
        shapes = shaped_case()
        certain = 4.0 * shapes[0], shapes[1]  # wrong for certain, and so worth many erosions
        ends = (parameter.search_low, parameter.search_high)
        assert any(turns(name, key, ends, scene) for scene in (shapes, certain, random_case()[:2])), key


def turns(name, key, ends, scene) -> bool:
    """Whether the direction of the gradient differs between two values of a parameter, early in the training."""
    slopes = []
    for value in ends:
        logits = scene[0].clone().requires_grad_()
        value_of(build_loss(name, **{key: value}), logits, scene[1], progress=0.1).backward()
        slopes.append(logits.grad.flatten())
    return bool(torch.nn.functional.cosine_similarity(*slopes, dim=0) < 1 - 1e-9)


@every_loss
def test_parameters_are_complete_and_cannot_be_changed(name):
    loss = build_loss(name)
    assert dict(loss.parameters) == {key: spec.default for key, spec in loss_spec(name).parameters.items()}
    with pytest.raises(TypeError, match="does not support item assignment"):
        loss.parameters["smooth"] = 2.0
    with pytest.raises(AttributeError, match="cannot assign to field"):
        loss.parameters = {}


@every_loss
def test_a_loss_survives_the_way_to_another_process(name):
    loss = build_loss(name, **settings_of(name)[1])
    for twin in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss)):
        assert twin.name == loss.name and twin.parameters == loss.parameters
        assert twin.spec.formula == loss.spec.formula


@every_loss
def test_a_backward_pass_can_be_repeated(name):
    logits, target, mask = random_case()
    logits.requires_grad_()
    value = value_of(build_loss(name), logits, target, mask)
    first = torch.autograd.grad(value, logits, retain_graph=True)[0].clone()
    second = torch.autograd.grad(value, logits)[0]
    torch.testing.assert_close(first, second, rtol=1e-14, atol=0)


def test_the_second_derivative_is_refused_rather_than_wrong():
    logits, target, _ = random_case()
    logits.requires_grad_()
    for name in ("dice", "bce"):
        (slope,) = torch.autograd.grad(build_loss(name)(logits, target), logits, create_graph=True)
        with pytest.raises(RuntimeError, match=r"does not require grad|once_differentiable|not have been used in the graph"):
            torch.autograd.grad(slope.sum(), logits)
