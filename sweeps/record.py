"""A sweep as it stands on the disk: what the ledger and the trials' folders say, as frozen dataclasses.

Everything that looks back (verdict, report, rerun, status) reads this and nothing else.
"""

import json
import logging
import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sweeps.ledger import FINISHED, Event, LedgerError, read_events

logger = logging.getLogger(__name__)

TRIAL_ID = r"[a-z0-9][a-z0-9_-]{0,62}(\.\d+)?(-\d{4,}|-f\d+-s\d+)"

#: the key of a result whose scores are computed after the trial has ended
PENDING = "scores_pending"


class NoSweep(FileNotFoundError):
    """A folder holds no sweep; the CLI exits with 4."""


@dataclass(frozen=True, kw_only=True)
class TrialRecord:
    """One trial: what was proposed, what it measured, how it ended."""

    trial_id: str
    """`focal-0007` in the search, `focal-f0-s1` among the finalists."""
    stage: str
    """search or finalist."""
    loss: str
    """The loss's name in the recipe."""
    function: str
    """The loss's name in the registry."""
    suggestion: dict[str, Any]
    """Dotted name -> proposed value, such as loss.gamma and train.lr."""
    seed: int
    """Seeds the initial weights and the order of the data."""
    fold: int | None
    """The finalist's test fold; None in the search."""
    state: str
    """waiting, running, complete, pruned or failed."""
    reason: str | None = None
    """Why it failed: nan, data, memory, io, node or code."""
    error: str | None = None
    """The error's own words."""
    attempts: int = 0
    """How often it was started."""
    curve: tuple[dict[str, Any], ...] = ()
    """One row an epoch, from metrics.jsonl."""
    result: dict[str, Any] | None = None
    """result.json, when it has ended."""
    started_at: float | None = None
    """Unix seconds of the first start."""
    ended_at: float | None = None
    """Unix seconds of the end."""
    worker: str | None = None
    """host:process that ran it last."""
    folder: Path
    """Where its files are."""

    @property
    def score(self) -> float | None:
        """The objective: the best epoch's in the search, the test sections' for a finalist."""
        if self.result and self.result.get("scores", {}).get("membrane_dice") is not None:
            return float(self.result["scores"]["membrane_dice"])
        values = [row["membrane_dice"] for row in self.curve if math.isfinite(row["membrane_dice"])]
        return max(values, default=None) if self.stage == "search" else None


@dataclass(frozen=True, kw_only=True)
class SweepRecord:
    """One sweep."""

    name: str
    uuid: str
    folder: Path
    recipe: dict[str, Any]
    """The resolved recipe."""
    provenance: dict[str, Any]
    """Versions, hardware, commands."""
    data: dict[str, Any]
    """Shape, hash, what was taken as membrane."""
    sanity: list[dict[str, Any]]
    """Scores of predictions that need no network, on the sections that the ranked trials are scored on."""
    sanity_sections: tuple[int, ...] = ()
    """Those sections: the finalists' test sections, or the search's block while there are no finalists."""
    trials: tuple[TrialRecord, ...] = field(default=())

    def of(self, loss: str | None = None, stage: str | None = None, state: str | None = None) -> list[TrialRecord]:
        """Return the trials that match."""
        return [
            trial
            for trial in self.trials
            if (loss is None or trial.loss == loss) and (stage is None or trial.stage == stage) and (state is None or trial.state == state)
        ]


def read_rows(path: Path) -> list[dict[str, Any]]:
    """Return the whole rows of a JSON-lines file; a torn last line is left out, a missing file has none."""
    if not path.exists():
        return []
    rows = []
    for line in path.read_bytes().split(b"\n"):
        try:
            rows.append(json.loads(line))
        except ValueError:
            break
    return rows


