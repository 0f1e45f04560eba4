"""The verdict: statistics against SciPy, rules worked by hand, sweeps of every kind of incompleteness, and its JSON Schema."""

import json
import math
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sweeps.verdict.compose import compute_verdict
from sweeps.verdict.paired import estimate, findable_difference, holm, pooled_sd, share_ahead
from sweeps.verdict.sentence import number
from sweeps.verdict.ties import compare, settled
from sweeps.verdict.time_to_target import quality_time_front
from unet.metrics import METRICS

SCHEMA = json.loads((Path(__file__).parents[3] / "docs" / "verdict.schema.json").read_text())
FLOOR = {"name": "best intensity threshold", "membrane_dice": 0.55, "v_rand": 0.4, "v_info": 0.7, "threshold": 103.0, "side": "dark"}


@dataclass(frozen=True, kw_only=True)
class FakeTrial:
    trial_id: str
    stage: str
    loss: str
    function: str
    suggestion: dict[str, Any]
    seed: int
    fold: int | None
    state: str = "complete"
    reason: str | None = None
    curve: tuple[dict[str, Any], ...] = ()
    result: dict[str, Any] | None = None


@dataclass(frozen=True, kw_only=True)
class FakeSweep:
    recipe: dict[str, Any]
    sanity: list[dict[str, Any]] = field(default_factory=lambda: [FLOOR])
    trials: tuple[FakeTrial, ...] = ()


def curve_to(best: float, epochs: int = 10, seconds: float = 2.0) -> tuple[dict[str, Any], ...]:
    """Rises in equal steps to `best` at the last epoch."""
    rows = range(1, epochs + 1)
    return tuple(
        {"epoch": e, "step": 20 * e, "membrane_dice": best * e / epochs, "train_seconds": seconds * e, "eval_seconds": 0.1} for e in rows
    )


def finished(
    loss: str, seed: int, fold: int | None, dice: float, *, stage: str = "finalist", calibration: float | None = None, **change: Any
):
    calibration = dice if calibration is None else calibration
    result = {
        "loss": {"name": loss, "function": loss, "parameters": {"smooth": 1.0}},
        "scores": {"membrane_dice": dice, "membrane_dice_at_half": dice - 0.01, "v_rand": 0.9, "v_info": 0.92},
        "calibration": {"membrane_dice": calibration},
        "epochs": 10,
        "seconds": {"train": 20.0},
        "peak_memory_mib": 300.0,
    }
    told = {"trial_id": f"{loss}-f{fold}-s{seed}", "stage": stage, "loss": loss, "function": loss, "suggestion": {"train.lr": 0.001}}
    return FakeTrial(**told | {"seed": seed, "fold": fold, "curve": curve_to(calibration), "result": result} | change)


def failed(loss: str, seed: int, fold: int | None = None, *, stage: str = "finalist", reason: str = "nan") -> FakeTrial:
    return finished(loss, seed, fold, 0.0, stage=stage, trial_id=f"{loss}-{seed}", state="failed", reason=reason, curve=(), result=None)


