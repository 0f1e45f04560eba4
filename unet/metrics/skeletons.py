"""clDice: whether the centre line of each of two masks lies within the other. H rows, W columns."""

import numpy as np
from skimage.morphology import skeletonize


def cldice(found_HW: np.ndarray, membrane_HW: np.ndarray) -> float:
    """Return the centre-line Dice of two bool masks, in [0, 1].

        2 P S / (P + S),   P = |S_found & marked| / |S_found|,   S = |S_marked & found| / |S_marked|

    S_x is the skeleton of mask x, one pixel thin, 8-connected. A membrane that is a little too thick or thin costs nothing, one that is cut
    or not there does. Without a pixel of membrane, found or marked, 1; where only one of the two has any, 0.

    Source: Shit et al. 2021, CVPR (arXiv 2003.07311), equations 1 and 2. Skeletons are scikit-image's, which
    follow Zhang & Suen 1984, CACM 27:236, and in which no piece of a mask vanishes.
    """
    if not found_HW.any() and not membrane_HW.any():
        return 1.0
    if not found_HW.any() or not membrane_HW.any():
        return 0.0
    precision, sensitivity = _share_inside(found_HW, membrane_HW), _share_inside(membrane_HW, found_HW)
    return 2.0 * precision * sensitivity / (precision + sensitivity) if precision + sensitivity else 0.0


def _share_inside(mask_HW: np.ndarray, other_HW: np.ndarray) -> float:
    skeleton_HW = skeletonize(mask_HW)
    return float(other_HW[skeleton_HW].mean())
