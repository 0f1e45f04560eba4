"""The benchmarks themselves, at a size that takes seconds: the figures are right in kind, never in amount."""

import subprocess
import sys

import pytest
import torch

from sweeps.bench.__main__ import main
from sweeps.bench.arguments import make_parser
from sweeps.bench.processes import TimerProcess
from sweeps.bench.step import StepBench, our_timer, plain_step, plain_timer


def test_step_prints_a_table(capsys):
    assert main(["step", "--width", "4", "--depth", "3", "--batch", "2", "--size", "32", "--blocks", "2", "--precision", "fp32"]) == 0
    title, machine, head, same, ours, verdict = capsys.readouterr().out.splitlines()
    assert title == "step: U-Net width 4, depth 3, batch 2 x 32 x 32, ours in fp32"
    assert torch.__version__ in machine and "process CPU time" in machine
    assert head.split()[:2] == ["form", "ms"] and same.split()[0] == "A/A" and ours.split()[0] == "ours"
    assert "times the plain fp32 form" in verdict and "A/A row" in verdict


def test_the_plain_step_is_the_naive_form():
    config = StepBench(width=2, depth=2, batch=1, size_px=16)
    step = plain_step(config, torch.device("cpu"), torch.randn(1, 1, 16, 16), torch.zeros(1, 1, 16, 16))
    model = next(cell.cell_contents for cell in step.__closure__ if isinstance(cell.cell_contents, torch.nn.Module))
    assert model.redundant_bias and not any(module.inplace for module in model.modules() if isinstance(module, torch.nn.ReLU))
    assert all(parameter.is_contiguous() for parameter in model.parameters())
    before = step()
    for _ in range(5):
        after = step()
    assert after < before, "it trains"


@pytest.mark.parametrize("build", [plain_timer, our_timer])
def test_both_forms_run_where_they_stand(build):
    assert build(StepBench(width=2, depth=2, batch=1, size_px=16), "cpu")() > 0


def failing_timer():
    raise ValueError("no such form")


def dying_timer():
    sys.exit(3)


def test_what_fails_in_another_process_is_told_here():
    with TimerProcess(failing_timer) as timer, pytest.raises(RuntimeError, match="a benchmarked form failed: ValueError: no such form"):
        timer()
    with TimerProcess(dying_timer) as timer, pytest.raises(RuntimeError, match="ended with exit code 3"):
        timer()


def test_it_runs_without_the_rest_of_the_house():
    absent = ("ray", "optuna", "wandb", "pydantic", "rich", "typer", "ruamel", "monai", "kornia")
    blocked = f"import sys\nfor name in {absent}: sys.modules[name] = None\n"
    code = (
        blocked + "from sweeps.bench.__main__ import main\nmain(['loss', '--loss', 'bce', '--batch', '1', '--size', '16', '--blocks', '1'])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "bce" in told and "naive" in told and "MONAI" not in told


def test_an_unknown_loss_is_refused_with_the_nearest(capsys):
    with pytest.raises(SystemExit):
        main(["loss", "--loss", "focl"])
    assert "unknown loss 'focl'; allowed: bce, dice, " in (said := capsys.readouterr().err) and said.endswith("did you mean 'focal'?\n")


@pytest.mark.parametrize("kind", ["step", "loss", "score"])
@pytest.mark.parametrize("prog", ["python -m sweeps.bench", "sweeps bench"])
def test_help_calls_the_program_as_it_was_called_and_has_an_example_that_parses(kind, prog, capsys):
    with pytest.raises(SystemExit) as ended:
        main([kind, "--help"], prog=prog)
    said = " ".join(capsys.readouterr().out.split())
    assert ended.value.code == 0 and said.startswith(f"usage: {prog} {kind} [-h]")
    assert "hausdorff" not in said and (kind != "loss" or "--loss LOSS" in said)
    example = said.split(f"Example: {prog} ")[1]
    assert make_parser(prog).parse_args(example.split()).what == kind
