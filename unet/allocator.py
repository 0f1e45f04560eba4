"""Keeping freed memory in the process on Linux, instead of giving it back to the kernel and clearing it again at every step.

A step frees and takes tensors of many megabytes. glibc returns those to the kernel, and the kernel hands out pages that it must zero: a
tenth of a training step on the CPU, and more for large crops. The price is that the process keeps its peak size until it ends.
"""

import ctypes
import functools
import logging
import sys

_LOG = logging.getLogger(__name__)

# From glibc's malloc.h, with the values that MALLOC_MMAP_MAX_ and its kin would set from the environment.
_SETTINGS = {
    "M_MMAP_MAX": (-4, 0),
    "M_TRIM_THRESHOLD": (-1, 2**31 - 1),
    "M_TOP_PAD": (-2, 256 * 2**20),
}


@functools.cache
def keep_freed_memory() -> bool:
    """Tell glibc to keep what is freed, for the rest of the process; False, and no change, where there is no glibc."""
    if not sys.platform.startswith("linux"):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    kept = all(mallopt(parameter, value) == 1 for parameter, value in _SETTINGS.values())
    _LOG.debug("glibc keeps freed memory: %s", kept)
    return kept
