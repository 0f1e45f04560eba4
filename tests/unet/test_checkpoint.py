"""A resumed run is the uninterrupted one, bit for bit; a damaged file is never taken for a whole one."""

import json

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data_utils.batches import CropConfig
from tests.unet.stacks import SPLIT, small_stack
from unet.checkpoint import CheckpointError, load_checkpoint, load_model, save_checkpoint, save_weights
from unet.fit import Run, TrainConfig, fit, start_run
from unet.losses import build_loss
from unet.model import ModelConfig, UNet

STACK = small_stack(size_px=64)


def start(*, loss="dice", parameters=None, seed=3, **train) -> Run:
    return start_run(
        stack=STACK,
        split=SPLIT,
        loss=build_loss(loss, **(parameters or {})),
        model=ModelConfig(width=3, depth=3),
        train=TrainConfig(**({"epochs": 4} | train)),
        crops=CropConfig(crop_px=32, batch_size=4),
        seed=seed,
    )


def results(run: Run) -> list[tuple]:
    return [(m.epoch, m.step, m.train_loss, m.scores) for m in fit(run)]


def same_weights(one: Run, other: Run) -> bool:
    pairs = zip(one.model.state_dict().values(), other.model.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """A run after two of four epochs, and its checkpoint."""
    run = start()
    training = fit(run)
    next(training), next(training)
    path = tmp_path_factory.mktemp("checkpoints") / "run.safetensors"
    save_checkpoint(run, path)
    return run, path


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
@pytest.mark.parametrize(("optimizer", "schedule"), [("adam", "constant"), ("adamw", "cosine"), ("sgd", "cosine")])
def test_resuming_is_never_having_stopped(tmp_path, precision, optimizer, schedule):
    options = {"precision": precision, "optimizer": optimizer, "schedule": schedule, "lr": 1e-2, "weight_decay": 1e-3}
    whole = start(**options)
    expected = results(whole)
    met, path = [], tmp_path / "run"
    for _ in range(4):  # a new process, as it were, after every epoch
        run = start(**options)
        if path.exists():
            load_checkpoint(run, path)
        measurement = next(fit(run))
        met.append((measurement.epoch, measurement.step, measurement.train_loss, measurement.scores))
        save_checkpoint(run, path)
    assert met == expected
    assert same_weights(run, whole)
    assert (run.best_epoch, run.best_score) == (whole.best_epoch, whole.best_score)
    assert all(torch.equal(run.best_weights[name], tensor) for name, tensor in whole.best_weights.items())


def test_saving_disturbs_nothing(tmp_path):
    run = start()
    met = []
    for measurement in fit(run):
        save_checkpoint(run, tmp_path / "run")
        met.append((measurement.epoch, measurement.step, measurement.train_loss, measurement.scores))
    assert met == results(start())


def test_a_run_that_has_not_begun_can_be_kept(tmp_path):
    save_checkpoint(start(), tmp_path / "run")
    run = start()
    load_checkpoint(run, tmp_path / "run")
    assert (run.epoch, run.best_epoch, run.best_score, run.best_weights) == (0, 0, float("-inf"), {})
    assert results(run) == results(start())


def test_moments_lie_in_memory_like_their_weights(saved):
    run = start()
    load_checkpoint(run, saved[1])
    for parameter, state in run.optimizer.state.items():
        assert state["exp_avg"].stride() == state["exp_avg_sq"].stride() == parameter.stride()


def test_clocks_go_on(saved):
    run = start()
    load_checkpoint(run, saved[1])
    assert run.stopwatch.seconds("train") == saved[0].stopwatch.seconds("train") > 0
    assert run.stopwatch.seconds("wall") >= run.stopwatch.seconds("train")


def test_a_run_may_be_made_longer_unless_its_schedule_says_when_it_ends(saved, tmp_path):
    longer = start(epochs=6)
    load_checkpoint(longer, saved[1])
    assert len(results(longer)) == 4
    save_checkpoint(start(schedule="cosine"), tmp_path / "cosine")
    with pytest.raises(CheckpointError, match="belongs to another run; train"):
        load_checkpoint(start(schedule="cosine", epochs=6), tmp_path / "cosine")


@pytest.mark.parametrize(
    ("other", "word"),
    [({"loss": "iou"}, "loss"), ({"parameters": {"smooth": 2.0}}, "loss"), ({"seed": 4}, "seed: 3 there, 4 here"), ({"lr": 1e-4}, "train")],
)
def test_another_run_is_refused_and_left_alone(saved, other, word):
    run = start(**other)
    before = {name: tensor.clone() for name, tensor in run.model.state_dict().items()}
    with pytest.raises(CheckpointError, match=f"belongs to another run; .*{word}"):
        load_checkpoint(run, saved[1])
    assert run.epoch == 0 and all(torch.equal(before[name], tensor) for name, tensor in run.model.state_dict().items())


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_no_damage_goes_unnoticed(saved, tmp_path_factory, data):
    payload = saved[1].read_bytes()
    kind = data.draw(st.sampled_from(["truncate", "flip a bit", "zero a page", "append", "head"]))
    place = data.draw(st.integers(0, len(payload) - 1 if kind != "head" else 300))
    damaged = bytearray(payload)
    if kind == "truncate":
        del damaged[place:]
    elif kind == "append":
        damaged += bytes(place % 5000 + 1)
    elif kind == "zero a page":
        damaged[place : place + 512] = bytes(len(damaged[place : place + 512]))
    else:
        damaged[place] ^= 1 << data.draw(st.integers(0, 7))
    if bytes(damaged) == payload:
        return  # the page was zero before
    path = tmp_path_factory.mktemp("damaged") / "run"
    path.write_bytes(damaged)
    with pytest.raises(CheckpointError, match="damaged|no checkpoint"):
        load_checkpoint(start(), path)


@pytest.mark.parametrize("payload", [b"", b"\x00" * 8, b"\xff" * 64, b"PK\x03\x04" * 100, json.dumps({"a": 1}).encode()])
def test_what_was_never_a_checkpoint_is_said_so(tmp_path, payload):
    (tmp_path / "run").write_bytes(payload)
    with pytest.raises(CheckpointError, match="is no checkpoint"):
        load_checkpoint(start(), tmp_path / "run")


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        load_checkpoint(start(), tmp_path / "nowhere")


def test_the_same_weights_are_the_same_file(tmp_path):
    sums = {save_weights(start().model, tmp_path / str(i), {"b": "1", "a": "2", "positive": "membrane"}) for i in range(4)}
    assert len(sums) == 1


def test_a_model_comes_back(tmp_path):
    torch.manual_seed(0)
    model = UNet(width=3, depth=2, redundant_bias=True).to(memory_format=torch.channels_last).eval()
    save_weights(model, tmp_path / "weights", {"positive": "cell", "note": "smoerrebroed"})
    loaded, metadata = load_model(tmp_path / "weights")
    image = torch.randn(1, 1, 16, 16)
    torch.testing.assert_close(loaded(image), model(image), rtol=1e-5, atol=1e-6)
    assert not loaded.training
    shape = {"width": "3", "depth": "2", "in_channels": "1", "redundant_bias": "True"}
    assert metadata == {**shape, "positive": "cell", "note": "smoerrebroed"}


def test_a_model_is_no_run_and_a_run_no_model(saved, tmp_path):
    save_weights(start().model, tmp_path / "weights", {})
    with pytest.raises(CheckpointError, match="holds a model's weights, not a run: load it with load_model"):
        load_checkpoint(start(), tmp_path / "weights")
    with pytest.raises(CheckpointError, match="holds no model's weights; found run"):
        load_model(saved[1])


def test_other_programs_can_read_the_file(saved):
    from safetensors import safe_open

    with safe_open(saved[1], framework="numpy") as file:
        counters = json.loads(file.metadata()["run"])
        assert counters["epoch"] == 2 and counters["identity"]["loss"]["name"] == "dice"
        assert "model.enc1_1.conv.weight" in file.keys()  # noqa: SIM118 - not a dict
