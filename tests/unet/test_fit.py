"""The training loop: what it yields, what it promises, and how it dies."""

import dataclasses
import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from data_utils.batches import CropConfig
from data_utils.errors import DataError
from data_utils.folds import Split
from tests.unet.stacks import SPLIT, small_stack
from unet.fit import NonFiniteLoss, Run, TrainConfig, fit, start_run, train_step
from unet.losses import LOSSES, build_loss, counts, pixels
from unet.metrics.overlap import best_dice, probability_histogram
from unet.model import ModelConfig
from unet.predict import predict_sections

GOLDEN = Path(__file__).parent / "golden"


@pytest.fixture(scope="module")
def stack():
    return small_stack()


def start(stack, *, loss="bce", parameters=None, seed=0, positive="membrane", crops=None, model=None, split=SPLIT, **train) -> Run:
    return start_run(
        stack=stack,
        split=split,
        loss=build_loss(loss, **(parameters or {})),
        model=model or ModelConfig(width=4, depth=3),
        train=TrainConfig(**({"epochs": 3, "precision": "fp32"} | train)),
        crops=crops or CropConfig(crop_px=32, crops_per_section=2, batch_size=5),
        seed=seed,
        positive=positive,
    )


def curve(run: Run) -> list[tuple]:
    return [(m.epoch, m.step, m.train_loss, *m.scores.values()) for m in fit(run)]


def test_a_measurement_an_epoch(stack):
    run = start(stack)
    measurements = list(fit(run))
    # 6 sections x 2 crops in batches of 5: 3 steps, the last of 2 crops.
    assert [(m.epoch, m.step) for m in measurements] == [(1, 3), (2, 6), (3, 9)]
    assert all(set(m.scores) == {"membrane_dice", "threshold", "membrane_dice_at_half"} for m in measurements)
    assert all(m.scores["membrane_dice"] >= m.scores["membrane_dice_at_half"] for m in measurements)
    assert list(fit(run)) == [], "a finished run has nothing more to say"


def test_the_train_loss_is_the_mean_over_crops(stack):
    run = start(stack, lr=1e-12, epochs=1)  # weights that do not move
    sizes, values = [], []
    run.model.train()
    for batch in run.crops.epoch(0):
        sizes.append(len(batch.image_N1HW))
        values.append(run.loss(run.model(batch.image_N1HW), batch.target_N1HW).item())
    (measurement,) = fit(start(stack, lr=1e-12, epochs=1))
    assert sizes == [5, 5, 2]
    assert measurement.train_loss == pytest.approx(np.average(values, weights=sizes), rel=1e-5)


def test_it_learns(stack):
    measurements = list(fit(start(stack, epochs=12, lr=1e-2)))
    assert measurements[-1].train_loss < 0.7 * measurements[0].train_loss
    everything_is_membrane = 2 * stack.membrane_ZHW[8:].mean() / (1 + stack.membrane_ZHW[8:].mean())
    assert measurements[-1].scores["membrane_dice"] > everything_is_membrane + 0.3


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_the_same_seed_gives_the_same_curve_bit_for_bit(stack, precision):
    assert curve(start(stack, precision=precision)) == curve(start(stack, precision=precision))


def test_another_seed_gives_another_curve(stack):
    assert curve(start(stack, seed=1)) != curve(start(stack, seed=0))


def test_losses_with_one_seed_are_a_pair(stack):
    """The same first weights and the same crops, whatever the loss, and whatever torch's global generator has been through."""
    torch.rand(17)
    runs = [start(stack, loss=name) for name in LOSSES]
    for run in runs[1:]:
        for one, other in zip(runs[0].model.state_dict().values(), run.model.state_dict().values(), strict=True):
            assert torch.equal(one, other)
        for one, other in zip(runs[0].crops.epoch(2), run.crops.epoch(2), strict=True):
            assert torch.equal(one.image_N1HW, other.image_N1HW) and torch.equal(one.target_N1HW, other.target_N1HW)


def test_starting_and_training_leave_the_global_generators_alone(stack):
    torch.manual_seed(5)
    np.random.seed(5)
    expected = torch.rand(3), np.random.rand(3)
    torch.manual_seed(5)
    np.random.seed(5)
    curve(start(stack, epochs=1))
    assert torch.equal(torch.rand(3), expected[0]) and (np.random.rand(3) == expected[1]).all()


