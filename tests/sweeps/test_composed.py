"""A sum of losses on the whole way, with Tune left out: recipe, study, trials, ledger, verdict, report, best, rerun, W&B's settings."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeps.closing import close_sweep
from sweeps.finalists import plan_finalists
from sweeps.folder import write_json
from sweeps.ledger import Ledger
from sweeps.plan import TrialPlan
from sweeps.progress import SweepProgress
from sweeps.provenance import describe_data
from sweeps.recipe.schema import Recipe, read_recipe
from sweeps.record import SweepRecord, load_results, trial_folder
from sweeps.report.citations import loss_sources
from sweeps.report.methods import methods
from sweeps.report.overview import survey
from sweeps.report.wording import say_parameters
from sweeps.rerun import rerun
from sweeps.search.sources import FixedSource, SearchSource
from sweeps.stacks import split_of
from sweeps.stage import Conductor, Interrupt, Source
from sweeps.tracking.settings import settings_for
from sweeps.trial import Trial
from tests.sweeps.small import plan_for, small_recipe, small_stack
from unet.losses import LOSSES

MIX = {"sum": ["bce", {"focal": {"gamma": "search", "ramp": "rise"}}], "weights": "search"}
SEARCHED = ["loss.focal.weight", "loss.focal.gamma", "train.lr"]


class Bench:
    """A sweep's folder and what fills it, one trial after the other in this process."""

    def __init__(self, folder: Path, recipe: Recipe) -> None:
        self.folder, self.recipe, self.ledger = folder, recipe, Ledger(folder / "ledger")
        self.progress = SweepProgress("small", {loss: recipe.budget(loss) for loss in recipe.losses}, "plain")
        write_json(folder / "recipe.resolved.yaml", recipe.resolved())
        write_json(folder / "provenance.json", {"name": "small-001", "uuid": "0" * 32})
        plans = {"search": self.plan("bce-0001", "bce", {}, 0, None), "finalist": self.plan("bce-f0-s1", "bce", {}, 1, 0)}
        sections = {stage: split_of(plan, recipe, len(small_stack().raw_ZHW)).test for stage, plan in plans.items()}
        write_json(folder / "data.json", describe_data(small_stack(), recipe.data.source, sections))

    def plan(self, trial_id: str, loss: str, suggestion: dict[str, Any], seed: int, fold: int | None) -> TrialPlan:
        stage = "search" if fold is None else "finalist"
        where = trial_folder(self.folder, stage, trial_id)
        return plan_for(where, loss, suggestion, self.recipe, trial_id=trial_id, stage=stage, seed=seed, fold=fold)

    def run(self, source: Source) -> None:
        conductor = Conductor(source, self.ledger, self.progress, Interrupt(), stop_after=2)
        while (plan := conductor.next_plan()) is not None:
            conductor.started(plan.trial_id)
            *rows, result = Trial(plan, small_stack(), device="cpu").rows()
            for row in rows:
                conductor.measured(plan.trial_id, row | {"worker": "here:1"})
            conductor.ended(plan.trial_id, result)


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> tuple[SweepRecord, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("small-001")
    bench = Bench(folder, small_recipe(losses={"bce": {}, "mix": MIX}, train={"epochs": 2}))

    def plan(*, trial_id: str, loss: str, suggestion: dict[str, Any], seed: int, fold: int | None) -> TrialPlan:
        return bench.plan(trial_id, loss, suggestion, seed, fold)

    bench.run(SearchSource(bench.recipe, [], plan, folder / "study.sqlite3"))
    bench.run(FixedSource(plan_finalists(bench.recipe, load_results(folder).trials, plan)))
    bench.ledger.close()
    verdict, page = close_sweep(folder)
    assert page.is_file()
    return load_results(folder), verdict


def test_every_trial_of_a_sum_trained_with_what_was_proposed(swept: tuple[SweepRecord, dict[str, Any]]) -> None:
    record, _ = swept
    trials = record.of("mix")
    assert [trial.state for trial in trials] == ["complete"] * 4
    for trial in trials:
        assert trial.function == "bce+focal" and sorted(trial.suggestion) == sorted(SEARCHED)
        assert trial.result is not None
        proof = trial.result["proof"]
        assert proof["matches"] is True and proof["built"]["function"] == "bce+focal"
        for name in SEARCHED[:2]:
            assert proof["built"]["parameters"][name.removeprefix("loss.")] == trial.suggestion[name]
        assert proof["built"]["parameters"]["focal.ramp"] == "rise"
    first, second = record.of("mix", "search")
    assert first.suggestion["loss.focal.weight"] == 1.0 and first.suggestion["loss.focal.gamma"] == 2.0, "the literature's come first"
    assert second.suggestion != first.suggestion


def test_the_verdict_and_the_report_speak_of_the_sum(swept: tuple[SweepRecord, dict[str, Any]]) -> None:
    record, verdict = swept
    (row,) = [row for row in verdict["ranking"] if row["loss"] == "mix"]
    assert row["function"] == "bce+focal" and row["params"]["loss.focal.ramp"] == "rise"
    overview = survey(record, verdict)
    view = overview.loss("mix")
    assert view is not None and len(view.runs) == 2
    assert "focal.weight" in say_parameters(overview.tuned(view)) and "loss." not in say_parameters(overview.tuned(view))
    assert loss_sources(overview) == {name: LOSSES[name].source for name in ("bce", "focal")}
    assert any("mix (bce+focal, focal.weight searched from 0.1 to 10 (logarithmic)" in part for part in methods(overview))
    page = (record.folder / "report" / "index.html").read_text()
    assert "could not be made" not in page and "bce+focal" in page


def test_best_and_rerun_of_a_sum(swept: tuple[SweepRecord, dict[str, Any]]) -> None:
    record, _ = swept
    trial = record.of("mix", "finalist")[0]
    own = read_recipe(trial.folder / "recipe.yaml")
    assert own.losses["mix"].function == "bce+focal" and own.search_space("mix") == {}
    assert own.loss_parameters("mix", {})["focal.gamma"] == trial.suggestion["loss.focal.gamma"]
    again = rerun(record.folder, trial.trial_id)
    assert again["comparison"]["identical"] is True, again["comparison"]
    assert (record.folder / "best" / "recipe.yaml").is_file()


def test_a_planted_parameter_of_a_sum_fails_its_trial(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sweeps.trial
    from unet.losses import build_loss

    monkeypatch.setattr(sweeps.trial, "build_loss", lambda name, **own: build_loss(name, **own | {"focal.gamma": 0.25}))
    recipe = small_recipe(losses={"mix": MIX})
    suggestion = recipe.defaults("mix") | {"train.lr": 1e-3}
    (result,) = Trial(plan_for(tmp_path, "mix", suggestion, recipe), small_stack(), device="cpu").rows()
    assert result["state"] == "failed" and "loss.focal.gamma is 0.25, proposed was 2.0" in result["error"]


def test_wandb_gets_a_sum_s_terms_as_tags_and_levels(tmp_path: Path) -> None:
    terms = ["bce", "dice", "dice_bce", "focal", "tversky", "iou", "bce", "dice", "dice_bce", "focal", "tversky", "iou"]
    recipe = small_recipe(losses={"mix": {"sum": terms}})
    told = settings_for(plan_for(tmp_path, "mix", {"train.lr": 1e-3}, recipe))
    assert len("+".join(terms)) > 64 and all(len(tag) <= 64 for tag in told.tags), "W&B refuses longer tags"
    assert {"mix", "focal", "tversky"} <= set(told.tags) and len(told.tags) == len(set(told.tags))
    assert told.config["loss"]["function"] == "+".join(terms)
    assert told.config["loss"]["params"]["focal_2"]["gamma"] == 2.0
    json.dumps(told.config)
