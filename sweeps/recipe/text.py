"""Plain data as YAML text. Written here, since ruamel leaves text such as ?0 unquoted inside brackets and cannot read it back."""

import json
import re
from collections.abc import Mapping

_WORD = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_NOT_TEXT = {"null", "true", "false"}
MAX_LINE = 100


def dump_yaml(data: Mapping) -> str:
    """Plain data (None, bool, int, float, str, list, mapping with text keys) as YAML 1.2, in the order given; it reads back the same.

    ValueError for a number that is not finite.
    """
    return "".join(_block(data, 0)) or "{}\n"


def _block(data: Mapping, indent: int) -> list[str]:
    lines = []
    for key, value in data.items():
        start = f"{' ' * indent}{_scalar(str(key))}:"
        inline = _flow(value)
        if isinstance(value, Mapping) and value and (indent == 0 or len(start) + len(inline) > MAX_LINE):
            lines += [f"{start}\n", *_block(value, indent + 2)]
        else:
            lines.append(f"{start} {inline}\n")
    return lines


def _flow(value: object) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_scalar(str(key))}: {_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_flow, value)) + "]"
    return _scalar(value)


def _scalar(value: object) -> str:
    """A word as it is; any other text quoted as in JSON, whose quoting is YAML's too."""
    if not isinstance(value, str):
        return json.dumps(value, allow_nan=False)
    if _WORD.fullmatch(value) and value.lower() not in _NOT_TEXT:
        return value
    quoted = json.dumps(value, ensure_ascii=False)
    return "".join(character if character.isprintable() else f"\\U{ord(character):08x}" for character in quoted)
