"""Finite value and gradient for whatever a network may put out, in every precision: the half types are computed in fp32."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.unet.losses.cases import gradient, random_case, value_of
from tests.unet.losses.test_contract import every_loss, every_setting
from unet.losses import build_loss, loss_spec

HALVES = [torch.float16, torch.bfloat16]
TYPES = [torch.float64, torch.float32, *HALVES]
SLOW = {"distance", "morphology"}


def is_finite(name, logits, target, mask=None, **parameters):
    value, slope = gradient(build_loss(name, **parameters), logits, target, mask)
    assert value.isfinite(), value
    assert slope.isfinite().all()
    return value


@every_setting
def test_certain_logits_and_empty_or_full_targets(name, parameters):
    shape = (2, 1, 8, 8)
    for size in (1e4, -1e4, 0.0, 30.0, -30.0):
        for fill in (0.0, 1.0):
            for dtype in TYPES if not parameters else [torch.float32]:
                is_finite(name, torch.full(shape, size, dtype=dtype), torch.full(shape, fill), **parameters)


@every_loss
@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_any_small_input(name, data):
    dtype = data.draw(st.sampled_from(TYPES))
    shape = data.draw(st.sampled_from([(1, 1, 1, 1), (2, 1, 3, 5), (1, 1, 9, 2)]))
    logits = torch.from_numpy(data.draw(hnp.arrays("float64", shape, elements=st.floats(-1e4, 1e4)))).to(dtype)
    target = torch.from_numpy(data.draw(hnp.arrays("bool", shape)))
    mask = torch.from_numpy(data.draw(hnp.arrays("bool", shape)))
    for used in (None, mask):
        # Sums in fp32 may leave a perfect prediction a hair above its best value.
        assert is_finite(name, logits, target, used) >= loss_spec(name).perfect - 2e-6


def large_target(kind: str, generator: torch.Generator) -> torch.Tensor:
    """One section of 512 x 512 px."""
    target = torch.zeros(1, 1, 512, 512)
    if kind == "full":
        target += 1.0
    elif kind == "one pixel":
        target[0, 0, int(torch.randint(512, (1,), generator=generator)), int(torch.randint(512, (1,), generator=generator))] = 1.0
    elif kind == "lines":
        target[..., ::37, :] = 1.0
        target[..., 5::53] = 1.0
    elif kind == "noise":
        target = (torch.rand(target.shape, generator=generator) < 0.22).float()
    return target


@every_loss
def test_any_section(name):
    slow = loss_spec(name).cost in SLOW

    @settings(max_examples=3 if slow else 8, deadline=None, derandomize=True)
    @given(
        dtype=st.sampled_from(TYPES),
        kind=st.sampled_from(["one pixel", "empty", "full", "lines", "noise"]),
        size=st.sampled_from([1e4, 1.0, 0.0, -1e4]),
        spread=st.sampled_from([0.0, 1.0, 100.0]),
        seed=st.integers(0, 1000),
    )
    def holds(dtype, kind, size, spread, seed):
        generator = torch.Generator().manual_seed(seed)
        target = large_target(kind, generator)
        logits = size + spread * torch.randn(target.shape, generator=generator)
        is_finite(name, logits.to(dtype), target.bool())

    holds()


@every_loss
def test_huge_logits(name):
    for sign in (1.0, -1.0):
        is_finite(name, torch.full((4, 1, 16, 16), sign * 1e30), torch.zeros(4, 1, 16, 16))


@every_loss
def test_halves_are_computed_in_fp32(name):
    # 512 x 512 pixels: sums beyond 65504 are infinite in fp16 and stall at 256 in bf16.
    side = 96 if loss_spec(name).cost in SLOW else 512
    logits, target, _ = random_case(shape=(1, 1, side, side), dtype=torch.float32)
    for dtype in HALVES:
        value, slope = gradient(build_loss(name), logits.to(dtype), target.to(dtype))
        expected, expected_slope = gradient(build_loss(name), logits.to(dtype).float(), target)
        assert value.dtype == torch.float32 and slope.dtype == dtype
        assert value == expected
        torch.testing.assert_close(slope, expected_slope.to(dtype), rtol=0, atol=0)


@every_loss
def test_fp32_agrees_with_float64(name):
    logits, target, _ = random_case(shape=(2, 1, 65, 63))
    exact = value_of(build_loss(name), logits, target)
    # 4,000 fp32 terms summed pairwise: relative error of a few 1e-7.
    torch.testing.assert_close(value_of(build_loss(name), logits.float(), target.float()).double(), exact, rtol=5e-6, atol=1e-7)