def test_the_best_weights_are_kept(stack):
    run = start(stack, epochs=6, lr=3e-2)
    scores = [m.scores["membrane_dice"] for m in fit(run)]
    assert run.best_score == max(scores) and run.best_epoch == 1 + scores.index(max(scores))
    run.model.load_state_dict(run.best_weights)
    probability = predict_sections(run.model, run.validation.raw_ZHW, precision="fp32", device=run.device)
    assert best_dice(probability_histogram(probability, run.validation.membrane_ZHW))[0] == run.best_score


def test_best_weights_do_not_move_with_the_model(stack):
    run = start(stack)
    next(fit(run))
    kept = {name: tensor.clone() for name, tensor in run.best_weights.items()}
    run.best_score = 2.0  # nothing can beat it
    list(fit(run))
    assert all(torch.equal(kept[name], tensor) for name, tensor in run.best_weights.items())


def test_scores_are_about_membrane_when_the_loss_is_about_cells(stack):
    run = start(stack, positive="cell", epochs=12, lr=1e-2)
    measurements = list(fit(run))
    assert measurements[-1].scores["membrane_dice"] > 0.5
    run.model.eval()
    with torch.no_grad():
        logits = run.model(run.validation.raw_ZHW[:1, None])
    assert logits[0, 0][run.validation.membrane_ZHW[0]].mean() < logits[0, 0][~run.validation.membrane_ZHW[0]].mean()


def test_evaluation_is_not_on_the_train_clock(stack, monkeypatch):
    run = start(stack, epochs=1)
    clock = {"now": 0.0}
    monkeypatch.setattr("unet.stopwatch.time.monotonic", lambda: clock["now"])

    def slow_predict(*_, **__):
        clock["now"] += 100.0
        return torch.zeros(run.validation.raw_ZHW.shape)

    monkeypatch.setattr("unet.evaluate.predict_sections", slow_predict)
    (measurement,) = fit(run)
    assert (measurement.train_seconds, measurement.eval_seconds) == (0.0, 100.0)


def test_the_device_is_read_once_an_epoch(stack, monkeypatch):
    run = start(stack, epochs=1)
    reads = []

    def counted(name, original):
        return lambda tensor: (reads.append((name, tuple(tensor.shape))), original(tensor))[1]

    # Numbers in a CPU's memory are read as they come; the losses are told that these are not.
    for core in (pixels, counts):
        monkeypatch.setattr(core, "on_cpu", lambda tensor: False)
    # By its full name the module would be the function that `unet` shows under it.
    monkeypatch.setattr(sys.modules["unet.fit"], "membrane_scores", lambda run: {"membrane_dice": 0.0})
    for name in ("item", "tolist", "__float__", "__bool__"):
        monkeypatch.setattr(torch.Tensor, name, counted(name, getattr(torch.Tensor, name)))
    original_epoch = run.crops.epoch
    batches = list(original_epoch(0))
    monkeypatch.setattr(run.crops, "epoch", lambda _: iter(batches))
    reads.clear()
    list(fit(run))
    assert reads == [("tolist", (3,))]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_ends_the_run_and_says_where(stack, value):
    run = start(stack, lr=1e-3)
    next(fit(run))
    spoilt = dataclasses.replace(run.loss.spec, function=lambda logits, *_, **__: logits.mean() * value)
    run.loss = dataclasses.replace(run.loss, spec=spoilt)
    place = r"the loss became (nan|inf|-inf) in epoch 2, step 4 of 9"
    with pytest.raises(NonFiniteLoss, match=rf"{place}: 'bce' .*lr 0.001, precision fp32.*try a lower lr"):
        list(fit(run))


def test_weights_that_are_no_numbers_are_found_by_the_evaluation(stack):
    run = start(stack, epochs=1)
    spoilt = dataclasses.replace(run.loss.spec, function=lambda logits, *_, **__: (logits - logits.detach()).abs().sqrt().mean())
    run.loss = dataclasses.replace(run.loss, spec=spoilt)  # the value is 0, the gradient infinite times 0
    with pytest.raises(NonFiniteLoss, match=r"(the loss became nan|predict NaN)"):
        list(fit(run))


