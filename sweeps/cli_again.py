"""The verbs that use what a sweep found: best, rerun."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli_options import Folder, Json, console, print_json


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
    from sweeps.recipe_file import dump_yaml
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
        console.print(f"wrote {out}; run it with: sweeps launch {out}", markup=False)


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
    differs = answer.get("comparison") is not None and not answer["comparison"]["identical"]
    raise typer.Exit(1 if differs and answer.get("state") == "failed" else 0)


def _rerun_sentence(answer: dict[str, Any]) -> str:
    if "seeds" in answer:
        spread = answer["standard_deviation"]
        each = ", ".join(
            f"{entry['seed']}: {entry['membrane_dice']:.4f}" for entry in answer["seeds"] if entry["membrane_dice"] is not None
        )
        return (
            f"membrane Dice {answer['mean']:.4f}, standard deviation {spread or float('nan'):.4f} over {answer['n']} fresh seeds ({each})"
        )
    found = answer["comparison"]
    if found is None:
        return f"on these data: {answer['scores']}"
    if found["identical"]:
        return f"{found['trial_id']}: all {found['epochs']} epochs came out again, bit for bit"
    return (
        f"{found['trial_id']}: not bit for bit the same ({found['first_difference']}); the largest difference of membrane Dice is "
        f"{found['largest_difference']:.6f}. Other hardware, thread counts or versions round differently; a GPU does so from run to run."
    )
