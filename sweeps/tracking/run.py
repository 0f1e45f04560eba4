"""One run of W&B: opened, told and closed. With `media` and `artifacts` the only importer of wandb; every fault is raised to the caller."""

import concurrent.futures.thread  # noqa: F401 - W&B imports it in the side thread, where it cannot be once the interpreter ends
import contextlib
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sweeps.tracking.folder import run_folders
from sweeps.tracking.settings import TrackingSettings

#: nothing of the machine, the code or the terminal is sent; links would carry this machine's paths into a folder that can be shared
QUIET: dict[str, Any] = {
    "console": "off",
    "disable_git": True,
    "disable_job_creation": True,
    "program": "sweeps",
    "save_code": False,
    "silent": True,
    "symlink": False,
    "x_disable_machine_info": True,
    "x_disable_meta": True,
    "x_save_requirements": False,
}
#: how the log of W&B's service marks that it has given up on a run; the client that finishes the run is not told
_GIVEN_UP = b'"level":"ERROR+4"'


class NotDelivered(RuntimeError):
    """The server has not taken all of a run that was online."""


def open_run(settings: TrackingSettings, mode: str) -> Any:
    """Return a new run, or online the one that the server has under this id; offline, what an earlier attempt left is removed first."""
    if mode == "offline":
        os.environ.setdefault("WANDB_ERROR_REPORTING", "false")  # else W&B's own telemetry would go out all the same
        for folder in run_folders(settings, "offline-run"):
            shutil.rmtree(folder, ignore_errors=True)
    import wandb

    return wandb.init(
        mode=mode,  # type: ignore[arg-type]
        project=settings.project,
        entity=settings.entity,
        group=settings.group,
        job_type=settings.job_type,
        id=settings.run_id,
        name=settings.name,
        tags=settings.tags,
        config=dict(settings.config),
        dir=settings.folder,
        resume="allow" if mode == "online" else None,
        reinit="create_new",
        settings=wandb.Settings(
            init_timeout=settings.init_timeout_s, finish_timeout=settings.finish_timeout_s, finish_timeout_raises=True, **QUIET
        ),
    )


def define_metrics(run: Any) -> None:
    """Say that everything is over epochs, and that the summary of membrane Dice is its best."""
    run.define_metric("epoch")
    for names in ("train/*", "val/*", "time/*"):
        run.define_metric(names, step_metric="epoch")
    run.define_metric("val/membrane_dice", step_metric="epoch", summary="max")


def close_run(run: Any, summary: Mapping[str, Any], *, state: str, reason: str | None) -> None:
    """End a run with its summary. Raises TimeoutError or NotDelivered when the server has not taken all of it."""
    run.summary.update(dict(summary))
    if state == "failed":
        run.tags = (*(run.tags or ()), f"failed:{reason or 'unknown'}"[:64])
    run.finish(exit_code=0 if state in ("complete", "pruned") else 1)
    log = Path(run.settings.log_internal)
    if not run.settings._offline and log.exists() and _GIVEN_UP in log.read_bytes():
        raise NotDelivered("the server refused a part of the run")


def drop_service() -> None:
    """End W&B's service of this process, and with it whatever hangs in it. Runs that are open in other threads fail, and begin again."""
    with contextlib.suppress(Exception):
        import wandb

        wandb.teardown()


def server_address() -> str:
    """Return the address of the W&B server that is set up on this machine."""
    import wandb

    address = wandb.setup().settings.base_url
    wandb.teardown()  # ends the service process that the question started
    return address
