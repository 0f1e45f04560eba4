"""What is wrong with a recipe, all of it at once: each problem with its place, the value met, what is allowed, the nearest name."""

import difflib
import typing
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import PydanticCustomError

KeyPath = tuple[str, ...]
_HINTS: dict[KeyPath, str] = {
    ("objective", "metric"): "; only what is measured while training can be the objective, the other scores are reported beside it"
}


@dataclass(frozen=True, kw_only=True)
class Problem:
    """One thing to put right."""

    path: KeyPath = ()
    """Keys from the top of the recipe to the value."""
    message: str
    """The rule, the value met, what is allowed."""
    place: str = ""
    """file:line:column, or the option that said it."""
    order: tuple[int, int] = (0, 0)
    """Where the problem stands in the list: line and column."""

    def __str__(self) -> str:
        dotted = ".".join(map(printable, self.path))
        return ": ".join(part for part in (self.place, dotted, self.message) if part)


class RecipeError(ValueError):
    """A recipe, or what was said about it on the command line, is wrong. The command line's exit code is 2."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = sorted(problems, key=lambda problem: (problem.order, problem.path))
        super().__init__("\n".join(map(str, self.problems)))


def printable(text: str) -> str:
    """The text itself, or escaped where it holds control characters, so that no name or path can speak to a terminal."""
    return text if text.isprintable() else ascii(text)


def show(value: object) -> str:
    """A value as a recipe writes it, on one line of printable ASCII, cut when long."""
    if isinstance(value, Mapping):
        text = "a mapping" if value else "{}"
    elif value is None or isinstance(value, bool):
        text = {None: "nothing", True: "true", False: "false"}[value]
    else:
        text = ascii(value)
    return text if len(text) <= 60 else text[:57] + "..."


def did_you_mean(word: object, known: Iterable[str]) -> str:
    """The nearest known name as the end of a sentence, or nothing."""
    lowered = str(word).lower().replace("-", "_")
    near = difflib.get_close_matches(lowered, list(known), n=1, cutoff=0.6)
    return f"; did you mean {near[0]!r}?" if near else ""


def fail(problems: Iterable[tuple[KeyPath, str]]) -> None:
    """Inside a Pydantic validator: raise all problems (path below the field, message), if there are any."""
    found = list(problems)
    if found:
        raise PydanticCustomError("problems", "{count} problems", {"count": len(found), "problems": found})


def problems_of(error: ValidationError, model: type[BaseModel]) -> list[Problem]:
    """Pydantic's errors in our words; the model tells what is allowed at each place."""
    problems = []
    for item in error.errors(include_url=False):
        path = tuple(str(part) for part in item["loc"])
        if item["type"] == "problems":
            problems += [Problem(path=path + tuple(below), message=message) for below, message in item.get("ctx", {})["problems"]]
        else:
            problems.append(Problem(path=path, message=_message(item, path, model)))
    return problems


def _message(item: Mapping, path: KeyPath, model: type[BaseModel]) -> str:
    parent = _model_at(model, path[:-1])
    known = list(parent.model_fields) if parent else []
    if item["type"] == "extra_forbidden":
        return f"unknown key; allowed: {', '.join(known)}{did_you_mean(path[-1], known)}"
    field = parent.model_fields.get(path[-1]) if parent and path else None
    allowed = allowed_text(field) if field else f"a mapping with the keys {', '.join(model.model_fields)}"
    if item["type"] == "missing":
        return f"this key is required: {allowed}"
    choices = [str(choice) for choice in typing.get_args(field.annotation)] if field else []
    return f"must be {allowed}; got {show(item['input'])}{did_you_mean(item['input'], choices)}{_HINTS.get(path, '')}"


def allowed_text(field: FieldInfo) -> str:
    """What a field takes, from its type and bounds: 'a whole number >= 1', 'one of tpe, random'."""
    if field.description and field.json_schema_extra == {"allowed": True}:
        return field.description
    section = _section(field.annotation)
    if section is not None:
        return f"a mapping with the keys {', '.join(section.model_fields)}"
    if typing.get_origin(field.annotation) is typing.Literal:
        choices = [str(choice) for choice in typing.get_args(field.annotation)]
        return choices[0] if len(choices) == 1 else f"one of {', '.join(choices)}"
    kind = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}.get(field.annotation, "a value of another type")
    signs = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
    bounds = [(sign, getattr(rule, name, None)) for rule in field.metadata for name, sign in signs.items()]
    return " ".join([kind, " and ".join(f"{sign} {bound}" for sign, bound in bounds if bound is not None)]).strip()


def placed(problems: Iterable[Problem], place_of: Callable[[KeyPath], tuple[str, tuple[int, int]]]) -> list[Problem]:
    """The problems with their places filled in, where they have none yet."""
    done = []
    for problem in problems:
        place, order = place_of(problem.path)
        done.append(problem if problem.place else replace(problem, place=place, order=order))
    return done


def _section(annotation: object) -> type[BaseModel] | None:
    for option in (annotation, *typing.get_args(annotation)):
        if isinstance(option, type) and issubclass(option, BaseModel):
            return option
    return None


def _model_at(model: type[BaseModel], path: KeyPath) -> type[BaseModel] | None:
    for part in path:
        field = model.model_fields.get(part)
        section = _section(field.annotation) if field else None
        if section is None:
            return None
        model = section
    return model
