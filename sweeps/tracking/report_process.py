"""The process that publishes a sweep's W&B Report: `python -m sweeps.tracking.report_process DIR SECONDS`, started by `publish`.

Says on standard output what it does and what came of it, a JSON object a line, each begun with MARK: `step`, `say`, `uploaded`, and at
the end `url` and `action`, or `reason`. It may be ended at any moment; wandb-report.json is written right after the report is saved.
"""

import json
import logging
import os
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sweeps.folder import write_json
from sweeps.record import load_results, read_json
from sweeps.report.overview import Overview, survey
from sweeps.tracking import report_text, workspace
from sweeps.tracking.mode import probe
from sweeps.tracking.publish import MARK
from sweeps.tracking.report_uploads import missing_runs, picture_keys, upload
from sweeps.tracking.summary_run import record_summary

#: which report is this sweep's, in the results folder
NOTE = "wandb-report.json"
#: of one question to W&B
ANSWER_S, RETRIES = 20.0, 2
#: the share of the time that runs may take, and that of the rest for the summary; what remains is the report's
_FOR_RUNS, _FOR_SUMMARY = 0.6, 0.7
_KEY = re.compile(r"[0-9A-Za-z_-]{40,}")


class Refused(RuntimeError):
    """Why there can be no report, in words for the user."""


@dataclass(frozen=True, kw_only=True)
class Account:
    """Where the report goes."""

    api: Any
    address: str
    entity: str
    project: str

    def runs(self, group: str) -> list[str]:
        """Return the ids of the runs that W&B has of a group; none where the project is not there yet."""
        runs = self.api.runs(f"{self.entity}/{self.project}", filters={"group": group}, per_page=500)
        try:
            return [run.id for run in runs]
        except ValueError as error:
            if "Could not find project" in str(error):
                return []
            raise


def main() -> None:
    """Publish the folder named by the first argument within the seconds of the second."""
    logging.basicConfig(level=logging.CRITICAL)
    _tell(**answer_for(Path(sys.argv[1]), float(sys.argv[2])), end=True)


def answer_for(folder: Path, seconds: float) -> dict[str, Any]:
    """Return what came of publishing a folder: `url` and `action`, `reason`, or both."""
    try:
        return _publish(folder, time.monotonic() + seconds)
    except Exception as error:  # noqa: BLE001 - whatever W&B's client raises becomes a sentence
        return {"reason": in_words(error)}


def _tell(**message: Any) -> None:
    sys.stdout.write(MARK + json.dumps(message) + "\n")
    sys.stdout.flush()


def _publish(folder: Path, until: float) -> dict[str, Any]:
    begun = time.monotonic()
    _tell(step="its server was looked for")
    overview = _overview(folder)
    account = _log_in(overview.record.recipe["wandb"]["project"])
    _tell(step="it was asked which runs it has")
    missing = missing_runs(folder, account.runs(overview.record.name))
    _tell(step="runs were sent", say=f"W&B lacks {len(missing)} of the sweep's runs: sending them ...")
    reason = upload(missing, until=begun + _FOR_RUNS * (until - begun), sent=lambda run: _tell(uploaded=run))
    _tell(step="the sweep's summary was sent")
    reason = reason or _send_summary(folder, until - time.monotonic())
    _tell(step="the report was saved", say="Saving the W&B Report ...")
    return save(folder, overview, account) | ({"reason": reason} if reason else {})


def _overview(folder: Path) -> Overview:
    verdict = read_json(folder / "verdict.json")
    if not isinstance(verdict, dict):
        raise Refused(f"verdict.json is damaged. Make it anew with: sweeps report {folder}")
    return survey(report_text.without_places(load_results(folder)), verdict)


