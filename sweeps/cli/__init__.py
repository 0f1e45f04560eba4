"""The command line. Its verbs: `sweep` (run a sweep, look at it), `again` (use what it found), `predict` (use a network),
`catalogue` (what there is), `preview` (what it looks like), `bench` (what things cost).

Exit codes: 0 all complete; 1 a fault of ours; 2 recipe or usage; 3 data; 4 environment, storage or credentials; 5 finished, some trials
failed; 6 stopped, too many failed; 75 interrupted and resumable; 130 Ctrl-C, resumable.
"""

import errno
import logging
import sys

import typer

from sweeps.cli import again, bench, catalogue, predict, preview, sweep
from sweeps.cli.options import errors

app = typer.Typer(
    name="sweeps",
    help="Which loss, with which parameters, trains the best U-Net on these sections, and which gets there fastest?",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for verbs in (sweep, again, predict, bench, catalogue, preview):
    verbs.add_to(app)


#: by name, so that finding the code of an error imports nothing
EXIT_CODES = {
    "RecipeError": 2,
    "NameTaken": 2,
    "ChangedError": 2,
    "NoSpread": 2,
    "NoSuchTrial": 2,
    "PageInSweep": 2,
    "TooFew": 2,
    "DataError": 3,
    "ClusterError": 4,
    "FolderError": 4,
    "LedgerError": 4,
    "NoSweep": 4,
}
#: full, read-only, not permitted: faults of the storage, which the user can mend
STORAGE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.ENAMETOOLONG, errno.EROFS, errno.EACCES, errno.EPERM)


def exit_code_of(error: Exception) -> int | None:
    """Return the exit code of an error that a user can mend, None of one that is ours."""
    if isinstance(error, OSError) and error.errno in STORAGE:
        return 4
    return next((EXIT_CODES[kind.__name__] for kind in type(error).__mro__ if kind.__name__ in EXIT_CODES), None)


def main() -> None:
    """Run the command line; errors that a user can mend are one message and an exit code, not a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        code = exit_code_of(error)
        if code is None:
            raise
        errors.print(str(error), markup=False, style="red")
        sys.exit(code)
