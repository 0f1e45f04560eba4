"""Comparing the cost of two pieces of code on a machine that does other things too.

A and B alternate in blocks A B B A, so that a slow drift of the machine weighs on both alike; a block gives one log ratio. Reported are the
median of the ratios and a bootstrap interval of that median. The same comparison of a form with a second copy of itself (A/A) says what the
method can resolve: a difference within that row's interval is none. The minimum is never used; it errs with luck.
"""

import math
import os
import platform
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

SAME = "A/A"


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """How many times faster a form is than the baseline."""

    form: str
    """Name of the form; A/A is the baseline against a second copy of itself."""
    ratio: float
    """Median of baseline time / form time; above 1 the form is faster."""
    low: float
    """Lower end of the 95% bootstrap interval of that median."""
    high: float
    """Upper end."""
    baseline_ms: float
    """Median time of the baseline in these blocks, in milliseconds."""
    form_ms: float
    """Median time of the form, in milliseconds."""
    blocks: int
    """Blocks A B B A behind the figures."""


Timer = Callable[[], float]
"""Does the work once and returns the seconds it took."""


def compare(baseline: Timer, forms: Mapping[str, Timer], *, blocks: int, warm_up: int = 2) -> list[Comparison]:
    """Every form against the baseline; one round runs a block of each form, so that the forms share the machine's weather.

    Args:
        baseline: what is timed as A.
        forms: what is timed as B, by name; an `SAME` entry should be a second copy of the baseline.
        blocks: blocks a form, at least 1; the interval wants 8 or more.
        warm_up: runs of each before anything counts.
    """
    if blocks < 1:
        raise ValueError(f"blocks must be at least 1, got {blocks}")
    for timer in (baseline, *forms.values()):
        for _ in range(warm_up):
            timer()
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in forms}
    for _ in range(blocks):
        for name, form in forms.items():
            first, second, third, fourth = (timer() for timer in (baseline, form, form, baseline))
            times[name].append((math.sqrt(first * fourth), math.sqrt(second * third)))
    return [_summarise(name, np.array(pairs)) for name, pairs in times.items()]


def seconds_of(call: Callable[[], object], device: torch.device, repeats: int) -> float:
    """Seconds a call: between two CUDA events on a GPU, of the process's own CPU time elsewhere (blind to what others run)."""
    if device.type == "cuda":
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        start.record()
        for _ in range(repeats):
            call()
        end.record()
        end.synchronize()
        return start.elapsed_time(end) / 1000.0 / repeats
    begin = time.process_time()
    for _ in range(repeats):
        call()
    return (time.process_time() - begin) / repeats


def _summarise(name: str, pairs: np.ndarray) -> Comparison:
    log_ratio = np.log(pairs[:, 0]) - np.log(pairs[:, 1])
    draws = np.random.default_rng(0).choice(log_ratio, size=(2000, len(log_ratio)))
    low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
    baseline, form = np.median(pairs, axis=0)
    return Comparison(
        form=name,
        ratio=float(np.exp(np.median(log_ratio))),
        low=float(np.exp(low)),
        high=float(np.exp(high)),
        baseline_ms=float(baseline * 1e3),
        form_ms=float(form * 1e3),
        blocks=len(pairs),
    )


def circumstances(device: torch.device) -> dict[str, object]:
    """What a figure must carry: hardware, versions, threads, clock."""
    on_gpu = device.type == "cuda"
    return {
        "device": torch.cuda.get_device_name(device) if on_gpu else _processor(),
        "threads": torch.get_num_threads(),
        "cores": os.cpu_count(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "clock": "CUDA events" if on_gpu else "process CPU time",
    }


def pick_device(name: str) -> torch.device:
    """ "auto" is the GPU where there is one."""
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name)


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())
