"""The search benchmark over a small cut of the recorded curves: what it counts is exact, whatever its figures are."""

import json
import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from data_utils.errors import DataError
from sweeps.bench.search import SearchBench, Setting, noise_floor, replay, rows, targets_of
from sweeps.bench.search_curves import Curve, LossCurves, RecordedCurves, read_curves, write_curves
from sweeps.bench.search_lines import search_lines
from sweeps.bench.search_replay import Replayed, SimulatedSweep, epochs_until
from sweeps.bench.search_settings import BASELINE, all_settings, shipped, to_scale
from sweeps.cli import app
from sweeps.finalists import best_of_each
from sweeps.record import NoSweep, TrialRecord
from sweeps.space import Choice, Float
from tests.sources import ROOT

STORED = ROOT / "docs" / "benchmarks" / "data" / "search-curves_isbi2012_202611.csv"
LOSSES = ("bce", "dice", "focal")
SMALL = SearchBench(replays=2, trials=6)
SETTINGS = [
    BASELINE,
    Setting(name="stopped", stop=(3, 3)),
    Setting(name="late", stop=(10, 2), sampler="random"),
    Setting(name="shared", stop=(3, 3), allocation="shared", sampler="qmc"),
]


@pytest.fixture(scope="module")
def small() -> RecordedCurves:
    """Twelve trials of each of three losses, and their finalists."""
    whole = read_curves(STORED)
    recipe = whole.recipe.model_copy(update={"losses": {loss: whole.recipe.losses[loss] for loss in LOSSES}})
    first = [curve for curve in whole.curves if curve.loss in LOSSES and (curve.stage == "finalist" or int(curve.trial[-4:]) <= 12)]
    return RecordedCurves(recipe=recipe, curves=tuple(first), origin=whole.origin)


def test_the_stored_record_is_whole_and_small() -> None:
    record = read_curves(STORED)
    assert len(record.losses) == 6 and all(len(record.of(loss).curves) == 60 for loss in record.losses)
    assert record.noise()[1] == 12 and STORED.stat().st_size < 400_000
    assert "/" not in record.origin["data"]["name"], "where the data lay is nobody's business"


def test_what_is_written_is_what_was_read(small: RecordedCurves, tmp_path: Path) -> None:
    write_curves(small, tmp_path / "curves.csv")
    again = read_curves(tmp_path / "curves.csv")
    assert again == replace(small, recipe=again.recipe) and again.recipe.losses == small.recipe.losses
    with pytest.raises(DataError, match="no file of learning curves: its first line must be # and JSON"):
        (tmp_path / "other.csv").write_text("stage,loss\nsearch,bce\n")
        read_curves(tmp_path / "other.csv")
    with pytest.raises(NoSweep):
        read_curves(tmp_path / "nothing")


def test_a_record_with_too_few_curves_is_refused(small: RecordedCurves, tmp_path: Path) -> None:
    write_curves(replace(small, curves=small.curves[:4]), tmp_path / "curves.csv")
    with pytest.raises(DataError, match="at least 2 whole search trials of every loss .* too few of dice, focal"):
        read_curves(tmp_path / "curves.csv")


SPACE = {"lr": Float(low=1e-4, high=1.0, log=True), "reduce": Choice(choices=("a", "b", "c"))}


@pytest.mark.parametrize(
    ("lr", "reduce", "neighbours", "curve"),
    [
        (1e-4, "a", 1, (0.1, 0.2)),
        (2e-2, "a", 1, (0.3, 0.4)),  # nearer to 1 than to 1e-4 in the logarithm
        (1e-4, "b", 1, (0.5, 0.6)),
        (1e-4, "c", 1, (0.1, 0.2)),  # a choice that was not recorded is as far from a as from b: the first of equals
        (1.0, "a", 2, (0.3, 0.4)),  # recorded: plays its own curve
        (1e-3, "a", 2, (0.15, 0.25)),  # a quarter from the first, three quarters from the second: weights 3 to 1
    ],
)
def test_a_suggestion_plays_the_nearest_curves(lr: float, reduce: str, neighbours: int, curve: tuple[float, ...]) -> None:
    told = [((1e-4, "a"), (0.1, 0.2)), ((1.0, "a"), (0.3, 0.4)), ((1e-4, "b"), (0.5, 0.6))]
    curves = [
        Curve(stage="search", loss="x", trial=f"x-{number}", suggestion=dict(zip(SPACE, values, strict=True)), scores=scores)
        for number, (values, scores) in enumerate(told)
    ]
    assert LossCurves(SPACE, curves).play({"lr": lr, "reduce": reduce}, neighbours) == pytest.approx(curve)


