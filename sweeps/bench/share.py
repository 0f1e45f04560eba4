"""What part of a training step a loss is."""

import statistics

import torch

from sweeps.bench.processes import TimerProcess
from sweeps.bench.step import StepBench, our_timer

_TIMES = 3


def step_ms(config: StepBench, device: torch.device) -> float:
    """Milliseconds of one of our training steps (its loss is BCE): the median of a few, after one to warm up, in a process of its own."""
    with TimerProcess(our_timer, config, str(device)) as timer:
        timer()
        return statistics.median(timer() for _ in range(_TIMES)) * 1e3
