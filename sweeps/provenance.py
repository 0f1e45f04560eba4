"""Where a sweep comes from: versions, hardware, command, data. Written once, so that a row of the report can be made again."""

import datetime
import hashlib
import os
import platform
import subprocess
import sys
import uuid
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from data_utils import Stack
from data_utils.folds import check_counted
from unet.metrics.sanity import sanity_rows

PACKAGES = ("torch", "ray", "optuna", "wandb", "tifffile", "numpy", "scipy", "scikit-image", "safetensors", "pydantic")


def versions() -> dict[str, str | None]:
    """Return the versions of Python and of what the science depends on; None for what is not installed."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for package in PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = None
    return found


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def hardware() -> dict[str, Any]:
    """Return the processor, its cores and the GPUs of the driver's machine."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    gpus = [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
    return {"processor": _processor(), "cores": cores, "gpus": gpus, "system": platform.platform()}


def code_version() -> str | None:
    """Return the commit of the checkout that runs, with a plus sign when files differ from it; None outside a checkout.

    A checkout that the package is merely installed below (a virtual environment in somebody's project) is not this program's.
    """
    here = Path(__file__).resolve().parent.parent

    def git(*words: str) -> str:
        return subprocess.run(["git", "-C", str(here), *words], capture_output=True, text=True, check=True, timeout=10).stdout.strip()

    try:
        if Path(git("rev-parse", "--show-toplevel")) != here:
            return None
        return git("rev-parse", "--short=12", "HEAD") + ("+" if git("status", "--porcelain", "--untracked-files=no") else "")
    except (OSError, subprocess.SubprocessError):
        return None


def recipe_hashes(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the sweep's recipe as given and as resolved, by file name."""
    paths = [folder / name for name in ("recipe.yaml", "recipe.resolved.yaml")]
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths if path.exists()}


def provenance(name: str, folder: Path) -> dict[str, Any]:
    """Return what is known of this launch, with a fresh uuid. The recipe is in `folder` already."""
    return {
        "schema": 1,
        "name": name,
        "uuid": uuid.uuid4().hex,
        "created": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "recipe": recipe_hashes(folder),
        "command": ["sweeps", *sys.argv[1:]],
        "code": code_version(),
        "versions": versions(),
        "hardware": hardware(),
    }


def describe_data(stack: Stack, source: str, sections: Mapping[str, Sequence[int]]) -> dict[str, Any]:
    """Return what data.json holds: shape, hash, what was taken as membrane, and sanity rows.

    `sections` maps a stage (search, finalist) to the sections that its trials are scored on: a prediction that needs no network is scored
    on the same ones, since sections differ (the best intensity threshold has Dice .55 on some of ISBI 2012 and .66 on others).
    Pixels whose label is unknown are in none of it; DataError where a stage has no other pixel.
    """
    assert stack.membrane_ZHW is not None
    check_counted(stack.counted_ZHW, sections, name=stack.name)
    sanity = {}
    for stage, chosen in sections.items():
        at = list(chosen)
        counted_ZHW = None if stack.counted_ZHW is None else stack.counted_ZHW[at]
        sanity[stage] = {"sections": at, "rows": sanity_rows(stack.raw_ZHW[at], stack.membrane_ZHW[at], counted_ZHW)}
    known = stack.membrane_ZHW if stack.counted_ZHW is None else stack.membrane_ZHW[stack.counted_ZHW]
    return {
        "schema": 1,
        "source": source,
        "name": stack.name,
        "shape": list(stack.raw_ZHW.shape),
        "dtype": str(stack.raw_ZHW.dtype),
        "voxel_size_nm": list(stack.voxel_size_nm),
        "sha256": stack.sha256(),
        "membrane_rule": stack.membrane_rule,
        "membrane_share": float(known.mean()),
        "notes": list(stack.notes),
        "sanity": sanity,
    }