def sweep_of(scores: dict[str, list[float]], *, folds: int = 1, extra: tuple[FakeTrial, ...] = (), losses=None, target="auto") -> FakeSweep:
    """A sweep with these finalists' scores; with several folds, the scores of fold 0 come first."""
    trials = []
    for loss, values in scores.items():
        seeds = len(values) // folds
        trials += [finished(loss, index % seeds + 1, index // seeds, value) for index, value in enumerate(values)]
    names = dict.fromkeys([*scores, *(trial.loss for trial in extra)])
    recipe = {
        "losses": losses or {name: {"loss": name} for name in names},
        "objective": {"metric": "membrane_dice"},
        "speed": {"target": target},
    }
    return FakeSweep(recipe=recipe, trials=(*trials, *extra))


def judged(sweep: FakeSweep) -> dict[str, Any]:
    """The verdict, checked against its schema and for plain JSON."""
    verdict = compute_verdict(sweep)
    assert json.loads(json.dumps(verdict, allow_nan=False)) == verdict
    jsonschema.validate(verdict, SCHEMA)
    return verdict


CLEAR = {"focal": [0.800, 0.812, 0.806, 0.803], "dice": [0.799, 0.813, 0.804, 0.804], "bce": [0.750, 0.761, 0.757, 0.752]}


# statistics


def test_interval_and_p_are_scipys():
    values = {(seed, 0): value for seed, value in enumerate([0.78, 0.80, 0.79, 0.83])}
    found = estimate(values, by_fold=False)
    reference = stats.ttest_1samp(list(values.values()), 0.0)
    interval = reference.confidence_interval(0.95)
    assert (found.low, found.high, found.p) == pytest.approx((interval.low, interval.high, reference.pvalue))
    assert (found.n, found.unit) == (4, "seed")


def test_several_folds_count_by_their_means():
    values = {(1, 0): 0.7, (2, 0): 0.8, (1, 1): 0.9, (2, 1): 0.9, (1, 2): 0.6}
    found = estimate(values, by_fold=True)
    assert found.mean == pytest.approx((0.75 + 0.9 + 0.6) / 3)
    assert (found.n, found.unit) == (3, "fold")
    interval = stats.ttest_1samp([0.75, 0.9, 0.6], 0.0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_too_few_and_no_spread():
    assert estimate({}, by_fold=False).mean is None
    single = estimate({(1, 0): 0.5}, by_fold=False)
    assert (single.mean, single.low, single.p, single.n) == (0.5, None, None, 1)
    assert estimate({(1, 0): 0.0, (2, 0): 0.0}, by_fold=False).p == 1.0
    assert estimate({(1, 0): 0.1, (2, 0): 0.1}, by_fold=False).p == 0.0


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, None, 0.5]) == pytest.approx([1.0, None, 1.0])
    assert holm([]) == []


@given(p_values=st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_never_lowers_and_keeps_the_order(p_values):
    corrected = holm(p_values)
    assert all(after >= before for before, after in zip(p_values, corrected, strict=True))
    assert [corrected[i] for i in np.argsort(p_values)] == sorted(corrected)


def test_share_ahead_counts_ties_half():
    assert share_ahead({(1, 0): 0.1, (2, 0): 0.0, (3, 0): -0.1, (4, 0): 0.2}, maximise=True) == pytest.approx(2.5 / 4)
    assert share_ahead({(1, 0): 0.1}, maximise=False) == 0.0
    assert share_ahead({}, maximise=True) is None


@pytest.mark.parametrize(
    ("n", "df", "alpha"), [(3, None, 0.05), (3, 10, 0.05 / 15), (5, None, 0.05 / 15), (10, 45, 0.05 / 15), (2, None, 0.05)]
)
def test_a_difference_that_one_sweep_states_another_finds_four_times_in_five(n, df, alpha):
    rng, draws = np.random.default_rng(0), 200_000
    freedom = n - 1 if df is None else df
    stated, own = (np.sqrt(rng.chisquare(freedom, draws) / freedom) for _ in range(2))
    difference = findable_difference(1.0, n, df=df, alpha=alpha) * stated  # proportional to the sd that the first sweep saw
    t = (difference + rng.standard_normal(draws) / math.sqrt(n)) / (own / math.sqrt(n))
    assert np.mean(np.abs(t) > stats.t.isf(alpha / 2, freedom)) == pytest.approx(0.8, abs=0.01)


def test_with_a_spread_that_is_all_but_known_it_is_cohens():
    n, df = 12, 100_000
    known = (stats.norm.isf(0.025) + stats.norm.ppf(0.8)) / math.sqrt(n)
    assert findable_difference(1.0, n, df=df) == pytest.approx(known, rel=1e-3)


def test_findable_difference_needs_units_and_spread():
    assert findable_difference(1.0, 1) is None
    assert findable_difference(0.0, 5) is None


def test_pooled_sd_leaves_out_what_never_varies():
    wide, narrow = ({(s, 0): v for s, v in enumerate(values)} for values in ([0.0, 1.0, 2.0], [0.0, 2.0]))
    same = estimate({(1, 0): 0.5, (2, 0): 0.5}, by_fold=False)
    estimates = [estimate(values, by_fold=False) for values in (wide, narrow)]
    assert pooled_sd([*estimates, same]) == pytest.approx(math.sqrt((2 * 1.0 + 1 * 2.0) / 3))
    assert pooled_sd([same]) is None


def test_front_by_hand():
    points = [("slow best", 0.9, 50.0), ("fast", 0.7, 10.0), ("beaten", 0.7, 20.0), ("never", 0.95, math.inf), ("middle", 0.8, 20.0)]
    assert quality_time_front(points, maximise=True) == ["fast", "middle", "slow best"]
    assert quality_time_front([("a", 0.1, 5.0), ("b", 0.2, 4.0), ("c", 0.3, 6.0)], maximise=False) == ["b", "a"]


# the verdict of a whole sweep


def test_a_run_without_calibration_never_stands_for_a_minimised_metric(monkeypatch):
    monkeypatch.setattr("unet.metrics.METRICS", METRICS | {"membrane_dice": replace(METRICS["membrane_dice"], goal="minimise")})
    blank = finished("dice", 1, 0, 0.3)
    blank = replace(blank, curve=(), result=blank.result | {"calibration": {}})
    sweep = sweep_of({}, extra=(blank, finished("dice", 2, 0, 0.5), finished("dice", 3, 0, 0.4)))
    assert judged(sweep)["best"]["trial"] == "dice-f0-s3"


def test_clear_difference_and_a_tie():
    verdict = judged(sweep_of(CLEAR))
    assert verdict["stage"] == "finalist"
    assert [row["loss"] for row in verdict["ranking"]] == ["focal", "dice", "bce"]
    assert verdict["groups"] == [["focal", "dice"], ["bce"]]
    assert [row["group"] for row in verdict["ranking"]] == [1, 1, 2]
    pair = next(pair for pair in verdict["pairs"] if (pair["a"], pair["b"]) == ("focal", "bce"))
    reference = stats.ttest_rel(CLEAR["focal"], CLEAR["bce"])
    interval = reference.confidence_interval(0.95)
    assert (pair["difference"], pair["p"]) == pytest.approx((np.mean(CLEAR["focal"]) - np.mean(CLEAR["bce"]), reference.pvalue))
    assert (pair["low"], pair["high"]) == pytest.approx((interval.low, interval.high))
    assert pair["p_holm"] >= pair["p"]
    assert (pair["winner"], pair["a_ahead"], pair["n"]) == ("focal", 1.0, 4)
    sentence = verdict["sentence"]
    assert "focal scores highest (membrane Dice .805, 95% interval .797 to .813 over 4 seeds on 1 fold), but dice ties with it" in sentence
    assert "bce is significantly behind" in sentence
    assert "with 4 seeds and 3 comparisons only a difference of" in sentence
    assert any("one test fold" in gap for gap in verdict["gaps"])


def test_winner_of_its_own():
    verdict = judged(sweep_of({key: CLEAR[key] for key in ("focal", "bce")}))
    assert verdict["groups"] == [["focal"], ["bce"]]
    assert verdict["best"]["ties"] == []
    assert verdict["sentence"].startswith("focal is best (membrane Dice .805")
    assert "significantly ahead of the other loss" in verdict["sentence"]


def test_all_tie():
    verdict = judged(sweep_of({"a": [0.80, 0.79, 0.81], "b": [0.79, 0.81, 0.80], "c": [0.81, 0.80, 0.78]}))
    assert len(verdict["groups"]) == 1
    assert "all 3 losses tie and none can be called better" in verdict["sentence"]


def test_folds_are_the_units_where_there_are_several():
    verdict = judged(sweep_of({"a": [0.80, 0.82, 0.70, 0.72, 0.90, 0.92], "b": [0.79, 0.80, 0.69, 0.71, 0.88, 0.91]}, folds=3))
    row, pair = verdict["ranking"][0], verdict["pairs"][0]
    assert (row["seeds"], row["folds"]) == (2, 3)
    score = row["scores"]["membrane_dice"]
    assert (score["n"], score["unit"], score["replicates"]) == (3, "fold", 6)
    assert (pair["n"], pair["replicates"]) == (3, 6)
    reference = stats.ttest_rel([0.81, 0.71, 0.91], [0.795, 0.70, 0.895])
    assert (pair["difference"], pair["p"]) == pytest.approx((0.04 / 3, reference.pvalue))
    assert not any("one test fold" in gap for gap in verdict["gaps"])


def test_only_common_replicates_are_paired():
    sweep = sweep_of({"a": [0.80, 0.82, 0.84], "b": [0.79, 0.80]}, extra=(failed("b", 3, 0, reason="memory"),))
    verdict = judged(sweep)
    pair = verdict["pairs"][0]
    assert (pair["replicates"], pair["difference"]) == (2, pytest.approx(0.015))
    assert "b: 2 of 3 finalist runs have a membrane_dice; the rest: 1 failed (memory 1)" in verdict["gaps"]
    assert "1 of 6 runs failed" in verdict["sentence"]


@pytest.mark.parametrize("mark", [{"scores_pending": True}, {"scores_missing": "prediction.npz is gone"}], ids=["pending", "missing"])
def test_runs_of_which_only_dice_is_known_are_named(mark):
    sweep = sweep_of({"a": [0.80, 0.82, 0.84], "b": [0.79, 0.80, 0.81]})
    trial = sweep.trials[1]
    dice = {name: value for name, value in trial.result["scores"].items() if not name.startswith("v_")}
    object.__setattr__(trial, "result", trial.result | mark | {"scores": dice})
    verdict = judged(sweep)
    assert any(f"membrane Dice alone is known of {trial.trial_id}:" in gap for gap in verdict["gaps"])
    row = next(row for row in verdict["ranking"] if row["loss"] == "a")
    assert (row["scores"]["v_rand"]["replicates"], row["scores"]["membrane_dice"]["replicates"]) == (2, 3)


def test_what_each_run_was_tuned_to_stands_in_the_verdict():
    sweep = sweep_of({"a": [0.80, 0.82], "b": [0.79, 0.80]})
    tuned = {"threshold": 0.4, "v_rand_threshold": 0.3, "smallest_cell_px": 16, "v_info_threshold": 0.35, "v_info_smallest_cell_px": 0}
    trial = sweep.trials[0]
    object.__setattr__(trial, "result", trial.result | {"calibration": trial.result["calibration"] | tuned})
    row = next(row for row in judged(sweep)["ranking"] if row["loss"] == "a")
    assert row["tuned"][trial.trial_id] == tuned
    other = sweep.trials[1].trial_id
    assert row["tuned"][other] == dict.fromkeys(tuned), "an older record did not keep them all"


def test_a_loss_is_not_flattered_by_the_runs_that_it_lacks():
    a = {1: 0.90, 2: 0.91, 3: 0.92}  # its hard seeds failed
    b = {1: 0.95, 2: 0.96, 3: 0.97, 4: 0.30, 5: 0.31}
    trials = [finished(name, seed, 0, value + 0.001 * (seed == 2)) for name, runs in (("a", a), ("b", b)) for seed, value in runs.items()]
    verdict = judged(FakeSweep(recipe={"losses": {"a": {}, "b": {}}}, trials=(*trials, failed("a", 4, 0), failed("a", 5, 0))))
    first, second = verdict["ranking"]
    assert (first["loss"], second["loss"]) == ("b", "a")
    assert first["adjusted_mean"] == pytest.approx(0.6982) and second["adjusted_mean"] == pytest.approx(0.6982 - 0.05)
    assert verdict["best"]["loss"] == "b" and verdict["pairs"][0]["winner"] == "b" and verdict["groups"] == [["b"], ["a"]]
    assert "b is best" in verdict["sentence"]
    assert any("adjusted for which seeds and folds ran (a 0.6482)" in gap for gap in verdict["gaps"])


def test_one_loss_with_a_single_fold_hides_no_difference_of_the_others():
    rng, hard = np.random.default_rng(0), [0.0, -0.05, -0.06, -0.07]
    values = {"b": 0.86, "c": 0.80, "d": 0.74}
    trials = [
        finished(name, seed, fold, value + hard[fold] + 0.001 * rng.normal())
        for name, value in values.items()
        for fold in range(4)
        for seed in (1, 2)
    ]
    trials += [finished("a", seed, 0, 0.83 + 0.001 * seed) for seed in (1, 2)]
    verdict = judged(FakeSweep(recipe={"losses": {name: {} for name in "abcd"}}, trials=tuple(trials)))
    assert [row["loss"] for row in verdict["ranking"]] == ["b", "a", "c", "d"], "its fold is the easiest"
    assert "but a ties with it; c and d are significantly behind" in verdict["sentence"]
    assert verdict["smallest_difference"]["n"] == 4, "of the pairs that can be tested"


def test_cells_that_lack_runs_are_tested_by_a_larger_error():
    """With one of 5 seeds a fold, the spread of whole cells called one in six sweeps without any difference significant."""
    called = covered = pairs = 0
    for sweep in range(150):
        rng = np.random.default_rng(sweep)
        y = 0.002 * rng.standard_normal((5, 1, 4)) + 0.008 * rng.standard_normal((5, 5, 4))
        scores = {str(k): {(s, f): y[k, s, f] for s in range(5 if k else 1) for f in range(4)} for k in range(5)}
        found, _ = compare(scores, maximise=True, by_fold=True)
        called += any(pair["p_holm"] < 0.05 for pair in found)
        thin = [pair for pair in found if "0" in (pair["a"], pair["b"])]
        covered, pairs = covered + sum(pair["low"] <= 0 <= pair["high"] for pair in thin), pairs + len(thin)
    assert called / 150 < 0.1 and covered / pairs > 0.93


@pytest.mark.parametrize(
    ("ranked", "beats", "told"), [("abc", "", "abc"), ("abc", "ca", "cab"), ("abcd", "db ca", "cadb"), ("ab", "ab", "ab")]
)
def test_who_beats_another_stands_above_it(ranked, beats, told):
    pairs = [{"a": min(pair), "b": max(pair), "winner": pair[0]} for pair in beats.split()]
    assert "".join(settled(list(ranked), pairs)) == told


def test_a_circle_of_winners_has_an_end():
    circle = [{"a": "a", "b": "b", "winner": "a"}, {"a": "b", "b": "c", "winner": "b"}, {"a": "a", "b": "c", "winner": "c"}]
    assert sorted(settled(["a", "b", "c"], circle)) == ["a", "b", "c"]


def test_a_loss_does_not_tie_with_its_repeat():
    scores = {"bce": [0.763, 0.764, 0.762, 0.763], "again": [0.764, 0.765, 0.763, 0.765], "dice": [0.715, 0.716, 0.713, 0.714]}
    verdict = judged(sweep_of(scores, losses={"bce": {}, "again": {"loss": "bce"}, "dice": {}}))
    assert [row["repeat_of"] for row in verdict["ranking"]] == ["bce", None, None]
    assert verdict["best"]["ties"] == []
    assert verdict["sentence"].startswith("again (also run as bce) is best") and "ahead of the other loss" in verdict["sentence"]


def test_what_is_findable_lies_above_the_noise_floor():
    def stated(repeat: list[float]) -> float:
        scores = {"bce": [0.763, 0.764, 0.762, 0.763], "again": repeat, "dice": [0.715, 0.716, 0.713, 0.714]}
        return judged(sweep_of(scores, losses={"bce": {}, "again": {"loss": "bce"}, "dice": {}}))["smallest_difference"]["difference"]

    near, far = stated([0.7631, 0.764, 0.7625, 0.7632]), stated([0.733, 0.735, 0.733, 0.735])
    assert near < 0.01 and far > 0.029, "a difference must exceed .029 to count at all"


def test_losses_that_differ_by_a_constant_have_no_spread():
    table = {"a": [0.7, 0.6, 0.65], "b": [0.71, 0.61, 0.66], "c": [0.73, 0.63, 0.68]}
    verdict = judged(sweep_of(table, folds=3))
    assert verdict["smallest_difference"]["difference"] is None and all(pair["sd"] == 0 for pair in verdict["pairs"])


def test_noise_floor_makes_ties():
    clearly = {"bce": [0.800, 0.811, 0.806, 0.803], "bce_again": [0.820, 0.833, 0.825, 0.824], "dice": [0.790, 0.8008, 0.7961, 0.793]}
    losses = {"bce": {"loss": "bce"}, "bce_again": {"loss": "bce"}, "dice": {"loss": "dice", "smooth": 1.0}}
    verdict = judged(sweep_of(clearly, losses=losses))
    floor = verdict["noise_floor"]
    assert (floor["a"], floor["b"]) == ("bce_again", "bce")
    assert floor["value"] == pytest.approx(0.0205)
    by_names = {(pair["a"], pair["b"]): pair for pair in verdict["pairs"]}
    assert by_names["bce_again", "bce"]["p_holm"] < 0.05
    assert not by_names["bce_again", "bce"]["significant"]
    assert by_names["bce", "dice"]["p_holm"] < 0.05
    assert not by_names["bce", "dice"]["significant"]  # .01 lies under the floor
    assert by_names["bce_again", "dice"]["significant"]


def test_noise_floor_of_identical_runs_says_nothing_and_does_no_harm():
    verdict = judged(
        sweep_of(
            {"bce": CLEAR["bce"], "again": CLEAR["bce"], "focal": CLEAR["focal"]}, losses={"bce": {}, "again": {"loss": "bce"}, "focal": {}}
        )
    )
    assert verdict["noise_floor"]["identical"]
    assert "bit for bit" in verdict["noise_floor"]["note"]
    assert verdict["groups"][0] == ["focal"]


def test_noise_floor_needs_the_same_entry():
    losses = {"focal": {"loss": "focal", "gamma": 2.0}, "dice": {"loss": "focal", "gamma": 3.0}, "bce": {"loss": "bce"}}
    assert judged(sweep_of(CLEAR, losses=losses))["noise_floor"] is None


def test_the_run_that_stands_for_the_best_is_chosen_by_calibration():
    trials = tuple(
        finished("a", seed, 0, dice, calibration=calibration) for seed, dice, calibration in [(1, 0.9, 0.7), (2, 0.8, 0.9), (3, 0.7, 0.8)]
    )
    assert judged(FakeSweep(recipe={"losses": {"a": {}}}, trials=trials))["best"]["trial"] == "a-f0-s2"


def test_of_several_configurations_the_better_calibrated_is_ranked():
    good = [finished("a", seed, 0, 0.70, calibration=0.9, trial_id=f"a-{seed}") for seed in (1, 2, 3)]
    lucky = [finished("a", seed, 0, 0.95, calibration=0.8, suggestion={"train.lr": 0.1}, trial_id=f"a.2-{seed}") for seed in (1, 2, 3)]
    row = judged(FakeSweep(recipe={"losses": {"a": {}}}, trials=(*good, *lucky)))["ranking"][0]
    assert row["scores"]["membrane_dice"]["mean"] == pytest.approx(0.70)
    assert (row["configurations"], row["params"]) == (2, {"loss.smooth": 1.0, "train.lr": 0.001})


def test_names_are_only_names():
    verdict = judged(sweep_of(CLEAR))
    renamed = {"focal": "zz", "dice": "mm", "bce": "aa"}
    other = judged(sweep_of({renamed[name]: values for name, values in reversed(CLEAR.items())}))
    assert [renamed[row["loss"]] for row in verdict["ranking"]] == [row["loss"] for row in other["ranking"]]
    assert [[renamed[name] for name in group] for group in verdict["groups"]] == other["groups"]
    for pair, twin in zip(verdict["pairs"], other["pairs"], strict=True):
        assert {key: pair[key] for key in ("difference", "p", "p_holm")} == {key: twin[key] for key in ("difference", "p", "p_holm")}


# time


def test_automatic_target_is_the_written_rule():
    verdict = judged(sweep_of({"a": [0.80, 0.80, 0.80], "b": [0.70, 0.70, 0.70], "c": [0.90, 0.90, 0.90]}))
    assert verdict["target"]["value"] == pytest.approx(0.55 + 0.95 * (0.80 - 0.55))
    assert "auto: 0.5500 + 0.95 x (0.8000 - 0.5500) = 0.7875" in verdict["target"]["rule"]


def test_automatic_target_without_its_sanity_row():
    sweep = sweep_of({"a": [0.8, 0.8]})
    verdict = judged(FakeSweep(recipe=sweep.recipe, sanity=[], trials=sweep.trials))
    assert verdict["target"]["value"] == pytest.approx(0.95 * 0.8)
    assert "is missing" in verdict["target"]["rule"]


def test_misses_are_infinite_and_take_part_in_the_median():
    runs = [finished("a", seed, 0, 0.8, calibration=best) for seed, best in ((1, 0.9), (2, 0.5), (3, 0.5))]
    runs += [finished("b", seed, 0, 0.7, calibration=best) for seed, best in ((1, 0.5), (2, 0.62), (3, 0.62))]
    verdict = judged(FakeSweep(recipe={"losses": {"a": {}, "b": {}}, "speed": {"target": 0.6}}, trials=tuple(runs)))
    a, b = verdict["ranking"]
    assert a["seconds"]["to_target"] == {"median": None, "values": [pytest.approx(14.0), None, None]}
    assert b["seconds"]["to_target"] == {"median": pytest.approx(20.0), "values": [None, pytest.approx(20.0), pytest.approx(20.0)]}
    assert b["steps"]["to_target"]["median"] == pytest.approx(200)
    assert (a["seconds"]["per_epoch"], a["seconds"]["train"], a["peak_memory_mib"]) == (2.0, 20.0, 300.0)
    assert (verdict["fastest"]["loss"], verdict["fastest"]["trial"]) == ("b", "b-f0-s3")
    assert verdict["fastest"]["ties"] == []  # a misses in its median run
    assert (verdict["front"], verdict["front_clock"]) == (["b"], "to_target")
    assert "b reaches membrane Dice .600 soonest (median 20 s of training, 2 of 3 runs)" in verdict["sentence"]


def test_nobody_reaches_the_target():
    verdict = judged(sweep_of(CLEAR, target=0.99))
    assert verdict["fastest"] is None
    assert "no loss reaches membrane Dice 0.9900" in verdict["fastest_reason"]
    assert verdict["front_clock"] == "train"
    assert "no loss reaches membrane Dice .990 in its median run" in verdict["sentence"]


def test_slower_by_chance_ties_and_slower_always_does_not():
    def runs(loss: str, seconds: list[float]) -> list[FakeTrial]:
        return [finished(loss, seed, 0, 0.8, curve=curve_to(0.8, seconds=pace)) for seed, pace in enumerate(seconds, start=1)]

    trials = runs("quick", [1.0, 1.1, 1.2, 1.0]) + runs("maybe", [1.3, 0.9, 1.4, 1.1]) + runs("slow", [3.0, 3.2, 3.7, 3.1])
    verdict = judged(FakeSweep(recipe={"losses": {"quick": {}, "maybe": {}, "slow": {}}}, trials=tuple(trials)))
    assert verdict["fastest"]["loss"] == "quick"
    assert verdict["fastest"]["ties"] == ["maybe"]
    assert "though maybe may be as fast" in verdict["sentence"]


# what is missing


def test_no_trials_at_all():
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}, "dice": {}}}))
    assert (verdict["stage"], verdict["best"], verdict["fastest"], verdict["ranking"]) == (None, None, None, [])
    assert verdict["sentence"] == "No verdict: no trial was started."
    assert verdict["missing"] == [{"loss": name, "reason": "no trial was started", "failed": 0} for name in ("bce", "dice")]


