"""A recorded trial, run again and set beside its record: the same, within noise, or different, and what differs between then and now.

It runs the very code that the sweep's worker runs, from the plan that the worker wrote, with the same number of threads.
"""

from sweeps.rerun.again import rerun
from sweeps.rerun.chosen import NoSuchTrial, find_trial
from sweeps.rerun.curves import COMPARED, Comparison, compare

__all__ = ["COMPARED", "Comparison", "NoSuchTrial", "compare", "find_trial", "rerun"]
