"""Which trial is run again, and the plan that its worker wrote."""

from collections import Counter
from typing import Any

from sweeps.closing import winner
from sweeps.given_folder import check_ledger
from sweeps.plan import TrialPlan
from sweeps.recipe.errors import did_you_mean, show
from sweeps.record import SweepRecord, TrialRecord, read_json


class NoSuchTrial(ValueError):
    """The sweep has no such trial; the CLI exits with 2."""


def find_trial(record: SweepRecord, name: str) -> TrialRecord:
    """Return the trial `name`: best, fastest, or an id such as focal-0007.

    Raises NoSuchTrial with what there is, and with what would make it; LedgerError where the ledger is gone.
    """
    if not record.trials:
        check_ledger(record.folder)
        raise NoSuchTrial(f"{record.folder} has no {show(name)} yet: no trial was started. `sweeps resume {record.folder}` runs them")
    if name in ("best", "fastest"):
        verdict = read_json(record.folder / "verdict.json") or {}
        found = winner(record, verdict, name)
        if found is None:
            raise NoSuchTrial(f"{record.folder} has no {name!r} yet: {_why_none(record, verdict, name)}")
        return found
    found = next((trial for trial in record.trials if trial.trial_id == name), None)
    if found is None:
        known = ["best", "fastest", *(trial.trial_id for trial in record.trials)]
        listed = f"{', '.join(known[:14])}{', ...' if len(known) > 14 else ''}"
        raise NoSuchTrial(f"no trial {show(name)} in {record.folder}; allowed: {listed}{did_you_mean(name, known)}")
    return found


def _why_none(record: SweepRecord, verdict: dict[str, Any], which: str) -> str:
    """Return why a verdict names no such trial, and which verb would help: a report makes a verdict, but no trial."""
    if all(trial.score is None for trial in record.trials):
        states = ", ".join(f"{number} {state}" for state, number in Counter(trial.state for trial in record.trials).items())
        retry = " --retry-failed" if all(trial.state == "failed" for trial in record.trials) else ""
        return f"none of its trials has a score ({states}). `sweeps resume {record.folder}{retry}` goes on"
    if which == "fastest" and verdict.get("fastest_reason"):
        return f"its verdict names none ({verdict['fastest_reason']})"
    return f"its verdict names none. `sweeps report {record.folder}` makes the verdict anew"


def recorded_plan(trial: TrialRecord) -> TrialPlan:
    """Return the plan that the trial's worker wrote. Raises NoSuchTrial when none did."""
    plan = read_json(trial.folder / "plan.json")
    if plan is None:
        raise NoSuchTrial(
            f"the trial {trial.trial_id} has not started ({trial.state}): there is no {trial.folder / 'plan.json'}, so nothing can be "
            "run again. `sweeps resume` runs the trials that are left."
        )
    return TrialPlan(**plan)


def runs_of(record: SweepRecord, trial: TrialRecord) -> list[TrialRecord]:
    """Return the complete runs of a trial's configuration on its fold: the trial's fellows, which differ from it by the seed alone."""
    return [
        other
        for other in record.of(trial.loss, trial.stage, "complete")
        if other.suggestion == trial.suggestion and other.fold == trial.fold
    ]
