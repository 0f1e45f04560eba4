"""What the command line says over a recipe: --set train.epochs=20, --data FOLDER."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sweeps.recipe.errors import KeyPath, Problem, RecipeError, show
from sweeps.recipe.file import Document, parse_yaml
from sweeps.recipe.sum_overrides import reach_into_sum
from unet.losses.composition import SIGN

Order = tuple[int, int]
# Problems of the command line stand below those of the file.
_AFTER_THE_FILE = 1_000_000_000


class Places:
    """Where each value of a recipe came from: a line of the file, or an option."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._options: list[tuple[KeyPath, int, str]] = []

    def set(self, path: KeyPath, option: str, *, made: int = 0) -> None:
        """From now on, the path and all below it came from the option, and so did the last `made` sections above it, by themselves."""
        self._options.append((path, made, option))

    def of(self, path: KeyPath) -> tuple[str, Order]:
        """The place of a path, and its order in the list of problems."""
        for number, (end, made, option) in reversed(list(enumerate(self._options))):
            if path[: len(end)] == end or (len(path) >= len(end) - made and path == end[: len(path)]):
                return option, (_AFTER_THE_FILE + number, 0)
        return self._document.place_of(path)


def apply_overrides(raw: dict[str, Any], places: Places, overrides: Sequence[str]) -> list[Problem]:
    """Set each KEY=VALUE in place; the problems are of the options' own form."""
    problems = []
    for number, text in enumerate(overrides):
        key, equals, value_text = text.partition("=")
        path = _with_dotted_parameter(raw, tuple(key.strip().split(".")))
        option = f"--set {'.'.join(path)}"
        try:
            if not equals or not all(path):
                raise ValueError(f"must be KEY=VALUE with a dotted key, such as train.epochs=20; got {show(text)}")
            value = parse_override(value_text, option)
            reach_into_sum(raw, path, value)
            made = _set(raw, path, value)
        except ValueError as error:
            problems.append(Problem(message=str(error), place=option, order=(_AFTER_THE_FILE + number, 0)))
        else:
            places.set(path, option, made=made)
    return problems


def parse_override(text: str, option: str) -> object:
    """The value of an option, read as YAML: 20, 1e-3, search, {low: 0.1, high: 0.9}."""
    try:
        document = parse_yaml(text, source=option)
    except RecipeError as error:
        raise ValueError(f"{show(text)}: {error.problems[0].message}") from error
    if document.problems:
        raise ValueError(f"{show(text)}: {document.problems[0].message}")
    return document.data


def override_data(raw: dict[str, Any], places: Places, data: str) -> None:
    """--data: another source instead of the recipe's source, images and labels; a folder is relative to the working folder."""
    section = raw.get("data")
    kept = {key: value for key, value in section.items() if key not in ("source", "images", "labels")} if isinstance(section, dict) else {}
    raw["data"] = {"source": absolute_source(data, Path.cwd())} | kept
    places.set(("data", "source"), "--data")


def absolute_source(source: str, folder: Path) -> str:
    """A data set's name as it is; a folder as an absolute path, so that it means the same from everywhere."""
    from data_utils.datasets import DATASETS

    if source.split(":")[0] in DATASETS:
        return source
    path = Path(source).expanduser()
    looks_like_a_folder = len(path.parts) > 1 or source in (".", "..") or (folder / path).is_dir()
    return str((folder / path).resolve()) if looks_like_a_folder else source


def absolute_paths(raw: dict[str, Any], folder: Path) -> None:
    """In place: source, images and labels of the data section relative to the recipe's own folder become absolute."""
    section = raw.get("data")
    if not isinstance(section, dict):
        return
    for key in ("images", "labels"):
        if isinstance(section.get(key), str) and section[key]:
            section[key] = str((folder / Path(section[key]).expanduser()).resolve())
    if isinstance(section.get("source"), str) and section["source"]:
        section["source"] = absolute_source(section["source"], folder)


def _with_dotted_parameter(raw: dict[str, Any], path: KeyPath) -> KeyPath:
    """The path with a composed loss's parameter as the one key that it is: losses, mix, focal.gamma (where mix is {loss: dice+focal})."""
    if path[0] != "losses" or len(path) < 4:
        return path
    losses = raw.get("losses")
    entry = losses.get(path[1]) if isinstance(losses, dict) else None
    if not isinstance(entry, dict) or SIGN not in str(entry.get("loss")):
        return path
    return (*path[:2], ".".join(path[2:4]), *path[4:])


def _set(raw: dict[str, Any], path: KeyPath, value: object) -> int:
    """Set the value, with the sections that it needs; how many of them were not there before."""
    section: Any = raw
    made = 0
    for depth, part in enumerate(path):
        here = ".".join(path[:depth])
        if not isinstance(section, dict | list):
            whole = f"--set '{here}={''.join(f'{{{key}: ' for key in path[depth:])}...{'}' * (len(path) - depth)}'"
            # The user's mistake, not a wrong type of ours.
            raise ValueError(f"{here} is {show(section)}, not a mapping; set it as a whole, such as {whole}")  # noqa: TRY004
        within: Any = section
        key = _position(section, part, here) if isinstance(section, list) else part
        if depth + 1 == len(path):
            within[key] = value
        elif isinstance(section, dict) and part not in section:
            within[key] = {}
            made += 1
        section = within[key]
    return made


def _position(section: list[Any], part: str, here: str) -> int:
    """The position in a list, counted from 0, such as the 1 in losses.mix.weights.1."""
    if part.isdecimal() and int(part) < len(section):
        return int(part)
    has = f"has positions 0 to {len(section) - 1}" if section else "is an empty list"
    raise ValueError(f"{here} {has}; got {show(int(part) if part.isdecimal() else part)}")