def test_the_noise_is_pooled_over_the_finalists(small: RecordedCurves) -> None:
    values = {"bce": (0.1, 0.3), "dice": (0.5, 0.5, 0.8)}
    finalists = [
        Curve(stage="finalist", loss=loss, trial=f"{loss}-f0-s{seed}", suggestion={}, scores=(0.0, value))
        for loss, found in values.items()
        for seed, value in enumerate(found, 1)
    ]
    sd, freedom = replace(small, curves=tuple(finalists)).noise()
    assert freedom == 3 and sd == pytest.approx(math.sqrt((0.02 + 0.06) / 3))
    assert noise_floor(0.5) == pytest.approx(math.sqrt(0.5))


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
@pytest.mark.parametrize("concurrent", [1, 2, 8])
def test_every_epoch_is_counted_once(small: RecordedCurves, setting: Setting, concurrent: int) -> None:
    recipe = small.recipe.model_copy(update={"search": setting.section(6, seed=3)})
    sweep = SimulatedSweep(recipe, {loss: small.of(loss) for loss in LOSSES})
    measured, ended = [], []
    source = sweep.source
    tell, end = source.measured, source.ended

    def noted(plan: Any, row: dict[str, Any]) -> bool:
        measured.append((plan, row))
        return tell(plan, row)

    def closed(plan: Any, state: str, scores: Mapping[str, Any]) -> None:
        ended.append((plan, state, len({other.trial_id for other, _ in measured}) - len(ended)))
        end(plan, state, scores)

    source.measured, source.ended = noted, closed
    found = sweep.run(concurrent)
    per_loss = {loss: [row["epoch"] for plan, row in measured if plan.loss == loss] for loss in LOSSES}
    assert found.spent == {loss: len(epochs) for loss, epochs in per_loss.items()}
    assert sum(found.trials.values()) == 18 == len(ended) and max(running for *_, running in ended) == min(concurrent, 18)
    if setting.allocation == "equal":
        assert set(found.trials.values()) == {6}
    if setting.stop is None:
        assert set(found.spent.values()) == {6 * 27} and {state for _, state, _ in ended} == {"complete"}
    else:
        assert sum(found.spent.values()) < 18 * 27 and "pruned" in {state for _, state, _ in ended}
        assert min(len([0 for other, _ in measured if other.trial_id == plan.trial_id]) for plan, *_ in ended) == setting.stop[0]
    records = [_record(plan, state, [row for other, row in measured if other.trial_id == plan.trial_id]) for plan, state, _ in ended]
    for loss, (chosen,) in best_of_each(recipe, records).items():
        assert found.losses[loss][-1][1] == chosen.score, "the finalist is the one that a sweep would take"


def _record(plan: Any, state: str, curve: list[dict[str, Any]]) -> TrialRecord:
    return TrialRecord(
        trial_id=plan.trial_id, stage="search", loss=plan.loss, function=plan.loss, suggestion=plan.suggestion, seed=0, fold=None,
        state=state, curve=tuple(curve), folder=Path("nowhere"),
    )  # fmt: skip


@pytest.mark.parametrize("setting", SETTINGS, ids=lambda setting: setting.name)
def test_the_same_seed_is_the_same_sweep(small: RecordedCurves, setting: Setting) -> None:
    first = replay(SMALL, small, setting)
    assert first == replay(SMALL, small, setting) and first[0] != first[1]
    assert replay(SMALL, small, replace(setting, seed=1))[0] == first[1], "replay r has the seed of the first plus r"


