"""The losses once more, in NumPy float64, as the papers print them, and slow on purpose.

Nothing is shared with the package: no logits trick, no three sums, no registry. Every function takes logits, target, mask or None (arrays
[N, 1, H, W]), the parameters by name and, where the loss needs one, a map by name; it returns a float.
"""

from tests.reference.losses import boundary, compound, pixel, region, thesis, topology

LOSSES = {**thesis.LOSSES, **pixel.LOSSES, **region.LOSSES, **boundary.LOSSES, **topology.LOSSES, **compound.LOSSES}
