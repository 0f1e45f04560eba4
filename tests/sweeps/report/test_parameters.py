"""Which parameters mattered: from a record to the verdict, its words and its figures."""

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from sweeps import closing, parameters
from sweeps.parameters import parameters_or_why, parameters_that_mattered, surface_of
from sweeps.recipe.schema import Recipe
from sweeps.record import SweepRecord, TrialRecord
from sweeps.report import contours, importance, parallel, slices, write_report
from sweeps.report.canvas import NARROW, WIDE, NothingToShow, to_svg
from sweeps.report.overview import Overview, survey
from sweeps.report.parameter_views import views
from sweeps.report.wording import with_minus
from sweeps.search.unit import from_unit
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "verdict.schema.json").read_text())
PARTS = (importance, slices, contours, parallel)
LOSSES: dict[str, Any] = {
    "focal": {"loss": "focal", "alpha": {"low": 0.05, "high": 0.95}, "gamma": {"low": 0.0, "high": 5.0}},
    "tversky": {"loss": "tversky", "alpha": {"low": 0.05, "high": 0.95}, "beta": {"low": 0.05, "high": 0.95}},
    "mix": {"sum": [{"dice": {"smooth": {"low": 1e-3, "high": 10.0, "log": True}}}, {"focal": {"gamma": {"low": 0.0, "high": 5.0}}}]},
    "dice": {"loss": "dice", "batch_reduce": {"choices": ["image", "batch"]}},
    "bce": {"loss": "bce"},
}
Change = Callable[[TrialRecord, int], TrialRecord]


def planted(loss: str, told: dict[str, Any]) -> float:
    """Focal's alpha and the learning rate matter; nothing else does."""
    score = 0.8 - 0.03 * (np.log10(told["train.lr"]) + 3) ** 2
    return score - (0.12 * (told["loss.alpha"] - 0.35) ** 2 if loss == "focal" else 0.0)


def swept(tmp_path: Path, losses: tuple[str, ...] = ("focal", "bce"), trials: int = 40, change: Change | None = None) -> SweepRecord:
    """A record with drawn configurations whose scores are planted."""
    base = make_record(tmp_path / "demo-001", losses=("bce", "focal"), trials=1, epochs=6, pictures=False)
    proto = next(trial for trial in base.trials if trial.stage == "search")
    recipe = Recipe.from_resolved(base.recipe | {"losses": {name: LOSSES[name] for name in losses}})
    rng, made = np.random.default_rng(3), []
    for loss in losses:
        for number in range(trials):
            told = {name: from_unit(domain, rng.uniform()) for name, domain in recipe.search_space(loss).items()}
            score = float(planted(loss, told) + 0.002 * rng.normal())
            curve = tuple({**row, "epoch": epoch, "membrane_dice": score - 0.3 / epoch} for epoch, row in enumerate(proto.curve, 1))
            assert proto.result is not None
            result = proto.result | {"scores": proto.result["scores"] | {"membrane_dice": score}}
            trial = replace(
                proto, trial_id=f"{loss}-{number + 1:04d}", loss=loss, function=loss, suggestion=told, curve=curve, result=result
            )
            made.append(change(trial, number) if change else trial)
    return replace(base, recipe=recipe.resolved(), trials=tuple(made))


def told_of(record: SweepRecord, spread: float | None = 0.002) -> dict[str, Any]:
    """Its parameters, checked against the schema and for plain JSON."""
    told = parameters_that_mattered(record, {"seed_spread": spread})
    assert json.loads(json.dumps(told, allow_nan=False)) == told
    jsonschema.validate(told, {**SCHEMA["$defs"]["parameters"], "$defs": SCHEMA["$defs"]})
    return told


def overview_of(record: SweepRecord, told: dict[str, Any] | None = None) -> Overview:
    return survey(record, {"parameters": told or told_of(record)})


def halved(trial: TrialRecord, number: int) -> TrialRecord:
    """Every trial that is not good is stopped after two epochs."""
    stops = trial.score is not None and trial.score < 0.785
    return replace(trial, state="pruned", curve=trial.curve[:2], result=None) if stops else trial


def test_what_was_planted_is_found(tmp_path: Path) -> None:
    told = told_of(swept(tmp_path), spread=0.004)["losses"]
    shares = {item["name"]: item for item in told["focal"]["importance"]}
    assert shares["train.lr"]["p"] < 0.05 and shares["loss.alpha"]["p"] < 0.05
    assert (
        shares["loss.gamma"]["share"] < shares["loss.gamma"]["chance"] * 1.5
        and shares["loss.gamma"]["share"] < shares["loss.alpha"]["share"]
    )
    assert [item["name"] for item in told["bce"]["importance"]] == ["train.lr"]
    assert told["focal"]["contour"] == ["loss.alpha", "loss.gamma"] and told["bce"]["contour"] is None
    rate = told["bce"]["flat"]["sides"]["train.lr"]["values"]
    # ties reach .0093 below the best: 10^.56 to either side of 1e-3, less as the best was lucky
    assert 2.5e-4 < rate[0] < 8e-4 and 1.3e-3 < rate[1] < 4e-3
    assert told["bce"]["flat"]["words"].startswith(f"{len(told['bce']['flat']['tied'])} of 40 trials tie with the best (.8")


