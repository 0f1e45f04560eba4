"""The forms that losses are measured beside, what they are measured on, and what they hold in memory: all but the time."""

import json
import subprocess
import sys
import warnings

import pytest
import torch

from data_utils.synthetic import make_synthetic
from sweeps.bench import loss as loss_bench
from sweeps.bench.__main__ import main
from sweeps.bench.compiled import compile_loss
from sweeps.bench.loss import LossBench, bench_loss
from sweeps.bench.memory import peak_of
from sweeps.bench.naive import NAIVE
from sweeps.bench.rivals import _RIVALS, rivals_of
from sweeps.bench.sections import make_sections
from sweeps.bench.share import step_ms
from sweeps.bench.step import StepBench
from unet.losses import LOSSES, build_loss

CPU = torch.device("cpu")
THESIS = ("bce", "dice", "dice_bce", "iou", "focal", "tversky")
TORCHES = [name for name, spec in LOSSES.items() if spec.cost != "distance"]

BUFFERS = 2.0
#: a sum of two losses holds a buffer for each, and parts of another
BUFFERS_OF_A_SUM = 2.5
#: what holds more, and must not come to hold more still
KNOWN_TO_HOLD_MORE = {
    "bce_region_size": 2.5,  # a sum by its nature
    "skeleton_recall": 4.5,  # a sum of three, and the tube that one of them compares with
}
#: repeated operations are traced one by one: a few say as much as many
TRACED_WITH = {"soft_cldice": {"iterations": 2}, "dice_cldice": {"iterations": 2}}


@pytest.fixture(scope="module")
def large():
    """4 sections of 512 x 512 px."""
    return make_sections(batch=4, size_px=512, device=CPU)


@pytest.fixture(scope="module")
def small():
    """2 sections of 40 x 40 px: a tenth of the pixels is a whole number of them."""
    return make_sections(batch=2, size_px=40, device=CPU)


def test_the_sections_are_membranes_and_the_logits_know_a_little(large):
    assert large.target_N1HW.shape == large.logits_N1HW.shape == (4, 1, 512, 512)
    assert set(large.target_N1HW.unique().tolist()) == {0.0, 1.0}
    assert 0.1 < large.target_N1HW.mean() < 0.35
    right = ((large.logits_N1HW > 0) == (large.target_N1HW > 0.5)).float().mean()
    assert 0.85 < right < 0.99
    assert large.logits_N1HW.requires_grad and not large.target_N1HW.requires_grad


def test_sections_are_the_same_each_time_and_may_be_smaller_than_what_is_generated():
    first, second = (make_sections(batch=2, size_px=16, device=CPU) for _ in range(2))
    assert first.target_N1HW.shape == (2, 1, 16, 16)
    assert torch.equal(first.logits_N1HW, second.logits_N1HW) and torch.equal(first.target_N1HW, second.target_N1HW)
    membrane_ZHW = make_synthetic(sections=2, size_px=32).membrane_ZHW
    assert torch.equal(first.target_N1HW[:, 0], torch.from_numpy(membrane_ZHW[:, :16, :16]).float())


@pytest.mark.parametrize("name", list(NAIVE))
def test_the_naive_forms_compute_the_same_loss(name, small):
    loss = build_loss(name)
    maps = small.maps(loss.needs)
    ours, naive = loss(*small.pair, aux=maps, progress=0.5), NAIVE[name](*small.pair, **maps)
    torch.testing.assert_close(naive, ours, rtol=2e-5, atol=1e-6)
    slopes = [torch.autograd.grad(value, small.logits_N1HW)[0] for value in (naive, ours)]
    torch.testing.assert_close(*slopes, rtol=1e-3, atol=1e-8)


def test_the_thesis_and_the_widely_used_have_a_naive_form():
    assert set(NAIVE) <= set(LOSSES)
    assert set(NAIVE) >= {*THESIS, "weighted_bce", "dice_squared", "focal_tversky", "lovasz_hinge", "boundary", "dice_focal"}


#: rivals that give the same number as ours, once their parameters are the same
SAME_NUMBER = [("MONAI", name) for name in ("dice", "dice_squared", "iou", "tversky", "dice_bce", "dice_focal")]
SAME_NUMBER += [("kornia", "focal"), ("kornia", "lovasz_hinge")]


