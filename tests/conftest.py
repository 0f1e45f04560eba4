"""Set before any test imports torch, Ray, W&B or matplotlib: one thread, no account, no screen, no network beyond loopback."""

import os
import tempfile
from pathlib import Path

import pytest

# The stacks lie beside the checkout on some machines; they carry no licence and are never part of the repository.
ISBI2012 = Path(__file__).resolve().parents[2] / "shared" / "data" / "isbi2012"

# A developer's own key must not turn a test into an upload. The folder goes with the process.
_NO_ACCOUNT = tempfile.TemporaryDirectory(prefix="sweeps-tests-")

os.environ.pop("WANDB_API_KEY", None)
os.environ.update(
    MPLBACKEND="Agg",
    NETRC=str(Path(_NO_ACCOUNT.name) / "netrc"),
    OMP_NUM_THREADS="1",  # a CPU result belongs to its number of threads
    RAY_USAGE_STATS_ENABLED="0",
    WANDB_CONFIG_DIR=_NO_ACCOUNT.name,
    WANDB_ERROR_REPORTING="false",
    WANDB_SILENT="true",
)


@pytest.fixture(scope="session")
def isbi2012_folder() -> Path:
    """The folder of the real stacks; the test is skipped where they are not at hand."""
    if not (ISBI2012 / "train-volume.tif").is_file():
        pytest.skip(f"the ISBI 2012 stacks are not in {ISBI2012.parent.name}/{ISBI2012.name} beside the checkout")
    return ISBI2012
