"""Online while that goes well, else offline: whatever becomes of a server, a run's folder ends with one directory that holds all of it.

`wandb sync` appends to what a server has of a run. A run of which a server has a part is therefore kept offline under another id, whole:
sent later, each epoch is there once, beside the part, which W&B shows as crashed. `sweeps report DIR --wandb` sends what is missing under
the run's first id instead.
"""

import logging
import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from itertools import count

from sweeps.tracking.folder import ids_at_a_server, mark_lost, run_folders
from sweeps.tracking.run import drop_service
from sweeps.tracking.settings import TrackingSettings, run_id

logger = logging.getLogger(__name__)

#: set for the rest of the process by the first failure: a server that is away costs its time limit once
server_lost = threading.Event()


def record(settings: TrackingSettings, write: Callable[[TrackingSettings, str], None]) -> str:
    """Let `write` make the whole run online or, where that fails, once more offline; return the mode in which it is kept.

    `write(settings, mode)` opens, fills and closes the run from the disk, so that it can be called again. Raises what it raises offline
    twice.
    """
    if settings.mode == "online" and not server_lost.is_set():
        try:
            write(settings, "online")
        except Exception as error:  # noqa: BLE001 - W&B raises what it likes
            _give_up(settings, error)
        else:
            keep_the_last(settings, "online")
            return "online"
    kept = offline(settings)
    try:
        write(kept, "offline")
    except Exception as error:  # noqa: BLE001 - W&B's service may have died under the run: once more with a new one
        logger.warning("W&B's record of %s begins again (%s: %s)", settings.name, type(error).__name__, error)
        drop_service()
        write(kept, "offline")
    keep_the_last(kept, "offline")
    return "offline"


def offline(settings: TrackingSettings) -> TrackingSettings:
    """Return the settings with an id that no server has anything of."""
    taken = ids_at_a_server(settings)
    ids = (settings.run_id if number == 0 else run_id(settings.run_id, f"again-{number}") for number in count())
    return replace(settings, run_id=next(own for own in ids if own not in taken))


def _give_up(settings: TrackingSettings, error: Exception) -> None:
    if not server_lost.is_set():
        server_lost.set()
        told = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        logger.warning(
            "W&B failed (%s): this run and later ones of this process are kept offline; upload later with: wandb sync %s",
            *(told, settings.folder / "wandb" / "offline-run-*"),
        )
    mark_lost(settings)
    drop_service()  # it holds on to the run's id


def keep_the_last(settings: TrackingSettings, mode: str) -> None:
    """Leave the one directory that holds the whole run: what others hold is in it, and would be sent once more."""
    online, offline = (sorted(run_folders(settings, kind)) for kind in ("run", "offline-run"))
    for folder in [*offline, *online[:-1]] if mode == "online" else [*online, *offline[:-1]]:
        shutil.rmtree(folder, ignore_errors=True)