@pytest.mark.parametrize(("library", "name"), [(library, name) for library, losses in _RIVALS.items() for name in losses])
def test_rivals_run(library, name, small):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # 2026-11-25: MONAI and kornia warn of what their own imports and arguments will become
        rivals = rivals_of(name)
        if library not in rivals:
            pytest.skip(f"{library} is not installed")
        value = rivals[library](*small.pair)
    (slope,) = torch.autograd.grad(value, small.logits_N1HW)
    assert value.isfinite() and slope.isfinite().all() and slope.abs().sum() > 0
    if (library, name) in SAME_NUMBER:
        torch.testing.assert_close(value, build_loss(name)(*small.pair), rtol=1e-5, atol=1e-6)


def test_a_library_that_is_not_there_is_no_rival(monkeypatch):
    monkeypatch.setattr("sweeps.bench.rivals.find_spec", lambda name: None)
    assert rivals_of("dice") == {}


def test_memory_is_counted_in_buffers(large):
    def chain(logits):
        return torch.sigmoid(logits).mul(large.target_N1HW).sum()

    peak = peak_of(lambda: chain(large.logits_N1HW), large.logits_N1HW)
    # Forward: the sigmoid, which is kept, and the product. Backward: the sigmoid, the product's gradient and the logits'.
    assert (peak.forward, peak.backward) == (pytest.approx(2.0, abs=0.01), pytest.approx(3.0, abs=0.01))
    in_half = peak_of(lambda: chain(large.logits_N1HW[:2].repeat(2, 1, 1, 1)), large.logits_N1HW)
    assert in_half.forward == pytest.approx(3.0, abs=0.01)


def test_memory_is_the_same_each_time(large):
    loss = build_loss("focal")
    assert len({peak_of(lambda: loss(*large.pair), large.logits_N1HW) for _ in range(3)}) == 1


@pytest.mark.parametrize("name", [name for name, spec in LOSSES.items() if spec.cost in ("pixel", "overlap")])
def test_pixel_and_overlap_losses_hold_few_buffers(name, large):
    loss = build_loss(name)
    maps = large.maps(loss.needs)
    peak = peak_of(lambda: loss(*large.pair, aux=maps, progress=0.5), large.logits_N1HW)
    held = max(peak.forward, peak.backward)
    allowed = KNOWN_TO_HOLD_MORE.get(name, BUFFERS_OF_A_SUM if loss.spec.family == "compound" else BUFFERS)
    assert held <= allowed, f"{name} holds {peak}"


# 2026-11-25: torch 2.13 itself, when it traces a torch.autograd.Function
traced = pytest.mark.filterwarnings("ignore:.*should not be instantiated:DeprecationWarning")


def compiles(name, backend, sections, masked):
    """Value and gradient of the compiled form, in one graph, are those of the plain one."""
    loss = build_loss(name, **TRACED_WITH.get(name, {}))
    maps = sections.maps(loss.needs)
    mask = (sections.target_N1HW.roll(3, dims=-1) < 0.5).float() if masked else None
    torch._dynamo.reset()
    compiled = torch.compile(lambda logits, target: loss(logits, target, mask, aux=maps, progress=0.5), fullgraph=True, backend=backend)
    value, expected = compiled(*sections.pair), loss(*sections.pair, mask, aux=maps, progress=0.5)
    torch.testing.assert_close(value, expected, rtol=1e-5, atol=1e-6)
    slope, expected_slope = (torch.autograd.grad(each, sections.logits_N1HW)[0] for each in (value, expected))
    torch.testing.assert_close(slope, expected_slope, rtol=1e-4, atol=1e-8)


@traced
@pytest.mark.parametrize("name", TORCHES)
def test_a_loss_is_one_graph(name, small):
    compiles(name, "eager", small, masked=True)


@traced
@pytest.mark.slow
@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", TORCHES)
def test_a_loss_is_one_graph_forward_and_backward(name, small, masked):
    compiles(name, "aot_eager", small, masked)


