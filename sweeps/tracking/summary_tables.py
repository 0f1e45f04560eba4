"""What the summary run of a sweep says, from record and verdict: numbers, tables, and the report's page without places. Knows no wandb.

A table is its columns and its rows; what is not known is None.
"""

import base64
import html
import json
import math
import re
import socket
from collections.abc import Iterable, Mapping
from typing import Any

from sweeps.record import SweepRecord, TrialRecord
from sweeps.tracking.rows import to_target
from sweeps.tracking.settings import run_id

Table = tuple[list[str], list[list[Any]]]

_CLOCKS = ("to_target", "per_epoch", "train")


def tables(record: SweepRecord, verdict: Mapping[str, Any]) -> dict[str, Table]:
    """Return the tables by W&B's key; one without rows is left out."""
    made = {
        "leaderboard": leaderboard(verdict),
        "sections": sections(record, str(verdict.get("stage"))),
        "pairs": pairs(verdict),
        "trials": trials(record, (verdict.get("target") or {}).get("value")),
    }
    return {name: table for name, table in made.items() if table[1]}


def leaderboard(verdict: Mapping[str, Any]) -> Table:
    """One row a loss, the best first: its group, each score's mean and 95% interval, clocks and memory."""
    ranking = verdict.get("ranking") or []
    scores = list(dict.fromkeys(name for row in ranking for name in row["scores"]))
    columns = ["rank", "loss", "group", "parameters", *(f"{name}{part}" for name in scores for part in ("", " low", " high"))]
    columns += ["replicates", *(f"seconds {clock}" for clock in _CLOCKS), "peak memory MiB", "trials", "failed"]
    rows = []
    for rank, row in enumerate(ranking, start=1):
        told = [row["scores"].get(name) or {} for name in scores]
        clocks = row["seconds"] | {"to_target": row["seconds"]["to_target"]["median"]}
        rows.append(
            [rank, row["loss"], row["group"], json.dumps(row["params"])]
            + [entry.get(part) for entry in told for part in ("mean", "low", "high")]
            + [told[0].get("replicates") if told else None, *(clocks[clock] for clock in _CLOCKS)]
            + [row["peak_memory_mib"], row["trials"], row["failed"]]
        )
    return columns, rows


def sections(record: SweepRecord, stage: str) -> Table:
    """One row a test section of each run that ranks, with all its scores."""
    told = [(trial, entry) for trial in record.of(stage=stage, state="complete") for entry in (trial.result or {}).get("per_section") or ()]
    scores = list(dict.fromkeys(name for _, entry in told for name in entry if name != "section"))
    rows = [
        [trial.trial_id, trial.loss, trial.seed, trial.fold, entry["section"], *(entry.get(name) for name in scores)]
        for trial, entry in told
    ]
    return ["run", "loss", "seed", "fold", "section", *scores], rows


def pairs(verdict: Mapping[str, Any]) -> Table:
    """One row a pair of losses, with what the verdict says of their difference."""
    found = verdict.get("pairs") or []
    columns = [name for name in dict.fromkeys(name for pair in found for name in pair) if _is_plain(pair.get(name) for pair in found)]
    return columns, [[pair.get(name) for name in columns] for pair in found]


def _is_plain(values: Iterable[Any]) -> bool:
    """A column of a table holds one kind of thing: numbers, words or answers."""
    kinds = {float if isinstance(value, int) and not isinstance(value, bool) else type(value) for value in values if value is not None}
    return len(kinds) == 1 and kinds <= {float, str, bool}


def trials(record: SweepRecord, target: float | None) -> Table:
    """One row a trial, with the id of its own run, and whether and after how many train seconds it reached the verdict's target."""
    columns = ["trial", "run", "stage", "loss", "state", "reason", "seed", "fold", "attempts", "membrane_dice"]
    rows = []
    for trial in record.trials:
        seconds = to_target(trial.curve, target) if trial.curve else None
        reached = None if seconds is None else math.isfinite(seconds)
        rows.append(
            [
                trial.trial_id,
                run_id(record.uuid, trial.trial_id),
                trial.stage,
                trial.loss,
                trial.state,
                trial.reason,
                trial.seed,
                trial.fold,
            ]
            + [trial.attempts, trial.score, reached, seconds if reached else None]  # a table's file has no infinity
        )
    return [*columns, "reached target", "seconds to_target"], rows


