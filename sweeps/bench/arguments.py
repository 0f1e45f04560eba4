"""The words behind `python -m sweeps.bench` and `sweeps bench step|loss|score`; read without Typer, which a bare GPU machine lacks."""

import argparse
import difflib
import os
from collections.abc import Callable
from pathlib import Path

from sweeps.bench.loss import ALLOCATORS
from unet.losses import LOSSES

_WHAT = {
    "step": "A training step of ours beside the plain fp32 form of the same net, interleaved, with an A/A row.",
    "loss": "Each loss, forward and backward, in time and memory, beside its naive form, MONAI's and kornia's, and compiled.",
    "score": "V_rand and V_info, in time and memory, beside the same scores by scikit-image's watershed.",
}
_EXAMPLES = {
    "step": "step --width 16 --batch 4 --size 256",
    "loss": "loss --loss focal --loss dice --compiled",
    "score": "score --sections 10",
}


def make_parser(prog: str) -> argparse.ArgumentParser:
    """Return what reads the words. `prog` is what the program is called as, up to the benchmark's name."""
    parser = argparse.ArgumentParser(prog=prog, description="What things cost on this machine: a table, or with --json an object a line.")
    kinds = parser.add_subparsers(dest="what", required=True, metavar="BENCHMARK")
    step, loss, score = (
        kinds.add_parser(name, help=text[0].lower() + text[1:], description=text, epilog=f"Example: {prog} {_EXAMPLES[name]}")
        for name, text in _WHAT.items()
    )
    step.add_argument("--width", type=int, metavar="N", default=16, help="channels of the finest level")
    step.add_argument("--depth", type=int, metavar="N", default=5, help="levels of the U-Net")
    step.add_argument("--precision", default="auto", help="of our form: auto, fp32 or bf16")
    step.set_defaults(size=256)
    _add_of_loss(loss)
    score.add_argument("--data", type=Path, metavar="DIR", help="a folder with labelled sections; otherwise they are generated")
    score.add_argument("--sections", type=_at_least(1), metavar="N", default=30, help="how many sections (at most, of a folder)")
    score.add_argument("--thresholds", type=_at_least(2), metavar="N", default=11, help="how many, evenly from 0 to 1")
    cores = os.cpu_count() or 1
    score.add_argument("--workers", type=_at_least(1), metavar="N", default=cores, help="threads for the whole stack; all cores otherwise")
    score.set_defaults(size=512, threads=1, device="cpu")
    for kind in (step, loss):
        kind.add_argument("--batch", type=int, metavar="N", default=4, help="images a step")
        kind.add_argument("--threads", type=int, metavar="N", default=1, help="CPU threads; process CPU time is honest for one")
        kind.add_argument("--device", default="auto", help="auto, cpu or cuda")
    for kind in (step, loss, score):
        kind.add_argument("--size", type=int, metavar="PX", help="side of the images in pixels")
        kind.add_argument("--blocks", type=_at_least(1), metavar="N", default=8, help="A B B A blocks a form; more narrow the interval")
        kind.add_argument("--json", action="store_true", help="one JSON object a line")
    return parser


def _add_of_loss(loss: argparse.ArgumentParser) -> None:
    loss.add_argument("--loss", action="append", type=_known_loss, metavar="LOSS", help="only this one; may be given more than once")
    loss.add_argument("--allocator", choices=ALLOCATORS, help="only under this one (CPU): glibc's default, or freed memory kept")
    loss.add_argument("--compiled", action="store_true", help="each loss under torch.compile as well, and its graph breaks")
    loss.add_argument("--step", action="append", type=int, metavar="WIDTH", help="what share of a step of this width; may be repeated")
    loss.add_argument("--results", type=Path, metavar="DIR", help="the losses that ranked in this sweep, as built, into its speed.json")
    loss.add_argument("--seconds", type=_at_least(1), metavar="S", default=60, help="how long at most, with --results")
    loss.set_defaults(size=512)


def _known_loss(name: str) -> str:
    if name not in LOSSES:
        near = difflib.get_close_matches(name.lower().replace("-", "_"), LOSSES, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise argparse.ArgumentTypeError(f"unknown loss {name!r}; allowed: {', '.join(LOSSES)}{hint}")
    return name


def _at_least(smallest: int) -> Callable[[str], int]:
    def number(text: str) -> int:
        value = int(text)
        if value < smallest:
            raise argparse.ArgumentTypeError(f"must be at least {smallest}, got {value}")
        return value

    return number
