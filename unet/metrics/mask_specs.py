"""Registry entries of scores of the membrane mask, and of the probabilities as they are."""

import math
from functools import partial

from unet.metrics.spec import MetricSpec

_NONE_KNOWN = "a section without a known pixel has no value"
_ONE_EMPTY = f"without a pixel of membrane, found or marked, 1; where only one of the two has any, 0; {_NONE_KNOWN}"
_MASK = "of the mask (membrane probability >= t), t best for membrane Dice on the calibration sections; all known pixels together"
_DICE = "Dice 1945 (doi 10.2307/1932409); Zijdenbos et al. 1994 (doi 10.1109/42.363096) for segmentation"
_RETRIEVAL = "van Rijsbergen 1979, Information Retrieval, chapter 7"

_share = partial(MetricSpec, unit="", low=0.0, high=1.0, of="mask")

_dice = _share(
    name="membrane_dice",
    title="Membrane Dice",
    goal="maximise",
    pooled=True,
    formula=f"2 TP / (2 TP + FP + FN) {_MASK}",
    edge=_ONE_EMPTY,
    source=_DICE,
    while_training=True,
)
_iou = _share(
    name="membrane_iou",
    title="Membrane IoU",
    goal="maximise",
    pooled=True,
    formula=f"TP / (TP + FP + FN) {_MASK}",
    edge=_ONE_EMPTY,
    source="Jaccard 1912 (doi 10.1111/j.1469-8137.1912.tb05611.x)",
)
_precision = _share(
    name="membrane_precision",
    title="Membrane precision",
    goal="maximise",
    pooled=True,
    formula=f"TP / (TP + FP) {_MASK}",
    edge=_ONE_EMPTY,
    source=_RETRIEVAL,
)
_recall = _share(
    name="membrane_recall",
    title="Membrane recall",
    goal="maximise",
    pooled=True,
    formula=f"TP / (TP + FN) {_MASK}",
    edge=_ONE_EMPTY,
    source=_RETRIEVAL,
)
_pixel_error = _share(
    name="pixel_error",
    title="Pixel error",
    goal="minimise",
    pooled=True,
    formula=f"(FP + FN) / (TP + FP + FN + TN) {_MASK}",
    edge=_NONE_KNOWN,
    source="Arganda-Carreras et al. 2015 (doi 10.3389/fnana.2015.00142), the pixel error as a share of all pixels",
)
_boundary_f1 = _share(
    name="boundary_f1",
    title="Boundary F1",
    goal="maximise",
    pooled=False,
    formula="2 P R / (P + R); P: share of the found edge pixels within 2 px of a marked one, R: of the marked within 2 px of a found one",
    edge=f"without an edge, found or marked, 1; where only one of the two has any, 0; {_NONE_KNOWN}",
    source="Csurka et al. 2013 (doi 10.5244/C.27.32), section 2.2; Martin et al. 2004 (doi 10.1109/TPAMI.2004.1273918)",
)
_cldice = _share(
    name="cldice",
    title="clDice",
    goal="maximise",
    pooled=False,
    formula="2 P S / (P + S); P = |S_found & marked| / |S_found|, S = |S_marked & found| / |S_marked|, S_x the skeleton of mask x",
    edge=_ONE_EMPTY,
    source="Shit et al. 2021 (arXiv 2003.07311), equations 1 and 2",
)
_hausdorff95 = MetricSpec(
    name="hausdorff95",
    title="95% Hausdorff",
    unit="px",
    goal="minimise",
    low=0.0,
    high=math.inf,
    of="mask",
    pooled=False,
    formula="larger 95th percentile of two: distances of found edge pixels to the nearest marked one, and of marked to found",
    edge=f"without an edge, found or marked, 0; where only one of the two has any, the section's diagonal; {_NONE_KNOWN}",
    source="Huttenlocher et al. 1993 (doi 10.1109/34.232073), the partial distance; Taha & Hanbury 2015 (doi 10.1186/s12880-015-0068-x)",
)
_betti_error = MetricSpec(
    name="betti_error",
    title="Betti error",
    unit="",
    goal="minimise",
    low=0.0,
    high=math.inf,
    of="mask",
    pooled=False,
    formula="|b0(found) - b0(marked)| + |b1(found) - b1(marked)|, mean over tiles of 64 x 64 px; b0 pieces of membrane, b1 holes in it",
    edge=f"a tile without membrane has b0 = b1 = 0; {_NONE_KNOWN}",
    source="Hu et al. 2019 (arXiv 1906.05404), section 4, on all tiles in place of random ones",
)

MASK_SPECS = (
    *(_dice, _dice.at_half(), _iou, _iou.at_half(), _precision, _precision.at_half(), _recall, _recall.at_half()),
    *(_pixel_error, _pixel_error.at_half(), _boundary_f1, _hausdorff95, _cldice, _betti_error),
)
"""Scores of the membrane mask."""

PROBABILITY_SPECS = (
    MetricSpec(
        name="calibration_error",
        title="Calibration error",
        unit="",
        goal="minimise",
        low=0.0,
        high=1.0,
        of="probability",
        pooled=True,
        formula="sum over 15 equal bins of (pixels in the bin / all) |mean probability - share of membrane|; all known pixels together",
        edge="an empty bin adds nothing; without a known pixel there is no value",
        source="Naeini et al. 2015 (doi 10.1609/aaai.v29i1.9602), ECE, of the membrane probability",
    ),
)
"""Scores of the probabilities, which no threshold changes."""
