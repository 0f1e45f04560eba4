"""Connected components by flooding from one pixel after another."""

import numpy as np

FOUR = ((-1, 0), (0, -1), (0, 1), (1, 0))
EIGHT = (*FOUR, (-1, -1), (-1, 1), (1, -1), (1, 1))


def components(mask_HW: np.ndarray, steps=FOUR) -> np.ndarray:
    """Number the pieces of a mask 1, 2, ... in raster order; 0 outside."""
    labels, number = np.zeros(mask_HW.shape, dtype=int), 0
    for start in zip(*np.nonzero(mask_HW), strict=True):
        if labels[start]:
            continue
        number += 1
        labels[start], queue = number, [start]
        while queue:
            row, column = queue.pop()
            for down, right in steps:
                at = row + down, column + right
                if 0 <= at[0] < mask_HW.shape[0] and 0 <= at[1] < mask_HW.shape[1] and mask_HW[at] and not labels[at]:
                    labels[at] = number
                    queue.append(at)
    return labels
