"""What --set reaches of a sum of losses: losses.mix.sum.1.focal.gamma=2, losses.mix.weights.1=3; and where it meant to reach."""

import re
from collections.abc import Mapping
from typing import Any

from sweeps.recipe.errors import KeyPath, show
from sweeps.recipe.sums import labels_of
from unet.losses import LOSSES


def reach_into_sum(raw: dict[str, Any], path: KeyPath, value: object) -> None:
    """In place: write out what a recipe may leave short on the way of the path, so that there is something to set.

    A bare name becomes {name: {}}, and weights that are not written become 1 each. ValueError, with the path or the option that would do,
    where the path goes beside the sum's parts.
    """
    losses = raw.get("losses")
    if path[0] != "losses" or not isinstance(losses, dict) or len(path) < 4:
        return
    entry = losses.get(path[1])
    if not isinstance(entry, dict) or not isinstance(entry.get("sum"), list):
        return
    labels = labels_of(entry["sum"])
    above = ".".join(path[:2])
    if path[2] in labels:
        raise ValueError(f"{path[2]} is a term of the sum {path[1]}; write {_in_term(above, labels, path[2], path[3:])}")
    if path[2] == "sum":
        _reach_term(entry["sum"], labels, above, path)
    if path[2] == "weights":
        _reach_weight(entry, above, path, value)


def _reach_term(terms: list[Any], labels: list[str], above: str, path: KeyPath) -> None:
    if path[3] in labels:
        raise ValueError(f"{above}.sum is a list; write {_in_term(above, labels, path[3], path[4:])}")
    if not path[3].isdecimal() or int(path[3]) >= len(terms) or len(path) == 4:
        return
    position = int(path[3])
    term = terms[position]
    name = term if isinstance(term, str) else next(map(str, term), "") if isinstance(term, Mapping) and len(term) == 1 else ""
    if not name:
        return
    place = ".".join(path[:4])
    if path[4] != name and path[4] in LOSSES:
        settings = "{}" if path[5:] == () else f"{{{path[5]}: ...}}"
        raise ValueError(f"{place} is the term {show(name)}; another is set as a whole: --set '{place}={{{path[4]}: {settings}}}'")
    if path[4] != name:
        raise ValueError(f"{place} is the term {show(name)}; write {place}.{name}.{'.'.join(path[4:])}")
    if isinstance(term, str):
        terms[position] = {name: {}}


def _reach_weight(entry: dict[str, Any], above: str, path: KeyPath, value: object) -> None:
    num_terms = len(entry["sum"])
    weights = entry.setdefault("weights", [1.0] * num_terms)
    if isinstance(weights, list):
        return
    whole = ["1.0"] + ["search" if weights == "search" else "1.0"] * (num_terms - 1)
    if path[3].isdecimal() and int(path[3]) < num_terms and len(path) == 4:
        whole[int(path[3])] = show(value) if isinstance(value, int | float) else "search" if value == "search" else "..."
    option = f"--set '{above}.weights=[{', '.join(whole)}]'"
    raise ValueError(f"{above}.weights is {show(weights)}, not a list; write the whole list: {option}")


def _in_term(above: str, labels: list[str], label: str, rest: KeyPath) -> str:
    position = labels.index(label)
    if rest[:1] == ("weight",):
        return ".".join([above, "weights", str(position), *rest[1:]])
    name = label if label in LOSSES else re.sub(r"_\d+$", "", label)
    return ".".join([above, "sum", str(position), name, *rest])
