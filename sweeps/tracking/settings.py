"""What a trial's W&B run is called, where it goes and what it says about the trial. Knows no wandb."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sweeps.plan import TrialPlan

if TYPE_CHECKING:
    from sweeps.recipe.schema import Recipe

#: names and places of files say something about a machine or a person: they are not sent
_NOT_SENT = ("source", "images", "labels")
_MODES = ("online", "offline", "disabled")


@dataclass(frozen=True, kw_only=True)
class TrackingSettings:
    """One trial's W&B run. No paths and no secrets belong into `config` and `tags`."""

    mode: Literal["online", "offline", "disabled"]
    """Decided once a sweep, by `mode.choose_mode`."""
    project: str
    """W&B's project."""
    entity: str | None = None
    """W&B's user or team; None is the account's own default."""
    group: str
    """The sweep's name."""
    job_type: str
    """trial, finalist or summary."""
    run_id: str
    """From `run_id`: the same at every attempt of a trial, another in every sweep."""
    name: str
    """The trial's id, such as focal-0007."""
    tags: tuple[str, ...] = ()
    """The loss's name, finalist, the version of this program."""
    config: Mapping[str, Any] = field(default_factory=dict)
    """The trial's resolved configuration, nested."""
    folder: Path
    """The trial's folder; W&B's files go into its `wandb`."""
    target: float | None = None
    """The membrane Dice of time/to_target_s, where the recipe gives a number: an automatic one is known when the sweep has ended."""
    sweep_folder: Path | None = None
    """The sweep's folder, whose other runs tell whether a server is lost."""
    init_timeout_s: float = 30.0
    """How long the side thread waits for a server before it switches to offline."""
    finish_timeout_s: float = 30.0
    """How long the side thread waits for the upload at the end of a run."""

    def __post_init__(self) -> None:
        if self.mode not in _MODES:
            raise ValueError(f"W&B's mode is {self.mode!r}; allowed: {', '.join(_MODES)} (auto is decided before trials start)")


def run_id(sweep_uuid: str, trial_id: str) -> str:
    """Return the W&B id of a trial: 12 hex digits. Trial ids repeat between sweeps, so the sweep's uuid takes part."""
    return hashlib.sha1(f"{sweep_uuid}{trial_id}".encode(), usedforsecurity=False).hexdigest()[:12]


def settings_for(plan: TrialPlan) -> TrackingSettings:
    """Return the settings of a planned trial."""
    from sweeps.recipe.schema import Recipe  # with torch and all losses, which a run that is no trial's does without
    from unet.losses.composition import SIGN

    recipe = Recipe.from_resolved(plan.recipe)
    job_type = "finalist" if plan.stage == "finalist" else "trial"
    # W&B takes tags of up to 64 characters; a sum is tagged by its terms, which is also how one would look for it.
    tags = [plan.loss, *plan.function.split(SIGN), *(["finalist"] if job_type == "finalist" else []), *version_tag()]
    return TrackingSettings(
        mode=plan.tracking,  # type: ignore[arg-type]  # checked in __post_init__
        project=recipe.wandb.project,
        group=plan.sweep,
        job_type=job_type,
        run_id=run_id(plan.uuid, plan.trial_id),
        name=plan.trial_id,
        tags=tuple(dict.fromkeys(tags)),
        config=_configuration(plan, recipe),
        folder=plan.path,
        sweep_folder=plan.path.parents[1],
        target=None if recipe.speed.target == "auto" else float(recipe.speed.target),
    )


def _configuration(plan: TrialPlan, recipe: "Recipe") -> dict[str, Any]:
    suggested = {name.removeprefix("train."): value for name, value in plan.suggestion.items() if name.startswith("train.")}
    data = {key: value for key, value in plan.recipe["data"].items() if key not in _NOT_SENT}
    return {
        "loss": {"name": plan.loss, "function": plan.function, "params": _nested(recipe.loss_parameters(plan.loss, plan.suggestion))},
        "train": plan.recipe["train"] | suggested,
        "model": plan.recipe["model"],
        "data": data | {"sha256": plan.data_sha256},
        "sweep": {"name": plan.sweep, "uuid": plan.uuid},
        "stage": plan.stage,
        "seed": plan.seed,
        "fold": plan.fold,
        "threads": plan.threads,
    }


def _nested(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """A sum's focal.gamma as focal: {gamma: ...}: W&B joins the levels with dots by itself."""
    nested: dict[str, Any] = {}
    for name, value in parameters.items():
        term, dot, own = name.partition(".")
        if dot:
            nested.setdefault(term, {})[own] = value
        else:
            nested[name] = value
    return nested


def version_tag() -> list[str]:
    """Return the version of this program as a tag, or nothing where it is not installed."""
    try:
        return [f"v{metadata.version('unet-loss-sweeps')}"]
    except metadata.PackageNotFoundError:  # run from a checkout that is not installed
        return []
