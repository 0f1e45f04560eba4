"""What is said of parameters, and of an optimum that is flat, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from sweeps.verdict.sentence import listed, number

_WIDE = 0.8
"""A range that is this much of what was searched is as good as all of it: the outermost trials are seldom at its ends."""
_NAMES = {"train.lr": "learning rate", "train.weight_decay": "weight decay"}


def parameter_name(name: str) -> str:
    """Return a parameter's name for people: `gamma`, of a sum `focal.gamma`, `learning rate`."""
    return _NAMES.get(name) or name.removeprefix("loss.").removeprefix("train.")


def parameter_value(value: Any) -> str:
    """Return a parameter's value with two digits that count: 0.31, 3.1e-4, 12."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return str(value)
    if isinstance(value, int) or value == 0:
        return f"{value:g}"
    if abs(value) < 1e-2 or abs(value) >= 1e4:
        mantissa, _, exponent = f"{value:.1e}".partition("e")
        return f"{mantissa.removesuffix('.0')}e{int(exponent)}"
    return f"{value:.2g}" if abs(value) < 100 else f"{value:.0f}"


def flat_words(flat: Mapping[str, Any]) -> str:
    """Return the region that ties with the best (`flat` of the verdict) as a few sentences."""
    tied, trials = len(flat["tied"]), flat["trials"]
    if tied == 1:
        return f"None of the other {trials - 1} trials ties with the best ({number(flat['best']['score'])})."
    begin = (
        f"{tied} of {trials} trials tie with the best ({number(flat['best']['score'])}), being {number(flat['margin'])} or less behind it"
    )
    sides = [_side(parameter_name(name), side) for name, side in flat["sides"].items()]
    told = f"{begin}: {'; '.join(sides)}."
    if flat["volume"] is None:
        return told
    unknown = f", {1 - flat['known']:.0%} being unknown to it" if flat["known"] < 0.995 else ""
    return f"{told} By the smooth surface {flat['volume']:.0%} of the search space ties{unknown}."


def _side(name: str, side: Mapping[str, Any]) -> str:
    values, tied, between = side["values"], side["tied"], side["between"]
    if side["choice"]:
        said = listed([parameter_value(value) for value in values])
        return f"every {name} ties somewhere ({said})" if side["of_range"] == 1 else f"{name} {said}{_some(tied, between)}"
    low, high = (parameter_value(value) for value in values)
    if side["of_range"] >= _WIDE:
        return f"{name} is free ({low} to {high}, {side['of_range']:.0%} of what was searched)"
    if tied == between:
        return f"any {name} from {low} to {high} that was tried ties"
    return f"{name} from {low} to {high}{_some(tied, between)}"


def _some(tied: int, between: int) -> str:
    return "" if tied == between else f" ({tied} of the {between} trials there tie)"


def counted_words(told: Mapping[str, Any]) -> str:
    """Return what an importance rests on: `60 trials, 41 of them stopped early, 2 that failed left out`."""
    parts: Sequence[str] = [
        f"{told['trials']} trials",
        f"{told['stopped']} of them stopped early" if told["stopped"] else "",
        f"{told['left_out']} unfinished or failed left out" if told["left_out"] else "",
    ]
    return ", ".join(part for part in parts if part)