def test_everything_failed():
    trials = tuple(failed("bce", seed, stage="search", reason=reason) for seed, reason in ((1, "nan"), (2, "nan"), (3, "memory")))
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}}}, trials=trials))
    assert verdict["sentence"] == "No verdict: all 3 trials failed."
    assert verdict["missing"][0]["reason"] == "none of its trials has a membrane_dice: 3 failed (nan 2, memory 1)"
    assert verdict["runs"] == {"search": {"failed": 3}}


def test_still_waiting():
    trial = finished("bce", 1, None, 0.5, stage="search", state="waiting", curve=(), result=None)
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}}}, trials=(trial,)))
    assert verdict["sentence"] == "No verdict: none of 1 trial has a finite membrane Dice, 1 not ended yet."


@pytest.mark.parametrize("value", [math.nan, math.inf, None, "high"])
def test_scores_that_are_no_numbers(value):
    trials = tuple(finished("bce", seed, 0, 0.8) for seed in (1, 2))
    broken = finished("dice", 1, 0, 0.8, calibration=0.8)
    broken.result["scores"]["membrane_dice"] = value
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}, "dice": {}}}, trials=(*trials, broken)))
    assert [row["loss"] for row in verdict["ranking"]] == ["bce"]
    assert "without a finite score" in verdict["missing"][0]["reason"]
    assert "dice has no result" in verdict["sentence"]


