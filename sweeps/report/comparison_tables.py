"""The tables of a comparison: the sweeps, their losses' scores, how far orders agree, and the transfers."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any
from urllib.parse import quote

from scipy import stats

from sweeps.report.canvas import NothingToShow
from sweeps.report.comparison_sides import Side, whole_path
from sweeps.report.comparison_transfer import DataSet, Transfer, data_sets
from sweeps.report.csv_table import CsvTable
from sweeps.report.grid import Cell, Column, Grid, estimated, figure, words
from sweeps.report.overview import Estimate
from sweeps.report.wording import (
    ABSENT,
    NEVER,
    clean,
    count,
    dig,
    say,
    say_metric,
    say_parameters,
    say_range,
    say_seconds,
    say_signed,
    short,
)
from sweeps.verdict.contenders import finite

FEWEST = 3
"""Losses below which an order agrees or not by chance alone."""


@dataclass(frozen=True, kw_only=True)
class LinkedCell(Cell):
    """A cell whose text leads somewhere."""

    link: str = ""
    """An address, quoted; empty leads nowhere."""


def name_of(data: DataSet) -> str:
    """Return a data set's name, with the beginning of its hash, which is what it is known by."""
    return f"{clean(data.sides[0].record.data.get('name', 'data'), 40)} {data.sha256[:8]}"


def sweeps_grid(sides: Sequence[Side], page: Path) -> Grid:
    """Return one row a sweep: data, best, fastest, verdict. A sweep's name leads from `page` to its own report, where it has one."""
    columns = (
        Column(key="sweep", title="Sweep"),
        Column(key="data", title="Data"),
        Column(key="best", title="Best"),
        Column(key="score", title="Score", numeric=True),
        Column(key="fastest", title="Fastest"),
        Column(key="seconds_to_target", title="To its target", numeric=True),
        Column(key="verdict", title="Verdict"),
    )
    metric = say_metric(sides[0].overview.metric)
    caption = f"Where each sweep stands: its best loss by {metric}, with a 95% interval, and the loss that is first at the sweep's target."
    return Grid(name="sweeps", caption=caption, columns=columns, rows=tuple(_sweep_row(side, page) for side in sides))


def report_link(folder: Path, page: Path) -> str:
    """Return the address of a sweep's own report as seen from a page; empty where there is none."""
    report = whole_path(folder) / "report" / "index.html"
    return quote(os.path.relpath(report, whole_path(page).parent)) if report.is_file() else ""


def _sweep_row(side: Side, page: Path) -> tuple[Cell, ...]:
    data, metric, best = side.record.data, side.overview.metric, side.best
    fastest = dig(side.verdict, "fastest", {})
    seconds = finite(dig(fastest, "seconds.to_target.median"))
    trials = side.record.trials
    done = f"{count(len(trials), 'trial')}, {sum(trial.stage == 'finalist' for trial in trials)} of them finalists"
    if side.record.name != whole_path(side.folder).name:
        done += f"; recorded as {short(side.record.name, 40)}"
    shape = " x ".join(map(str, data.get("shape", ())))
    return (
        LinkedCell(text=short(side.label, 60), value=side.label, second=done, link=report_link(side.folder, page)),
        Cell(text=clean(data.get("name", ABSENT), 60), value=side.data_sha256, second=f"{shape}, {side.data_sha256[:12]}"),
        _loss(best.name if best else None, dig(side.verdict, "best.params")),
        estimated(best.estimate(metric)) if best else words(ABSENT, ""),
        _loss(fastest.get("loss"), fastest.get("params")),
        Cell(text=say_seconds(seconds), value=seconds) if fastest else words(NEVER, ""),
        words(clean(side.verdict.get("sentence", ABSENT), 2000)),
    )


def _loss(name: object, parameters: object) -> Cell:
    if name is None:
        return words(ABSENT, "")
    told = say_parameters(parameters)
    return Cell(text=short(name, 40), value=name, second="" if told == ABSENT else told)


