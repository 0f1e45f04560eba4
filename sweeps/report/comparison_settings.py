"""What the recipes of a comparison say differently, other than the data and the losses, which are compared by themselves."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sweeps.recipe.errors import RecipeError
from sweeps.recipe.schema import Recipe
from sweeps.report.canvas import NothingToShow
from sweeps.report.comparison_sides import Side
from sweeps.report.grid import Column, Grid, words
from sweeps.report.wording import ABSENT, clean, count, short

#: told elsewhere on the page, or of no weight for a score
_OWN = ("name", "losses", "published", "wandb", "resources", "failures")


def settings_grid(sides: Sequence[Side]) -> Grid:
    """Return the recipes' settings that are not the same in all sweeps; NothingToShow where they are."""
    leaves = [dict(_leaves({key: value for key, value in _recipe(side).items() if key not in _OWN})) for side in sides]
    keys = [key for key in dict.fromkeys(key for found in leaves for key in found) if len({str(found.get(key)) for found in leaves}) > 1]
    if not keys:
        raise NothingToShow("beside name, data and losses, the recipes say the same.")
    columns = (Column(key="setting", title="Setting"), *(Column(key=side.label, title=short(side.label, 40)) for side in sides))
    rows = tuple((words(clean(key, 80)), *(words(clean(found.get(key, ABSENT), 80)) for found in leaves)) for key in keys)
    caption = f"{count(len(keys), 'setting')} on which the recipes differ, beside data and losses: scores may differ for these as well."
    return Grid(name="settings", caption=caption, columns=columns, rows=rows)


def _recipe(side: Side) -> Mapping[str, Any]:
    """Return the recipe with every default written out; as it was recorded where this version cannot read it.

    An earlier version did not record what has become a setting since; `sweeps rerun` runs it with the default, and so does this read it.
    """
    try:
        return Recipe.from_resolved(side.record.recipe).resolved()
    except RecipeError:
        return side.record.recipe


def _leaves(source: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in source.items():
        name = f"{prefix}.{key}" if prefix else str(key)
        if name in ("data.source", "data.images", "data.labels"):
            continue
        if isinstance(value, Mapping):
            yield from _leaves(value, name)
        else:
            yield name, value
