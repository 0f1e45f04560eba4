"""Domains: what they hold, how values are moved into them, what cannot be a domain."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sweeps.space import Choice, Float, Int, defaults_within

_reals = st.floats(-1e6, 1e6)


@st.composite
def floats(draw: st.DrawFn) -> Float:
    low, width = draw(_reals), draw(st.floats(1e-3, 1e3))
    step = draw(st.none() | st.floats(0.01, 1.0).map(lambda share: share * width))
    high = low + width
    return Float(low=low, high=high, step=step if step and step <= high - low else None)


@st.composite
def ints(draw: st.DrawFn) -> Int:
    low = draw(st.integers(-1000, 1000))
    return Int(low=low, high=low + draw(st.integers(0, 1000)), step=draw(st.integers(1, 20)))


@given(domain=st.one_of(floats(), ints()), value=_reals)
def test_a_clipped_value_lies_in_the_domain_and_stays(domain: Float | Int, value: float) -> None:
    clipped = domain.clip(value)
    assert domain.contains(clipped)
    assert domain.low <= clipped <= domain.high
    assert domain.clip(clipped) == pytest.approx(clipped, rel=1e-12, abs=1e-9)


@given(domain=st.one_of(floats(), ints()))
def test_both_ends_are_in_a_domain_without_a_step(domain: Float | Int) -> None:
    assert domain.contains(domain.low)
    if domain.step in (None, 1):
        assert domain.contains(domain.high)


def test_what_a_domain_does_not_hold() -> None:
    assert not Float(low=0, high=1).contains(True)
    assert not Float(low=0, high=1).contains("0.5")
    assert not Float(low=0, high=1, step=0.25).contains(0.3)
    assert not Int(low=0, high=4).contains(2.0)
    assert not Int(low=0, high=5, step=2).contains(3)
    assert not Choice(choices=("a", "b")).contains("c")


def test_defaults_are_moved_to_the_nearest_value() -> None:
    space = {"lr": Float(low=1e-2, high=1.0, log=True), "depth": Int(low=3, high=5), "reduce": Choice(choices=("batch",))}
    assert defaults_within(space, {"lr": 1e-3, "depth": 9, "reduce": "image"}) == {"lr": 1e-2, "depth": 5, "reduce": "batch"}


def test_a_domain_is_written_without_its_defaults() -> None:
    assert Float(low=0.5, high=1.0).as_dict() == {"low": 0.5, "high": 1.0}
    assert Float(low=0.5, high=1.0, log=True).as_dict() == {"low": 0.5, "high": 1.0, "log": True}
    assert Int(low=1, high=9, step=2).as_dict() == {"low": 1, "high": 9, "step": 2}
    assert Choice(choices=(1, "x")).as_dict() == {"choices": [1, "x"]}


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Float(low=2, high=1), r"`low <= high`, both finite, must hold, but got \(low=2, high=1\)"),
        (lambda: Float(low=0, high=float("inf")), r"both finite"),
        (lambda: Float(low=0, high=1, log=True), r"`low > 0` must hold for log=True"),
        (lambda: Float(low=0, high=1, step=2), r"`0 < step <= high - low`"),
        (lambda: Float(low=1, high=2, step=1, log=True), r"no step with log"),
        (lambda: Int(low=1, high=2, step=0), r"`step >= 1`"),
        (lambda: Int(low=0, high=2, log=True), r"`low > 0`"),
        (lambda: Choice(choices=()), r"at least one value"),
        (lambda: Choice(choices=("a", "a")), r"none twice"),
    ],
)
def test_what_cannot_be_a_domain(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()


def test_true_and_one_are_two_choices() -> None:
    assert Choice(choices=(True, 1)).choices == (True, 1)


def test_a_grids_last_value_is_not_above_high():
    assert Float(low=0.05, high=0.95, step=0.05).clip(0.95) <= 0.95
    grid = Float(low=0.05, high=0.95, step=0.05)
    assert max(grid.clip(value / 1000) for value in range(1001)) <= grid.high
