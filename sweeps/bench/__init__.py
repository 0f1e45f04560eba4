"""What a step and a loss cost, each beside its plain form and beside itself (the A/A row).

    python -m sweeps.bench step --width 16 --batch 4 --size 256
    python -m sweeps.bench loss --size 512

Needs torch and numpy only, so that it runs on a bare GPU machine.
"""