def scores_grid(sides: Sequence[Side]) -> Grid:
    """Return one row a loss, one column a sweep; a loss is known by its name and its function."""
    metric = sides[0].overview.metric
    named = {(loss.name, loss.function): None for side in sides for loss in side.overview.losses}
    columns = [Column(key="loss", title="Loss", lower_is_better=True), Column(key="function", title="")]
    for side in sides:
        columns.append(Column(key=f"{side.label}: {metric}", title=short(side.label, 40), numeric=True))
        columns += [Column(key=f"{side.label}: {part}", title="") for part in ("low", "high", "n", "rank")]
    rows = [_score_row(name, function, sides, named) for name, function in named]
    caption = f"{say_metric(metric)} of each loss, with its 95% interval, and its place in each sweep's ranking."
    return Grid(name="scores", caption=caption, columns=tuple(columns), rows=tuple(rows), sortable=True)


def _score_row(name: str, function: str, sides: Sequence[Side], named: Mapping[tuple[str, str], None]) -> tuple[Cell, ...]:
    ambiguous = sum(other == name for other, _ in named) > 1
    cells = [Cell(text=short(name, 40), value=name, second=short(function, 40) if ambiguous or function != name else ""), words(function)]
    for side in sides:
        view = side.overview.loss(name)
        view = view if view is not None and view.function == function else None
        found = view.estimate(side.overview.metric) if view else Estimate()
        rank = None if view is None or side.overview.search_only else view.rank
        place = "" if rank is None else f"place {rank}"
        interval = say_range(found.low, found.high)
        second = ", ".join(part for part in (place, "" if interval == ABSENT else interval) if part)
        cells.append(Cell(text=say(found.mean), value=found.mean, second=second))
        cells += [Cell(text="", value=value) for value in (found.low, found.high, found.n, rank)]
    return tuple(cells)


def agreement_grid(sides: Sequence[Side]) -> Grid:
    """Return one row a pair of sweeps: how alike they order the losses that both ranked. NothingToShow without two sweeps."""
    if len(sides) < 2:
        raise NothingToShow("there is one sweep, so nothing to agree with.")
    columns = (
        Column(key="a", title="Sweep"),
        Column(key="b", title="and"),
        Column(key="losses", title="Losses in both", numeric=True),
        Column(
            key="tau", title="Kendall's tau", numeric=True, hint="tau-b of the mean scores: 1 the same order, -1 the reverse, 0 no order"
        ),
        Column(key="p", title="p", numeric=True, hint="of so much agreement, or so much reversal, between two random orders"),
        Column(key="apart", title="Told apart in both", numeric=True, hint="pairs of losses with a significant difference in both sweeps"),
        Column(key="alike", title="of those, same winner", numeric=True),
    )
    rows = tuple(_agreement(a, b) for a, b in combinations(sides, 2))
    return Grid(name="agreement", caption="How far the sweeps order the losses alike.", columns=columns, rows=rows)


def _agreement(a: Side, b: Side) -> tuple[Cell, ...]:
    both = [_means(a), _means(b)]
    common = sorted(both[0].keys() & both[1].keys())
    tau, p = _kendall([both[0][key] for key in common], [both[1][key] for key in common])
    won = [_won(a), _won(b)]
    apart = won[0].keys() & won[1].keys()
    alike = sum(won[0][pair] == won[1][pair] for pair in apart)
    few = f"fewer than {FEWEST} losses" if len(common) < FEWEST else "not defined" if tau is None else ""
    return (
        words(short(a.label, 40), a.label),
        words(short(b.label, 40), b.label),
        figure(len(common), digits=0),
        Cell(text=say(tau, 2), value=tau, second=few),
        figure(p, digits=3),
        figure(len(apart), digits=0),
        figure(alike if apart else None, digits=0),
    )


