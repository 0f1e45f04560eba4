"""What V_rand and V_info cost, and whether they are right, beside the same scores by scikit-image's watershed.

Two measurements, since no one of them answers all. Section by section, on one thread, by process CPU time in interleaved blocks: what other
programs do hardly matters. And the whole stack, on all workers, in a fresh program each time: the seconds one waits, and the memory.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import numpy as np
import torch

from sweeps.bench.floods import BINARY, FLOODS, OURS, RASTER, TURNED
from sweeps.bench.pairs import SAME, Comparison, Timer, compare, seconds_of
from sweeps.bench.score_inputs import ScoreInputs
from sweeps.bench.score_once import Scored, score_once, write_work
from unet.metrics.challenge import challenge_scores

_ABBA = (OURS, BINARY, BINARY, OURS)


@dataclass(frozen=True, kw_only=True)
class ScoreBench:
    """How it is compared."""

    thresholds: tuple[float, ...]
    """At which every section is scored."""
    blocks: int = 12
    """A B B A blocks a form; each takes the next section."""
    workers: int = 1
    """Threads of the whole stack's programs, ours and theirs."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """The largest difference between two forms' scores of the stack."""

    form: str
    """The one."""
    other: str
    """The other."""
    v_rand: float
    """Largest over the thresholds."""
    v_info: float
    """Largest over the thresholds."""
    best_v_rand: float
    """Of V_rand at its best threshold, in each form its own."""
    best_v_info: float
    """Of V_info at its best threshold."""


@dataclass(frozen=True, kw_only=True)
class ScoreResult:
    """All that was measured."""

    sections: list[Comparison]
    """A section at all thresholds: the forms against ours, so that a ratio is the share of the form's time that ours takes."""
    stacks: dict[str, list[Scored]]
    """The whole stack: form -> its programs, in the order they ran."""
    differences: list[Difference]
    """Ours against scikit-image's, and scikit-image's against itself."""


def bench_score(config: ScoreBench, inputs: ScoreInputs) -> ScoreResult:
    """Sections first, then the stacks one program after another."""
    stacks = _stacks(config, inputs)
    pairs = ((OURS, RASTER), (OURS, BINARY), (TURNED, BINARY))
    return ScoreResult(
        sections=_sections(config, inputs),
        stacks=stacks,
        differences=[_difference(form, other, stacks[form][0], stacks[other][0]) for form, other in pairs],
    )


def _sections(config: ScoreBench, inputs: ScoreInputs) -> list[Comparison]:
    floods = {SAME: OURS, BINARY: BINARY, RASTER: RASTER}
    baseline = _timer(config.thresholds, inputs, OURS, calls_a_section=2 * len(floods))
    forms = {name: _timer(config.thresholds, inputs, flood, calls_a_section=2) for name, flood in floods.items()}
    return compare(baseline, forms, blocks=config.blocks, warm_up=0)


def _timer(thresholds: Sequence[float], inputs: ScoreInputs, form: str, *, calls_a_section: int) -> Timer:
    """A timer that goes on to the next section after as many calls as a block makes, so that in a block all time the same section."""
    calls = count()
    flood = FLOODS[form]

    def score(section: int) -> None:
        one = np.s_[section : section + 1]
        challenge_scores(inputs.labels_ZHW[one], inputs.proposal_ZHW[one], thresholds, flood=flood)

    def timer() -> float:
        section = next(calls) // calls_a_section % len(inputs.labels_ZHW)
        return seconds_of(lambda: score(section), device=torch.device("cpu"), repeats=1)

    score(0)  # the first call is no one's
    return timer


def _stacks(config: ScoreBench, inputs: ScoreInputs) -> dict[str, list[Scored]]:
    stacks: dict[str, list[Scored]] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_work(folder, inputs.labels_ZHW, inputs.proposal_ZHW)
        for form in (*_ABBA, RASTER, TURNED):
            stacks.setdefault(form, []).append(score_once(folder, form, config.thresholds, config.workers))
    return stacks


def _difference(form: str, other: str, one: Scored, two: Scored) -> Difference:
    apart = [np.abs(np.subtract(a, b)).max() for a, b in ((one.v_rand_at, two.v_rand_at), (one.v_info_at, two.v_info_at))]
    best = [abs(max(a) - max(b)) for a, b in ((one.v_rand_at, two.v_rand_at), (one.v_info_at, two.v_info_at))]
    return Difference(
        form=form,
        other=other,
        v_rand=float(apart[0]),
        v_info=float(apart[1]),
        best_v_rand=float(best[0]),
        best_v_info=float(best[1]),
    )
