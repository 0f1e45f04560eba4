"""The commands that reproduce what the report shows, and the recipe they run."""

import shlex
from dataclasses import dataclass
from pathlib import Path

from sweeps.recipe.text import dump_yaml
from sweeps.report.canvas import NothingToShow
from sweeps.report.overview import Overview
from sweeps.report.wording import clean

_LONGEST = 40_000


@dataclass(frozen=True, kw_only=True)
class Command:
    """One command and what it is for."""

    line: str
    why: str


def commands(overview: Overview, folder: Path) -> list[Command]:
    """Return the commands for the sweep in `folder`, which is named as it would be from its project's root."""
    place = folder_name(folder)
    lines = [
        (f"sweeps rerun {place} --trial best", "train the best configuration again and compare with what was recorded"),
        (f"sweeps rerun {place} --trial best --seeds 3", "the same with other seeds: mean and spread"),
        (f"sweeps rerun {place} --trial fastest", "the fastest configuration again"),
        (f"sweeps predict {place} STACK.tif OUT.tif", "what the best network makes of other sections; --labels numbers the cells"),
        (f"sweeps best {place} --out winner.yaml", "write the winner as a recipe of its own"),
        # not recipe.yaml: that is as it was given, with paths that are relative to where it was
        (f"sweeps launch {shlex.quote(clean(f'{_short(folder)}/recipe.resolved.yaml', 300))}", "the whole sweep again"),
        (f"sweeps report {place}", "write this report again from the recorded results"),
    ]
    if not overview.verdict.get("best"):
        lines = [entry for entry in lines if not entry[0].startswith(("sweeps rerun", "sweeps best", "sweeps predict"))]
        lines.insert(0, (f"sweeps resume {place}", "go on to the planned number of trials"))
    if not overview.verdict.get("fastest"):
        lines = [entry for entry in lines if not entry[0].endswith("--trial fastest")]
    return [Command(line=line, why=why) for line, why in lines]


def recipe_text(overview: Overview) -> str:
    """Return the recipe with every default written out, as the sweep ran it."""
    if not overview.record.recipe:
        raise NothingToShow("the record holds no recipe.")
    return clean(dump_yaml(overview.record.recipe), _LONGEST).strip()


def folder_name(folder: Path) -> str:
    """Return a results folder as commands name it."""
    return shlex.quote(clean(_short(folder), 300))


def _short(folder: Path) -> str:
    """A results folder as `results/demo-001`: the path above it is the writer's machine, and nobody else's business."""
    if not folder.is_absolute():
        return str(folder)
    return f"{folder.parent.name}/{folder.name}" if folder.parent.name == "results" else folder.name
