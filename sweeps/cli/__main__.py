"""`python -m sweeps.cli`: the command line where the console script is not installed."""

from sweeps.cli import main

main()
