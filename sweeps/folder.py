"""A sweep's results folder: its name, its lock, and the files that are written once at launch."""

import errno
import fcntl
import json
import os
import re
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from unet.durable import write_durably


class FolderError(RuntimeError):
    """The results folder cannot be used; the CLI exits with 4."""


class NameTaken(ValueError):
    """An explicit name exists already; the CLI exits with 2."""


def create_folder(results: Path, recipe_name: str, name: str | None) -> Path:
    """Create and return the folder of a new sweep: `name`, or the recipe's name with the next free number (demo-001).

    Raises NameTaken when `name` exists, FolderError when the folder cannot be written.
    """
    try:
        results.mkdir(parents=True, exist_ok=True)
        if name is not None:
            return _explicit(results, name)
        taken = [int(match[1]) for path in results.iterdir() if (match := re.fullmatch(rf"{re.escape(recipe_name)}-(\d+)", path.name))]
        number = max(taken, default=0) + 1
        while True:
            folder = results / f"{recipe_name}-{number:03d}"
            try:
                folder.mkdir()
                return folder
            except FileExistsError:  # another launch was quicker
                number += 1
    except OSError as error:
        raise FolderError(
            f"the results folder {results} cannot be written: {error}. Name another with --results; nothing was started."
        ) from error


def _explicit(results: Path, name: str) -> Path:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_.-]{0,62}", name):
        raise NameTaken(f"--name {name!r}: a name has small letters, digits, '-', '_' and '.', begins with a letter or digit, at most 63")
    folder = results / name
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise NameTaken(f"{folder} exists. Go on with it: sweeps resume {folder}; or choose another --name.") from error
    return folder


def write_json(path: Path, content: Any) -> None:
    """Write JSON durably; JSON is YAML too, so the resolved recipe is written so."""
    write_durably(path, (json.dumps(content, indent=1, allow_nan=False) + "\n").encode())


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold the sweep's lock. The kernel lets it go when the process dies, however it dies.

    Raises FolderError when another driver has it, with its process, host and since when.
    """
    path = folder / "ledger" / "lock"
    path.parent.mkdir(exist_ok=True)
    file = path.open("a+")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        file.seek(0)
        owner = file.read().strip() or "another process"
        file.close()
        raise FolderError(
            f"{folder} is in use by {owner}. Wait for it, or stop it; two drivers in one folder would undo each other."
        ) from error
    try:
        file.truncate(0)
        file.write(f"process {os.getpid()} on {socket.gethostname()} since {time.strftime('%Y-%m-%d %H:%M:%S')}")
        file.flush()
        yield
    finally:
        file.truncate(0)
        file.close()
