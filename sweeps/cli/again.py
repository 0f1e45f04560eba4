"""The verbs that use what a sweep found: best, rerun."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.options import Folder, Json, console, print_json, program, whole
from sweeps.cli.rerun_words import told
from sweeps.cli.writing import save


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
        save("--out", out, text.encode())
        console.print(f"wrote {out}; run it with: {program()} launch {out}", markup=False)


def rerun(
    folder: Folder,
    trial: Annotated[str, typer.Option("--trial", help="best, fastest, or an id such as focal-0007.")] = "best",
    seeds: Annotated[
        int | None, typer.Option("--seeds", parser=whole(1), metavar="N", help="Train with this many fresh seeds, for mean and spread.")
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", help="Other data: a known set, a folder, or the results folder of a sweep on them.")
    ] = None,
    address: Annotated[str | None, typer.Option("--address", help="A running Ray cluster; without it the run is here.")] = None,
    as_json: Json = False,
) -> None:
    """Run a recorded trial again and compare it with its record: same, within noise, or different, and what may be the reason.

    Example: sweeps rerun results/demo-001 --trial best
    """
    from sweeps.rerun import rerun as run

    def on_row(trial_id: str, row: dict[str, Any]) -> None:
        if not as_json:
            console.print(f"{trial_id}  epoch {row['epoch']:3d}  membrane Dice {row['membrane_dice']:.4f}", markup=False)

    answer = run(folder, trial, seeds=seeds, data=data, address=address, on_row=on_row)
    if as_json:
        print_json(answer)
    else:
        for line in told(answer):
            console.print(line, markup=False)
    raise typer.Exit(_exit_code(answer))


def _exit_code(answer: dict[str, Any]) -> int:
    """Return 0, or when a run failed 3 if only the data are to blame and 5 otherwise. Numbers that differ are an answer, no failure."""
    reasons = {run.get("reason") for run in answer.get("seeds", [answer]) if run["state"] == "failed"}
    return 0 if not reasons else 3 if reasons == {"data"} else 5
