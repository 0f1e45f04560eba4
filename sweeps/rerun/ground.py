"""The data that a rerun stands on: the recorded ones, or others by name, by folder or by the sweep that used them.

Everything that cannot work there is refused before anything trains: too few sections, folds that the data do not have, crops that are
larger than the sections.
"""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from data_utils import Stack
from data_utils.errors import DataError
from data_utils.folds import Split, check_counted
from sweeps.plan import TrialPlan
from sweeps.provenance import describe_data
from sweeps.recipe.overrides import absolute_source
from sweeps.recipe.schema import Recipe
from sweeps.record import read_json
from sweeps.stacks import load_stack, split_of

#: what belongs to the data and comes with them from the sweep that used them; crops and classes belong to the configuration
OF_THE_DATA = ("source", "images", "labels", "membrane", "ignore", "folds", "search_fold", "gap")


@dataclass(frozen=True, kw_only=True)
class Ground:
    """Where a plan runs."""

    plan: TrialPlan
    """The plan, on these data."""
    stack: Stack
    """The data."""
    split: Split
    """Which of its sections train, calibrate and are scored."""
    other: bool
    """Whether other data, or other sections of the same, were asked for, so that nothing recorded can come out again."""
    source: str
    """What the data were asked for as."""

    def described(self) -> dict[str, Any]:
        """Return what rerun.json says of the data; of other data also what predictions without a network score on the test sections."""
        if not self.other:
            told = {"source": self.source, "name": self.stack.name, "sha256": self.stack.sha256(), "shape": list(self.stack.raw_ZHW.shape)}
            return told | {"other": False, "sections": list(self.split.test)}
        found = describe_data(self.stack, self.source, {"rerun": self.split.test})
        sanity = found.pop("sanity")["rerun"]
        return found | {"other": True, "sections": sanity["sections"], "sanity": sanity["rows"]}


def ground_for(plan: TrialPlan, data: str | None) -> Ground:
    """Return a recorded plan on its own data, or on `data`: a known set, a folder of sections, or a sweep's results folder.

    A results folder brings its data as that sweep read them, with its folds, so that a score compares with that sweep's own. Raises
    DataError when this plan cannot train there.
    """
    recipe, fold, source = plan.recipe, plan.fold, data
    if data is not None and (used := _data_of_sweep(Path(data).expanduser())) is not None:
        recipe = recipe | {"data": recipe["data"] | {key: used["data"][key] for key in OF_THE_DATA if key in used["data"]}}
        fold = _fold_there(fold, used)
    elif data is not None:
        other = {"source": absolute_source(data, Path.cwd()), "images": None, "labels": None}
        recipe = recipe | {"data": recipe["data"] | other}
    checked = Recipe.from_resolved(recipe)
    stack = load_stack(checked)
    moved = dataclasses.replace(plan, recipe=recipe, fold=fold, data_sha256=stack.sha256(), tracking="disabled")
    split = _split(moved, checked, stack)
    _check_crops(checked, stack)
    own = checked.data.source if checked.data.images is None else f"{checked.data.images} and {checked.data.labels}"
    other = data is not None and (stack.sha256() != plan.data_sha256 or split != _recorded_split(plan, stack))
    return Ground(plan=moved, stack=stack, split=split, other=other, source=source or own)


def _recorded_split(plan: TrialPlan, stack: Stack) -> Split:
    return split_of(plan, Recipe.from_resolved(plan.recipe), len(stack.raw_ZHW))


def _data_of_sweep(folder: Path) -> dict[str, Any] | None:
    """Return the resolved recipe of a results folder; None when the folder is none."""
    if read_json(folder / "data.json") is None or read_json(folder / "provenance.json") is None:
        return None
    recipe = read_json(folder / "recipe.resolved.yaml")
    return recipe if isinstance(recipe, dict) and isinstance(recipe.get("data"), dict) else None


def _fold_there(fold: int | None, used: dict[str, Any]) -> int | None:
    """Return the finalist's test fold in another sweep: the same one if that sweep tested on it, else the first that it did."""
    folds = Recipe.from_resolved(used).finalist_folds()
    return fold if fold is None or fold in folds else folds[0]


def _split(plan: TrialPlan, recipe: Recipe, stack: Stack) -> Split:
    count = len(stack.raw_ZHW)
    try:
        split = split_of(plan, recipe, count)
    except DataError as error:
        raise DataError(
            f"{stack.name} has {count} sections, and {plan.trial_id} is scored by data.folds {recipe.data.folds} with data.gap "
            f"{recipe.data.gap}: {error}"
        ) from error
    check_counted(stack.counted_ZHW, vars(split), name=stack.name)
    return split


def _check_crops(recipe: Recipe, stack: Stack) -> None:
    smallest = min(stack.raw_ZHW.shape[1:])
    if recipe.data.crop_px > smallest:
        raise DataError(
            f"{stack.name}: the recorded configuration trains on crops of {recipe.data.crop_px} px (data.crop_px), and these sections are "
            f"{' x '.join(map(str, stack.raw_ZHW.shape[1:]))} px. A rerun keeps the configuration. To train on smaller crops write it with "
            f"`sweeps best DIR --out winner.yaml` and launch that with --data and --set data.crop_px={smallest}"
        )
