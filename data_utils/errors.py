"""The one error of this package that is the data's fault, not the program's."""


class DataError(ValueError):
    """Data that cannot be used: the message names the file, the section, what was met, and what to do.

    The command line turns it into exit code 3.
    """
