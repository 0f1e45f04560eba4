"""Lines on standard output for a reader that may leave before the end, such as head."""

import os
from pathlib import Path
from typing import IO


def write_line(file: IO[str], line: str) -> None:
    """Write one whole line now. A reader that has read enough and left is no fault: what follows goes to nobody, and a sweep goes on."""
    try:
        file.write(line + "\n")
        file.flush()
    except BrokenPipeError:
        # The descriptor itself: what the buffer still holds is flushed once more when the program ends.
        with Path(os.devnull).open("wb") as nobody:
            os.dup2(nobody.fileno(), file.fileno())
