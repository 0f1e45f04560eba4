"""`python -m sweeps.bench step|loss|score`: the table for people, `--json` for machines (one object a line)."""

import argparse
import dataclasses
import json
import sys
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from itertools import chain

import numpy as np
import torch

from data_utils.errors import DataError
from sweeps.bench.arguments import make_parser
from sweeps.bench.loss import ALLOCATORS, LossBench, bench_loss
from sweeps.bench.loss_lines import json_lines, table_lines
from sweeps.bench.pairs import SAME, Comparison, circumstances, pick_device
from sweeps.bench.score import ScoreBench, bench_score
from sweeps.bench.score_inputs import make_inputs
from sweeps.bench.score_lines import json_lines as score_json_lines
from sweeps.bench.score_lines import table_lines as score_table_lines
from sweeps.bench.sections import DESCRIPTION
from sweeps.bench.share import step_ms
from sweeps.bench.step import StepBench, bench_step
from sweeps.pipe import write_line
from sweeps.record import NoSweep
from sweeps.speed.lines import speed_lines
from unet.losses import LOSSES
from unet.precision import resolve_precision

_GOAL = 2.0  # ours against the plain form, on a processor with AVX-512 bf16


def main(arguments: Sequence[str] | None = None, *, prog: str = "python -m sweeps.bench") -> int:
    """Run one benchmark and write its table to standard output. Returns 0. `prog` is what --help calls the program."""
    options = make_parser(prog).parse_args(arguments)
    device = pick_device(options.device)
    torch.set_num_threads(options.threads)
    lines = {"step": _step, "loss": _loss, "score": _score}[options.what](options, device)
    for line in lines:
        write_line(sys.stdout, line)  # a row is there as soon as it is measured
    return 0


def _step(options: argparse.Namespace, device: torch.device) -> Iterable[str]:
    config = StepBench(
        width=options.width,
        batch=options.batch,
        size_px=options.size,
        depth=options.depth,
        blocks=options.blocks,
        precision=resolve_precision(options.precision, device),
        threads=options.threads,
    )
    rows = bench_step(config, device)
    facts = {**circumstances(device), **dataclasses.asdict(config)}
    if options.json:
        return [json.dumps({"bench": "step", **facts, **dataclasses.asdict(row)}) for row in rows]
    shape = f"width {config.width}, depth {config.depth}, batch {config.batch} x {config.size_px} x {config.size_px}"
    title = f"step: U-Net {shape}, ours in {config.precision}"
    same, ours = rows
    verdict = f"ours is {ours.ratio:.2f} times the plain fp32 form (goal on AVX-512 bf16: {_GOAL:g}); {_resolution(same)}"
    return [*_header(title, facts), *_table(rows), verdict]


def _loss(options: argparse.Namespace, device: torch.device) -> Iterable[str]:
    if options.results:
        return speed_lines(options.results, seconds=options.seconds, device=options.device, as_json=options.json)
    config = LossBench(
        names=tuple(options.loss or LOSSES),
        batch=options.batch,
        size_px=options.size,
        blocks=options.blocks,
        allocators=(options.allocator,) if options.allocator else ALLOCATORS,
        compiled=options.compiled,
    )
    shape = {"batch": config.batch, "size_px": config.size_px, "threads": options.threads}
    steps = {width: step_ms(StepBench(width=width, **shape), device) for width in options.step or ()}
    facts = {**circumstances(device), **shape, "sections": DESCRIPTION}
    rows = bench_loss(config, device)
    if options.json:
        return json_lines(rows, facts, steps)
    title = f"loss, forward and backward: {config.batch} x 1 x {config.size_px} x {config.size_px} logits, fp32; {DESCRIPTION}"
    return chain(_header(title, facts), table_lines(rows, steps))


def _score(options: argparse.Namespace, device: torch.device) -> Iterable[str]:
    inputs = make_inputs(sections=options.sections, size_px=options.size, data=options.data)
    # n thresholds evenly from 0 to 1; 11 of them are the challenge's
    thresholds = tuple(step / (options.thresholds - 1) for step in range(options.thresholds))
    config = ScoreBench(thresholds=thresholds, blocks=options.blocks, workers=options.workers)
    shape_ZHW = inputs.labels_ZHW.shape
    result = bench_score(config, inputs)
    facts = {**circumstances(device), "numpy": np.__version__, "scikit_image": version("scikit-image"), "workers": config.workers}
    if options.json:
        return score_json_lines(result, {**facts, "shape_ZHW": shape_ZHW, "thresholds": len(thresholds), "inputs": inputs.description})
    shape = " x ".join(map(str, shape_ZHW))
    title = f"score: V_rand and V_info of {shape} at {len(thresholds)} thresholds; {inputs.description}"
    versions = f"numpy {facts['numpy']}, scikit-image {facts['scikit_image']}"
    return chain(_header(title, facts), [versions], score_table_lines(result, config.workers))


def _header(title: str, facts: dict[str, object]) -> list[str]:
    return [title, f"{facts['device']}, {facts['threads']} of {facts['cores']} threads, torch {facts['torch']}, {facts['clock']}"]


def _table(rows: Sequence[Comparison]) -> list[str]:
    lines = [f"  {'form':<8}{'ms':>10}{'plain ms':>10}{'times faster':>14}{'95% interval':>18}{'blocks':>8}"]
    for row in rows:
        interval = f"{row.low:.3f} - {row.high:.3f}"
        lines.append(f"  {row.form:<8}{row.form_ms:>10.2f}{row.baseline_ms:>10.2f}{row.ratio:>14.3f}{interval:>18}{row.blocks:>8}")
    return lines


def _resolution(same: Comparison) -> str:
    return f"the {SAME} row lies in {same.low:.3f} to {same.high:.3f}: differences inside it are none"


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DataError, NoSweep) as error:  # a folder that cannot be used is one message, not a traceback
        sys.exit(str(error))
