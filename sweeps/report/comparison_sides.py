"""The sweeps of a comparison: each read by itself, so that one that cannot be read is said and the others stand."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from sweeps.given_folder import check_ledger, why_absent
from sweeps.ledger import LedgerError
from sweeps.record import NoSweep, SweepRecord, TrialRecord, load_results, read_json
from sweeps.report.overview import LossView, Overview, survey
from sweeps.report.wording import clean, dig
from sweeps.verdict.compose import compute_verdict

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Side:
    """One sweep of a comparison."""

    label: str
    """Its folder's name, told apart from the others'. The recorded name is another where the folder was copied or renamed."""
    folder: Path
    """As it was given."""
    record: SweepRecord
    verdict: Mapping[str, Any]
    """Made now from the record, so that all sides are judged by the same rules."""
    overview: Overview

    @property
    def data_sha256(self) -> str:
        """What the data are known by."""
        return str(self.record.data.get("sha256"))

    @property
    def best(self) -> LossView | None:
        """The winner; None when nothing has a score."""
        return self.overview.loss(dig(self.verdict, "best.loss"))

    @property
    def winner(self) -> TrialRecord | None:
        """The run that stands for the winner."""
        return next((trial for trial in self.record.trials if trial.trial_id == dig(self.verdict, "best.trial")), None)

    @property
    def trial_name(self) -> str:
        """What `sweeps rerun --trial` calls it: best, where the folder's own verdict names the same run."""
        named = dig(read_json(self.folder / "verdict.json"), "best.trial")
        return "best" if self.winner is not None and named == self.winner.trial_id else str(dig(self.verdict, "best.trial"))


@dataclass(frozen=True, kw_only=True)
class Unread:
    """A folder that is no side, and why."""

    folder: Path
    why: str
    repeated: bool = False
    """Whether it was named before, and so is on the page all the same."""


def read_sides(folders: Sequence[Path]) -> tuple[list[Side], list[Unread]]:
    """Return the sweeps, in the order given and each once, and the folders that cannot be read."""
    sides: list[Side] = []
    unread: list[Unread] = []
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            unread.append(Unread(folder=folder, why="named twice; it is shown once", repeated=True))
            continue
        seen.add(folder.resolve())
        try:
            sides.append(_read(folder))
        except (NoSweep, LedgerError) as error:
            why = str(error).removeprefix(f"{folder} ")  # the folder's name is said beside it
            unread.append(Unread(folder=folder, why=clean(why, 400)))
        except Exception as error:  # whatever is wrong with one folder, the others are wanted; logged with its trace
            logger.info("%s cannot be compared", folder, exc_info=True)
            why = f"its files are damaged, or of another version of this program ({type(error).__name__}: {error})"
            unread.append(Unread(folder=folder, why=clean(why, 300)))
    labels = _labels([side.folder for side in sides])
    return [replace(side, label=label) for side, label in zip(sides, labels, strict=True)], unread


def _read(folder: Path) -> Side:
    try:
        record = load_results(folder)
    except NoSweep as error:
        raise NoSweep(why_absent(folder) or str(error)) from error
    if not record.trials:
        check_ledger(folder)
    verdict = compute_verdict(record)
    return Side(label="", folder=folder, record=record, verdict=verdict, overview=survey(record, verdict))


def _labels(folders: Sequence[Path]) -> list[str]:
    """Return each folder's name; where several have the same, with its parent's before it, or else with a number behind it."""
    places = [whole_path(folder) for folder in folders]
    names = [clean(place.name, 60) for place in places]
    told = [name if names.count(name) == 1 else f"{clean(place.parent.name, 60)}/{name}" for name, place in zip(names, places, strict=True)]
    return [label if told.count(label) == 1 else f"{label} ({told[: number + 1].count(label)})" for number, label in enumerate(told)]


def whole_path(path: Path) -> Path:
    """Return the path from the root, by the names it was given by: links are kept, as they are in what a browser opens."""
    absolute = path.absolute()
    return absolute.resolve() if ".." in absolute.parts else absolute
