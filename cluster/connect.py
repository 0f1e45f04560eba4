"""Connect to Ray: a local cluster of our own by default, or a running one by its address.

The local cluster has its own temporary folder and its own token, opens no dashboard, and dies with the driver. Resources that nobody
has are refused at once; Tune would wait for them for ever.
"""

import ipaddress
import logging
import os
import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import ray

logger = logging.getLogger(__name__)

#: what Tune and Ray do by default and we do not want: their own loggers, signal handling, warnings on snapshots, usage statistics
QUIET = {
    "TUNE_DISABLE_AUTO_CALLBACK_LOGGERS": "1",
    "TUNE_DISABLE_SIGINT_HANDLER": "1",
    "TUNE_DISABLE_STRICT_METRIC_CHECKING": "1",
    "TUNE_WARN_EXCESSIVE_EXPERIMENT_CHECKPOINT_SYNC_THRESHOLD_S": "0",
    "TUNE_RESULT_BUFFER_LENGTH": "1",
    "RAY_AIR_NEW_OUTPUT": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
}


PREFIX = "sweeps-ray-"
#: nothing of a sweep goes through Ray's object store: workers read the data themselves
OBJECT_STORE_BYTES = 100 * 2**20


class ClusterError(RuntimeError):
    """There is no such cluster, or it has not what is asked for; the CLI exits with 4."""


@dataclass(frozen=True, kw_only=True)
class Resources:
    """What one trial takes and how many run at a time."""

    cpus_per_trial: float
    """CPU cores a trial; also its number of threads."""
    gpus_per_trial: float
    """GPUs a trial; a fraction lets trials share one."""
    max_concurrent: int
    """Trials at a time."""


def _cpus() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else (os.cpu_count() or 1)


@contextmanager
def connect(address: str | None = None) -> Iterator[None]:
    """Connect to the cluster at `address`, or start a local one that ends with this block.

    Raises ClusterError when nothing answers there, or when it wants a token that is not given.
    """
    os.environ.update({key: value for key, value in QUIET.items() if key not in os.environ})
    if address is None:
        with _local():
            yield
        return
    _require_token(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
    except Exception as error:  # Ray raises many kinds; each means that the address does not serve
        raise ClusterError(
            f"no Ray cluster answers at {address!r}: {error}. Start one with `ray start --head`, give its address, and set RAY_AUTH_TOKEN "
            "to its token; without --address a local cluster is started."
        ) from error
    try:
        yield
    finally:
        ray.shutdown()


def _require_token(address: str) -> None:
    """Raise ClusterError for another machine's cluster without a token: whoever reaches such a cluster can run anything on it."""
    host = address.removeprefix("ray://").rpartition(":")[0].strip("[]") or address
    if host in ("auto", "local", "localhost") or _is_loopback(host) or os.environ.get("RAY_AUTH_MODE") == "disabled":
        return
    path = Path(os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token")
    if not os.environ.get("RAY_AUTH_TOKEN") and not path.is_file():
        raise ClusterError(
            f"--address {address}: there is no token for this cluster. Set RAY_AUTH_TOKEN, or RAY_AUTH_TOKEN_PATH to its file "
            "(`ray get-auth-token` on the head prints it). RAY_AUTH_MODE=disabled connects without one, if you mean to."
        )


def _is_loopback(host: str) -> bool:
    """Whether a numeric host is this machine. A name is never: 127.anything.example can be anybody's."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


@contextmanager
def _local() -> Iterator[None]:
    _sweep_up()
    folder = tempfile.mkdtemp(prefix=f"{PREFIX}{os.getpid()}-")
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = folder  # the cluster's processes inherit it: what libraries leave there goes with the cluster
    # A token of this process alone. Ray turns token mode on by itself for a new cluster (its own default token would be a file that
    # everybody can read), and reads the token once a process, so it stays for the process's life.
    os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
    try:
        ray.init(
            address="local",
            num_cpus=_cpus(),
            include_dashboard=False,
            object_store_memory=OBJECT_STORE_BYTES,
            log_to_driver=False,
            logging_level=logging.ERROR,
            _temp_dir=folder,
        )
        yield
    finally:
        ray.shutdown()
        os.environ.pop("TMPDIR") if before is None else os.environ.update(TMPDIR=before)
        shutil.rmtree(Path(folder), ignore_errors=True)


def _sweep_up() -> None:
    """Remove the temporary folders of local clusters whose driver was killed before it could."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        owner = folder.name.removeprefix(PREFIX).partition("-")[0]
        if owner.isdigit() and not psutil.pid_exists(int(owner)):
            shutil.rmtree(folder, ignore_errors=True)


def plan_resources(*, cpus_per_trial: float | str, gpus_per_trial: float | str, max_concurrent: int | str) -> Resources:
    """Return what a trial takes on the connected cluster; `auto` is decided from what there is.

    Raises ClusterError at once when no node could ever run a trial.
    """
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    cpus = sum(node.get("CPU", 0.0) for node in nodes)
    gpus = sum(node.get("GPU", 0.0) for node in nodes)
    gpu = float(min(1.0, gpus)) if gpus_per_trial == "auto" else float(gpus_per_trial)
    if cpus_per_trial == "auto":
        cpu = max(1.0, cpus * gpu // max(gpus, 1.0)) if gpu else float(max(1, int(cpus) // 8))
    else:
        cpu = float(cpus_per_trial)
    fits = sum(_fits(node, cpu, gpu) for node in nodes)
    if fits == 0:
        most = ", ".join(f"{node.get('CPU', 0):g} CPUs and {node.get('GPU', 0):g} GPUs" for node in nodes)
        raise ClusterError(
            f"a trial asks for {cpu:g} CPUs and {gpu:g} GPUs (resources.cpus_per_trial, resources.gpus_per_trial), and no node has them: "
            f"there is {most}. Ask for less, or give the --address of a cluster that has them; nothing was started."
        )
    at_most = fits if max_concurrent == "auto" else min(fits, int(max_concurrent))
    return Resources(cpus_per_trial=cpu, gpus_per_trial=gpu, max_concurrent=max(1, at_most))


def _fits(node: dict[str, float], cpu: float, gpu: float) -> int:
    by_cpu = int(node.get("CPU", 0.0) // cpu) if cpu else 10**6
    return min(by_cpu, int(node.get("GPU", 0.0) / gpu + 1e-9)) if gpu else by_cpu
