"""Sections in, batches out. Knows no model.

    from data_utils import load_dataset, search_split

Names are imported when first asked for, so that `import data_utils` costs nothing.
"""

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from data_utils.batches import Batch, CropConfig, Crops, Normalisation
    from data_utils.datasets import DATASETS, load_dataset
    from data_utils.errors import DataError
    from data_utils.folds import Split, finalist_split, search_split
    from data_utils.isbi2012 import download_isbi2012, find_isbi2012
    from data_utils.maps import MAPS, maps_of
    from data_utils.sections import SectionReader, open_sections
    from data_utils.stack import Stack, read_stack, write_stack
    from data_utils.synthetic import make_synthetic
    from data_utils.tiff import read_tiff, write_tiff
    from data_utils.tiff_writer import SectionWriter

__all__ = [
    "DATASETS",
    "MAPS",
    "Batch",
    "CropConfig",
    "Crops",
    "DataError",
    "Normalisation",
    "SectionReader",
    "SectionWriter",
    "Split",
    "Stack",
    "download_isbi2012",
    "finalist_split",
    "find_isbi2012",
    "load_dataset",
    "make_synthetic",
    "maps_of",
    "open_sections",
    "read_stack",
    "read_tiff",
    "search_split",
    "write_stack",
    "write_tiff",
]

_MODULES = {
    "batches": ("Batch", "CropConfig", "Crops", "Normalisation"),
    "datasets": ("DATASETS", "load_dataset"),
    "errors": ("DataError",),
    "folds": ("Split", "finalist_split", "search_split"),
    "isbi2012": ("download_isbi2012", "find_isbi2012"),
    "maps": ("MAPS", "maps_of"),
    "sections": ("SectionReader", "open_sections"),
    "stack": ("Stack", "read_stack", "write_stack"),
    "synthetic": ("make_synthetic",),
    "tiff": ("read_tiff", "write_tiff"),
    "tiff_writer": ("SectionWriter",),
}


def __getattr__(name: str) -> object:
    for module, names in _MODULES.items():
        if name in names:
            return getattr(importlib.import_module(f"data_utils.{module}"), name)
    raise AttributeError(f"module 'data_utils' has no attribute {name!r}; it has {', '.join(__all__)}")


def __dir__() -> list[str]:
    return list(__all__)