def test_complete_without_a_result_file():
    trials = (finished("bce", 1, 0, 0.8), finished("bce", 2, 0, 0.8, result=None))
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}}}, trials=trials))
    assert verdict["ranking"][0]["scores"]["membrane_dice"]["replicates"] == 1
    assert any("1 of 2 finalist runs" in gap for gap in verdict["gaps"])


def test_search_alone_ranks_nothing_and_says_so():
    trials = [finished("bce", 0, None, score, stage="search", trial_id=f"bce-{index}") for index, score in enumerate((0.7, 0.8))]
    pruned = finished("dice", 0, None, 0.0, stage="search", trial_id="dice-0", state="pruned", result=None, curve=curve_to(0.75))
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}, "dice": {}}}, trials=(*trials, pruned)))
    assert verdict["stage"] == "search"
    assert [(row["loss"], row["scores"]["membrane_dice"]["mean"]) for row in verdict["ranking"]] == [("bce", 0.8), ("dice", 0.75)]
    assert (verdict["best"]["trial"], verdict["groups"]) == ("bce-1", [["bce", "dice"]])
    assert verdict["sentence"].startswith(
        "A result of the search only, which ranks nothing: the best single trial is bce's (membrane Dice .800)"
    )
    assert any("no finalists were run" in gap for gap in verdict["gaps"])


