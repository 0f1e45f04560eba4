"""`sweeps bench`: what a step, a loss, the challenge's scores and a trial's overhead cost. A step, a loss and scores are also measured by
`python -m sweeps.bench`, which needs torch and nothing of Ray, Optuna or W&B, so that it runs on a bare GPU machine.
"""

from pathlib import Path
from typing import Annotated

import typer

from sweeps.cli.options import Folder, Json, console, number, print_json, program, whole
from sweeps.cli.writing import check_place, writing

bench = typer.Typer(help="Measure what things cost on this machine.", no_args_is_help=True)
#: the words behind step, loss and score belong to `python -m sweeps.bench`, --help among them
_PASSED_ON = {"allow_extra_args": True, "ignore_unknown_options": True, "help_option_names": []}
Words = Annotated[list[str] | None, typer.Argument(metavar="[OPTIONS]", help="Options of `python -m sweeps.bench`.")]


def add_to(app: typer.Typer) -> None:
    """Register the verb."""
    app.add_typer(bench, name="bench")


def _pass_on(kind: str, words: list[str] | None) -> None:
    from sweeps.bench.__main__ import main

    raise typer.Exit(main([kind, *(words or ())], prog=f"{program()} bench"))


@bench.command(context_settings=_PASSED_ON, add_help_option=False)
def step(words: Words = None) -> None:
    """A training step of ours beside the naive fp32 form of the same net, interleaved, with an A/A row.

    Example: sweeps bench step --width 16 --batch 4 --size 256
    """
    _pass_on("step", words)


@bench.command(context_settings=_PASSED_ON, add_help_option=False)
def loss(words: Words = None) -> None:
    """Each loss, forward and backward, in time and memory, beside its naive form, MONAI's and kornia's, and compiled.

    With --results DIR it measures the losses that ranked in a sweep, as they were built, and keeps that as DIR/speed.json for its report.

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
    from sweeps.bench.overhead import TooFew, summary, too_few
    from sweeps.given_folder import check_ledger
    from sweeps.record import load_results

    check_ledger(folder)
    found = summary(load_results(folder).trials)
    if as_json:
        print_json(found)
    if found["median"] is None:
        raise TooFew(too_few(folder, found["n"]))
    if not as_json:
        spread = f"quartiles {found['lower_quartile']:.3f} to {found['upper_quartile']:.3f}, largest {found['largest']:.3f}"
        console.print(f"overhead a trial: median {found['median']:.3f} s ({spread}; n = {found['n']})", markup=False)


@bench.command()
def search(
    source: Annotated[
        Path, typer.Argument(metavar="RECORD", help="A results folder of random search that stopped nothing, or a file of its curves.")
    ],
    replays: Annotated[int, typer.Option("--replays", parser=whole(1), metavar="N", help="Simulated sweeps a setting.")] = 50,
    trials: Annotated[int, typer.Option("--trials", parser=whole(2), metavar="N", help="A loss's budget in each.")] = 20,
    concurrent: Annotated[int, typer.Option("--concurrent", parser=whole(1), metavar="N", help="Trials at one time.")] = 2,
    noise: Annotated[
        float | None,
        typer.Option("--noise", parser=number(0), metavar="SD", help="Spread of membrane Dice between seeds, instead of the record's own."),
    ] = None,
    write: Annotated[
        Path | None, typer.Option("--write", help="Only write the curves here, as CSV, for replays without the folder.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Which search reaches the best sooner: samplers, early stopping and allocation, replayed over recorded learning curves.

    Example: sweeps bench search docs/benchmarks/data/search-curves_isbi2012_202611.csv
    """
    from sweeps.bench.search import SearchBench
    from sweeps.bench.search_curves import read_curves, write_curves
    from sweeps.bench.search_lines import search_lines

    record = read_curves(source)
    if write is not None:
        with writing("--write", write):
            write_curves(record, write)
        console.print(f"{len(record.curves)} curves of {len(record.losses)} losses written to {write}", markup=False)
        return
    config = SearchBench(replays=replays, trials=trials, concurrent=concurrent)
    for line in search_lines(record, config, noise_sd=noise, as_json=as_json):
        console.print(line, markup=False, highlight=False, soft_wrap=True)


@bench.command()
def verdict(
    folder: Folder,
    sweeps: Annotated[int, typer.Option("--sweeps", parser=whole(20), metavar="N", help="Simulated sweeps a row, at least 20.")] = 1000,
    lead: Annotated[
        float, typer.Option("--lead", parser=number(0), metavar="X", help="True difference at which the tests' power is compared.")
    ] = 0.01,
    figure: Annotated[Path | None, typer.Option("--figure", help="Write the power curves here, as SVG.")] = None,
    as_json: Json = False,
) -> None:
    """How often verdicts are right, on simulated sweeps with the spread of a recorded one: finalists over several seeds and folds.

    Example: sweeps bench verdict results/isbi2012-001 --figure power.svg
    """
    from sweeps.bench.verdict_lines import curve_rows, lines, rows
    from sweeps.bench.verdict_spread import recorded_components

    if figure is not None:
        check_place("--figure", figure)  # before minutes of simulated sweeps
    components, metric = recorded_components(folder)
    if as_json:
        for row in rows(components, sweeps=sweeps, advantage=lead):
            print_json(row)
    else:
        for line in lines(components, sweeps=sweeps, advantage=lead):
            console.print(line, markup=False, soft_wrap=True)
    if figure is not None:
        from sweeps.report.operating import write_curves

        curves = curve_rows(components, sweeps=sweeps)
        with writing("--figure", figure):
            write_curves(figure, curves, metric=metric)
