"""Freed memory stays in the process: the second time a large tensor is made, its pages are there already."""

import subprocess
import sys

import pytest

_FAULTS = """
import resource, torch
from unet.allocator import keep_freed_memory
if {keep}:
    assert keep_freed_memory() and keep_freed_memory()
for _ in range(3):
    torch.ones(20_000_000)
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(3):
    torch.ones(20_000_000)
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(*, keep: bool) -> int:
    return int(subprocess.run([sys.executable, "-c", _FAULTS.format(keep=keep)], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the setting is glibc's")
def test_pages_are_not_fetched_again():
    # Linux may hand out huge pages, so the number without the setting is anything from a hundred; with it there is nothing to fetch.
    assert page_faults(keep=True) < 20 < page_faults(keep=False)


def test_elsewhere_nothing_is_touched(monkeypatch):
    from unet import allocator

    monkeypatch.setattr(allocator.sys, "platform", "darwin")
    allocator.keep_freed_memory.cache_clear()
    assert allocator.keep_freed_memory() is False
    allocator.keep_freed_memory.cache_clear()