def _log_in(project: str) -> Account:
    key_present, reachable = probe()
    if not key_present:
        raise Refused("there is no key for W&B. Log in with: wandb login (or set WANDB_API_KEY)")
    import wandb

    address = _impatient()
    if not reachable:
        raise Refused(f"W&B's server {address} does not answer. The runs are kept: publish later with the same command")
    api = wandb.Api()
    entity = os.environ.get("WANDB_ENTITY") or api.default_entity
    if not entity:
        raise Refused("W&B's account has no default entity. Name one with WANDB_ENTITY=...")
    return Account(api=api, address=address, entity=entity, project=project)


def _impatient() -> str:
    """Set W&B's client up to give up soon, which it forgets whenever its service is dropped; return the server's address."""
    import wandb

    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # W&B's own telemetry
    settings = wandb.Settings(silent=True, x_graphql_retry_max=RETRIES, x_graphql_timeout_seconds=ANSWER_S)
    return str(wandb.setup(settings=settings).settings.base_url)


def _send_summary(folder: Path, left_s: float) -> str:
    made = record_summary(folder, mode="online", timeout_s=max(1.0, _FOR_SUMMARY * left_s))
    return "" if made is not None and made.mode == "online" else "W&B did not take the sweep's summary; the same command tries again"


def save(folder: Path, overview: Overview, account: Account) -> dict[str, Any]:
    """Create the sweep's report, or update the one of an earlier time; return its address and which of both."""
    _impatient()
    wr = workspace.library()
    known = _known(folder, account)
    report = known or wr.Report(entity=account.entity, project=account.project)
    report.title, report.width = report_text.title(overview), "fluid"
    report.description = "Made by `sweeps report --wandb` from the sweep's record; its next call overwrites what is changed here."
    where = {"entity": account.entity, "project": account.project}
    report.blocks = workspace.blocks(overview, media=picture_keys(folder), **where)
    report.save()
    url = report.url.rstrip("=")
    action = "updated" if known else "created"
    _tell(url=url, action=action)
    write_json(folder / NOTE, {"schema": 1, "url": url, "id": report.id, "server": account.address, **where})
    return {"url": url, "action": action}


def _known(folder: Path, account: Account) -> Any:
    """Return the report that the folder's note names, comments and all; None where there is none (any more)."""
    wr = workspace.library()
    note = read_json(folder / NOTE)
    if not isinstance(note, dict):
        return None
    if note.get("server") != account.address or (note.get("entity"), note.get("project")) != (account.entity, account.project):
        _tell(say=f"The report of an earlier time is elsewhere ({note.get('url')}): this makes another one.")
        return None
    try:
        return wr.Report.from_url(note["url"])
    except (KeyError, TypeError):  # what the client makes of an answer without a report
        pass
    except ValueError:  # edited in W&B into something that this client cannot read: overwritten, under its own id
        report = wr.Report(entity=account.entity, project=account.project)
        report.id = str(note["id"])
        return report
    except Exception as error:
        if not is_gone(error):
            raise
    _tell(say=f"W&B does not know the report of an earlier time any more ({note.get('url')}): this makes a new one.")
    return None


def is_gone(error: Exception) -> bool:
    """Whether an answer of the server means that what was asked for is not there."""
    return bool(re.search(r"\b404\b|not find|not found", str(error), re.IGNORECASE))


def in_words(error: Exception) -> str:
    """Return what went wrong with W&B for a person, without anything that looks like a key."""
    if isinstance(error, Refused):
        return str(error)
    said = _KEY.sub("...", " ".join(str(error).split()))[:300]
    if re.search(r"\b401\b|unauthori[sz]ed|credentials", said, re.IGNORECASE):
        return f"W&B did not accept the key: {said}. Log in anew with: wandb login --relogin"
    if re.search(r"\b403\b|forbidden|permission", said, re.IGNORECASE):
        return f"W&B's account may not write there: {said}. Name an entity that it may write to with WANDB_ENTITY=..."
    return f"W&B failed: {type(error).__name__}: {said}"


if __name__ == "__main__":
    main()
