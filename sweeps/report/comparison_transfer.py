"""Whether a winner transfers: each sweep's winner on each data set, from the sweep's own finalists and from `sweeps rerun --data`.

A score on other data is set beside that data set's own winner on the same test sections only, since sections differ. Their difference is
compared with what seeds alone make there (sweeps.rerun.noise); it says nothing of other sections.
"""

import dataclasses
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.record import read_json
from sweeps.report.comparison_sides import Side
from sweeps.report.wording import dig
from sweeps.rerun.noise import in_range, noise_of, over_seeds
from sweeps.verdict.contenders import finite
from sweeps.verdict.paired import Estimate

SEEDS = 3
"""How many the command of an empty cell asks for."""


@dataclass(frozen=True, kw_only=True)
class DataSet:
    """A column: data of one hash, and the sweeps on them."""

    sha256: str
    sides: tuple[Side, ...]

    @property
    def reference(self) -> Side | None:
        """The sweep whose winner is the data's own: the one with the best mean; None where none has a winner."""
        scored = [(mean, side) for side in self.sides if side.best and (mean := side.best.estimate(side.overview.metric).mean) is not None]
        if not scored:
            return None
        return (max if scored[0][1].overview.maximise else min)(scored, key=lambda pair: pair[0])[1]


@dataclass(frozen=True, kw_only=True)
class Run:
    """One training of a winner on some data."""

    seed: int
    sections: tuple[int, ...]
    """The sections that it was scored on."""
    score: float


@dataclass(frozen=True, kw_only=True)
class Transfer:
    """One cell: the winner of `side` on `data`."""

    side: Side
    data: DataSet
    own: bool
    """Whether the winner was found on these data."""
    found: dict[str, Any] | None
    """mean, low, high and n; None while nothing ran there."""
    gain: float | None = None
    """Its mean less the own winner's on the same sections, positive where it is better; None where that cannot be said."""
    limit: float | None = None
    """How large a difference seeds alone make; None where nothing tells it."""
    beside: Estimate | None = None
    """The own winner on the same sections."""
    command: str = ""
    """What would fill the cell."""
    note: str = ""
    """What is missing."""


def data_sets(sides: Sequence[Side]) -> list[DataSet]:
    """Return the columns, in the order in which their data first appear."""
    hashes = dict.fromkeys(side.data_sha256 for side in sides)
    return [DataSet(sha256=sha256, sides=tuple(side for side in sides if side.data_sha256 == sha256)) for sha256 in hashes]


def matrix(sides: Sequence[Side]) -> list[list[Transfer]]:
    """Return one row a sweep, one cell a data set."""
    return [[_cell(side, data) for data in data_sets(sides)] for side in sides]


def _cell(side: Side, data: DataSet) -> Transfer:
    own = side.data_sha256 == data.sha256
    if side.best is None or side.winner is None:
        return Transfer(side=side, data=data, own=own, found=None, note="has no winner yet")
    if own:
        found = side.best.estimate(side.overview.metric)
        told = {key: getattr(found, key) for key in ("mean", "low", "high", "n")}
        return Transfer(side=side, data=data, own=True, found=told, **_against(side, data, _own_runs(side)))
    runs, faults = _moved_runs(side, data)
    command = command_for(side, data)
    if not runs:
        return Transfer(side=side, data=data, own=False, found=None, command=command, note="; ".join(dict.fromkeys(faults)))
    chosen = _comparable(runs, data)
    found = over_seeds([{side.overview.metric: run.score} for run in chosen], side.overview.metric)
    told = {key: value for key, value in in_range(side.overview.metric, found).items() if key != "sd"}
    return Transfer(side=side, data=data, own=False, found=told, command=command, **_against(side, data, chosen))


