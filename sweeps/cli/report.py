"""The verb report: one sweep's report made anew, several sweeps side by side, and either sent to W&B."""

from pathlib import Path
from typing import Annotated, Any

import typer

from sweeps.cli.options import Json, console, existing, print_json, say
from sweeps.cli.writing import writing

LEFT_OUT = 4
NOT_PUBLISHED = 4

Folders = Annotated[list[Path], typer.Argument(metavar="DIR...", help="A results folder; several are set side by side.")]


def report(
    folders: Folders,
    out: Annotated[Path | None, typer.Option("--out", help="Several: the page to write; by default one beside the first folder.")] = None,
    wandb: Annotated[bool, typer.Option("--wandb", help="Make a W&B Report of each sweep as well, or update it.")] = False,
    as_json: Json = False,
) -> None:
    """Make verdict, report and winners anew from what the folder holds; of several folders one page with all of them side by side.

    Example: sweeps report results/demo-001; sweeps report results/demo-001 results/demo-002 --out both.html
    """
    if len(folders) == 1 and out is not None:
        raise typer.BadParameter(f"--out is for several sweeps: a single sweep's report lies in its folder, {folders[0] / 'report'}")
    if out is not None and (out.is_dir() or out.suffix.lower() not in (".html", ".htm")):
        raise typer.BadParameter(f"--out is the page to write, such as both.html, got {out}")
    told, sent = _one(folders[0], as_json) if len(folders) == 1 else _several(folders, out, as_json)
    published = [_publish(folder, as_json) for folder in sent] if wandb else []
    if as_json:
        print_json(told | ({"wandb": published} if wandb else {}))
    if any(each["url"] is None for each in published):
        raise typer.Exit(NOT_PUBLISHED)
    if any(not each["repeated"] for each in told.get("left_out", ())):
        raise typer.Exit(LEFT_OUT)


def _one(folder: Path, as_json: bool) -> tuple[dict[str, Any], list[Path]]:
    from sweeps.closing import close_sweep
    from sweeps.given_folder import check_ledger

    check_ledger(existing(folder))
    verdict, page = close_sweep(folder)
    if not as_json:
        console.print(f"{verdict['sentence']}\n\nreport   {page}", markup=False)
    return {"sentence": verdict["sentence"], "report": str(page)}, [folder]


def _several(folders: list[Path], out: Path | None, as_json: bool) -> tuple[dict[str, Any], list[Path]]:
    """Write the page of several sweeps; return what is told of it, and the folders that could be read."""
    from sweeps.report.comparison import write_comparison

    with writing("--out", out):
        found = write_comparison(folders, out)
    empty = list(dict.fromkeys(cell.command for row in found.cells for cell in row if cell.command and cell.found is None))
    if not as_json:
        for side in found.sides:
            console.print(f"{side.label}: {side.verdict['sentence']}", markup=False)
        for line in ("", *found.clauses):
            console.print(line, markup=False)
        for each in found.unread:
            console.print(f"left out: {each.folder}: {each.why}", markup=False, style="red")
        console.print(f"\nreport   {found.page}", markup=False)
        for command in empty:
            console.print(f"fill     {command}", markup=False)
    told = {
        "report": str(found.page),
        "sweeps": [{"folder": str(side.folder), "label": side.label, "sentence": side.verdict["sentence"]} for side in found.sides],
        "left_out": [{"folder": str(each.folder), "why": each.why, "repeated": each.repeated} for each in found.unread],
        "transfers": [_transfer(cell) for row in found.cells for cell in row if not cell.own],
    }
    return told, [side.folder for side in found.sides]


def _transfer(cell: Any) -> dict[str, Any]:
    told = {"winner_of": cell.side.label, "on": cell.data.sha256, "found": cell.found, "gain": cell.gain, "limit": cell.limit}
    return told | {"command": cell.command, "note": cell.note}


def _publish(folder: Path, as_json: bool) -> dict[str, Any]:
    from sweeps.tracking.publish import publish

    done = publish(folder, say=say(as_json))
    if not as_json:
        console.print(f"W&B      {done.url or f'{folder}: no W&B Report: {done.reason}'}", markup=False)
        if done.url and done.reason:
            console.print(f"         {done.reason}", markup=False)
    return {"folder": str(folder), "url": done.url, "action": done.action, "reason": done.reason}
