"""The verbs that tell what there is: losses, recipes, data, doctor. They start nothing.

`add_to(app)` puts them on the program's Typer app. A mistyped name ends with exit code 2, a machine or network that cannot with 4;
DataError is left to the program's own handler, which makes it 3.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any, NoReturn

import typer
from rich.console import Console, RenderableType

from sweeps.cli.catalogue_tables import FOLDERS, data_table, findings_table, recipes_table, stack_lines
from sweeps.cli.losses_tables import FAMILIES, loss_page, losses_tables
from sweeps.cli.options import Json, print_json
from sweeps.cli.writing import writing

_Membrane = Annotated[str, typer.Option(help="The label value of membranes: zero, nonzero or auto.")]
_Ignore = Annotated[int | None, typer.Option(help="The label value of pixels whose label is unknown, such as 127.")]

data_app = typer.Typer(no_args_is_help=True, help="Data sets: list, get, check, preview.")


def add_to(app: typer.Typer) -> None:
    """Register the verbs."""
    app.command("losses", epilog="Example: sweeps losses tversky")(losses)
    app.command("recipes", epilog="Example: sweeps recipes demo > mine.yaml")(recipes)
    app.command("doctor", epilog="Example: sweeps doctor --json")(doctor)
    app.add_typer(data_app, name="data")


def losses(
    name: Annotated[str | None, typer.Argument(help="One loss, or a sum such as dice+focal; without it, all of them.")] = None,
    family: Annotated[str | None, typer.Option(help=f"Those of one family: {', '.join(FAMILIES)}.")] = None,
    plot: Annotated[Path | None, typer.Option(metavar="FILE", help="Draw the loss into this file, .svg or .png.")] = None,
    as_json: Json = False,
) -> None:
    """The losses: formulas, parameters with ranges, sources, and how each looks."""
    from sweeps.catalogue import loss_row, loss_rows
    from sweeps.loss_shape import loss_shape
    from sweeps.recipe.parameters import function_problem

    _known(family, list(FAMILIES), "family")
    if name is not None and family is not None:
        _fail("give a loss or --family, not both", code=2)
    if name is None and plot is not None:
        _fail("--plot draws one loss: name it, such as sweeps losses focal --plot focal.svg", code=2)
    if name is not None and (problem := function_problem(name)):
        _fail(problem, code=2)
    chosen = [row for row in loss_rows().values() if family in (None, row["family"])] if name is None else [loss_row(name)]
    if name is not None and plot is not None:
        _draw(name, plot)
    if as_json:
        _json_lines(chosen)
    elif name is None:
        _show(losses_tables(chosen))
    else:
        terminal = Console()
        terminal.print(loss_page(chosen[0], loss_shape(name), width=terminal.width, braille=not terminal.options.ascii_only))


def recipes(
    name: Annotated[str | None, typer.Argument(help="Print this recipe's YAML; without it, list them.")] = None, as_json: Json = False
) -> None:
    """The shipped recipes: what each answers and what it costs."""
    from sweeps.catalogue import recipe_rows
    from sweeps.recipe.schema import read_recipe, shipped_recipes

    rows = recipe_rows()
    _known(name, list(rows), "recipe")
    if name and as_json:
        _json_lines([read_recipe(name).resolved()])
    elif name:
        typer.echo(shipped_recipes()[name].read_text(encoding="utf-8"), nl=False)
    elif as_json:
        _json_lines(rows.values())
    else:
        _show(recipes_table(rows.values()))


@data_app.command("list", epilog="Example: sweeps data list")
def data_list(as_json: Json = False) -> None:
    """The data sets known by name."""
    from data_utils.datasets import DATASETS

    if as_json:
        _json_lines({"name": name, "description": text} for name, text in DATASETS.items())
    else:
        _show(data_table(DATASETS))


@data_app.command("get", epilog="Example: sweeps data get isbi2012")
def data_get(
    name: Annotated[str, typer.Argument(help="isbi2012.")],
    folder: Annotated[Path | None, typer.Option(help="Where data sets are kept; by default $SWEEPS_DATA or the user's cache.")] = None,
    url: Annotated[str | None, typer.Option(help="Another address of the archive.")] = None,
) -> None:
    """Download a data set and check its pixels against the published hashes."""
    from data_utils.datasets import DATASETS, data_folder
    from data_utils.isbi2012 import URL, download_isbi2012

    _known(name, list(DATASETS), "data set")
    if name != "isbi2012":
        _fail(f"{name} is generated, there is nothing to get; use it as it is: sweeps launch RECIPE --data {name}", code=2)
    try:
        stacks = download_isbi2012(folder or data_folder(), url=url or URL)
    except ConnectionError as error:
        _fail(str(error), code=4)
    typer.echo(f"{name} is in {stacks}")
    _check(str(stacks), None, None, "auto", None, as_json=False)


@data_app.command("check", epilog="Example: sweeps data check ../stacks")
def data_check(
    source: Annotated[str | None, typer.Argument(help=f"A data set's name, or {FOLDERS}.")] = None,
    images: Annotated[Path | None, typer.Option(help="A TIFF stack, PNG or folder with another name, instead.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Its labels.")] = None,
    membrane: _Membrane = "auto",
    ignore: _Ignore = None,
    as_json: Json = False,
) -> None:
    """Read a stack with every check, and say what was taken as membrane."""
    if (source is None) == (images is None) or (images is None) != (labels is None):
        _fail("give a name or a folder, or both --images and --labels", code=2)
    _known(membrane, ["auto", "zero", "nonzero"], "value of --membrane")
    if ignore is not None and not 0 <= ignore <= 255:
        _fail(f"--ignore must be a whole number in [0, 255], the label value of unknown pixels; got {ignore}", code=2)
    _check(source, images, labels, membrane, ignore, as_json=as_json)


def doctor(results: Annotated[Path, typer.Option(help="Where sweeps would be written.")] = Path("results"), as_json: Json = False) -> None:
    """Versions, processor, GPUs, limits, disk, W&B and Ray, with what to do about what is wrong."""
    from sweeps.doctor import examine

    findings = examine(results)
    if as_json:
        _json_lines(map(asdict, findings))
    else:
        _show(findings_table(findings))
    if any(finding.level == "error" for finding in findings):
        raise typer.Exit(4)


def _check(source: str | None, images: Path | None, labels: Path | None, membrane: str, ignore: int | None, *, as_json: bool) -> None:
    from data_utils.datasets import load_dataset

    stack = load_dataset(source or "", images=images, labels=labels, membrane=membrane, ignore=ignore)
    lines = stack_lines(stack)
    if as_json:
        _json_lines([lines | {"notes": list(stack.notes)}])
        return
    for key, value in lines.items():
        text = " x ".join(f"{nm:g}" for nm in value) if isinstance(value, list) else value
        typer.echo(f"{key.replace('_', ' ')}: {text}")
    for note in stack.notes:
        typer.echo(f"note: {note}")


def _draw(name: str, path: Path) -> None:
    from sweeps.loss_shape import loss_shape
    from sweeps.report.loss_figure import save_loss_figure

    try:
        with writing("--plot", path):
            save_loss_figure(loss_shape(name), path)
    except ValueError as error:
        _fail(f"--plot: {error}", code=2)
    typer.echo(f"the figure is {path}", err=True)


def _show(renderable: RenderableType) -> None:
    # Not the shared console: tables and paragraphs are to be wrapped.
    Console().print(renderable)


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> None:
    for row in rows:
        print_json(row)


def _known(name: str | None, names: list[str], what: str) -> None:
    from sweeps.recipe.errors import did_you_mean, show

    if name is not None and name not in names:
        _fail(f"unknown {what} {show(name)}; allowed: {', '.join(names)}{did_you_mean(name, names)}", code=2)


def _fail(message: str, *, code: int) -> NoReturn:
    typer.echo(message, err=True)
    raise typer.Exit(code)