def command_for(side: Side, data: DataSet) -> str:
    """Return the command that trains a sweep's winner on the data of another."""
    there = data.reference or data.sides[0]
    places = [shlex.quote(str(_from_here(folder))) for folder in (side.folder, there.folder)]
    return f"sweeps rerun {places[0]} --trial {side.trial_name} --data {places[1]} --seeds {SEEDS}"


def _from_here(folder: Path) -> Path:
    absolute = folder.resolve()
    return absolute.relative_to(Path.cwd()) if absolute.is_relative_to(Path.cwd()) else folder


def _own_runs(side: Side) -> list[Run]:
    assert side.best is not None and side.winner is not None
    runs = []
    for trial in side.best.runs or (side.winner,):
        score, sections = side.overview.score(trial), dig(trial.result, "sections.test", ())
        if score is not None:
            runs.append(Run(seed=trial.seed, sections=tuple(sections), score=score))
    return runs


def _moved_runs(side: Side, data: DataSet) -> tuple[list[Run], list[str]]:
    """Return what reruns of the winner gave on these data, one a seed and sections, the newest; and why others gave nothing."""
    found: dict[tuple[int, tuple[int, ...]], Run] = {}
    faults = []
    for answer in _answers(side):
        if dig(answer, "data.sha256") != data.sha256:
            continue
        sections = tuple(dig(answer, "data.sections", ()))
        for entry in answer.get("seeds") or [{"seed": answer.get("seed"), "state": answer.get("state"), **(answer.get("scores") or {})}]:
            score = finite(entry.get(side.overview.metric))
            if entry.get("state") == "complete" and score is not None:
                found[entry["seed"], sections] = Run(seed=entry["seed"], sections=sections, score=score)
            elif entry.get("state") == "failed":
                faults.append(f"failed ({answer.get('reason') or entry.get('reason')})")
    return list(found.values()), faults


def _answers(side: Side) -> Iterator[dict[str, Any]]:
    """Yield the reruns of the winner's configuration, the oldest first; what is no rerun of it, or is damaged, is left out."""
    assert side.winner is not None
    answers = [read_json(path) for path in side.folder.glob("reruns/*/rerun.json")]
    known = [answer for answer in answers if isinstance(answer, dict) and isinstance(answer.get("data"), dict)]
    for answer in sorted(known, key=lambda answer: str(answer.get("created"))):
        same = (answer.get("loss"), answer.get("suggestion")) == (side.winner.loss, side.winner.suggestion)
        if same and answer.get("stage") == side.winner.stage:
            yield answer


def _comparable(runs: list[Run], data: DataSet) -> list[Run]:
    """Return the runs on one set of test sections: one that the own winner was scored on as well if there is, else that with most runs."""
    theirs = {run.sections for run in _own_runs(data.reference)} if data.reference else set()
    groups = {run.sections: [other for other in runs if other.sections == run.sections] for run in runs}
    return max(groups.values(), key=lambda group: (group[0].sections in theirs, len(group)))


def _against(side: Side, data: DataSet, runs: Sequence[Run]) -> dict[str, Any]:
    """Return gain, limit, what it is beside, and what stands in the way."""
    there = data.reference
    if there is None or there is side:
        return {}
    metric = side.overview.metric
    sections = {run.sections for run in runs}
    theirs = [run for run in _own_runs(there) if run.sections in sections]
    ours = [run for run in runs if run.sections in {run.sections for run in theirs}]
    if metric != there.overview.metric or not theirs:
        return {"note": f"scored on other sections than {there.label}'s own winner, so no difference is told"}
    now, then = (over_seeds([{metric: run.score} for run in part], metric) for part in (ours, theirs))
    assert now.mean is not None and then.mean is not None
    # one score alone is looked at here, not the four of a rerun
    noise = dataclasses.replace(noise_of(there.record), judged=(metric,))
    limit, _, _ = noise.limit(metric, then, now, fresh=len(sections) == 1)
    sign = 1.0 if side.overview.maximise else -1.0
    return {"gain": sign * (now.mean - then.mean), "limit": limit, "beside": then}