def test_bf16_learns_like_fp32_within_seed_noise(stack):
    """Per epoch, the mean difference of the two precisions (same seed) is less than the spread between seeds."""

    def scores(precision: str, seed: int) -> list[float]:
        model, crops = ModelConfig(width=8, depth=3), CropConfig(crop_px=64, crops_per_section=4)
        run = start(stack, model=model, crops=crops, lr=3e-3, epochs=6, seed=seed, precision=precision)
        return [m.scores["membrane_dice"] for m in fit(run)]

    fp32, bf16 = (np.array([scores(precision, seed) for seed in range(3)]) for precision in ("fp32", "bf16"))
    assert (np.abs((bf16 - fp32).mean(axis=0)) < fp32.std(axis=0, ddof=1)).all(), (fp32, bf16)
    assert np.abs(bf16 - fp32).mean() < 0.5 * fp32.std(axis=0, ddof=1).mean()


@pytest.mark.parametrize("loss", ["bce", "tversky"])
def test_the_golden_curve(stack, loss):
    """A change that is meant to change nothing changes nothing. One line an epoch: train loss, membrane Dice; full precision.

    fp32, so that any processor comes close: sums in another order move the fifth digit after 9 steps. Delete a file to write it anew.
    """
    met = np.array([(m.train_loss, m.scores["membrane_dice"]) for m in fit(start(stack, loss=loss))])
    path = GOLDEN / f"{loss}.txt"
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        np.savetxt(path, met, fmt="%.17g")
        pytest.fail(f"{path.name} was not there and has been written: look at it and commit it")
    np.testing.assert_allclose(met, np.loadtxt(path), rtol=1e-3)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_every_optimizer_is_fused_and_moves_the_weights(stack, optimizer):
    run = start(stack, optimizer=optimizer, epochs=1, weight_decay=0.01)
    before = [parameter.clone() for parameter in run.model.parameters()]
    assert run.optimizer.param_groups[0]["fused"] and run.optimizer.param_groups[0]["weight_decay"] == 0.01
    list(fit(run))
    assert not any(torch.equal(old, new) for old, new in zip(before, run.model.parameters(), strict=True))


def test_the_cosine_schedule_goes_to_nothing(stack):
    run = start(stack, schedule="cosine", lr=0.1, epochs=3)
    rates = []
    step = run.optimizer.step
    run.optimizer.step = lambda: (rates.append(run.optimizer.param_groups[0]["lr"]), step())
    list(fit(run))
    assert rates == pytest.approx([0.05 * (1 + math.cos(math.pi * k / 9)) for k in range(9)])


def test_training_sections_alone_set_the_scale(stack):
    run = start(stack)
    assert run.normalisation.mean == pytest.approx(stack.raw_ZHW[:6].mean())
    brighter = dataclasses.replace(stack, raw_ZHW=np.where(np.arange(10)[:, None, None] > 7, 255, stack.raw_ZHW).astype(np.uint8))
    assert start(brighter).normalisation == run.normalisation


def test_sections_of_any_size_are_scored(stack):
    odd = dataclasses.replace(stack, raw_ZHW=stack.raw_ZHW[:, :77, :50], membrane_ZHW=stack.membrane_ZHW[:, :77, :50])
    assert len(curve(start(odd, epochs=1))) == 1


def test_what_cannot_be_trained_is_refused(stack):
    with pytest.raises(ValueError, match=r"crop_px must divide by 4 for a U-Net of depth 3, got 30; the nearest are 28 and 32"):
        start(stack, crops=CropConfig(crop_px=30))
    with pytest.raises(ValueError, match="positive must be membrane or cell, got 'axon'"):
        start(stack, positive="axon")
    with pytest.raises(ValueError, match="stack 'small' has no labels"):
        start(dataclasses.replace(stack, membrane_ZHW=None))


def half_known(stack, membrane_ZHW=None, seed=0):
    """The stack with a rectangle of unknown labels in each section."""
    counted_ZHW = np.ones(stack.raw_ZHW.shape, bool)
    for section, (top, left) in enumerate(np.random.default_rng(seed).integers(0, 40, (len(counted_ZHW), 2))):
        counted_ZHW[section, top : top + 50, left : left + 50] = False
    return dataclasses.replace(stack, counted_ZHW=counted_ZHW, membrane_ZHW=stack.membrane_ZHW if membrane_ZHW is None else membrane_ZHW)


@pytest.mark.parametrize("positive", ["membrane", "cell"])
def test_what_stands_where_labels_are_unknown_changes_no_number(stack, positive):
    partial = half_known(stack)
    noise_ZHW = np.random.default_rng(1).random(stack.raw_ZHW.shape) < 0.5
    spoilt_ZHW = np.where(partial.counted_ZHW, stack.membrane_ZHW, noise_ZHW)
    curves = [curve(start(half_known(stack, membrane_ZHW), positive=positive)) for membrane_ZHW in (stack.membrane_ZHW, spoilt_ZHW)]
    assert curves[0] == curves[1]
    assert curves[0] != curve(start(stack, positive=positive))