def test_stopped_trials_count_and_do_not_turn_it_round(tmp_path: Path) -> None:
    told = told_of(swept(tmp_path, ("focal",), change=halved))["losses"]["focal"]
    assert told["stopped"] > 15 and told["trials"] == 40
    assert {item["name"] for item in told["importance"] if item["p"] < 0.05} >= {"train.lr"}
    whole = told_of(swept(tmp_path, ("focal",)))["losses"]["focal"]
    for name in ("train.lr", "loss.alpha", "loss.gamma"):
        shares = [next(item["share"] for item in one["importance"] if item["name"] == name) for one in (told, whole)]
        assert shares[0] == pytest.approx(shares[1], abs=0.05), "the curves never cross, so that stopping tells the same order"
    assert set(told["flat"]["tied"]) == set(whole["flat"]["tied"])


def test_a_sum_names_its_terms(tmp_path: Path) -> None:
    record = swept(tmp_path, ("mix",))
    told = told_of(record)["losses"]["mix"]
    names = {"loss.dice.smooth", "loss.focal.gamma", "train.lr"}
    assert {item["name"] for item in told["importance"]} == names == set(told["space"])
    assert set(told["contour"]) == names - {"train.lr"}
    assert "focal.gamma" in importance.alternative(overview_of(record))


def test_a_choice_has_no_contour_and_is_drawn(tmp_path: Path) -> None:
    record = swept(tmp_path, ("dice",))
    told = told_of(record)["losses"]["dice"]
    assert told["contour"] is None and told["flat"]["sides"]["loss.batch_reduce"]["choice"]
    svg = to_svg(lambda: slices.draw(overview_of(record), WIDE))
    assert ">image<" in svg and ">batch<" in svg


def test_nan_and_failures_are_kept_apart(tmp_path: Path) -> None:
    def broken(trial: TrialRecord, number: int) -> TrialRecord:
        if number == 0:
            return replace(trial, state="failed", reason="nan", curve=(), result=None)
        if number == 1:
            return replace(trial, state="failed", reason="memory", curve=(), result=None)
        nan = tuple(row | {"membrane_dice": float("nan")} for row in trial.curve)
        return replace(trial, curve=nan, result=None) if number == 2 else trial

    record = swept(tmp_path, ("focal",), change=broken)
    told = told_of(record)["losses"]["focal"]
    assert (told["trials"], told["left_out"], told["flat"]["trials"]) == (39, 1, 37)
    assert len(slices.table(overview_of(record)).rows) == 37


@pytest.mark.parametrize("trials", [1, 9])
def test_too_few_trials_have_no_importance_and_say_so(tmp_path: Path, trials: int) -> None:
    record = swept(tmp_path, ("focal",), trials=trials)
    told = told_of(record)["losses"]["focal"]
    assert told["importance"] is None and told["flat"] is None and told["surface"] is None
    assert told["importance_why"] == f"{trials} different configurations are too few: 10 are the least that say anything"
    with pytest.raises(NothingToShow, match="too few"):
        importance.draw(overview_of(record), WIDE)


def test_one_configuration_many_times_is_one(tmp_path: Path) -> None:
    record = swept(tmp_path, ("bce",), change=lambda trial, number: replace(trial, suggestion={"train.lr": 1e-3}))
    assert "1 different configurations are too few" in told_of(record)["losses"]["bce"]["importance_why"]


def test_nothing_searched_is_said(tmp_path: Path) -> None:
    record = swept(tmp_path, ("bce",))
    fixed = replace(record, recipe=record.recipe | {"train": record.recipe["train"] | {"lr": 1e-3}})
    told = told_of(fixed)
    assert told["why"] == "nothing was searched: every loss has a single configuration" and told["losses"] == {}
    page = read_page(write_report(fixed, {"parameters": told}, fixed.folder))
    assert "nothing was searched: every loss has a single configuration" in page.text


