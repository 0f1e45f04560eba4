"""What a step, a loss and the challenge's scores cost, each beside its naive form and beside itself (the A/A row).

    python -m sweeps.bench step --width 16 --batch 4 --size 256
    python -m sweeps.bench loss --size 512 --compiled --step 16 --step 64
    python -m sweeps.bench score --sections 30 --thresholds 11

Needs what training needs (torch, numpy, scipy, scikit-image), so that it runs on a bare GPU machine; MONAI and kornia are measured where
they are installed.
"""
