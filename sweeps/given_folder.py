"""Folders that are given as results folders and are none, or not whole: what is said of them before anything is read as a sweep."""

import difflib
from pathlib import Path

from sweeps.ledger import FILE, LedgerError, read_events


def why_absent(folder: Path) -> str | None:
    """Return why this is no folder, with the nearest one that is; None of a folder."""
    if folder.is_dir():
        return None
    if folder.exists():
        return "a file, no results folder"
    beside = [path.name for path in folder.parent.iterdir() if path.is_dir()] if folder.parent.is_dir() else []
    near = difflib.get_close_matches(folder.name, beside, n=1, cutoff=0.6)
    return f"no such folder{f'; did you mean {folder.parent / near[0]}?' if near else ''}"


def check_ledger(folder: Path) -> None:
    """Raise LedgerError where the ledger tells of nothing although trials have folders: it would read as a sweep that started none.

    Not for `resume`, which finds the trials again.
    """
    ledger = folder / "ledger"
    started = sum(1 for stage in ("trials", "finalists") for _ in folder.glob(f"{stage}/*/plan.json"))
    if not started or read_events(ledger)[0]:
        return
    told = "is empty" if (ledger / FILE).exists() else "is missing"
    raise LedgerError(
        f"{ledger / FILE} {told}, though {started} {'trial has its folder' if started == 1 else 'trials have their folders'}. Put it back, "
        f"or run `sweeps resume {folder}`: it finds the trials again by their folders, and runs none anew that has ended."
    )
