"""The scores' benchmark as lines: a table for people, JSON for machines."""

import dataclasses
import json
from collections.abc import Iterator, Mapping

import numpy as np

from sweeps.bench.floods import BINARY, OURS, RASTER
from sweeps.bench.pairs import SAME
from sweeps.bench.score import ScoreResult
from sweeps.bench.score_once import Scored

TIMES_FASTER = 3.0
"""The goal: scikit-image's time over ours."""
APART = 1e-4
"""The goal: the largest difference of a score, ties settled alike."""


def json_lines(result: ScoreResult, facts: Mapping[str, object]) -> Iterator[str]:
    """One object a measurement; each carries its circumstances. `ratio` is ours over the form's time."""
    for comparison in result.sections:
        yield json.dumps({"bench": "score", "what": "section", "baseline": OURS, **dataclasses.asdict(comparison), **facts})
    for form, runs in result.stacks.items():
        for scored in runs:
            yield json.dumps({"bench": "score", "what": "stack", "form": form, **dataclasses.asdict(scored), **facts})
    for difference in result.differences:
        yield json.dumps({"bench": "score", "what": "difference", **dataclasses.asdict(difference), **facts})


def table_lines(result: ScoreResult, workers: int) -> Iterator[str]:
    """Three tables and what they say of the goals."""
    yield "a section at all thresholds, one thread, CPU time"
    yield f"  {'':<24}{'ms':>9}{'ours ms':>9}{'ours/form':>11}{'95% interval':>16}{'blocks':>8}"
    for row in result.sections:
        interval = f"{row.low:.3f} - {row.high:.3f}"
        yield f"  {row.form:<24}{row.form_ms:>9.1f}{row.baseline_ms:>9.1f}{row.ratio:>11.3f}{interval:>16}{row.blocks:>8}"
    yield f"the stack at all thresholds, threads: {workers}, each run a fresh program, in the order {OURS}, {BINARY}, {BINARY}, {OURS}"
    yield f"  {'':<24}{'wall s':>9}{'CPU s':>9}{'peak MiB':>11}{'of it scoring':>16}{'runs':>8}"
    for form, runs in result.stacks.items():
        yield _stack_line(form, runs)
    yield "largest difference of the stack's scores"
    yield f"  {'':<46}{'V_rand':>10}{'V_info':>10}{'best V_rand':>13}{'best V_info':>13}"
    for row in result.differences:
        figures = f"{row.v_rand:>10.1e}{row.v_info:>10.1e}{row.best_v_rand:>13.1e}{row.best_v_info:>13.1e}"
        yield f"  {f'{row.form} / {row.other}':<46}{figures}"
    yield from _verdict(result)


def _stack_line(form: str, runs: list[Scored]) -> str:
    wall_s, cpu_s, peak_mib, scoring_mib = (
        float(np.median([figure(run) for run in runs]))
        for figure in (lambda run: run.wall_s, lambda run: run.cpu_s, lambda run: run.peak_mib, lambda run: run.peak_mib - run.start_mib)
    )
    return f"  {form:<24}{wall_s:>9.2f}{cpu_s:>9.2f}{peak_mib:>11.0f}{scoring_mib:>16.0f}{len(runs):>8}"


def _verdict(result: ScoreResult) -> Iterator[str]:
    rows = {row.form: row for row in result.sections}
    theirs, same = rows[BINARY], rows[SAME]
    times = f"{1 / theirs.ratio:.2f} times as long as ours ({1 / theirs.high:.2f} to {1 / theirs.low:.2f}; goal {TIMES_FASTER:g})"
    yield f"{BINARY} takes {times}; the {SAME} row lies in {same.low:.3f} to {same.high:.3f}: differences inside it are none"
    apart = next(max(row.v_rand, row.v_info) for row in result.differences if row.other == RASTER)
    yield f"with ties settled alike the scores are {apart:.1e} apart at most (goal {APART:g}); the rest is the order of ties"