@traced
@pytest.mark.filterwarnings("ignore:.torch.jit.*is deprecated:DeprecationWarning")  # 2026-11-25: torch 2.13's inductor, as it is imported
@pytest.mark.slow
@pytest.mark.parametrize("name", THESIS)
def test_the_thesis_losses_compile_for_good(name, small):
    compiles(name, "inductor", small, masked=False)


@traced
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf:UserWarning")  # 2026-11-25: likewise, at a break
def test_graph_breaks_are_counted(monkeypatch, small):
    monkeypatch.setattr("sweeps.bench.compiled.torch.compile", lambda loss, compile=torch.compile: compile(loss, backend="eager"))

    def broken(logits, target):
        value = (logits * target).sum()
        torch._dynamo.graph_break()
        return value * 2.0

    _, compilation = compile_loss(broken, *small.pair)
    assert compilation.graph_breaks == 1 and compilation.seconds > 0
    whole, compilation = compile_loss(build_loss("dice"), *small.pair)
    assert compilation.graph_breaks == 0
    torch.testing.assert_close(whole(*small.pair), build_loss("dice")(*small.pair))


def test_every_loss_has_a_row_and_ours_is_the_baseline(monkeypatch):
    monkeypatch.setattr(loss_bench, "_TIMED_S", 0.0)
    monkeypatch.setattr(loss_bench, "rivals_of", lambda name: {})
    rows = list(bench_loss(LossBench(batch=1, size_px=32, blocks=1, allocators=("kept",)), CPU))
    assert [row.loss for row in rows if row.comparison.form == "A/A"] == list(LOSSES)
    assert {row.loss for row in rows if row.comparison.form == "naive"} == set(NAIVE)
    for row in rows:
        assert row.cost == LOSSES[row.loss].cost and row.allocator == "kept" and row.comparison.ratio > 0
        assert row.peak is not None and row.peak.backward > 0


def test_json_has_a_line_a_form_with_its_circumstances(capsys):
    words = ["--loss", "dice", "--loss", "boundary", "--batch", "1", "--size", "16", "--blocks", "1", "--allocator", "kept", "--json"]
    assert main(["loss", *words]) == 0
    rows = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert {(row["loss"], row["form"]) for row in rows} >= {("dice", "A/A"), ("dice", "naive"), ("boundary", "A/A"), ("boundary", "naive")}
    for row in rows:
        assert row["ratio"] > 0 and row["low"] <= row["ratio"] <= row["high"] and row["blocks"] == 1
        assert (row["bench"], row["baseline"], row["allocator"], row["batch"], row["size_px"]) == ("loss", "ours", "kept", 1, 16)
        assert row["torch"] == torch.__version__ and row["device"] and "membranes" in row["sections"]
        assert row["forward_buffers"] > 0 and row["backward_buffers"] > 0


def test_the_table_names_a_loss_once_and_says_what_part_of_a_step_it_is(monkeypatch, capsys):
    monkeypatch.setattr("sweeps.bench.__main__.step_ms", lambda config, device: 1e3 * config.width)
    words = ["--loss", "dice", "--batch", "1", "--size", "32", "--blocks", "1", "--allocator", "kept", "--step", "2"]
    assert main(["loss", *words]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "1 x 1 x 32 x 32" in lines[0] and "membranes" in lines[0] and "allocator: kept" in lines
    (first,) = (line.split() for line in lines if "A/A" in line)
    assert first[:2] == ["A/A", "dice"] and any(line.split()[:1] == ["naive"] for line in lines)
    assert lines[-1].endswith("% of a step of width 2 (2000 ms)")


@pytest.mark.slow
def test_a_step_is_timed_in_a_process_of_its_own():
    assert 0.0 < step_ms(StepBench(width=2, batch=1, size_px=32), CPU) < 10e3


def test_both_allocators_are_measured_and_the_default_comes_first():
    # In a process of its own: memory that is kept is kept until the end.
    words = ["loss", "--loss", "bce", "--batch", "1", "--size", "16", "--blocks", "1", "--json"]
    code = f"from sweeps.bench.__main__ import main\nmain({words})"
    told = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=True)
    assert list(dict.fromkeys(json.loads(line)["allocator"] for line in told.stdout.splitlines())) == ["default", "kept"]
    assert told.stderr == ""
