"""The sweeps of a comparison: each read by itself, so that one that cannot be read is said and the others stand."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
    """Its name, told apart from the others'."""
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


def read_sides(folders: Sequence[Path]) -> tuple[list[Side], list[Unread]]:
    """Return the sweeps, in the order given and each once, and the folders that cannot be read."""
    sides: list[Side] = []
    unread: list[Unread] = []
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            unread.append(Unread(folder=folder, why="named twice; it is shown once"))
            continue
        seen.add(folder.resolve())
        try:
            sides.append(_read(folder, {side.label for side in sides}))
        except (NoSweep, LedgerError) as error:
            unread.append(Unread(folder=folder, why=clean(error, 300)))
        except Exception as error:  # whatever is wrong with one folder, the others are wanted; logged with its trace
            logger.info("%s cannot be compared", folder, exc_info=True)
            why = f"its files are damaged, or of another version of this program ({type(error).__name__}: {error})"
            unread.append(Unread(folder=folder, why=clean(why, 300)))
    return sides, unread


def _read(folder: Path, taken: set[str]) -> Side:
    record = load_results(folder)
    verdict = compute_verdict(record)
    name = clean(record.name, 60)
    candidates = [name, f"{clean(folder.resolve().parent.name, 60)}/{name}", *(f"{name} ({number})" for number in range(2, len(taken) + 3))]
    label = next(label for label in candidates if label not in taken)
    return Side(label=label, folder=folder, record=record, verdict=verdict, overview=survey(record, verdict))