def read_json(path: Path) -> Any:
    """Return a JSON file's content, or None when it is missing or not whole."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return None


def is_pending(result: Any) -> bool:
    """Whether a result waits for its scores (sweeps.late_scores); until then it has membrane Dice alone."""
    return isinstance(result, dict) and result.get(PENDING) is True


def trial_folder(folder: Path, stage: str, trial_id: str) -> Path:
    """Return where a trial's files are."""
    return folder / ("trials" if stage == "search" else "finalists") / trial_id


def _apply(entry: dict[str, Any], event: Event) -> None:
    if event.event == "started":
        entry["attempts"] += 1
        entry["started_at"] = entry["started_at"] or event.time
        entry.update(state="running")
    elif event.event == "epoch":
        entry["worker"] = event.data.get("worker", entry["worker"])
    elif event.event in FINISHED:
        entry.update(state=event.event, ended_at=event.time, reason=event.data.get("reason"), error=event.data.get("error"))
    elif event.event in ("waiting", "retried"):
        entry.update(state="waiting", ended_at=None, reason=None, error=None)


def _checked(event: Event) -> dict[str, Any]:
    """Return what `asked` tells of a trial. Its id and stage become a path, so a ledger from elsewhere must not choose it freely."""
    told = event.data
    if not re.fullmatch(TRIAL_ID, str(event.trial)) or told.get("stage") not in ("search", "finalist"):
        raise LedgerError(f"event {event.seq}: {event.trial!r} in stage {told.get('stage')!r} is no trial of a sweep")
    return {key: told[key] for key in ("stage", "loss", "function", "suggestion", "seed", "fold")}


def fold_events(events: list[Event]) -> dict[str, dict[str, Any]]:
    """Return each trial's standing, in the order in which trials were asked for."""
    trials: dict[str, dict[str, Any]] = {}
    for event in events:
        if event.event == "asked":
            trials[str(event.trial)] = _checked(event) | {"state": "waiting", "attempts": 0, "started_at": None, "ended_at": None}
            trials[str(event.trial)] |= {"worker": None, "reason": None, "error": None}
        elif event.trial is not None:
            if event.trial not in trials:
                raise LedgerError(f"event {event.seq}: {event.trial!r} {event.event}, but was never asked for")
            _apply(trials[event.trial], event)
    return trials


def _trial_record(folder: Path, trial_id: str, entry: dict[str, Any]) -> TrialRecord:
    where = trial_folder(folder, entry["stage"], trial_id)
    return TrialRecord(
        trial_id=trial_id, folder=where, curve=tuple(read_rows(where / "metrics.jsonl")), result=read_json(where / "result.json"), **entry
    )


def load_results(folder: Path | str) -> SweepRecord:
    """Return the sweep in a results folder.

    Raises NoSweep when the folder holds no sweep, LedgerError when its ledger is damaged.
    """
    folder = Path(folder)
    data = read_json(folder / "data.json")
    provenance = read_json(folder / "provenance.json")
    recipe = read_json(folder / "recipe.resolved.yaml")
    if recipe is None or provenance is None or data is None:
        raise NoSweep(
            f"{folder} holds no sweep: recipe.resolved.yaml, provenance.json and data.json must be there and whole. "
            "Name the folder that `sweeps launch` printed, such as results/demo-001."
        )
    events, _ = read_events(folder / "ledger")
    stage = "finalist" if any(event.data.get("stage") == "finalist" for event in events if event.event == "asked") else "search"
    if not isinstance(data.get("sanity", {}), dict):
        raise NoSweep(f"{folder} is of an earlier version of this program, which wrote data.json otherwise, and cannot be read any more.")
    sanity = data.get("sanity", {}).get(stage, {})
    trials = tuple(_trial_record(folder, trial_id, entry) for trial_id, entry in fold_events(events).items())
    return SweepRecord(
        name=provenance["name"],
        uuid=provenance["uuid"],
        folder=folder,
        recipe=recipe,
        provenance=provenance,
        data={key: value for key, value in data.items() if key != "sanity"},
        sanity=sanity.get("rows", []),
        sanity_sections=tuple(sanity.get("sections", ())),
        trials=trials,
    )
