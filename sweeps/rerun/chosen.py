"""Which trial is run again, and the plan that its worker wrote."""

from sweeps.closing import winner
from sweeps.plan import TrialPlan
from sweeps.record import SweepRecord, TrialRecord, read_json


class NoSuchTrial(ValueError):
    """The sweep has no such trial; the CLI exits with 2."""


def find_trial(record: SweepRecord, name: str) -> TrialRecord:
    """Return the trial `name`: best, fastest, or an id such as focal-0007. Raises NoSuchTrial with what there is."""
    if name in ("best", "fastest"):
        verdict = read_json(record.folder / "verdict.json") or {}
        found = winner(record, verdict, name)
        if found is None:
            why = verdict.get("fastest_reason") if name == "fastest" else None
            told = f"its verdict names none ({why})" if why else f"its verdict names none. `sweeps report {record.folder}` makes it"
            raise NoSuchTrial(f"the sweep {record.name} has no {name!r} yet: {told}")
        return found
    found = next((trial for trial in record.trials if trial.trial_id == name), None)
    if found is None:
        known = ", ".join(trial.trial_id for trial in record.trials[:12])
        raise NoSuchTrial(
            f"no trial {name!r} in {record.folder}; allowed: best, fastest, {known}{', ...' if len(record.trials) > 12 else ''}"
        )
    return found


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