def test_epochs_until_is_the_first_time_and_infinite_for_a_miss() -> None:
    steps = [(27, 0.5), (40, 0.7), (90, 0.8)]
    assert [epochs_until(steps, target) for target in (0.4, 0.7, 0.75, 0.9)] == [27, 40, 90, math.inf]
    assert epochs_until([], 0.1) == math.inf


def test_a_row_is_medians_with_misses_and_a_ratio(small: RecordedCurves) -> None:
    targets = targets_of(small, 0.0)
    reach = targets.losses

    def sweep(*epochs: float) -> Replayed:
        steps = {
            loss: [(5, 0.0), *([(int(at), reach[loss])] if math.isfinite(at) else [])] for loss, at in zip(LOSSES, epochs, strict=True)
        }
        return Replayed(
            losses=steps, best=[(50, targets.of_all)], spent=dict.fromkeys(LOSSES, 100), trials={"bce": 3, "dice": 4, "focal": 5}
        )

    base = [sweep(100, 200, 300), sweep(150, 250, 400), sweep(10, 300, math.inf)]
    ours = [sweep(10, 100, math.inf), sweep(10, 125, 200), sweep(10, math.inf, math.inf)]
    first, second = rows({"random": base, "ours": ours}, targets, budget=500)
    assert (first.epochs, first.ratio, first.reached) == (250, 1.0, pytest.approx(8 / 9))
    assert (second.epochs, second.ratio, second.reached) == (125, 0.5, pytest.approx(6 / 9))
    assert second.penalised == pytest.approx((10 + 100 + 1000 + 10 + 125 + 200 + 10 + 2000) / 9)
    assert (second.spent, second.fewest, second.best_epochs, second.replays) == (300, 3, 50, 3)
    misses = [targets.best["focal"], targets.best["dice"], targets.best["focal"]]
    assert second.low <= 0.5 <= second.high and math.isnan(rows({"random": ours[2:], "ours": base}, targets, budget=500)[1].ratio)
    assert second.lacks == pytest.approx(np.sum(misses) / 9)


def test_the_shipped_default_is_what_a_recipe_gets(small: RecordedCurves) -> None:
    assert shipped().section(20, 0) == small.recipe.search.model_copy(update={"seed": 0})
    assert to_scale(100).stop == shipped().stop and to_scale(27).stop == (3, 3)
    names = [setting.name for setting in all_settings(27)]
    assert len(names) == len(set(names)) and names[:2] == ["random", "A/A"]


def test_the_command_prints_its_tables_and_json(small: RecordedCurves, tmp_path: Path) -> None:
    path = tmp_path / "curves.csv"
    written = CliRunner().invoke(app, ["bench", "search", str(STORED), "--write", str(path)])
    assert written.exit_code == 0 and "378 curves of 6 losses" in written.output and read_curves(path) == read_curves(STORED)
    few = replace(SMALL, replays=1, trials=3)
    lines = list(search_lines(small, few, noise_sd=None, as_json=False))
    assert lines[0].startswith("search: 1 replays, 3 trials of 27 epochs a loss") and "to confirm with: dice" in lines
    assert sum(line.startswith("  shipped default ") for line in lines) == sum(line.startswith("  A/A ") for line in lines) + 2 >= 8
    row = json.loads(next(search_lines(small, few, noise_sd=0.01, as_json=True)))
    assert row["name"] == "random" and row["floor"] == pytest.approx(0.01414, abs=1e-4) and row["ratio"] in (1.0, None)


def test_a_record_without_repeated_seeds_asks_for_the_noise(small: RecordedCurves) -> None:
    searched = replace(small, curves=tuple(curve for curve in small.curves if curve.stage == "search"))
    with pytest.raises(DataError, match="the noise between seeds is unknown: give it by --noise SD"):
        next(search_lines(searched, SMALL, noise_sd=None, as_json=False))
