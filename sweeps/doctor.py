"""What this machine is, and what about it would trouble a sweep: versions, processor, GPUs, limits, disk, W&B, Ray.

Nothing is started and nothing is changed; of secrets only their presence is told.
"""

import importlib.metadata
import os
import platform
import resource
import shutil
import stat
import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

_GIB = 2**30
_SHM = Path("/dev/shm")
_CPUINFO = Path("/proc/cpuinfo")
# Name and, where an older version is known to fail or to be unsafe, the oldest that will do.
_PACKAGES = {
    "torch": (2, 10),
    "ray": (2, 60),
    "optuna": (5, 0),
    "wandb": (0, 31),
    "numpy": (2, 1),
    "scipy": None,
    "scikit-image": None,
    "tifffile": None,
    "imagecodecs": None,
    "safetensors": None,
    "pydantic": None,
}
_CPU_FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the examination."""

    topic: str
    """versions, processor, gpu, limits, disk, wandb or ray."""
    name: str
    """What was looked at."""
    value: str
    """What was found."""
    level: Literal["ok", "warning", "error"] = "ok"
    """error: a sweep cannot run here."""
    advice: str | None = None
    """What to do about it."""


def examine(results: Path = Path("results"), *, environment: Mapping[str, str] = os.environ) -> list[Finding]:
    """Look at everything. `results` is where sweeps would be written."""
    parts: tuple[Callable[[], list[Finding]], ...] = (
        _versions,
        _processor,
        _gpus,
        _limits,
        lambda: _disk(results),
        _wandb,
        lambda: _ray(environment),
    )
    return [finding for part in parts for finding in part()]


def _versions() -> list[Finding]:
    python = platform.python_version()
    old = sys.version_info[:2] < (3, 11)
    findings = [Finding(topic="versions", name="python", value=python, **_when(old, "error", "use Python 3.11 or newer"))]
    for name, oldest in _PACKAGES.items():
        try:
            version = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            findings.append(Finding(topic="versions", name=name, value="missing", level="error", advice=f"pip install {name}"))
            continue
        number = tuple(int(part) for part in version.split(".")[:2] if part.isdecimal())
        too_old = oldest is not None and number < oldest
        wanted = ".".join(map(str, oldest or ()))
        findings.append(Finding(topic="versions", name=name, value=version, **_when(too_old, "error", f"pip install '{name}>={wanted}'")))
    return findings


def _processor() -> list[Finding]:
    import torch

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    capability = torch.backends.cpu.get_cpu_capability()
    findings = [Finding(topic="processor", name="cores", value=f"{cores} usable, {platform.machine()}, torch uses {capability}")]
    flags = _cpu_flags()
    if flags is not None:
        bf16 = "avx512_bf16" in flags or "amx_bf16" in flags
        value = ", ".join(flag for flag in _CPU_FLAGS if flag in flags) or "none of " + ", ".join(_CPU_FLAGS)
        without = "no bf16 in hardware: on the CPU a trial takes about twice as long as with it"
        findings.append(Finding(topic="processor", name="instructions", value=value, advice=None if bf16 else without))
    return findings


def _cpu_flags() -> set[str] | None:
    """What the kernel says the processor can do; None where it does not say."""
    if not _CPUINFO.is_file():
        return None
    line = next((line for line in _CPUINFO.read_text().splitlines() if line.startswith(("flags", "Features"))), "")
    return set(line.partition(":")[2].split())


def _gpus() -> list[Finding]:
    import torch

    if not torch.cuda.is_available():
        return [Finding(topic="gpu", name="gpus", value="none; trials run on the CPU")]
    findings = []
    for index in range(torch.cuda.device_count()):
        properties = torch.cuda.get_device_properties(index)
        bf16 = "bf16" if properties.major >= 8 else "no bf16"
        value = f"{properties.name}, {properties.total_memory / _GIB:.0f} GiB, compute {properties.major}.{properties.minor}, {bf16}"
        findings.append(Finding(topic="gpu", name=f"gpu {index}", value=value))
    return findings


def _limits() -> list[Finding]:
    files, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = files != resource.RLIM_INFINITY and files < 1024
    advice = f"Ray keeps many files open: run `ulimit -n {4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)}` before a sweep"
    findings = [Finding(topic="limits", name="open files", value=_limit(files), **_when(few, "warning", advice))]
    processes, _ = resource.getrlimit(resource.RLIMIT_NPROC)
    few = processes != resource.RLIM_INFINITY and processes < 1024
    advice = "workers start threads and processes: raise it with `ulimit -u`"
    findings.append(Finding(topic="limits", name="processes", value=_limit(processes), **_when(few, "warning", advice)))
    if _SHM.is_dir():
        usage = shutil.disk_usage(_SHM)
        small = usage.free < _GIB // 4
        advice = "Ray puts its object store into /tmp instead, which works and is slower; in a container use --shm-size=1g"
        value = f"{usage.free / _GIB:.2f} GiB free of {usage.total / _GIB:.2f}"
        findings.append(Finding(topic="limits", name="/dev/shm", value=value, **_when(small, "warning", advice)))
    return findings


def _disk(results: Path) -> list[Finding]:
    findings = []
    for name, folder in (("results", results), ("temporary", Path(tempfile.gettempdir()))):
        there = folder.resolve()
        while not there.exists():
            there = there.parent
        free = shutil.disk_usage(there).free
        value = f"{free / _GIB:.1f} GiB free at {folder}"
        if not os.access(there, os.W_OK):
            findings.append(Finding(topic="disk", name=name, value=f"{there} is read-only", level="error", advice="choose another folder"))
        else:
            advice = "a finished trial keeps one file of weights, up to 124 MB at width 64: make room before a long sweep"
            findings.append(Finding(topic="disk", name=name, value=value, **_when(free < 2 * _GIB, "warning", advice)))
    return findings


def _wandb() -> list[Finding]:
    from sweeps.tracking.mode import choose_mode

    mode, sentence = choose_mode("auto")
    return [Finding(topic="wandb", name="mode auto", value=mode, advice=sentence)]


def _ray(environment: Mapping[str, str]) -> list[Finding]:
    local = "own token, own temporary folder, no dashboard; Ray's own ports are open while a sweep runs, and ask for the token"
    findings = [Finding(topic="ray", name="local sweeps", value=local)]
    mode = environment.get("RAY_AUTH_MODE", "token, the default")
    off = mode == "disabled"
    advice = "with RAY_AUTH_MODE=disabled whoever reaches a cluster's ports can run code on it: unset it, or set it to token"
    findings.append(Finding(topic="ray", name="authentication", value=mode, **_when(off, "warning", advice)))
    file = Path(environment.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if environment.get("RAY_AUTH_TOKEN"):
        findings.append(Finding(topic="ray", name="token for --address", value="in RAY_AUTH_TOKEN"))
    elif file.is_file():
        open_to_others = bool(file.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH))
        advice = f"other users of this machine can read the token: chmod 600 {file}"
        findings.append(Finding(topic="ray", name="token for --address", value=f"in {file}", **_when(open_to_others, "warning", advice)))
    else:
        findings.append(Finding(topic="ray", name="token for --address", value="none; needed only for a cluster that asks for one"))
    return findings


def _limit(value: int) -> str:
    return "unlimited" if value == resource.RLIM_INFINITY else str(value)


def _when(wrong: bool, level: Literal["warning", "error"], advice: str) -> dict:
    return {"level": level, "advice": advice} if wrong else {}
