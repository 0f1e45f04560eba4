"""A sweep whose finalists were really trained, one after the other in this process; search, Tune and report are left out."""

from pathlib import Path

from sweeps.closing import write_winner
from sweeps.folder import write_json
from sweeps.ledger import Ledger
from sweeps.provenance import describe_data, provenance
from sweeps.recipe.schema import Recipe
from sweeps.record import load_results, trial_folder
from sweeps.stacks import load_stack, split_of
from sweeps.trial import Trial
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.small import plan_for

FIXED = {"train": {"epochs": 2, "lr": 3e-3}, "losses": {"bce": {}, "dice": {}}}


def sweep_of(folder: Path, recipe: Recipe, *, seeds: int = 2) -> Path:
    """Fill a results folder: each loss with its defaults on fold 0, over seeds 1, 2 and so on; verdict and winners."""
    folder.mkdir(parents=True)
    stack, ledger = load_stack(recipe), Ledger(folder / "ledger")
    write_json(folder / "recipe.resolved.yaml", recipe.resolved())
    write_json(folder / "provenance.json", provenance(folder.name, folder))
    sections: dict[str, tuple[int, ...]] = {}
    for seed in range(1, seeds + 1):
        for loss in recipe.losses:
            trial_id = f"{loss}-f0-s{seed}"
            where = trial_folder(folder.resolve(), "finalist", trial_id)
            identity = {"trial_id": trial_id, "stage": "finalist", "seed": seed, "fold": 0, "sweep": folder.name}
            plan = plan_for(where, loss, {}, recipe, **identity, data_sha256=stack.sha256())
            sections["finalist"] = split_of(plan, recipe, len(stack.raw_ZHW)).test
            ledger.append("asked", trial_id, **plan.asked())
            ledger.append("started", trial_id)
            *_, result = Trial(plan, stack, device="cpu").rows()
            assert result["state"] == "complete", result
            ledger.append("complete", trial_id)
    ledger.close()
    write_json(folder / "data.json", describe_data(stack, recipe.data.source, sections))
    record = load_results(folder)
    verdict = compute_verdict(record)
    write_json(folder / "verdict.json", verdict)
    for which in ("best", "fastest"):
        write_winner(record, verdict, which)
    return folder
