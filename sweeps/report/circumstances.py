"""What a sweep ran under, as a table: seeds, versions, hardware, data and hashes."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Any

from sweeps.report.grid import Column, Grid, words
from sweeps.report.overview import Overview
from sweeps.report.wording import ABSENT, clean, dig

#: lists of words that were one line of a shell
_COMMANDS = ("command", "argv")


def grid(overview: Overview) -> Grid:
    """Return seeds, versions, hardware, data and hashes, as the sweep wrote them down."""
    sources = (("runs", _seeds(overview)), ("data", overview.record.data), ("provenance", overview.record.provenance))
    rows = [
        (words(clean(part, 60)), words(clean(key, 120)), words(clean(value, 400)))
        for part, source in sources
        for key, value in _leaves(source)
    ]
    columns = (Column(key="part", title="Part"), Column(key="key", title="What"), Column(key="value", title="Value"))
    caption = "Seeds, versions, hardware, data and hashes of this sweep."
    return Grid(name="circumstances", caption=caption, columns=columns, rows=tuple(rows))


def _seeds(overview: Overview) -> dict[str, Any]:
    """What a rerun needs of the trials, beyond the recipe."""
    finalists = [trial for loss in overview.losses for trial in loss.finalists]
    told = {"search seed": dig(overview.record.recipe, "search.seed")}
    told |= {f"finalists' {key}s": list(dict.fromkeys(getattr(trial, key) for trial in finalists)) for key in ("seed", "fold")}
    return {key: value for key, value in told.items() if value is not None and value != []}


def _leaves(source: Any, prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Any]]:
    """Yield dotted keys and plain values of nested mappings; lists of plain values stay on one line."""
    if isinstance(source, Mapping) and depth < 6:
        for key, value in source.items():
            yield from _leaves(value, f"{prefix}.{key}" if prefix else str(key), depth + 1)
    elif isinstance(source, list | tuple):
        items = [_plain(item) for item in source]
        said = shlex.join(items) if prefix.rpartition(".")[2] in _COMMANDS else ", ".join(items)
        yield prefix, said or ABSENT
    else:
        yield prefix, _plain(source)


def _plain(value: Any) -> str:
    """As a recipe writes it: true, not Python's True."""
    return ABSENT if value is None else str(value).lower() if isinstance(value, bool) else str(value)
