"""The verbs that run a sweep and look at it: launch, resume, status, report."""

import shutil
from pathlib import Path
from typing import Annotated, Any

import typer
from rich import box
from rich.table import Table

from sweeps.cli.options import Address, Folder, Json, Offline, console, print_json, program, progress_mode, say
from sweeps.cli.report import report


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    for verb in (launch, resume, status, report):
        app.command()(verb)


def launch(
    recipe: Annotated[str, typer.Argument(metavar="RECIPE", help="A shipped recipe's name (`sweeps recipes`) or a YAML file.")],
    data: Annotated[
        str | None,
        typer.Option(
            "--data", help="A known data set, or a folder with train-volume.tif and train-labels.tif (or with folders images and labels)."
        ),
    ] = None,
    set_: Annotated[list[str] | None, typer.Option("--set", help="Change a value: --set train.epochs=20. Repeatable.")] = None,
    name: Annotated[str | None, typer.Option("--name", help="The results folder's name; by default the recipe's, numbered.")] = None,
    results: Annotated[Path, typer.Option("--results", help="Where results folders are made.")] = Path("results"),
    address: Address = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Run a sweep to its verdict.

    Example: sweeps launch isbi2012-quick --data ~/isbi2012 --set train.epochs=20
    """
    from sweeps.recipe.schema import read_recipe
    from sweeps.sweep import launch as run

    checked = read_recipe(recipe, overrides=set_ or (), data=data)
    path = Path(recipe)
    text = path.read_text() if path.is_file() and not set_ and data is None else None
    outcome = run(
        checked,
        results=results,
        name=name,
        recipe_text=text,
        address=address,
        offline=offline,
        progress=progress_mode(as_json),
        say=say(as_json),
    )
    _close(outcome, as_json)


def resume(
    folder: Folder,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Try the failed trials once more.")] = False,
    allow_changed: Annotated[list[str] | None, typer.Option("--allow-changed", help="code or data: go on although it changed.")] = None,
    address: Address = None,
    offline: Offline = False,
    as_json: Json = False,
) -> None:
    """Go on with a sweep that was cut, to the same total. Finished trials are not run again.

    Example: sweeps resume results/demo-001
    """
    from sweeps.sweep import resume as run

    allowed = frozenset(allow_changed or ())
    if not allowed <= {"code", "data"}:
        raise typer.BadParameter(f"--allow-changed is code or data, got {', '.join(sorted(allowed - {'code', 'data'}))}")
    outcome = run(
        folder,
        address=address,
        offline=offline,
        retry_failed=retry_failed,
        allow_changed=allowed,
        progress=progress_mode(as_json),
        say=say(as_json),
    )
    _close(outcome, as_json)


def _close(outcome: Any, as_json: bool) -> None:
    """Print what a user wants to know at the end, and exit."""
    verdict = outcome.verdict
    if as_json:
        sentence = verdict["sentence"] if verdict else None
        print_json({"event": "end", "folder": str(outcome.folder), "exit_code": outcome.exit_code, "verdict": sentence})
    elif verdict is None:
        console.print(f"\nStopped; nothing finished is lost. Go on with:\n  {program()} resume {outcome.folder}", markup=False)
    else:
        console.print(f"\n{verdict['sentence']}\n", markup=False)
        console.print(f"report   {outcome.report}", markup=False)
        for words, command in _next_commands(outcome.folder, verdict):
            console.print(f"{words:8} {command}", markup=False)
    raise typer.Exit(outcome.exit_code)


def _next_commands(folder: Path, verdict: dict[str, Any]) -> list[tuple[str, str]]:
    ours = program()
    commands = [("status", f"{ours} status {folder}")]
    if verdict.get("best"):
        commands += [("recipe", f"{ours} best {folder}"), ("again", f"{ours} rerun {folder} --trial best --seeds 3")]
        commands += [("predict", f"{ours} predict {folder} STACK.tif OUT.tif")]
    # Beside sweeps, where pip puts it: its own path is not known before it is installed.
    dashboard = ours.removesuffix("sweeps") + "optuna-dashboard"
    install = "" if shutil.which(dashboard) else f"{program('pip')} install optuna-dashboard && "
    return [*commands, ("look", f"{install}{dashboard} sqlite:///{folder}/study.sqlite3")]


def status(folder: Folder, as_json: Json = False) -> None:
    """Show counts, the best so far and the last errors of a sweep, running or not.

    Example: sweeps status results/demo-001
    """
    from sweeps.given_folder import check_ledger
    from sweeps.record import load_results
    from sweeps.status import standing

    check_ledger(folder)
    rows, faults = standing(load_results(folder))
    if as_json:
        for row in rows:
            print_json(row)
        return
    console.print(str(folder), markup=False)
    console.print(standing_table(rows))
    for fault in faults:
        console.print(fault, markup=False, style="red")


#: short, so that six losses with all their states fit into 80 columns
HEADINGS = {"planned": "plan", "complete": "done", "failed": "fail", "running": "run", "waiting": "wait", "best trial": "trial"}
LONGEST_WHOLE_NAME = 18


def standing_table(rows: list[dict[str, Any]]) -> Table:
    """Return the standing as a table that fits into 80 columns: without the states that no trial is in, with scores and names whole."""
    from sweeps.status import STATES

    empty = {column for column in rows[0] if not any(row[column] not in ((0, None) if column in STATES else (None,)) for row in rows)}
    columns = [column for column in rows[0] if column not in empty]
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 1, 0, 0))
    # the loss folds first, since its trials' names begin with it; a trial's name only when there is no room for it in any case
    folds = {"loss"} | ({"best trial"} if max(len(row["best trial"] or "") for row in rows) > LONGEST_WHOLE_NAME else set())
    for column in columns:
        left = column in ("stage", "loss", "best trial")
        table.add_column(HEADINGS.get(column, column), justify="left" if left else "right", no_wrap=column not in folds, overflow="fold")
    for row in rows:
        values = (row[column] for column in columns)
        table.add_row(*("" if value is None else f"{value:.4f}" if isinstance(value, float) else str(value) for value in values))
    return table
