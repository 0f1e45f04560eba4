"""Files that a user names: one that cannot be written is one message and exit code 4, wherever it was asked for.

from sweeps.cli.writing import check_place, save, writing
check_place("--figure", path)          # before anything takes long
save("--out", path, payload)           # durably: the old file or the new one, never half of one
"""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

import typer

from sweeps.cli.options import errors
from unet.durable import write_durably


def save(option: str, path: Path, payload: bytes) -> None:
    """Put `payload` at `path`, or say why that cannot be done."""
    with writing(option, path):
        write_durably(path, payload)


@contextmanager
def writing(option: str, path: Path | None) -> Iterator[None]:
    """Say what keeps the file from being written in here; None is the place that a verb chose by itself.

    An OSError without a number is none of the system's: it has words of its own.
    """
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        _refuse(option, path or Path(error.filename or "it"), error)


def check_place(option: str, path: Path) -> None:
    """Refuse at once what could not be written later: a folder, or a file in a folder that is not there."""
    if path.is_dir() or not path.parent.is_dir():
        code = errno.EISDIR if path.is_dir() else errno.ENOTDIR
        _refuse(option, path, OSError(code, os.strerror(code)))


def _refuse(option: str, path: Path, error: OSError) -> NoReturn:
    errors.print(f"{option}: {path} cannot be written: {_reason(path, error)}", markup=False, style="red")
    raise typer.Exit(4) from error


def _reason(path: Path, error: OSError) -> str:
    """Return what stands in the way, and what to do about it; else the system's own words."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR, errno.EEXIST, errno.EISDIR):
        blocking = next((parent for parent in path.parents if parent.exists() and not parent.is_dir()), None)
        if path.is_dir():
            return f"it is a folder; name a file, such as {path / 'NAME'}{path.suffix}"
        if blocking is not None:
            return f"{blocking} is a file, no folder; name another place"
        if not path.parent.exists():
            return f"there is no folder {path.parent}; make it first, or name another place"
    return error.strerror or str(error)