def test_finalists_of_some_losses_only():
    search = finished("iou", 0, None, 0.9, stage="search", trial_id="iou-0")
    verdict = judged(sweep_of(CLEAR, extra=(search, failed("tversky", 1, 0), failed("tversky", 2, 0, reason="memory"))))
    reasons = {entry["loss"]: entry["reason"] for entry in verdict["missing"]}
    assert reasons == {
        "iou": "no finalist was run; of its search trials 1 complete",
        "tversky": "none of its finalist runs has a membrane_dice: 2 failed (nan 1, memory 1)",
    }
    assert "iou and tversky have no result" in verdict["sentence"]
    assert "2 of 15 runs failed" in verdict["sentence"]


def test_all_finalists_failed_falls_back_to_the_search():
    verdict = judged(FakeSweep(recipe={"losses": {"bce": {}}}, trials=(finished("bce", 0, None, 0.8, stage="search"), failed("bce", 1, 0))))
    assert verdict["stage"] == "search"
    assert any("none of the finalists has a score (1 failed (nan 1))" in gap for gap in verdict["gaps"])


def test_one_seed():
    verdict = judged(sweep_of({"a": [0.8], "b": [0.7]}))
    assert verdict["ranking"][0]["scores"]["membrane_dice"]["low"] is None
    assert verdict["groups"] == [["a", "b"]]
    assert verdict["smallest_difference"] is None
    assert "nothing can be told apart" in verdict["sentence"]
    assert any("count as ties" in gap for gap in verdict["gaps"])


