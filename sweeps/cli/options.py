"""What the verbs of the command line share: their options, and how they write."""

import json
import math
import shlex
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from sweeps.given_folder import why_absent
from sweeps.pipe import write_line
from sweeps.progress import Mode
from sweeps.record import NoSweep

console = Console(highlight=False, soft_wrap=True)
errors = Console(stderr=True, highlight=False, soft_wrap=True)


def existing(folder: Path) -> Path:
    """Return a results folder that is given, if it is there. Raises NoSweep."""
    if why := why_absent(folder):
        raise NoSweep(f"{folder}: {why}")
    return folder


Folder = Annotated[Path, typer.Argument(metavar="DIR", callback=existing, help="A results folder, such as results/demo-001.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a line, for machines.")]
Address = Annotated[str | None, typer.Option("--address", help="A running Ray cluster; without it a local one is started.")]
Offline = Annotated[bool, typer.Option("--offline", help="Keep W&B offline.")]


def whole(least: int, most: int | None = None) -> Callable[[Any], int]:
    """Return what reads a whole number in a range and says what was met where it is none."""
    allowed = f"a whole number >= {least}" if most is None else f"a whole number in [{least}, {most}]"

    def read(text: Any) -> int:
        try:
            value = int(text)
        except ValueError:
            value = None
        if value is None or value < least or (most is not None and value > most):
            raise typer.BadParameter(f"must be {allowed}; got {str(text)!r}")
        return value

    return read


def number(least: float) -> Callable[[Any], float]:
    """Return what reads a finite number that is not too small and says what was met where it is none."""

    def read(text: Any) -> float:
        try:
            value = float(text)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value >= least):
            raise typer.BadParameter(f"must be a number >= {least:g}; got {str(text)!r}")
        return value

    return read


def progress_mode(as_json: bool) -> Mode:
    """Return how progress is shown: json, live on a terminal, plain lines elsewhere."""
    return "json" if as_json else "live" if sys.stdout.isatty() else "plain"


def say(as_json: bool) -> Any:
    """Return what writes one line of text for the user."""
    return (lambda text: print_json({"event": "note", "text": text})) if as_json else (lambda text: console.print(text, markup=False))


def program(name: str = "sweeps") -> str:
    """Return how a shell here calls a program that is installed beside this interpreter: by its name, or by its path.

    `make sweep` runs what is in .venv without putting it on the PATH, so the bare name would not be found, or would be another one.
    """
    own, found = Path(sys.executable).with_name(name), shutil.which(name)
    if not own.exists() or (found is not None and own.samefile(found)):
        return name
    return shlex.quote(str(own.relative_to(Path.cwd()) if own.is_relative_to(Path.cwd()) else own))


def print_json(content: Any) -> None:
    """Write one JSON object on one line of standard output."""
    write_line(sys.stdout, json.dumps(content))
