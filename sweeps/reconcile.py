"""Before a sweep goes on: bring the ledger in line with what is on the disk, and refuse what has changed since the launch."""

import logging
from pathlib import Path

from data_utils import Stack
from sweeps.ledger import FINISHED, Ledger
from sweeps.provenance import code_version, recipe_hashes, versions
from sweeps.record import SweepRecord, load_results, read_json, trial_folder
from sweeps.trial import CHECKPOINT

logger = logging.getLogger(__name__)


class ChangedError(ValueError):
    """Data or code differ from the launch's; the CLI exits with 2."""


def reconcile(folder: Path, ledger: Ledger, *, retry_failed: bool = False) -> None:
    """Write into the ledger what happened after its last line.

    A trial that has a folder but no line was asked for all the same. A trial whose result.json is whole, and is about what was proposed,
    has ended, whatever the ledger says: the driver died between the two. Any other that was running goes back to waiting.
    `retry_failed` sends the failed ones back as well.
    """
    _ask_again(folder, ledger)
    for trial in load_results(folder).trials:
        own = trial.result if trial.result is not None and trial.result.get("suggestion") == trial.suggestion else None
        if trial.state == "failed" and retry_failed:
            (trial.folder / "result.json").unlink(missing_ok=True)
            ledger.append("retried", trial.trial_id, reason="asked for")
        elif trial.state in FINISHED:
            (trial.folder / CHECKPOINT).unlink(missing_ok=True)  # the driver or the worker died before it could
        elif own is not None and own.get("state") in FINISHED:
            logger.info("%s had ended as %s when the driver was cut", trial.trial_id, own["state"])
            ledger.append(own["state"], trial.trial_id, reason=own.get("reason"), error=own.get("error"))
        elif trial.state == "running":
            ledger.append("waiting", trial.trial_id)


def _ask_again(folder: Path, ledger: Ledger) -> None:
    """Note the trials of which the ledger's lines are lost: their plans are in their folders."""
    known = {event.trial for event in ledger}
    for path in sorted([*folder.glob("trials/*/plan.json"), *folder.glob("finalists/*/plan.json")]):
        plan, trial_id = read_json(path), path.parent.name
        if trial_id in known or not isinstance(plan, dict) or plan.get("trial_id") != trial_id:
            continue
        told = {key: plan.get(key) for key in ("stage", "loss", "function", "suggestion", "seed", "fold")}
        if trial_folder(folder, str(told["stage"]), trial_id) == path.parent:
            logger.info("%s is in no line of the ledger, but has a folder", trial_id)
            ledger.append("asked", trial_id, **told)


def check_unchanged(record: SweepRecord, stack: Stack, allowed: frozenset[str]) -> None:
    """Raise ChangedError when the data, or the versions that decide the numbers, differ from the launch's."""
    wrong = []
    if "data" not in allowed and stack.sha256() != record.data["sha256"]:
        wrong.append(f"data: pixels' SHA-256 is {stack.sha256()}, at launch it was {record.data['sha256']} (--allow-changed data)")
    recipe_now = recipe_hashes(record.folder)
    for name, then in record.provenance.get("recipe", {}).items():
        if recipe_now.get(name) != then:
            wrong.append(f"recipe: {name} was edited after the launch. Put it back, or launch a new sweep with the edited one")
    if "code" not in allowed:
        then, now = record.provenance["versions"], versions()
        wrong += [f"code: {key} is {now.get(key)}, at launch it was {then[key]}" for key in ("torch", "numpy") if then[key] != now.get(key)]
        before, commit = record.provenance.get("code"), code_version()
        if before and commit and before.rstrip("+") != commit.rstrip("+"):
            wrong.append(f"code: commit is {commit}, at launch it was {before} (--allow-changed code)")
    if wrong:
        raise ChangedError("trials would not be comparable with those that ran before:\n  " + "\n  ".join(wrong))