def test_one_loss():
    verdict = judged(sweep_of({"a": [0.80, 0.81, 0.79]}))
    assert verdict["sentence"].startswith("a is the only loss with a result (membrane Dice .800, 95% interval")
    assert verdict["pairs"] == []


def test_worse_than_no_network_is_said():
    verdict = judged(sweep_of({"a": [0.40, 0.41, 0.42], "b": [0.30, 0.31, 0.35]}))
    assert verdict["not_beaten"] == ["best intensity threshold"]
    first = "No loss beats what can be had without a network (best intensity threshold, membrane Dice .550); a is best"
    assert verdict["sentence"].startswith(first), "it comes before any praise"
    assert verdict["sentence"].count("network") == 1, "and is said once"


def test_of_several_rows_only_those_are_named_that_the_best_loss_does_not_beat():
    sanity = [{"name": "all cell", "membrane_dice": 0.1}, {"name": "all membrane", "membrane_dice": 0.45}, FLOOR]
    verdict = judged(replace(sweep_of({"a": [0.40, 0.41, 0.42]}), sanity=sanity))
    rows = "all membrane and best intensity threshold, membrane Dice .550"
    assert verdict["sentence"].startswith(f"No loss beats what can be had without a network ({rows}); a is the only loss")


def test_the_first_clause_is_whole_where_runs_are_missing():
    scores = {"a": [0.80, 0.70, 0.72], "b": [0.85], "c": [0.60, 0.50, 0.52]}
    first = judged(sweep_of(scores))["sentence"].split("; ")[0]
    assert "as if no run were missing" in first and first.count("(") == first.count(")"), "pages show it alone"


