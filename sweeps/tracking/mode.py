"""Whether W&B is online, offline or off: decided once a sweep, by the driver, and said in one sentence."""

import importlib.util
import netrc
import os
import threading
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

REQUESTED = ("auto", "online", "offline", "disabled")
_KEY_VARIABLES = ("WANDB_API_KEY", "WANDB_IDENTITY_TOKEN_FILE")
#: a key saved under W&B's first address is good for the default address of this version too
_UPSTREAM = "api.wandb.ai"


def decide_mode(requested: str, *, key_present: bool, server_reachable: bool) -> tuple[str, str]:
    """Return (online | offline | disabled, the sentence to print) for what a recipe requests and what `probe` found.

    auto is online with a key and a reachable server, offline otherwise. An explicit online without a key is offline too (each trial would
    fail to log in); without a server it stays online, since every run falls back by itself and the server may return.
    """
    if requested not in REQUESTED:
        raise ValueError(f"wandb.mode is {requested!r}; allowed: {', '.join(REQUESTED)}")
    if requested == "disabled":
        return "disabled", "W&B is off."
    upload = "upload later with: wandb sync RUN_FOLDER"
    if requested == "offline":
        return "offline", f"W&B is offline, as requested; {upload}."
    if importlib.util.find_spec("wandb") is None:
        return "disabled", "W&B is off: it is not installed (pip install wandb)."
    if not key_present:
        return "offline", f"W&B is offline: no key was found (wandb login, or WANDB_API_KEY); {upload}."
    if server_reachable:
        return "online", "W&B is online."
    if requested == "online":
        return "online", "W&B is online as requested, but its server did not answer just now; runs that cannot reach it are kept offline."
    return "offline", f"W&B is offline: its server did not answer; {upload}."


def choose_mode(requested: str, *, timeout_s: float = 3.0) -> tuple[str, str]:
    """Return `decide_mode`'s answer after looking for a key and a server, where the answer depends on them.

    WANDB_MODE, if set to online, offline or disabled, takes the place of auto.
    """
    if requested == "auto" and os.environ.get("WANDB_MODE") in REQUESTED:
        requested = os.environ["WANDB_MODE"]
    if requested not in ("auto", "online"):
        return decide_mode(requested, key_present=False, server_reachable=False)
    key_present, server_reachable = probe(timeout_s=timeout_s)
    return decide_mode(requested, key_present=key_present, server_reachable=server_reachable)


def probe(*, timeout_s: float = 3.0) -> tuple[bool, bool]:
    """Return (there is a key, the server answers). Without a key the network is not touched; the key itself is never returned or sent."""
    in_environment = any(os.environ.get(name) for name in _KEY_VARIABLES)
    path = _netrc_path(os.environ)
    if not in_environment and path is None:
        return False, False
    from sweeps.tracking.run import server_address

    address = server_address()
    if not in_environment and not _key_in(path, urlsplit(address).netloc):
        return False, False
    return True, _answers(address, timeout_s)


def _netrc_path(environment: Mapping[str, str]) -> Path | None:
    places = [Path(environment["NETRC"])] if environment.get("NETRC") else [Path.home() / ".netrc", Path.home() / "_netrc"]
    return next((place for place in places if place.is_file()), None)


def _key_in(path: Path | None, host: str) -> bool:
    try:
        entries = netrc.netrc(path)
    except (OSError, netrc.NetrcParseError):
        return False
    return any((entry := entries.authenticators(name)) is not None and entry[2] for name in (host, _UPSTREAM))


def _answers(address: str, timeout_s: float) -> bool:
    """Return whether anything speaks HTTP there. In a thread, since a name server that is silent knows no timeout."""
    answered = threading.Event()

    def ask() -> None:
        try:
            urllib.request.urlopen(address, timeout=timeout_s).close()
        except urllib.error.HTTPError as error:  # any status is an answer
            error.close()
        except (OSError, ValueError):
            return
        answered.set()

    threading.Thread(target=ask, name="wandb-probe", daemon=True).start()
    return answered.wait(timeout_s + 0.5)