def summary(record: SweepRecord, verdict: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of the summary: the verdict's sentence, best/* and fastest/*, the target, and how many trials ended how."""
    told: dict[str, Any] = {"sentence": verdict.get("sentence"), "status": "complete"}
    for which in ("best", "fastest"):
        named = verdict.get(which) or {}
        told |= {f"{which}/loss": named.get("loss"), f"{which}/trial": named.get("trial")}
        told |= {f"{which}/{name}": entry.get("mean") for name, entry in (named.get("scores") or {}).items()}
        told[f"{which}/to_target_s"] = ((named.get("seconds") or {}).get("to_target") or {}).get("median")
    told["target/membrane_dice"] = (verdict.get("target") or {}).get("value")
    states = [trial.state for trial in record.trials]
    told |= {f"trials/{state}": states.count(state) for state in ("complete", "pruned", "failed")}
    return {name: value for name, value in told.items() if value is not None}


def dataset(record: SweepRecord) -> dict[str, Any]:
    """Return what is told of the data: no image, no name of a file and no place, but the hash that says whether it is the same."""
    names = ("sha256", "shape", "dtype", "voxel_size_nm", "membrane_rule", "membrane_share")
    return {name: record.data[name] for name in names if name in record.data}


def shown_trial(record: SweepRecord, verdict: Mapping[str, Any], which: str) -> TrialRecord | None:
    """Return the run that stands for `best` or `fastest`, if it is a finalist's and has its weights."""
    named = (verdict.get(which) or {}).get("trial")
    trial = next((trial for trial in record.of(stage="finalist") if trial.trial_id == named), None)
    return trial if trial is not None and (trial.folder / "best.safetensors").is_file() else None


def page_without_places(page: str, record: SweepRecord) -> str:
    """Return the report's page without paths and names of this machine, notes about files, and the name of data that are the user's own.

    What its links to data hold is searched as well.
    """
    page = _without_places(page, record)
    return re.sub(r"(?<=data:text/csv;base64,)[A-Za-z0-9+/=]+", lambda found: _recoded(found[0], record), page)


def _recoded(payload: str, record: SweepRecord) -> str:
    return base64.b64encode(_without_places(base64.b64decode(payload).decode(), record).encode()).decode()


def _without_places(page: str, record: SweepRecord) -> str:
    from data_utils.datasets import DATASETS  # half a second, for the page alone

    data, told = record.data, [*record.provenance.get("command", ()), *(record.recipe.get("data") or {}).values()]
    words = [word for word in (data.get("source"), *told, str(record.folder), str(record.folder.absolute())) if isinstance(word, str)]
    places = {part for word in words for part in (word, *word.split(" and ")) if "/" in part}
    for place in sorted(places | set(data.get("notes") or ()), key=len, reverse=True):
        for written in {place, html.escape(place), html.escape(place, quote=False)}:
            page = page.replace(written, "...")
    name = str(data.get("name") or "")
    if name and name.partition(":")[0] not in DATASETS:
        # where it stands as the data's name: the same word elsewhere is a word
        page = re.sub(rf'([>"]|\bdata |\bwere ){re.escape(html.escape(name))}(?=[<"]| \()', r"\1own data", page)
    for number, host in enumerate(_hosts(record), start=1):
        # as a worker's (host:process), in words, and as a whole cell: the same word elsewhere is a word
        known = re.escape(host)
        page = re.sub(rf"\b{known}(?=:\d)|(?<=\bhost ){known}\b|(?<=\bon ){known}\b|(?<=[>\"]){known}(?=[<\"])", f"node-{number}", page)
        page = re.sub(rf"(?m)(?<=,){known}(?=[,\r\n]|$)|^{known}(?=,)", f"node-{number}", page)
    return page


def _hosts(record: SweepRecord) -> list[str]:
    """Return the names of the machines that the record tells of."""
    told = [str(trial.worker).partition(":")[0] for trial in record.trials if trial.worker]
    told += [str(((trial.result or {}).get("environment") or {}).get("host") or "") for trial in record.trials]
    return sorted({host for host in (*told, socket.gethostname()) if host}, key=len, reverse=True)
