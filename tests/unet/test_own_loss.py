"""The loss's own value on whole sections is that of the loss on what the network says of them."""

import numpy as np
import pytest
import torch

from data_utils.batches import CropConfig
from data_utils.maps import maps_of
from tests.unet.stacks import SPLIT, small_stack
from unet.fit import Run, TrainConfig, start_run
from unet.losses import build_loss
from unet.model import ModelConfig
from unet.own_loss import own_loss_values

STACK = small_stack(size_px=64)


def started(loss: str, positive: str = "membrane") -> Run:
    return start_run(
        stack=STACK,
        split=SPLIT,
        loss=build_loss(loss),
        model=ModelConfig(width=3, depth=3),
        train=TrainConfig(epochs=1, precision="fp32"),
        crops=CropConfig(crop_px=32),
        seed=1,
        positive=positive,
    )


@pytest.mark.parametrize("positive", ["membrane", "cell"])
@pytest.mark.parametrize("loss", ["bce", "tversky", "boundary", "unet_weighted_bce"])
def test_it_is_the_loss_of_the_logits(loss: str, positive: str) -> None:
    from unet.losses import LOSSES

    if loss not in LOSSES:
        loss = next(name for name, spec in LOSSES.items() if "cell_gap" in spec.needs)
    run = started(loss, positive)
    found = own_loss_values(run, STACK.raw_ZHW, STACK.membrane_ZHW, sections=[1, 4])
    run.model.eval()
    for section, value in zip([1, 4], found, strict=True):
        image = torch.from_numpy(run.normalisation.apply(STACK.raw_ZHW[section]))[None, None]
        target_HW = STACK.membrane_ZHW[section] if positive == "membrane" else ~STACK.membrane_ZHW[section]
        target = torch.from_numpy(target_HW.astype(np.float32))[None, None]
        with torch.no_grad():
            aux = maps_of(target, run.loss.needs, positive=positive)
            expected = run.loss(run.model(image), target, None, aux=aux, progress=1.0)
        assert value == pytest.approx(expected.item(), rel=1e-5)


def test_what_is_unknown_does_not_count() -> None:
    run = started("bce")
    counted = np.ones_like(STACK.membrane_ZHW)
    counted[:, :, :24] = False
    spoilt = STACK.membrane_ZHW ^ ~counted
    one = own_loss_values(run, STACK.raw_ZHW, STACK.membrane_ZHW, counted, sections=[2])
    assert own_loss_values(run, STACK.raw_ZHW, spoilt, counted, sections=[2]) == one
    assert own_loss_values(run, STACK.raw_ZHW, STACK.membrane_ZHW, sections=[2]) != one


def test_sections_that_cannot_be_halved_are_seen_but_for_a_margin() -> None:
    run = started("bce")
    odd = (slice(None), slice(0, 62), slice(0, 63))
    found = own_loss_values(run, STACK.raw_ZHW[odd], STACK.membrane_ZHW[odd], sections=[0])
    inner = (slice(None), slice(1, 61), slice(1, 61))
    assert found == own_loss_values(run, STACK.raw_ZHW[inner], STACK.membrane_ZHW[inner], sections=[0])
    tiny = (slice(None), slice(0, 3), slice(0, 64))
    assert np.isnan(own_loss_values(run, STACK.raw_ZHW[tiny], STACK.membrane_ZHW[tiny], sections=[0])[0])


def test_what_cannot_be_computed_is_nan_and_no_fault(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    run = started("bce")
    forward, faults = run.model.forward, [MemoryError("a whole section does not fit")]

    def full(image: torch.Tensor) -> torch.Tensor:
        if faults:
            raise faults.pop()
        return forward(image)

    monkeypatch.setattr(run.model, "forward", full)
    first, second = own_loss_values(run, STACK.raw_ZHW, STACK.membrane_ZHW, sections=[0, 1])
    assert np.isnan(first) and np.isfinite(second) and "no value on section 0" in caplog.text
