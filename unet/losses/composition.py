"""Sums of losses, put together by name: "dice+focal" is a loss like any other, with the parameters of both under dotted names.

    build_loss("dice+focal", **{"focal.gamma": 1.5, "focal.weight": 0.5})

Each term i has a weight w_i, a ramp r_i(t) over the training, and a balance b_i: the loss is sum_i w_i r_i(t) b_i L_i. With balance
"partner" b_i is L_1 / L_i, held constant for the gradient, so that a distance in pixels weighs as much as the first term; else it is 1.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from torch import Tensor

from unet.losses.schedule import RAMPS, partner_scale, ramp
from unet.losses.spec import COSTS, LossSpec, ParameterSpec, Value

SIGN = "+"
_OWN = ("weight", "ramp", "balance")


def compose(registry: Mapping[str, LossSpec], name: str) -> LossSpec:
    """The spec of a sum such as "dice+focal"; a loss that stands twice is labelled focal and focal_2.

    Raises ValueError for fewer than two terms or a term that is not in the registry.
    """
    names = name.split(SIGN)
    unknown = [term for term in names if term not in registry]
    if unknown or len(names) < 2:
        listed = ", ".join(map(repr, unknown)) or "one term only"
        raise ValueError(f"{name!r} is no sum of losses: {listed}; write two or more of {', '.join(registry)} with {SIGN} between them")
    labels = [term if names[:i].count(term) == 0 else f"{term}_{names[: i + 1].count(term)}" for i, term in enumerate(names)]
    terms = {label: registry[term] for label, term in zip(labels, names, strict=True)}
    specs = list(terms.values())
    return LossSpec(
        name=name,
        family="compound",
        formula=" + ".join(f"{label}.weight [{spec.formula}]" for label, spec in terms.items()),
        parameters=MappingProxyType(_parameters(terms)),
        source="the sum of " + "; ".join(f"{label}: {spec.source}" for label, spec in terms.items()),
        needs=tuple(dict.fromkeys(need for spec in specs for need in spec.needs)),
        uses_progress=True,
        perfect=sum(spec.perfect for spec in specs),
        spatial=any(spec.spatial for spec in specs),
        monotone=all(spec.monotone for spec in specs),
        detached=any(spec.detached for spec in specs) or any(_is_distance(spec) for spec in specs[1:]),
        cost=max((spec.cost for spec in specs), key=COSTS.index),
        when="when two losses pull at different faults and one alone leaves the other's",
        function=Sum(terms),
    )


@dataclass(frozen=True)
class Sum:
    """The arithmetic of a composed loss."""

    terms: Mapping[str, LossSpec]
    """The terms by label, the first being the partner of those that are balanced."""

    def __call__(
        self,
        logits_N1HW: Tensor,
        target_N1HW: Tensor,
        mask_N1HW: Tensor | None,
        *,
        progress: float | None,
        **named: Value | Tensor,
    ) -> Tensor:
        """sum_i w_i r_i(t) b_i L_i; an empty image follows each term's own rule."""
        first: Tensor | None = None
        total: Tensor | None = None
        for label, spec in self.terms.items():
            own = {key: named[f"{label}.{key}"] for key in spec.parameters}
            maps = {need: named[need] for need in spec.needs}
            moving = {"progress": progress} if spec.uses_progress else {}
            value = spec.function(logits_N1HW, target_N1HW, mask_N1HW, **own, **maps, **moving)
            if first is None:
                first = value
            elif named[f"{label}.balance"] == "partner":
                value = partner_scale(first, value) * value
            weight = named[f"{label}.weight"]
            assert isinstance(weight, int | float)
            value = weight * ramp(str(named[f"{label}.ramp"]), progress) * value
            total = value if total is None else total + value
        assert total is not None
        return total


def _parameters(terms: Mapping[str, LossSpec]) -> dict[str, ParameterSpec]:
    parameters: dict[str, ParameterSpec] = {}
    for position, (label, spec) in enumerate(terms.items()):
        taken = [key for key in spec.parameters if key in _OWN]
        assert not taken, f"{spec.name} has parameters that a sum uses itself: {taken}"
        parameters[f"{label}.weight"] = _weight(searched=position > 0)
        parameters[f"{label}.ramp"] = _RAMP
        if position > 0:
            parameters[f"{label}.balance"] = _balance("partner" if _is_distance(spec) else "fixed")
        parameters |= {f"{label}.{key}": parameter for key, parameter in spec.parameters.items()}
    return parameters


def _is_distance(spec: LossSpec) -> bool:
    # A loss of distances, whether from a map, a transform or one erosion a pixel; not a ratio of counts of border pixels.
    return spec.family == "boundary" and (bool(spec.needs) or spec.cost == "morphology")


def _weight(*, searched: bool) -> ParameterSpec:
    # One weight stays put: a common factor of all terms is the learning rate's business.
    search = {"search_low": 0.1, "search_high": 10.0, "log": True} if searched else {}
    return ParameterSpec(
        default=1.0, low=0.0, high=1e6, **search, meaning="factor of the term; 0 leaves it out", source="1 : 1 in nnU-Net's sums"
    )


_RAMP = ParameterSpec(
    default="constant",
    choices=RAMPS,
    meaning="how the weight moves over the training: constant, rise from 0 to its value, or fall from it to 0",
    source="rise and fall as in Kervadec et al. 2019 (arXiv 1812.07032), section 4.2",
)


def _balance(default: str) -> ParameterSpec:
    return ParameterSpec(
        default=default,
        choices=("fixed", "partner"),
        meaning="fixed: as it stands; partner: scaled at every step to the size of the first term, the scale constant for the gradient",
        source="Karimi and Salcudean 2019 (arXiv 1904.10030), section II-C",
    )