@pytest.mark.parametrize(
    ("verdict", "source", "value"),
    [
        ({"seed_spread": 0.004, "noise_floor": {"value": 0.01}}, "seeds", 0.004),
        ({"seed_spread": None, "noise_floor": {"value": 0.01}}, "floor", 0.01 / 2**0.5),
        ({"seed_spread": 0.0}, "scatter", None),
        ({}, "scatter", None),
    ],
)
def test_the_noise_has_the_best_source_that_there_is(tmp_path: Path, verdict: dict[str, Any], source: str, value: float | None) -> None:
    noise = parameters_that_mattered(swept(tmp_path, ("bce",)), verdict)["losses"]["bce"]["noise"]
    assert noise["source"] == source
    # the planted scatter is .002
    assert noise["value"] == pytest.approx(value) if value else 0.001 < noise["value"] < 0.004


def test_a_fault_never_costs_the_verdict(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setattr(parameters, "_of_loss", lambda *_: 1 / 0)
    with caplog.at_level(logging.WARNING, logger="sweeps.parameters"):
        told = parameters_or_why(swept(tmp_path), {})
    assert told["why"] == "could not be computed: ZeroDivisionError: division by zero" and told["losses"] == {}
    assert caplog.records[0].exc_info
    assert closing.parameters_or_why is parameters_or_why


def test_a_recipe_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    told = told_of(replace(swept(tmp_path), recipe={"losses": {"gone": {"loss": "gone"}}}))
    assert "not one that this version reads" in told["why"]


def test_the_surface_is_made_again_from_the_verdict(tmp_path: Path) -> None:
    record = swept(tmp_path, ("focal",))
    told = told_of(record)
    ((view, surface),) = contours.surfaces(overview_of(record, told))
    ended = [(item.trial.suggestion, item.score) for item in view.tried]
    fresh = surface_of(parameters.space_of(Recipe.from_resolved(record.recipe), "focal"), ended, maximise=True)
    assert fresh is not None
    where = [trial.suggestion for trial in record.trials[:5]]
    np.testing.assert_allclose(surface.at(where), fresh.at(where), atol=1e-9)
    assert surface.left_out_error == pytest.approx(told["losses"]["focal"]["surface"]["left_out_error"])


@pytest.fixture(scope="module")
def page_record(tmp_path_factory: pytest.TempPathFactory) -> SweepRecord:
    return swept(tmp_path_factory.mktemp("page"), ("focal", "tversky", "mix", "dice", "bce"), trials=24, change=halved)


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=lambda layout: layout.name)
@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.NAME)
def test_figures_stay_inside_their_width(page_record: SweepRecord, part: Any, layout: Any) -> None:
    overview = overview_of(page_record)
    figure = part.draw(overview, layout)
    width, height = figure.get_size_inches() * 72
    assert width == layout.width_px
    for axes in figure.axes:
        x0, y0, x1, y1 = axes.get_position().extents
        assert 0 <= x0 < x1 <= 1 and 0 <= y0 < y1 <= 1
    assert height < 4000
    assert part.alternative(overview) and part.caption(overview).endswith(".")


def test_the_page_has_the_section_with_its_words_and_data(page_record: SweepRecord) -> None:
    told = told_of(page_record)
    index = write_report(page_record, {"parameters": told}, page_record.folder)
    page = read_page(index)
    assert not page.faults
    assert any(link.get("href") == "#parameters" for link in page.of("a"))
    assert with_minus(told["losses"]["focal"]["flat"]["words"]) in page.text
    assert told["tie_rule"] in page.text
    for part in PARTS:
        rows = (index.parent / "tables" / f"{part.NAME}.csv").read_text().splitlines()
        assert len(rows) > 5, part.NAME
    assert len(parallel.table(overview_of(page_record, told)).rows) == sum(24 * len(one["space"]) for one in told["losses"].values())


def test_a_verdict_of_before_has_no_section(tmp_path: Path) -> None:
    record = swept(tmp_path, trials=2)
    page = read_page(write_report(record, {}, record.folder))
    assert not any(link.get("href") == "#parameters" for link in page.of("a"))
    assert "Which parameters mattered" not in page.text


def test_the_best_is_drawn_and_many_trials_are_thinned(tmp_path: Path) -> None:
    record = swept(tmp_path, ("bce",), trials=400)
    (view,) = views(overview_of(record))
    drawn = {item.trial.trial_id for item in view.drawn}
    assert len(view.tried) == 400 and len(drawn) <= 241 and view.best in drawn
    assert "as many are drawn" in slices.caption(overview_of(record))
    assert len(slices.table(overview_of(record)).rows) == 400


def test_panels_of_a_loss_stay_together(page_record: SweepRecord) -> None:
    shown = views(overview_of(page_record))
    rows = slices.packed(shown, 4)
    assert all(len(row) <= 4 for row in rows)
    for view in shown:
        (row,) = [row for row in rows if any(other is view for other, _ in row)]
        numbers = [number for number, (other, _) in enumerate(row) if other is view]
        assert numbers == list(range(numbers[0], numbers[0] + len(view.shown())))
    assert max(len(row) for row in slices.packed(shown, 2)) == 2
