"""`python -m sweeps.bench step|loss|score`: the table for people, `--json` for machines (one object a line)."""

import argparse
import dataclasses
import json
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from itertools import chain
from pathlib import Path

import numpy as np
import torch

from data_utils.errors import DataError
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


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one benchmark and write its table to standard output. Returns 0."""
    options = _parser().parse_args(arguments)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m sweeps.bench", description=__doc__)
    kinds = parser.add_subparsers(dest="what", required=True)
    step = kinds.add_parser("step", help="a training step of ours beside the plain fp32 form of the same net")
    step.add_argument("--width", type=int, default=16, help="channels of the finest level")
    step.add_argument("--depth", type=int, default=5, help="levels of the U-Net")
    step.add_argument("--precision", default="auto", help="of our form: auto, fp32 or bf16")
    step.set_defaults(size=256)
    loss = kinds.add_parser("loss", help="each loss beside its naive form, MONAI's and kornia's")
    loss.add_argument("--loss", action="append", choices=list(LOSSES), help="only this one; may be given more than once")
    loss.add_argument("--allocator", choices=ALLOCATORS, help="only under this one (CPU): glibc's default, or freed memory kept")
    loss.add_argument("--compiled", action="store_true", help="each loss under torch.compile as well, and its graph breaks")
    loss.add_argument("--step", action="append", type=int, metavar="WIDTH", help="what share of a step of this width; may be repeated")
    loss.add_argument("--results", type=Path, metavar="DIR", help="the losses that ranked in this sweep, as built, into its speed.json")
    loss.add_argument("--seconds", type=_at_least(1), default=60, help="how long at most, with --results")
    loss.set_defaults(size=512)
    score = kinds.add_parser("score", help="V_rand and V_info beside the same scores by scikit-image's watershed")
    score.add_argument("--data", type=Path, metavar="DIR", help="a folder with labelled sections; otherwise they are generated")
    score.add_argument("--sections", type=_at_least(1), default=30, help="how many sections (at most, of a folder)")
    score.add_argument("--thresholds", type=_at_least(2), default=11, help="how many, evenly from 0 to 1")
    score.add_argument("--workers", type=_at_least(1), default=os.cpu_count() or 1, help="threads for the whole stack; all cores otherwise")
    score.set_defaults(size=512, threads=1, device="cpu")
    for kind in (step, loss):
        kind.add_argument("--batch", type=int, default=4, help="images a step")
        kind.add_argument("--threads", type=int, default=1, help="CPU threads; process CPU time is honest for one")
        kind.add_argument("--device", default="auto", help="auto, cpu or cuda")
    for kind in (step, loss, score):
        kind.add_argument("--size", type=int, help="side of the images in pixels")
        kind.add_argument("--blocks", type=_at_least(1), default=8, help="A B B A blocks a form; more narrow the interval")
        kind.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _at_least(smallest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError(f"must be at least {smallest}, got {value}")
        return value

    return number


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (DataError, NoSweep) as error:  # a folder that cannot be used is one message, not a traceback
        sys.exit(str(error))
