"""A trial that would train with something else than what was proposed fails, and says what differs."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

import sweeps.trial
from sweeps.plan import TrialPlan
from sweeps.proof import ProposalMismatch, verify
from sweeps.trial import Trial
from tests.sweeps.small import plan_for, small_stack
from unet.losses import build_loss


def trial(tmp_path: Path, **changes: Any) -> Trial:
    plan: TrialPlan = plan_for(tmp_path, "focal", {"loss.alpha": 0.3, "loss.gamma": 1.5, "train.lr": 2e-3})
    return Trial(dataclasses.replace(plan, **changes), small_stack(), device="cpu")


def test_what_trained_is_written_with_the_result_and_is_what_was_proposed(tmp_path: Path) -> None:
    *_, result = trial(tmp_path).rows()
    assert result["state"] == "complete"
    assert result["proof"]["matches"] is True
    assert result["proof"]["built"]["function"] == "focal"
    assert result["proof"]["built"]["parameters"] == result["loss"]["parameters"] == {"alpha": 0.3, "gamma": 1.5}
    assert result["proof"]["built"]["lr"] == 2e-3


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (lambda name, **parameters: build_loss("focal", **parameters | {"gamma": 2.0}), r"loss.gamma is 2.0, proposed was 1.5"),
        (lambda name, **parameters: build_loss("bce"), r"the loss is bce, proposed was focal; loss.alpha is None, proposed was 0.3"),
    ],
)
def test_a_planted_loss_fails_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, planted: Any, said: str) -> None:
    monkeypatch.setattr(sweeps.trial, "build_loss", planted)
    (result,) = trial(tmp_path).rows()
    assert result["state"] == "failed" and result["reason"] == "code"
    assert said in result["error"]
    assert "ProposalMismatch" in (tmp_path / "error.txt").read_text()
    assert not (tmp_path / "metrics.jsonl").exists(), "nothing may have trained"


def test_a_planted_learning_rate_fails_the_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    started = sweeps.trial.start_run

    def planted(**arguments: Any) -> Any:
        run = started(**arguments)
        run.optimizer.param_groups[0]["lr"] = 1e-3
        return run

    monkeypatch.setattr(sweeps.trial, "start_run", planted)
    (result,) = trial(tmp_path).rows()
    assert "train.lr is 0.001, proposed was 0.002" in result["error"]


def test_every_difference_is_said_at_once(tmp_path: Path) -> None:
    built = trial(tmp_path)
    next(built.rows())
    assert built.run is not None
    with pytest.raises(ProposalMismatch, match=r"the loss is focal.*loss.beta is None.*train.lr is 0.002"):
        verify(built.run, function="tversky", parameters={"beta": 0.7}, suggestion={"train.lr": 0.5})
