"""W&B beside a sweep: disk first, from a side thread, and never in the way of a trial."""
