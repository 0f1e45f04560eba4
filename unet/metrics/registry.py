"""The registry of scores: every one that a sweep writes down, with which way is better. A loss's own value is never among them."""

from collections.abc import Mapping
from types import MappingProxyType

from unet.metrics.cell_specs import CELL_SPECS
from unet.metrics.mask_specs import MASK_SPECS, PROBABILITY_SPECS
from unet.metrics.spec import AT_HALF, MetricSpec

__all__ = ["AT_HALF", "METRICS", "MetricSpec"]

METRICS: Mapping[str, MetricSpec] = MappingProxyType({spec.name: spec for spec in (*MASK_SPECS, *PROBABILITY_SPECS, *CELL_SPECS)})
"""Name -> what there is to know of the score, in the order in which reports tell them."""
