"""Writing so that a crash leaves either the old file or the new one, never half of one.

The order matters: the bytes go to a temporary name in the same folder, are forced to the disk, take the final name in one step,
and then the folder's entry itself is forced to the disk. A rename without the first sync can survive a power cut with no bytes in it.
"""

import contextlib
import os
import tempfile
from pathlib import Path
from typing import BinaryIO


def write_durably(path: Path, payload: bytes) -> None:
    """Put `payload` at `path`, replacing what stands there, and return when both are on the disk.

    Raises OSError, and leaves `path` as it was and no temporary file behind, when anything on the way fails.
    """
    path = Path(path)
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(payload)
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            Path(temporary).unlink()
        raise
    sync_folder(path.parent)


def append_durably(file: BinaryIO, line: bytes, sync: bool = True) -> None:
    """Append one line to a file that was opened with mode "ab"; with `sync` return only when it is on the disk.

    A newline is added where it is missing. The line goes out in one write, so that a reader never meets two lines interleaved.
    """
    if not line.endswith(b"\n"):
        line += b"\n"
    file.write(line)
    file.flush()
    if sync:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Force a folder's entries to the disk. A filesystem that cannot (some network shares) is taken at its word."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _umask() -> int:
    # mkstemp makes private files; results are shared, so the final file gets the mode that open() would have given it.
    mask = os.umask(0)
    os.umask(mask)
    return mask
