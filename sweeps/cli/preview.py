"""`sweeps data preview`: a contact sheet of a data set, to see what a sweep would be given."""

import re
from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli.catalogue import data_app
from sweeps.cli.catalogue_tables import stack_lines
from sweeps.cli.options import Json, print_json, whole
from sweeps.cli.writing import writing

_RANGE = re.compile(r"(\d{1,6})(?:-(\d{1,6}))?")


def add_to(app: typer.Typer) -> None:
    """Register the verb below `data`, which the catalogue has put on the app."""
    del app
    data_app.command("preview", epilog="Example: sweeps data preview isbi2012 --sections 0,5,9 --out isbi.png")(preview)


def preview(
    source: Annotated[str | None, typer.Argument(help="A data set's name, or a folder with images and labels.")] = None,
    out: Annotated[Path | None, typer.Option(metavar="FILE.png", help="The file; by default NAME-preview.png here.")] = None,
    sections: Annotated[str | None, typer.Option(metavar="LIST", help="Which sections, such as 0,5,9-12; by default all.")] = None,
    images: Annotated[Path | None, typer.Option(help="A stack with another name, instead of a folder.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Its labels; without them the sections alone are shown.")] = None,
    membrane: Annotated[str, typer.Option(help="The label value of membranes: zero, nonzero or auto.")] = "auto",
    ignore: Annotated[
        int | None, typer.Option(parser=whole(0, 255), metavar="0...255", help="The label value of unknown pixels, such as 127.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Draw the sections with their membranes into one picture."""
    from data_utils.datasets import load_dataset
    from data_utils.labels import MEMBRANE_CHOICES

    if (source is None) == (images is None):
        raise typer.BadParameter("give a data set's name or folder, or --images")
    if membrane not in MEMBRANE_CHOICES:
        raise typer.BadParameter(f"must be one of {', '.join(MEMBRANE_CHOICES)}; got {membrane!r}", param_hint="--membrane")
    if out is not None and out.suffix.lower() != ".png":
        raise typer.BadParameter(f"the picture is a PNG: a name that ends in .png; got {str(out)!r}", param_hint="--out")
    chosen = None if sections is None else _numbers(sections)

    stack = load_dataset(source or "", images=images, labels=labels, membrane=membrane, ignore=ignore)
    from sweeps.report.contact_sheet import save_contact_sheet

    path = out or Path(re.sub(r"[^\w.-]+", "-", stack.name).strip("-.") + "-preview.png")
    with writing("--out", path):
        shown = save_contact_sheet(path, stack, chosen)
    if as_json:
        print_json(stack_lines(stack) | {"shown": shown, "file": str(path)})
    else:
        typer.echo(f"{len(shown)} of {len(stack.raw_ZHW)} sections of {stack.name} are in {path}")


def _numbers(text: str) -> list[int]:
    """Return the sections that a list such as 0,5,9-12 names, in its order, each once."""
    found: dict[int, None] = {}
    for part in text.split(","):
        match = _RANGE.fullmatch(part.strip())
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if first > last or last - first > 10_000:
            raise typer.BadParameter(f"numbers and ranges of sections, such as 0,5,9-12; got {part.strip()!r}", param_hint="--sections")
        found |= dict.fromkeys(range(first, last + 1))
    return list(found)
