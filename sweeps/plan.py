"""What a worker needs to know of one trial: plain data that travels as JSON."""

import dataclasses
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True)
class TrialPlan:
    """One trial to run: the recipe, the suggestion, and where its files go."""

    trial_id: str
    """`focal-0007` in the search, `focal-f0-s1` among the finalists."""
    stage: str
    """search or finalist."""
    loss: str
    """The loss's name in the recipe."""
    function: str
    """The loss's name in the registry."""
    suggestion: dict[str, Any]
    """Dotted name -> proposed value."""
    seed: int
    """Seeds the initial weights and the order of the data; the same seeds for every loss, so runs are paired."""
    fold: int | None
    """A finalist's test fold; None in the search."""
    sweep: str
    """The sweep's name."""
    uuid: str
    """The sweep's unique id."""
    recipe: dict[str, Any]
    """The resolved recipe."""
    data_sha256: str
    """Hash that the data had at launch; other data fail the trial."""
    folder: str
    """The trial's folder."""
    threads: int = 1
    """CPU threads; they belong to the record, since other counts give other bits."""
    tracking: str = "disabled"
    """W&B's mode, decided once for the sweep: online, offline or disabled."""
    checkpoint_seconds: float = 30.0
    """Write a checkpoint at the end of an epoch when the last is at least this old."""

    @property
    def path(self) -> Path:
        """Return the trial's folder."""
        return Path(self.folder)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON-able data."""
        return dataclasses.asdict(self)

    def asked(self) -> dict[str, Any]:
        """Return what the ledger notes of the plan."""
        return {key: getattr(self, key) for key in ("stage", "loss", "function", "suggestion", "seed", "fold")}
