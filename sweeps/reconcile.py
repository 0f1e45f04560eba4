"""Before a sweep goes on: bring the ledger in line with what is on the disk, and refuse what has changed since the launch."""

import logging
from pathlib import Path

from data_utils import Stack
from sweeps.ledger import FINISHED, Ledger
from sweeps.provenance import code_version, versions
from sweeps.record import SweepRecord, load_results

logger = logging.getLogger(__name__)


class ChangedError(ValueError):
    """Data or code differ from the launch's; the CLI exits with 2."""


def reconcile(folder: Path, ledger: Ledger, *, retry_failed: bool = False) -> None:
    """Write into the ledger what happened after its last line.

    A trial whose result.json is whole has ended, whatever the ledger says: the driver died between the two. Any other that was running
    goes back to waiting. `retry_failed` sends the failed ones back as well.
    """
    for trial in load_results(folder).trials:
        if trial.state == "failed" and retry_failed:
            (trial.folder / "result.json").unlink(missing_ok=True)
            ledger.append("retried", trial.trial_id, reason="asked for")
        elif trial.state in FINISHED:
            continue
        elif trial.result is not None and trial.result.get("state") in FINISHED:
            logger.info("%s had ended as %s when the driver was cut", trial.trial_id, trial.result["state"])
            ledger.append(trial.result["state"], trial.trial_id, reason=trial.result.get("reason"), error=trial.result.get("error"))
        elif trial.state == "running":
            ledger.append("waiting", trial.trial_id)


def check_unchanged(record: SweepRecord, stack: Stack, allowed: frozenset[str]) -> None:
    """Raise ChangedError when the data, or the versions that decide the numbers, differ from the launch's."""
    wrong = []
    if "data" not in allowed and stack.sha256() != record.data["sha256"]:
        wrong.append(f"data: pixels' SHA-256 is {stack.sha256()}, at launch it was {record.data['sha256']} (--allow-changed data)")
    if "code" not in allowed:
        then, now = record.provenance["versions"], versions()
        wrong += [f"code: {key} is {now.get(key)}, at launch it was {then[key]}" for key in ("torch", "numpy") if then[key] != now.get(key)]
        before, commit = record.provenance.get("code"), code_version()
        if before and commit and before.rstrip("+") != commit.rstrip("+"):
            wrong.append(f"code: commit is {commit}, at launch it was {before} (--allow-changed code)")
    if wrong:
        raise ChangedError("trials would not be comparable with those that ran before:\n  " + "\n  ".join(wrong))
