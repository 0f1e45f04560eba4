"""Every loss against its NumPy reference, written from the paper: value for any parameters, gradient by finite differences."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_utils.maps import maps_of
from tests.reference import losses as reference
from tests.unet.losses.cases import HALF_WAY, gradient, random_case, value_of
from unet.losses import LOSSES, build_loss

every_loss = pytest.mark.parametrize("name", list(LOSSES))
#: parameters that stay away from the ends where the reference itself, not the loss, divides 0 by 0
FLOORS = {"smooth": 1e-6}


def random_parameters(name: str, draw) -> dict:
    """Anything within the valid range of every parameter."""
    values = {}
    for key, spec in LOSSES[name].parameters.items():
        if spec.choices:
            values[key] = draw(st.sampled_from(spec.choices))
        elif spec.whole:
            values[key] = draw(st.integers(int(spec.low), min(int(spec.high), 12)))
        else:
            values[key] = draw(st.floats(max(spec.low, FLOORS.get(key, spec.low)), min(spec.high, 100.0)))
    return values


def referred(name: str, target: torch.Tensor, parameters: dict, **more):
    """The reference as a function of logits and mask: tensors in, float out."""
    extra = {need: map_N1HW.double().numpy() for need, map_N1HW in maps_of(target, LOSSES[name].needs).items()}
    if LOSSES[name].uses_progress:
        extra["progress"] = HALF_WAY

    def call(logits: torch.Tensor, mask: torch.Tensor | None) -> float:
        arrays = (None if t is None else t.detach().numpy() for t in (logits, target, mask))
        return float(reference.LOSSES[name](*arrays, **parameters, **extra, **more))

    return call


def slope_of(call, logits: torch.Tensor, mask: torch.Tensor | None, step: float = 1e-3) -> np.ndarray:
    """Central differences of fourth order, a pixel at a time: the error is some 1e-13 of the third power of the curvature."""
    slopes = np.zeros(logits.numel())
    for pixel in range(logits.numel()):
        values = []
        for offset in (-2, -1, 1, 2):
            moved = logits.clone().reshape(-1)
            moved[pixel] += offset * step
            values.append(call(moved.reshape(logits.shape), mask))
        slopes[pixel] = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
    return slopes.reshape(logits.shape)


def test_every_loss_has_a_reference():
    assert set(reference.LOSSES) == set(LOSSES)


@every_loss
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_value(name, data):
    logits, target, mask = random_case(data.draw(st.integers(0, 10_000)), shape=(3, 1, 5, 4))
    parameters = random_parameters(name, data.draw)
    call = referred(name, target, parameters)
    for used in (None, mask):
        got = value_of(build_loss(name, **parameters), logits, target, used).item()
        np.testing.assert_allclose(got, call(logits, used), rtol=1e-8, atol=1e-11)


@every_loss
@pytest.mark.parametrize("seed", range(2))
def test_gradient(name, seed):
    """To 1e-6 of the largest slope. A loss whose scale follows its partner is compared at that scale, held."""
    logits, target, mask = random_case(seed + 100, shape=(2, 1, 5, 4))
    loss = build_loss(name)
    for used in (None, mask):
        held = {"scale": balance(name, target, logits, used)} if loss.spec.detached else {}
        call = functools.partial(referred(name, target, {}, **held))
        expected = slope_of(call, logits, used)
        slope = gradient(loss, logits, target, used)[1].numpy()
        np.testing.assert_allclose(slope, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def balance(name: str, target: torch.Tensor, logits: torch.Tensor, mask: torch.Tensor | None) -> float:
    """The reference's own factor of the partner's size: what the distance is multiplied by at these logits."""
    weights = [referred(name, target, {"scaling": "partner"}, scale=scale)(logits, mask) for scale in (0.0, 1.0)]
    free = referred(name, target, {"scaling": "partner"})(logits, mask)
    # The value is linear in the factor.
    return (free - weights[0]) / (weights[1] - weights[0])


@every_loss
def test_fp32_at_full_size(name):
    if LOSSES[name].cost in ("distance", "morphology"):
        pytest.skip("its reference takes minutes at this size; fp32 against float64 is tested in test_finite.py")
    logits, target, _ = random_case(shape=(2, 1, 65, 63), dtype=torch.float32)
    expected = referred(name, target.double(), {})(logits.double(), None)
    np.testing.assert_allclose(value_of(build_loss(name), logits, target).item(), expected, rtol=5e-6)