def test_the_network_is_shown_no_gradient_of_unknown_pixels(stack):
    """A step on crops of which nothing is known moves no weight; a step on crops of which one pixel is known moves them."""
    run = start(
        dataclasses.replace(stack, counted_ZHW=np.ones_like(stack.membrane_ZHW) & (np.arange(10) > 7)[:, None, None] | _corner(stack))
    )
    before = [parameter.detach().clone() for parameter in run.model.parameters()]
    blank = next(batch for batch in run.crops.epoch(0) if not batch.mask_N1HW.any())
    run.model.train()
    assert train_step(run, blank) == 0 and run.step == 1
    assert all(parameter.grad is not None and not parameter.grad.any() for parameter in run.model.parameters())
    assert all(torch.equal(old, new) for old, new in zip(before, run.model.parameters(), strict=True))
    one_known = torch.zeros_like(blank.image_N1HW)
    one_known[0, 0, 3, 4] = 1
    train_step(run, dataclasses.replace(blank, mask_N1HW=one_known))
    assert not any(torch.equal(old, new) for old, new in zip(before, run.model.parameters(), strict=True))


def _corner(stack) -> np.ndarray:
    corner_ZHW = np.zeros_like(stack.membrane_ZHW)
    corner_ZHW[0, 0, 0] = True
    return corner_ZHW


def test_scores_are_of_known_pixels(stack):
    partial = half_known(stack)
    run = start(partial)
    (*_, measurement) = fit(run)
    probability_ZHW = predict_sections(run.model, run.validation.raw_ZHW, precision="fp32", device=run.device)
    known_ZHW = torch.from_numpy(partial.counted_ZHW[8:])
    counts = probability_histogram(probability_ZHW[known_ZHW], torch.from_numpy(stack.membrane_ZHW[8:])[known_ZHW])
    assert measurement.scores["membrane_dice"] == best_dice(counts)[0]


@pytest.mark.parametrize("crops", [CropConfig(crop_px=32), CropConfig(crop_px=32, elastic_px=2.0)])
def test_a_loss_is_given_the_mask_and_the_maps_that_it_needs(stack, crops):
    partial = half_known(stack)
    met = []

    def function(logits, target, mask, *, distance, **parameters):
        met.append((target, mask, distance))
        return (logits * distance * mask).mean()

    loss = build_loss("bce")
    loss = dataclasses.replace(loss, spec=dataclasses.replace(loss.spec, needs=("distance",), function=function))
    run = start_run(
        stack=partial, split=SPLIT, loss=loss, model=ModelConfig(width=4, depth=3), train=TrainConfig(epochs=1), crops=crops, seed=0
    )
    assert run.crops.maps == ("distance",)
    list(fit(run))
    assert met
    for target, mask, distance in met:
        assert torch.equal(distance < 0, target == 1)
        assert set(mask.unique().tolist()) <= {0.0, 1.0} and not target[mask == 0].any()


def test_sections_of_which_nothing_is_known_are_refused(stack):
    for sections, role in ((slice(0, 6), r"train: \[0, 1, 2, 3, 4, 5\]"), (slice(8, 10), r"calibration: \[8, 9\]; test: \[8, 9\]")):
        counted_ZHW = np.ones_like(stack.membrane_ZHW)
        counted_ZHW[sections] = False
        with pytest.raises(
            DataError, match=rf"small: the label of every pixel is unknown in all sections of a role \({role}\): label some"
        ):
            start(dataclasses.replace(stack, counted_ZHW=counted_ZHW))


def test_every_mistake_of_a_configuration_is_told():
    with pytest.raises(ValueError, match="optimizer must be one of adam, adamw, sgd, got 'lion'") as caught:
        TrainConfig(optimizer="lion", lr=0.0, epochs=0, schedule="step", weight_decay=math.nan, precision="fp8")
    for problem in (
        "lr must be positive",
        "epochs must be at least 1",
        "schedule must",
        "weight_decay must be 0 or more",
        "precision must",
    ):
        assert problem in str(caught.value)


def test_one_training_section_is_enough(stack):
    split = Split(train=(0,), calibration=(2,), test=(2,))
    assert len(curve(start(stack, split=split, epochs=1, crops=CropConfig(crop_px=32)))) == 1