def _means(side: Side) -> dict[tuple[str, str], float]:
    found = {(loss.name, loss.function): loss.estimate(side.overview.metric).mean for loss in side.overview.losses}
    return {key: mean for key, mean in found.items() if mean is not None}


def _kendall(x: Sequence[float], y: Sequence[float]) -> tuple[float | None, float | None]:
    """Return tau-b (Kendall 1945, Biometrika 33:239) and its two-sided p; None where a side is constant or there are too few."""
    if len(x) < FEWEST or len(set(x)) == 1 or len(set(y)) == 1:
        return None, None
    found: Any = stats.kendalltau(x, y)
    return finite(float(found.statistic)), finite(float(found.pvalue))


def _won(side: Side) -> dict[frozenset[str], object]:
    pairs = dig(side.verdict, "pairs", ())
    return {frozenset((pair["a"], pair["b"])): pair["winner"] for pair in pairs if pair.get("winner") is not None}


def transfer_grid(sides: Sequence[Side], cells: Sequence[Sequence[Transfer]]) -> Grid:
    """Return the matrix: a row where a winner was found, a column where it ran."""
    columns = [Column(key="found_on", title="Winner of")]
    columns += [Column(key=name_of(data), title=f"on {name_of(data)}", numeric=True) for data in data_sets(sides)]
    rows = []
    for side, row in zip(sides, cells, strict=True):
        parameters = say_parameters(dig(side.verdict, "best.params"))
        told = f"{side.best.name_shown}{'' if parameters == ABSENT else f': {parameters}'}" if side.best else "no winner yet"
        rows.append((Cell(text=short(side.label, 40), value=side.label, second=told), *(_transfer_cell(cell) for cell in row)))
    caption = f"{say_metric(sides[0].overview.metric)} of each sweep's winner on each data set, with its 95% interval."
    return Grid(name="transfer", caption=caption, columns=tuple(columns), rows=tuple(rows))


def _transfer_cell(cell: Transfer) -> Cell:
    if cell.found is None:
        return Cell(text=ABSENT, second=cell.note or "not run yet")  # its command stands below the matrix, where it has room
    interval = say_range(cell.found["low"], cell.found["high"])
    runs = count(cell.found["n"] or 0, "run") if not cell.own else ""
    parts = ["" if interval == ABSENT else interval, runs, "its own" if cell.own else "", gain_in_words(cell), cell.note]
    return Cell(text=say(cell.found["mean"]), value=cell.found["mean"], second="; ".join(part for part in parts if part))


def gain_in_words(cell: Transfer) -> str:
    """Return how far a winner is from the data's own, with what seeds alone make; empty for the own winner."""
    if cell.gain is None:
        return ""
    if cell.limit is None:
        return f"{say_signed(cell.gain)} against the data's own winner, seeds' share not known"
    kind = "no more than" if abs(cell.gain) <= cell.limit else "more than"
    return f"{say_signed(cell.gain)} against the data's own winner, {kind} seeds alone make ({say(cell.limit, 4)})"


def transfer_csv(cells: Sequence[Sequence[Transfer]]) -> CsvTable:
    """Return the matrix in long form, one row a cell."""
    columns = ("winner_of", "loss", "on_data", "on_sha256", "mean", "low", "high", "n", "own", "own_winner_of", "own_mean", "gain", "limit")
    rows = []
    for cell in (cell for row in cells for cell in row):
        found = cell.found or dict.fromkeys(("mean", "low", "high", "n"))
        there = cell.data.reference
        told = (cell.side.label, cell.side.best.name if cell.side.best else None, name_of(cell.data), cell.data.sha256)
        own = (cell.own, there.label if there else None, cell.beside.mean if cell.beside else None)
        rows.append((*told, *(found[key] for key in ("mean", "low", "high", "n")), *own, cell.gain, cell.limit, cell.command, cell.note))
    return CsvTable(columns=(*columns, "command", "note"), rows=tuple(rows))
