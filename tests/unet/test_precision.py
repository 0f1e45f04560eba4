"""Which format is chosen, and that the choice takes effect."""

import pytest
import torch

from unet.precision import autocast, has_fast_bf16, resolve_precision

CPU = torch.device("cpu")


def test_auto_follows_the_hardware(monkeypatch):
    for fast, expected in ((True, "bf16"), (False, "fp32")):
        monkeypatch.setattr("unet.precision.has_fast_bf16", lambda device, fast=fast: fast)
        assert resolve_precision("auto", CPU) == expected


def test_a_wish_is_followed():
    assert resolve_precision("fp32", CPU) == "fp32"
    assert resolve_precision("bf16", CPU) == "bf16"


def test_an_unknown_format_is_refused():
    with pytest.raises(ValueError, match="precision must be one of auto, fp32, bf16, got 'fp16'"):
        resolve_precision("fp16", CPU)


def test_a_processor_says_whether_it_multiplies_bf16(monkeypatch):
    for amx in (True, False):
        monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: False)
        monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda amx=amx: amx)
        assert has_fast_bf16(CPU) is amx
    assert not has_fast_bf16(torch.device("meta"))


@pytest.mark.parametrize(("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16)])
def test_the_context_switches_it_on(precision, dtype):
    with autocast(precision, CPU):
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
