"""How much memory a loss needs beyond its inputs, counted, not timed: the same on every machine.

On a CPU torch's profiler lists every tensor that is taken and given back; what NumPy and SciPy take is not seen. On a GPU the caching
allocator's own peak is read.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.profiler import ProfilerActivity, profile, record_function

_BACKWARD = "## backward ##"


@dataclass(frozen=True, kw_only=True)
class Peak:
    """The largest memory held at one time beyond logits, target and maps, in buffers of the logits' size; the gradient is one of them."""

    forward: float
    """While the loss is computed."""
    backward: float
    """While its gradient is, with what the forward pass left for it."""


def peak_of(loss: Callable[[], Tensor], logits_N1HW: Tensor) -> Peak:
    """Runs `loss()` and its gradient by the logits twice, the first time to warm up: what is made once and kept is no part of the peak."""
    torch.autograd.grad(loss(), logits_N1HW)
    forward_bytes, backward_bytes = (_peaks_on_gpu if logits_N1HW.is_cuda else _peaks_on_cpu)(loss, logits_N1HW)
    buffer_bytes = logits_N1HW.numel() * logits_N1HW.element_size()
    return Peak(forward=forward_bytes / buffer_bytes, backward=backward_bytes / buffer_bytes)


def _peaks_on_cpu(loss: Callable[[], Tensor], logits_N1HW: Tensor) -> tuple[int, int]:
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")  # otherwise torch 2.13 writes two lines to stderr for every start of the profiler
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as recorded:
        value = loss()
        with record_function(_BACKWARD):
            gradient = torch.autograd.grad(value, logits_N1HW)
    del value, gradient
    assert recorded.profiler is not None and recorded.profiler.kineto_results is not None
    events: list[Any] = recorded.profiler.kineto_results.events()
    turn_ns = next(event.start_ns() for event in events if event.name() == _BACKWARD)
    held = forward = backward = 0
    for event in sorted((event for event in events if event.name() == "[memory]"), key=lambda event: event.start_ns()):
        held += event.nbytes()
        if event.start_ns() < turn_ns:
            forward = max(forward, held)
        else:
            backward = max(backward, held)
    return forward, backward


def _peaks_on_gpu(loss: Callable[[], Tensor], logits_N1HW: Tensor) -> tuple[int, int]:
    device = logits_N1HW.device
    before = torch.cuda.memory_allocated(device)
    torch.cuda.reset_peak_memory_stats(device)
    value = loss()
    forward = torch.cuda.max_memory_allocated(device) - before
    torch.cuda.reset_peak_memory_stats(device)
    torch.autograd.grad(value, logits_N1HW)
    return forward, torch.cuda.max_memory_allocated(device) - before
