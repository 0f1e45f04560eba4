"""What each registered loss costs, forward and backward, beside its naive form, MONAI's and kornia's, and itself compiled.

Ours is the baseline, so that a row says what share of the other form's time ours takes. How freed memory is kept decides much of it on a
CPU: all is measured under the allocator as a user's script has it, and again with freed memory kept, as our own training does.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from sweeps.bench.compiled import Compilation, compile_loss
from sweeps.bench.memory import Peak, peak_of
from sweeps.bench.naive import NAIVE
from sweeps.bench.pairs import SAME, Comparison, Timer, compare, seconds_of
from sweeps.bench.rivals import rivals_of
from sweeps.bench.sections import Sections, make_sections
from unet.allocator import keep_freed_memory
from unet.losses import LOSSES, build_loss

DEFAULT, KEPT, CACHING = "default", "kept", "caching"
ALLOCATORS = (DEFAULT, KEPT)
"""glibc as it comes, and with freed memory kept in the process. A GPU's memory is always cached."""
HALF_WAY = 0.5
"""The progress that losses with moving weights are told."""
_TIMED_S = 0.03  # one timing is about this long: the first call after another form finds the caches cold


@dataclass(frozen=True, kw_only=True)
class LossBench:
    """What is compared."""

    names: tuple[str, ...] = tuple(LOSSES)
    """Losses of the registry."""
    batch: int = 4
    """Images a call."""
    size_px: int = 512
    """Side of the images."""
    blocks: int = 8
    """A B B A blocks a form."""
    allocators: tuple[str, ...] = ALLOCATORS
    """On a CPU, in this order: once kept, freed memory is kept until the process ends."""
    compiled: bool = False
    """Whether to compile each loss as well; seconds each."""


@dataclass(frozen=True, kw_only=True)
class LossRow:
    """One loss beside one form."""

    loss: str
    """Name in the registry."""
    cost: str
    """Its kind of work, as the registry says."""
    allocator: str
    """Which one the figures were taken under."""
    comparison: Comparison
    """Ours is its baseline, so that the ratio is the share of the form's time that ours takes."""
    peak: Peak | None
    """Of the form; None where it cannot be seen."""
    compilation: Compilation | None = None
    """Of the compiled form."""


def bench_loss(config: LossBench, device: torch.device) -> Iterator[LossRow]:
    """For each allocator and loss: A/A, then each form there is, compared with ours in interleaved blocks."""
    sections = make_sections(batch=config.batch, size_px=config.size_px, device=device)
    for allocator in _allocators(config, device):
        if allocator == KEPT:
            keep_freed_memory()
        for name in config.names:
            yield from _rows(name, allocator, sections, config)


def _allocators(config: LossBench, device: torch.device) -> tuple[str, ...]:
    if device.type != "cpu":
        return (CACHING,)
    already_kept = keep_freed_memory.cache_info().currsize > 0
    return tuple(name for name in config.allocators if name == KEPT or not already_kept) or (KEPT,)


def _rows(name: str, allocator: str, sections: Sections, config: LossBench) -> Iterator[LossRow]:
    loss = build_loss(name)
    maps = sections.maps(loss.needs)
    ours = partial(loss, aux=maps, progress=HALF_WAY)
    forms: dict[str, Callable[[Tensor, Tensor], Tensor]] = {SAME: ours}
    if name in NAIVE:
        forms["naive"] = partial(NAIVE[name], **maps)
    forms |= rivals_of(name)
    compilation = None
    if config.compiled and loss.spec.cost != "distance":  # a distance transform is SciPy's, not torch's
        forms["compiled"], compilation = compile_loss(ours, sections.logits_N1HW, sections.target_N1HW)
    baseline = _timer(ours, sections)
    timers = {form: _timer(function, sections) for form, function in forms.items()}
    for comparison in compare(baseline, timers, blocks=config.blocks):
        is_compiled = comparison.form == "compiled"
        # On a CPU a compiled graph takes its memory behind the profiler's back.
        hidden = is_compiled and not sections.logits_N1HW.is_cuda
        yield LossRow(
            loss=name,
            cost=loss.spec.cost,
            allocator=allocator,
            comparison=comparison,
            peak=None if hidden else peak_of(partial(forms[comparison.form], *sections.pair), sections.logits_N1HW),
            compilation=compilation if is_compiled else None,
        )


def _timer(function: Callable[[Tensor, Tensor], Tensor], sections: Sections) -> Timer:
    device = sections.logits_N1HW.device

    def call() -> None:
        torch.autograd.grad(function(*sections.pair), sections.logits_N1HW)

    call()
    once = seconds_of(call, device=device, repeats=1)
    repeats = min(max(round(_TIMED_S / max(once, 1e-6)), 1), 50)
    return lambda: seconds_of(call, device=device, repeats=repeats)