def test_every_loss_that_does_not_beat_the_sanity_rows_is_named_with_what_is_known():
    row = {"all membrane": 0.357, "best intensity threshold": 0.55}
    sanity = [{"name": name, "membrane_dice": value} for name, value in row.items()]
    scores = {"dice": [0.80, 0.81], "boundary": [0.354, 0.358], "focal": [0.55, 0.55], "iou": [0.551, 0.551]}
    tried = finished("boundary", 0, None, 0.41, stage="search", trial_id="boundary-0002", state="pruned")
    lost = failed("boundary", 1, stage="search")
    verdict = judged(replace(sweep_of(scores, extra=(tried, lost)), sanity=sanity))
    assert verdict["not_beaten"] == []
    focal, boundary = verdict["below_sanity"]
    assert (focal["loss"], focal["score"], focal["sanity"], focal["sanity_score"]) == ("focal", 0.55, "best intensity threshold", 0.55)
    assert boundary["loss"] == "boundary" and boundary["score"] == pytest.approx(0.356)
    why = boundary["why"].split("; ")
    assert why[:2] == ["scores like all membrane", "2 of 2 runs at their best in the last epoch, so more epochs may help"]
    searched = "best of 2 in the search .410 on the search's own sections (boundary-0002, pruned)"
    assert why[2:4] == [searched, "1 of 2 trials of the search failed"]
    assert not why[4:], "when to use a loss is advice, and no cause"
    assert "focal and boundary do not beat best intensity threshold (.550), which needs no network" in verdict["sentence"]


@pytest.mark.parametrize(("apart", "alike"), [(0.0, True), (0.0049, True), (-0.0049, True), (0.0051, False), (-0.0051, False)])
def test_a_score_like_one_class_lies_within_half_a_hundredth_of_it(apart: float, alike: bool):
    sanity = [{"name": "all membrane", "membrane_dice": 0.357}, FLOOR]
    (entry,) = judged(replace(sweep_of({"dice": [0.8, 0.8], "mcc": [0.357 + apart] * 2}), sanity=sanity))["below_sanity"]
    assert ("scores like all membrane" in entry["why"]) == alike
    assert "scores like best intensity threshold" not in entry["why"]


