"""Registry entries of scores of the cells that membranes cut apart."""

import math
from functools import partial

from unet.metrics.spec import MetricSpec

_NO_CELL = "a section without a labelled cell has no value"
_CHALLENGE = "Arganda-Carreras et al. 2015 (doi 10.3389/fnana.2015.00142), the ISBI 2012 challenge's thinned scores"
_FILLED = "p_ij shares of the pixels of labelled cells i in segment j; found membrane goes to the nearest found cell"
_FILLED_EDGE = f"where no cell is found each pixel is a segment of its own; {_NO_CELL}"

_share = partial(MetricSpec, unit="", low=0.0, high=1.0, of="cells")
_bits = partial(MetricSpec, unit="bits", low=0.0, high=math.inf, of="cells", goal="minimise", pooled=False, edge=_FILLED_EDGE)

_v_rand = _share(
    name="v_rand",
    title="V_rand",
    goal="maximise",
    pooled=False,
    formula="mean over sections of 2 sum p_ij^2 / (sum a_i^2 + sum b_j^2), cells against watershed basins; threshold and size tuned",
    edge=f"found membrane everywhere: each pixel a segment of its own, nearly 0; {_NO_CELL}",
    source=_CHALLENGE,
)
_v_info = _share(
    name="v_info",
    title="V_info",
    goal="maximise",
    pooled=False,
    formula="mean over sections of 2 I(cells; basins) / (H(cells) + H(basins)), cells against watershed basins; threshold and size tuned",
    edge=f"found cell everywhere: one segment, 0 unless it is one cell; {_NO_CELL}",
    source=_CHALLENGE,
)

CELL_SPECS = (
    *(_v_rand, _v_rand.at_half(), _v_info, _v_info.at_half()),
    _share(
        name="rand_error",
        title="Rand error",
        goal="minimise",
        pooled=True,
        formula="1 - 2 TP / (2 TP + FP + FN), pairs of pixels of labelled cells; together: in one 4-connected component; no thinning",
        edge=f"found membrane is together with nothing; without a single pair, marked or found, 0; {_NO_CELL}",
        source="Rand 1971 (doi 10.2307/2284239); the ISBI 2012 challenge's first tables: 1 - F of the foreground-restricted index",
    ),
    _share(
        name="warping_error",
        title="Warping error",
        goal="minimise",
        pooled=True,
        formula="share of known pixels that split or merge cells once the labels are warped to what was found by flips of simple points",
        edge="no cell found but some labelled: 1; lost and added cells do not count; a section without a known pixel has no value",
        source="Jain et al. 2010 (doi 10.1109/CVPR.2010.5539950), section 3; splits and mergers as in the challenge's first tables",
    ),
    _share(
        name="adapted_rand_error",
        title="Adapted Rand error",
        goal="minimise",
        pooled=False,
        formula=f"1 - 2 sum p_ij^2 / (sum a_i^2 + sum b_j^2) over pairs of different pixels; {_FILLED}",
        edge=_FILLED_EDGE,
        source="Arganda-Carreras et al. 2015 (doi 10.3389/fnana.2015.00142), the Rand F-score at alpha = 1/2; as in SNEMI3D and CREMI",
    ),
    _bits(
        name="vi_split",
        title="VI split",
        formula=f"H(found | labelled) = -sum p_ij log2(p_ij / a_i); {_FILLED}",
        source="Meila 2007 (doi 10.1016/j.jmva.2006.11.013), equation 15, its first half: cells that were cut",
    ),
    _bits(
        name="vi_merge",
        title="VI merge",
        formula=f"H(labelled | found) = -sum p_ij log2(p_ij / b_j); {_FILLED}",
        source="Meila 2007 (doi 10.1016/j.jmva.2006.11.013), equation 15, its other half: cells that were joined",
    ),
)
"""Scores of cells: the challenge's, the older tables', and those of other connectomics challenges."""
