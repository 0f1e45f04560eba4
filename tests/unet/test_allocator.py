"""What glibc is told, and that nobody else is told anything. What it brings is measured by the benchmarks, not here."""

import ctypes
import platform
import subprocess
import sys
from types import SimpleNamespace

import pytest

from unet import allocator


@pytest.fixture(autouse=True)
def told_anew():
    allocator.keep_freed_memory.cache_clear()
    yield
    allocator.keep_freed_memory.cache_clear()


@pytest.fixture
def mallopt(monkeypatch):
    """A C library that notes what it is told, and answers 1, as glibc does when it agrees."""
    library = SimpleNamespace(told=[], answer=1)
    library.mallopt = lambda parameter, value: (library.told.append((parameter, value)), library.answer)[1]
    monkeypatch.setattr(ctypes, "CDLL", lambda _: library)
    monkeypatch.setattr(sys, "platform", "linux")
    return library


def test_memory_is_neither_mapped_nor_trimmed(mallopt):
    assert allocator.keep_freed_memory() is True
    # The numbers of M_MMAP_MAX, M_TRIM_THRESHOLD and M_TOP_PAD in malloc.h are an interface that cannot change.
    assert mallopt.told == [(-4, 0), (-1, 2**31 - 1), (-2, 256 * 2**20)]
    allocator.keep_freed_memory()
    assert len(mallopt.told) == 3, "once a process is enough"


def test_a_refusal_is_told(mallopt):
    mallopt.answer = 0
    assert allocator.keep_freed_memory() is False


def test_another_c_library_is_left_alone(mallopt, monkeypatch):
    monkeypatch.setattr(ctypes, "CDLL", lambda _: SimpleNamespace())
    assert allocator.keep_freed_memory() is False


def test_another_system_is_left_alone(mallopt, monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    assert allocator.keep_freed_memory() is False
    assert not mallopt.told


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="the settings are glibc's")
def test_the_real_library_agrees():
    code = "from unet.allocator import keep_freed_memory; print(keep_freed_memory())"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip() == "True"
