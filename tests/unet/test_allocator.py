"""Freed memory stays in the process: the second time a large tensor is made, its pages are there already."""

import subprocess
import sys

import pytest

_FAULTS = """
import resource, torch
from unet.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory() and keep_freed_memory()
def step():
    return len([torch.ones(12_000_000) for _ in range(3)])
for _ in range(4):
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*, keep: bool) -> int:
    return int(subprocess.run([sys.executable, "-c", _FAULTS.format(keep=keep)], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_pages_are_not_fetched_again():
    # Tensors above glibc's 32 MiB always come from the kernel unless told otherwise. How many pages that is depends on their size.
    assert page_faults(keep=True) < 0.1 * page_faults(keep=False)


def test_elsewhere_nothing_is_touched(monkeypatch):
    from unet import allocator

    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    allocator.keep_freed_memory.cache_clear()
    assert allocator.keep_freed_memory() is False
    allocator.keep_freed_memory.cache_clear()
