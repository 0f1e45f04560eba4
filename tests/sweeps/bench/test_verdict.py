"""The promises of a verdict, counted over simulated sweeps by the code that judges real ones."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from scipy import stats
from typer.testing import CliRunner

from sweeps.bench.verdict import Design, count_promises, judged, power_curve, simulate
from sweeps.bench.verdict_tests import TESTS, compare_tests, holm_rejects, ours, simulated
from sweeps.cli import app, exit_code_of
from sweeps.verdict.components import Components, NoSpread, components_of
from tests.sweeps.report.sample import make_record

#: standard deviations of membrane Dice among 54 recorded finalists (docs/benchmarks/six-losses_2-vcpu-amd-epyc_202611.md)
SPREAD = Components(fold=0.025, seed=0.0034, loss_on_fold=0.0065, rest=0.0085, rest_by_loss=())
DESIGNS = [Design(seeds=3, folds=3), Design(seeds=5, folds=4), Design(seeds=10, folds=4)]
NAMES = [f"{design.seeds}x{design.folds}" for design in DESIGNS]


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS, ids=NAMES)
def test_the_four_promises(design: Design) -> None:
    found = count_promises(design, SPREAD, sweeps=1000)
    assert found.twice_ties >= 0.94 and found.twice_among_others_ties >= 0.94
    assert 0.93 <= found.interval_covers <= 0.97 and 0.93 <= found.mean_covers <= 0.97
    assert found.winner_without_difference <= 0.06 and found.any_without_difference <= 0.06
    assert 0.75 <= found.stated_is_found <= 0.85


@pytest.mark.slow
def test_a_restless_loss_makes_no_winner_of_chance() -> None:
    restless = replace(SPREAD, rest_by_loss=(SPREAD.rest,) * 5 + (3 * SPREAD.rest,))
    found = count_promises(DESIGNS[1], restless, sweeps=500)
    assert found.any_without_difference <= 0.07 and 0.93 <= found.interval_covers <= 0.97
    assert found.together < 0.1, "Levene's test sees it"


@pytest.mark.parametrize("design", DESIGNS[:2], ids=NAMES[:2])
@pytest.mark.parametrize("restless", [1.0, 4.0])
def test_our_test_is_the_verdicts(design: Design, restless: float) -> None:
    """The vectorised form, which the comparison of tests uses, gives the p-values and the decisions of sweeps.verdict."""
    spread = replace(SPREAD, rest_by_loss=(SPREAD.rest,) * 5 + (restless * SPREAD.rest,))
    rng = np.random.default_rng(4)
    for _ in range(12):
        scores = simulate(design, spread, rng, shifts=(0.02,))
        pairs, _, _ = judged(scores, design)
        y = np.array([[[of[seed, fold] for fold in range(design.folds)] for seed in range(design.seeds)] for of in scores.values()])[None]
        where = np.triu_indices(design.losses, 1)
        p = ours(y, where)
        rejected = holm_rejects(p)
        for number, names in enumerate(zip(*where, strict=True)):
            told = {f"loss {index}" for index in names}
            pair = next(pair for pair in pairs if {pair["a"], pair["b"]} == told)
            assert pair["p"] == pytest.approx(p[0, number], rel=1e-9)
            assert pair["significant"] == rejected[0, number]


def test_the_tests_are_what_they_are_called() -> None:
    rng = np.random.default_rng(0)
    y = rng.normal(0.8, 0.01, (1, 3, 4, 5))
    pairs = np.triu_indices(3, 1)
    a, b = y[0, 0].mean(axis=0), y[0, 1].mean(axis=0)
    assert TESTS["t over folds, each pair alone"](y, pairs)[0, 0] == pytest.approx(stats.ttest_rel(a, b).pvalue)
    assert TESTS["t over runs"](y, pairs)[0, 0] == pytest.approx(stats.ttest_rel(y[0, 0].ravel(), y[0, 1].ravel()).pvalue)
    flips = stats.permutation_test((a - b,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert TESTS["sign flips over folds"](y, pairs)[0, 0] == pytest.approx(flips.pvalue)


def test_a_percentile_bootstrap_and_single_runs_promise_too_much() -> None:
    found = {behaviour.test: behaviour for behaviour in compare_tests(DESIGNS[0], SPREAD, sweeps=400, advantage=0.03)}
    assert found["percentile bootstrap over folds"].covers < 0.85 and found["t over runs"].any_called > 0.1
    assert found["ours"].covers > 0.93 and found["ours"].any_called < 0.07
    assert found["ours"].finds > 5 * found["t over folds, each pair alone"].finds


def test_simulated_sweeps_have_the_spread_that_was_asked_for() -> None:
    y = simulated(Design(seeds=4, folds=5, losses=6), SPREAD, 400, seed=0)
    parts = [components_of({str(k): {(s, f): one[k, s, f] for s in range(4) for f in range(5)} for k in range(6)}) for one in y]
    for part in ("fold", "seed", "loss_on_fold", "rest"):
        squares = np.mean([getattr(found, part) ** 2 for found in parts])
        assert np.sqrt(squares) == pytest.approx(getattr(SPREAD, part), rel=0.1)


def test_more_is_found_of_more() -> None:
    curve = power_curve(DESIGNS[0], SPREAD, sweeps=60, points=5)
    assert curve[0] == (0.0, pytest.approx(0.0, abs=0.06)) and curve[-1][1] > 0.9
    assert curve[2][1] == pytest.approx(0.8, abs=0.15), "half way lies what a sweep states as findable"


def test_names_and_units_change_nothing() -> None:
    """Permuting the losses permutes the verdict and nothing else; another unit of the score only scales differences."""
    scores = simulate(DESIGNS[0], SPREAD, np.random.default_rng(3), shifts=(0.02, 0.01))
    pairs, groups, _ = judged(scores, DESIGNS[0])
    renamed = {name: f"loss {(int(name[-1]) * 5 + 2) % 6}" for name in scores}
    other, other_groups, _ = judged({renamed[name]: scores[name] for name in reversed(scores)}, DESIGNS[0])
    assert [[renamed[name] for name in group] for group in groups] == other_groups
    for pair, twin in zip(pairs, other, strict=True):
        assert (renamed[pair["a"]], renamed[pair["b"]]) == (twin["a"], twin["b"])
        assert pair["p_holm"] == pytest.approx(twin["p_holm"])
    scaled, _, _ = judged({name: {key: 100 * value for key, value in of.items()} for name, of in scores.items()}, DESIGNS[0])
    for pair, twin in zip(pairs, scaled, strict=True):
        assert (pair["p_holm"], 100 * pair["difference"]) == (pytest.approx(twin["p_holm"]), pytest.approx(twin["difference"]))


def test_the_command_simulates_by_a_sweeps_own_spread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_record(tmp_path / "demo-001", losses=("bce", "dice", "iou"), trials=1, seeds=2, folds=2, epochs=2, pictures=False)
    record.folder.mkdir(exist_ok=True)
    monkeypatch.setattr("sweeps.bench.verdict_spread.load_results", lambda folder: record)
    words = ["bench", "verdict", str(record.folder), "--sweeps", "20"]
    told = CliRunner().invoke(app, words, catch_exceptions=False)
    assert told.exit_code == 0 and told.stdout.startswith("spread: fold ")
    assert told.stdout.count("| 3 seeds x 3 folds |") == 5 * (1 + len(TESTS)), "each scenario: its promises, and each test"
    figure = tmp_path / "power.svg"
    machine = CliRunner().invoke(app, [*words, "--json", "--figure", str(figure)], catch_exceptions=False)
    rows = [json.loads(line) for line in machine.stdout.splitlines()]
    assert {row["table"] for row in rows} == {"promises", "tests"} and len(rows) == 5 * 3 * (1 + len(TESTS))
    drawn = "".join(ElementTree.parse(figure).getroot().itertext())
    assert "10 seeds x 4 folds" in drawn and "true difference in membrane_dice" in drawn


def test_a_sweep_on_one_fold_tells_no_spread_and_that_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    record = make_record(tmp_path / "demo-001", losses=("bce", "dice"), trials=1, seeds=3, folds=1, epochs=2, pictures=False)
    record.folder.mkdir(exist_ok=True)
    monkeypatch.setattr("sweeps.bench.verdict_spread.load_results", lambda folder: record)
    with pytest.raises(NoSpread, match="2 seeds x 2 folds.*bce 3, dice 3") as fault:
        CliRunner().invoke(app, ["bench", "verdict", str(record.folder)], catch_exceptions=False)
    assert exit_code_of(fault.value) == 2
