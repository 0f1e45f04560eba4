"""The section `published`: figures that others printed for losses of a recipe, so that its report can set them beside its own."""

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field, PlainValidator, WithJsonSchema, model_validator

from sweeps.recipe.errors import KeyPath, Problem, did_you_mean, fail, show
from sweeps.recipe.sections import Section
from sweeps.recipe.values import Allowed, Problems

_TABLES = ("seconds", "own_loss")


def _numbers(allowed: Allowed) -> tuple[Any, ...]:
    """The Pydantic metadata of a mapping of losses to numbers. Whether the losses are the recipe's is `published_problems`' business."""

    def read(raw: Any) -> dict[str, float]:
        if not isinstance(raw, Mapping):
            fail([((), f"must be a mapping of losses to numbers, such as {{bce: 1.5}}; got {show(raw)}")])
        problems: Problems = [((str(loss), *path), message) for loss, value in raw.items() for path, message in allowed.problems(value)]
        fail(problems)
        return {str(loss): float(value) for loss, value in raw.items()}

    return PlainValidator(read), WithJsonSchema({"type": "object", "additionalProperties": {"type": "number"}})


class PublishedSection(Section):
    """What others printed."""

    source: str = Field(min_length=1, max_length=1000, description="text: who printed them, and where", json_schema_extra={"allowed": True})
    """Who printed them, and where."""
    hardware: str = Field(default="", max_length=200)
    """What they ran on."""
    epochs: int | None = Field(
        default=None, ge=1, le=1_000_000, description="a whole number in [1, 1000000], or null", json_schema_extra={"allowed": True}
    )
    """Epochs behind each of the seconds, to which ours are brought; null: not known, and ours stay as they are."""
    seconds: Annotated[dict[str, float], *_numbers(Allowed(low=0, high=1e9, above=True))] = Field(default_factory=dict)
    """Loss -> seconds of one training."""
    own_loss: Annotated[dict[str, float], *_numbers(Allowed(low=-1e9, high=1e9))] = Field(default_factory=dict)
    """Loss -> its own value on a test sample; below 0 too, where a loss goes there (boundary)."""
    note: str = Field(default="", max_length=1000)
    """What a reader must know of them, in whole sentences."""

    @model_validator(mode="after")
    def _holds_a_figure(self) -> "PublishedSection":
        fail([] if self.seconds or self.own_loss else [((), f"holds no figure: give {' or '.join(_TABLES)}, or leave the section out")])
        return self


def published_problems(raw: Mapping[str, Any]) -> list[Problem]:
    """Figures of losses that the recipe does not have. Works on plain data, beside other problems."""
    section, losses = raw.get("published"), raw.get("losses")
    if not isinstance(section, Mapping) or not isinstance(losses, Mapping):
        return []
    unknown: list[KeyPath] = [
        (key, name) for key in _TABLES if isinstance(section.get(key), Mapping) for name in section[key] if name not in losses
    ]
    names = list(map(str, losses))
    rule = f"no loss of this recipe; allowed: {', '.join(names)}; or published: null, which leaves the section out"
    return [Problem(path=("published", *path), message=f"{rule}{did_you_mean(path[1], names)}") for path in unknown]
