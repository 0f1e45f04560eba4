"""`python -m sweeps.speed`: a request as JSON on standard input, what was measured as JSON on standard output."""

import json
import sys

from sweeps.pipe import write_line
from sweeps.speed.measuring import measure

if __name__ == "__main__":
    write_line(sys.stdout, json.dumps(measure(json.load(sys.stdin)), allow_nan=False))
