"""The rows of the loss benchmark as lines: a table for people, JSON for machines."""

import dataclasses
import json
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby

from sweeps.bench.loss import LossRow
from sweeps.bench.pairs import SAME

#: what a step of each width takes, in milliseconds
Steps = Mapping[int, float]


def json_lines(rows: Iterable[LossRow], facts: Mapping[str, object], steps: Steps) -> Iterator[str]:
    """One object a loss and form; each carries its circumstances. `ratio` is ours over the form's time."""
    for row in rows:
        peak = {"forward_buffers": None, "backward_buffers": None}
        if row.peak:
            peak = {"forward_buffers": row.peak.forward, "backward_buffers": row.peak.backward}
        compilation = {}
        if row.compilation:
            compilation = {"graph_breaks": row.compilation.graph_breaks, "compile_s": row.compilation.seconds}
        named = {"loss": row.loss, "cost": row.cost, "allocator": row.allocator, "baseline": "ours"}
        figures = {**dataclasses.asdict(row.comparison), **peak, **compilation}
        shares = {f"share_of_step_width_{width}": row.comparison.form_ms / each for width, each in steps.items()}
        yield json.dumps({"bench": "loss", **named, **figures, **shares, **facts})


def table_lines(rows: Iterable[LossRow], steps: Steps) -> Iterator[str]:
    """A block of lines a loss, as soon as it is measured."""
    allocator = None
    for (_, name), group in groupby(rows, key=lambda row: (row.allocator, row.loss)):
        of_loss = list(group)
        if of_loss[0].allocator != allocator:
            allocator = of_loss[0].allocator
            yield f"\nallocator: {allocator}"
            yield f"  {'':<26}{'ms':>10}{'ours ms':>10}{'ours/form':>11}{'95% interval':>16}{'buffers':>14}{'blocks':>8}"
        for row in of_loss:
            yield _line(name if row.comparison.form == SAME else "", row)
        ours_ms = of_loss[0].comparison.baseline_ms
        for width, each in steps.items():
            yield f"  {'':<26}{100 * ours_ms / each:.2f}% of a step of width {width} ({each:.0f} ms)"


def _line(name: str, row: LossRow) -> str:
    figures = row.comparison
    label = f"  {figures.form:<9}{name:<17}" if name else f"  {figures.form:<26}"
    buffers = f"{row.peak.forward:.2f} / {row.peak.backward:.2f}" if row.peak else "-"
    line = f"{label}{figures.form_ms:>10.2f}{figures.baseline_ms:>10.2f}{figures.ratio:>11.3f}"
    line += f"{f'{figures.low:.3f} - {figures.high:.3f}':>16}{buffers:>14}{figures.blocks:>8}"
    if row.compilation:
        line += f"  {row.compilation.graph_breaks} graph breaks, compiled in {row.compilation.seconds:.1f} s"
    return line
