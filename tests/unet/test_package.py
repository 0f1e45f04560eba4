"""The package's own face: lazy, and `unet.fit` is the function whatever was imported first."""

import subprocess
import sys

import pytest

import unet


def in_a_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_every_name_can_be_had():
    for name in unet.__all__:
        assert callable(getattr(unet, name)), name
    assert set(dir(unet)) == set(unet.__all__)


def test_an_unknown_name_lists_what_there_is():
    with pytest.raises(AttributeError, match=r"module 'unet' has no attribute 'train'; it offers .*start_run"):
        unet.train  # noqa: B018


def test_importing_costs_nothing():
    assert in_a_new_process("import sys, unet, unet.metrics; print('torch' in sys.modules)").strip() == "False"


@pytest.mark.parametrize("first", ["import unet.fit", "from unet import fit"])
def test_fit_is_the_function(first):
    told = in_a_new_process(f"{first}\nimport unet\nfrom unet import fit\nprint(fit is unet.fit, fit.__name__, fit.__module__)")
    assert told.split() == ["True", "fit", "unet.fit"]
