"""The verbs that use what a sweep found: best, rerun."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.options import Folder, Json, console, print_json, program


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (best, rerun):
        app.command()(verb)


def best(
    folder: Folder,
    by: Annotated[str, typer.Option("--by", help="score or time.")] = "score",
    out: Annotated[Path | None, typer.Option("--out", help="Write the recipe here instead of printing it.")] = None,
) -> None:
    """Print the winning recipe, ready for `sweeps launch`.

    Example: sweeps best results/demo-001 --by time --out winner.yaml
    """
    from sweeps.closing import winning_recipe
    from sweeps.recipe.file import dump_yaml
    from sweeps.record import load_results
    from sweeps.rerun import find_trial

    if by not in ("score", "time"):
        raise typer.BadParameter(f"--by is score or time, got {by!r}")
    record = load_results(folder)
    text = dump_yaml(winning_recipe(record, find_trial(record, "best" if by == "score" else "fastest")))
    if out is None:
        sys.stdout.write(text)
    else:
        out.write_text(text)
        console.print(f"wrote {out}; run it with: {program()} launch {out}", markup=False)


def rerun(
    folder: Folder,
    trial: Annotated[str, typer.Option("--trial", help="best, fastest, or an id such as focal-0007.")] = "best",
    seeds: Annotated[int | None, typer.Option("--seeds", min=1, help="Train with this many fresh seeds, for mean and spread.")] = None,
    data: Annotated[str | None, typer.Option("--data", help="Other data: a known set or a folder.")] = None,
    as_json: Json = False,
) -> None:
    """Run a recorded trial again and compare it with its record.

    Example: sweeps rerun results/demo-001 --trial best
    """
    from sweeps.rerun import rerun as run

    def on_row(trial_id: str, row: dict[str, Any]) -> None:
        if not as_json:
            console.print(f"{trial_id}  epoch {row['epoch']:3d}  membrane Dice {row['membrane_dice']:.4f}", markup=False)

    answer = run(folder, trial, seeds=seeds, data=data, on_row=on_row)
    if as_json:
        print_json(answer)
    else:
        console.print(_rerun_sentence(answer), markup=False)
    raise typer.Exit(_exit_code(answer))


def _exit_code(answer: dict[str, Any]) -> int:
    """Return 0, or when a run failed 3 if only the data are to blame and 5 otherwise. Numbers that differ are an answer, no failure."""
    reasons = {run.get("reason") for run in answer.get("seeds", [answer]) if run["state"] == "failed"}
    return 0 if not reasons else 3 if reasons == {"data"} else 5


def _rerun_sentence(answer: dict[str, Any]) -> str:
    if "seeds" in answer:
        return _seeds_sentence(answer)
    found = answer["comparison"]
    said = _compared(found) if found is not None and found["epochs"] else ""
    if answer["state"] == "failed":
        failed = f"{answer['trial']} failed ({answer['reason']}): {answer['error']}"
        return f"{said}\n{failed}" if said else failed
    return said if found is not None else _scores_sentence(answer["scores"])


def _seeds_sentence(answer: dict[str, Any]) -> str:
    scored = [entry for entry in answer["seeds"] if entry["membrane_dice"] is not None]
    failed = [
        f"seed {entry['seed']} failed ({entry['reason']}): {entry['error']}" for entry in answer["seeds"] if entry["state"] == "failed"
    ]
    if answer["mean"] is None:
        number = len(answer["seeds"])
        return "\n".join([f"no score: {'the one fresh seed' if number == 1 else f'all {number} fresh seeds'} failed", *failed])
    each = ", ".join(f"{entry['seed']}: {entry['membrane_dice']:.4f}" for entry in scored)
    spread = answer["standard_deviation"]
    told = "" if spread is None else f", standard deviation {spread:.4f}"
    return "\n".join([f"membrane Dice {answer['mean']:.4f}{told} over {answer['n']} fresh seed{'s'[: answer['n'] != 1]} ({each})", *failed])


def _scores_sentence(scores: dict[str, Any] | None) -> str:
    if scores is None:
        return "on these data: no scores, since the run ends at the epoch at which its record was pruned"
    names = {"membrane_dice": "membrane Dice", "membrane_dice_at_half": "membrane Dice at 0.5", "v_rand": "V_rand", "v_info": "V_info"}
    told = (f"{name} {scores[key]:.4f}" for key, name in names.items() if isinstance(scores.get(key), float))
    return f"on these data: {', '.join(told)}"


def _compared(found: dict[str, Any]) -> str:
    if found["identical"]:
        return f"{found['trial_id']}: all {found['epochs']} epochs came out again, bit for bit"
    return (
        f"{found['trial_id']}: not bit for bit the same ({found['first_difference']}); the largest difference of membrane Dice is "
        f"{found['largest_difference']:.6f}. Other hardware, thread counts or versions round differently; a GPU does so from run to run."
    )
