"""What a step and a loss cost, each beside its naive form and beside itself (the A/A row).

    python -m sweeps.bench step --width 16 --batch 4 --size 256
    python -m sweeps.bench loss --size 512 --compiled --step 16 --step 64

Needs what training needs (torch, numpy, scipy, scikit-image), so that it runs on a bare GPU machine; MONAI and kornia are measured where
they are installed.
"""