@pytest.mark.parametrize(("rising", "told"), [(0, False), (1, False), (2, True), (3, True)])
def test_runs_were_rising_where_at_least_half_ended_at_their_best(rising: int, told: bool):
    peak = (*curve_to(0.3)[:-1], curve_to(0.2)[-1])
    runs = tuple(finished("mcc", seed, 0, 0.2, curve=curve_to(0.2) if seed <= rising else peak) for seed in (1, 2, 3))
    (entry,) = judged(sweep_of({"dice": [0.8] * 3}, extra=runs))["below_sanity"]
    assert (f"{rising} of 3 runs at their best in the last epoch" in entry["why"]) == told
    assert ("last epoch" in entry["why"]) == told


def test_half_of_the_runs_rising_are_enough_and_a_flat_one_does_not_rise():
    flat = tuple(row | {"membrane_dice": 0.2} for row in curve_to(0.2))
    runs = (finished("mcc", 1, 0, 0.2), finished("mcc", 2, 0, 0.2, curve=flat))
    (entry,) = judged(sweep_of({"dice": [0.8] * 2}, extra=runs))["below_sanity"]
    assert "1 of 2 runs at their best in the last epoch" in entry["why"]


def test_what_the_registry_says_of_every_sum_is_not_told_of_one():
    runs = tuple(finished("mix", seed, 0, 0.2, function="dice+focal") for seed in (1, 2))
    (entry,) = judged(sweep_of({"dice": [0.8] * 2}, extra=runs))["below_sanity"]
    assert entry["function"] == "dice+focal" and "registry" not in entry["why"]


def test_a_verdict_of_before_sanity_rows_were_compared_is_still_one():
    older = {key: value for key, value in judged(sweep_of(CLEAR)).items() if key != "below_sanity"}
    jsonschema.validate(older, SCHEMA)


def test_a_loss_that_the_registry_has_no_more_is_named_all_the_same():
    (entry,) = judged(sweep_of({"dice": [0.8, 0.8], "gone": [0.1, 0.1]}))["below_sanity"]
    assert entry["loss"] == "gone" and "registry" not in entry["why"]


def test_each_loss_beats_the_sanity_rows_or_there_are_none():
    assert judged(sweep_of(CLEAR))["below_sanity"] == []
    assert judged(replace(sweep_of({"a": [0.1, 0.1]}), sanity=[]))["below_sanity"] == []


def test_of_many_names_a_sentence_says_five():
    verdict = judged(sweep_of({f"l{index:02d}": [0.8, 0.81, 0.79] for index in range(12)}))
    assert "all 12 losses tie" in verdict["sentence"]
    scores = {f"l{index:02d}": [0.8 + 0.001 * (index % 3), 0.81, 0.79] for index in range(10)} | {"worst": [0.20, 0.2001, 0.2]}
    sentence = judged(sweep_of(scores))["sentence"]
    assert " and 4 others tie with it; worst is significantly behind; worst does not beat" in sentence


def test_intervals_stay_in_the_metrics_range():
    score = judged(sweep_of({"a": [0.99, 0.5]}))["ranking"][0]["scores"]["membrane_dice"]
    assert (score["low"], score["high"]) == (0.0, 1.0)


def test_two_seeds_of_two_losses_can_find_nothing():
    scores = {name: [0.8 + 0.03 * index, 0.79 - 0.03 * index] for index, name in enumerate("ab")}
    assert "no difference, however large, is found four times in five" in judged(sweep_of(scores))["sentence"]


@given(data=st.data())
@settings(deadline=None, max_examples=60)
def test_whatever_comes_is_a_verdict(data):
    value = st.one_of(st.floats(0, 1), st.just(math.nan), st.none())
    trials = []
    for index in range(data.draw(st.integers(0, 9))):
        loss, stage = data.draw(st.sampled_from("abc")), data.draw(st.sampled_from(["search", "finalist"]))
        state = data.draw(st.sampled_from(["complete", "pruned", "failed", "running", "waiting"]))
        fold = None if stage == "search" else data.draw(st.integers(0, 2))
        trial = finished(loss, data.draw(st.integers(1, 3)), fold, 0.5, stage=stage, trial_id=f"{loss}-{index}", state=state)
        trial.result["scores"]["membrane_dice"] = data.draw(value)
        curve = tuple(
            {"epoch": e, "step": e, "membrane_dice": data.draw(value), "train_seconds": float(e)}
            for e in range(data.draw(st.integers(0, 3)))
        )
        result = data.draw(st.sampled_from([trial.result, None, {}, {"scores": None}]))
        trials.append(FakeTrial(**trial.__dict__ | {"curve": curve, "result": result}))
    verdict = judged(FakeSweep(recipe=data.draw(st.sampled_from([{}, {"losses": {"a": {}, "d": {}}}])), trials=tuple(trials)))
    assert verdict["sentence"]
    assert (verdict["best"] is None) == (not verdict["ranking"])


def test_numbers_are_written_as_scores_are():
    assert [number(value) for value in (0.8012, 1.0, -0.0123, 0.00042, 0.0)] == [".801", "1.000", "-.012", ".00042", "0"]


def test_statistics_need_neither_torch_nor_ray_nor_optuna():
    code = "import sys, sweeps.verdict.compose; sys.exit(bool({'torch', 'ray', 'optuna', 'wandb'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], check=False).returncode == 0
