"""The package's face: complete, and free of cost until something is asked for."""

import subprocess
import sys
from pathlib import Path

import pytest

import data_utils


def test_every_public_name_is_there() -> None:
    assert all(getattr(data_utils, name) is not None for name in data_utils.__all__)
    assert dir(data_utils) == sorted(data_utils.__all__)
    assert data_utils.load_dataset.__module__ == "data_utils.datasets"


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(AttributeError, match="module 'data_utils' has no attribute 'Batches'; it has DATASETS, MAPS, Batch, CropConfig"):
        data_utils.Batches  # noqa: B018 - looking it up is the test


def test_nothing_heavy_is_imported_before_it_is_asked_for() -> None:
    script = (
        "import sys, data_utils; assert not {'numpy', 'torch', 'tifffile'} & set(sys.modules), 'import data_utils'\n"
        "data_utils.load_dataset; assert not {'torch', 'pooch', 'requests', 'matplotlib'} & set(sys.modules), 'load_dataset'\n"
        "data_utils.Crops; assert 'torch' in sys.modules"
    )
    root = Path(data_utils.__file__).parents[1]
    done = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
