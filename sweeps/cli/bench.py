"""`sweeps bench`: what a step, a loss, the challenge's scores and a trial's overhead cost. All but the overhead is also measured by
`python -m sweeps.bench`, which needs torch and nothing of Ray, Optuna or W&B, so that it runs on a bare GPU machine.
"""

from typing import Annotated

import typer

from sweeps.cli.options import Folder, Json, console, print_json

bench = typer.Typer(help="Measure what things cost on this machine.", no_args_is_help=True)
#: the words behind step, loss and score belong to `python -m sweeps.bench`, --help among them
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
Words = Annotated[list[str] | None, typer.Argument(metavar="[OPTIONS]", help="Options of `python -m sweeps.bench`.")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.add_typer(bench, name="bench")


def _pass_on(kind: str, words: list[str] | None) -> None:
    from sweeps.bench.__main__ import main

    raise typer.Exit(main([kind, *(words or ())]))


@bench.command(context_settings=_PASSED_ON, add_help_option=False)
def step(words: Words = None) -> None:
    """A training step of ours beside the naive fp32 form of the same net, interleaved, with an A/A row.

    Example: sweeps bench step --width 16 --batch 4 --size 256
    """
    _pass_on("step", words)


@bench.command(context_settings=_PASSED_ON, add_help_option=False)
def loss(words: Words = None) -> None:
    """Each loss, forward and backward, in time and memory, beside its naive form, MONAI's and kornia's, and compiled.

    Example: sweeps bench loss --loss focal --compiled
    """
    _pass_on("loss", words)


@bench.command(context_settings=_PASSED_ON, add_help_option=False)
def score(words: Words = None) -> None:
    """V_rand and V_info in time and memory beside the same by scikit-image's watershed, and how far the scores differ.

    Example: sweeps bench score --sections 10
    """
    _pass_on("score", words)


@bench.command()
def overhead(folder: Folder, as_json: Json = False) -> None:
    """What a trial of a sweep that has run cost beyond training and scoring, W&B included.

    Example: sweeps bench overhead results/demo-001
    """
    from sweeps.bench.overhead import summary
    from sweeps.record import load_results

    found = summary(load_results(folder).trials)
    if as_json:
        print_json(found)
    elif found["median"] is None:
        console.print(f"{found['n']} trials that were not their worker's first: at least 2 are needed", markup=False)
    else:
        spread = f"quartiles {found['lower_quartile']:.3f} to {found['upper_quartile']:.3f}, largest {found['largest']:.3f}"
        console.print(f"overhead a trial: median {found['median']:.3f} s ({spread}; n = {found['n']})", markup=False)
