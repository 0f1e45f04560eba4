"""A loss under torch.compile: whether it stays one graph, and how long that takes to make."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Call = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True, kw_only=True)
class Compilation:
    """What it took."""

    graph_breaks: int
    """Places where the compiler gave up and Python went on; 0 is one graph."""
    seconds: float
    """Until the first value and gradient were there."""


def compile_loss(loss: Call, logits_N1HW: Tensor, target_N1HW: Tensor) -> tuple[Call, Compilation]:
    """The compiled form of `loss(logits, target)`, warmed up at these shapes. What was compiled before is forgotten."""
    from torch._dynamo.utils import counters  # a second to import, and only this needs it

    torch.compiler.reset()  # one code object serves all losses, and few versions of it are kept
    counters.clear()
    compiled = torch.compile(loss)
    begin = time.perf_counter()
    torch.autograd.grad(compiled(logits_N1HW, target_N1HW), logits_N1HW)
    seconds = time.perf_counter() - begin
    return compiled, Compilation(graph_breaks=sum(counters["graph_break"].values()), seconds=seconds)
