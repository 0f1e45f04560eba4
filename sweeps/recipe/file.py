"""YAML 1.2 in and out: plain data with the place of every key. The only importer of ruamel.

Nothing is ever constructed from a tag, aliases are expanded only up to a limit, and a file over 1 MB is not parsed.
"""

import io
import re
from dataclasses import dataclass, field
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode
from ruamel.yaml.reader import ReaderError

from sweeps.recipe.errors import KeyPath, Problem, RecipeError
from sweeps.recipe.text import dump_yaml

__all__ = ["Document", "dump_yaml", "load_yaml", "parse_yaml"]

MAX_BYTES = 1_000_000
MAX_NODES = 10_000
MAX_DEPTH = 30

_CORE_TAGS = {f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "str", "int", "float", "bool", "null", "timestamp", "merge", "value")}
_CONSTANTS = {"": None, "~": None, "null": None, "Null": None, "NULL": None} | {
    text: text.lower() == "true" for text in ("true", "True", "TRUE", "false", "False", "FALSE")
}
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


@dataclass(kw_only=True)
class Document:
    """A YAML file as plain data."""

    source: str
    """What to call it in messages."""
    data: object = None
    """None, bool, int, float, str, list, dict with text keys."""
    marks: dict[KeyPath, tuple[int, int]] = field(default_factory=dict)
    """1-based line and column of every key, by its path."""
    problems: list[Problem] = field(default_factory=list)
    """Keys given twice, tags, aliases without end: found on the way, reported with everything else."""
    unread: set[KeyPath] = field(default_factory=set)
    """Paths whose value could not be read: None stands there, and means nothing."""
    nodes: int = 0
    """Values seen, aliases expanded."""

    def place_of(self, path: KeyPath) -> tuple[str, tuple[int, int]]:
        """file:line:column of the path, or of the nearest key above it, and the same as numbers."""
        while path and path not in self.marks:
            path = path[:-1]
        line, column = self.marks.get(path, (1, 1))
        return f"{self.source}:{line}:{column}", (line, column)


def load_yaml(path: Path, *, source: str | None = None) -> Document:
    """Read one YAML file. RecipeError where it cannot be read or parsed at all; what can be read past is in `problems`."""
    source = source or str(path)
    try:
        with path.open("rb") as file:
            payload = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise _refused(source, f"cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(payload) > MAX_BYTES:
        raise _refused(source, f"a recipe has at most {MAX_BYTES:,} bytes, this file has more; is it a recipe?")
    try:
        return parse_yaml(payload.decode("utf-8-sig"), source=source)
    except UnicodeDecodeError as error:
        line = payload[: error.start].count(b"\n") + 1
        raise _refused(source, f"must be UTF-8 text; byte {error.start} is {payload[error.start]:#04x}", line=line) from error


def parse_yaml(text: str, *, source: str) -> Document:
    """Parse YAML 1.2 text into plain data with the places of its keys."""
    if re.match(r"\s*%", text):
        raise _refused(source, "directives (%YAML, %TAG) are not taken; a recipe is YAML 1.2")
    try:
        node = YAML(typ="safe", pure=True).compose(io.StringIO(text))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise _refused(source, f"not valid YAML: {error.problem or error.context}", line=line, column=column) from error
    except ReaderError as error:
        start = text.rfind("\n", 0, error.position) + 1
        line, column = text.count("\n", 0, error.position) + 1, error.position - start + 1
        raise _refused(source, f"not valid YAML: the character {chr(error.character)!a} is not allowed", line, column) from error
    except (YAMLError, RecursionError, ValueError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error).splitlines()[0]
        raise _refused(source, f"not valid YAML: {reason}") from error
    document = Document(source=source)
    if node is not None:
        document.data = _plain(node, (), document)
    return document


def _plain(node: Node, path: KeyPath, document: Document) -> object:
    document.nodes += 1
    if document.nodes > MAX_NODES or len(path) > MAX_DEPTH:
        limits = f"at most {MAX_NODES:,} values and {MAX_DEPTH} levels, aliases expanded"
        raise _refused(document.source, f"too large: a recipe has {limits}", *_mark(node))
    if node.tag is not None and str(node.tag) not in _CORE_TAGS:
        document.unread.add(path)
        _note(document, node, path, f"tags are not taken, got {str(node.tag)!a}; write the value alone")
        return None
    if isinstance(node, MappingNode):
        return _mapping(node, path, document)
    if isinstance(node, SequenceNode):
        for index, item in enumerate(node.value):
            document.marks[(*path, str(index))] = _mark(item)
        return [_plain(item, (*path, str(index)), document) for index, item in enumerate(node.value)]
    assert isinstance(node, ScalarNode)
    try:
        return _scalar(node)
    except ValueError:  # Python refuses whole numbers of thousands of digits
        document.unread.add(path)
        _note(document, node, path, f"not a number that can be read: it has {len(str(node.value)):,} characters")
        return None


def _mapping(node: MappingNode, path: KeyPath, document: Document) -> dict[str, object]:
    data: dict[str, object] = {}
    for key_node, value_node in node.value:
        if not isinstance(key_node, ScalarNode):
            _note(document, key_node, path, "a key must be plain text")
            continue
        key = str(key_node.value)
        if key in data:
            first = document.marks[(*path, key)][0]
            _note(document, key_node, (*path, key), f"this key is given twice, first on line {first}; keep one")
            continue
        document.marks[(*path, key)] = _mark(key_node)
        data[key] = _plain(value_node, (*path, key), document)
    return data


def _scalar(node: ScalarNode) -> object:
    """YAML 1.2's core schema for plain scalars, so that 1e-5 is a number and yes is text; quoted scalars are text."""
    text = str(node.value)
    if node.style in ("'", '"', "|", ">") or str(node.tag).endswith(":str"):
        return text
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INT.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        return float(re.sub(r"\.(?=[a-zA-Z])", "", text))
    return text


def _mark(node: Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def _note(document: Document, node: Node, path: KeyPath, message: str) -> None:
    line, column = _mark(node)
    document.problems.append(Problem(path=path, message=message, place=f"{document.source}:{line}:{column}", order=(line, column)))


def _refused(source: str, message: str, line: int = 1, column: int = 1) -> RecipeError:
    return RecipeError([Problem(message=message, place=f"{source}:{line}:{column}", order=(line, column))])
