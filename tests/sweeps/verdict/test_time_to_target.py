"""Time to target: the written rule, misses that stay infinite, and a test that no loss can win by missing."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sweeps.record import TrialRecord
from sweeps.speed.to_target import to_target
from sweeps.verdict.contenders import Contender
from sweeps.verdict.time_to_target import (
    SECONDS,
    STEPS,
    choose_target,
    corrected_for_choice,
    reach,
    times_apart,
)

GOAL = 0.7
TARGET = {"metric": "membrane_dice", "value": GOAL, "rule": "given"}
NEVER = math.inf


def run(loss: str, seed: int, epoch: float, *, fold: int = 0, pace: float = 1.0, epochs: int = 20, **change: Any) -> TrialRecord:
    """A finalist that reaches the goal in this epoch; an epoch is 10 steps and `pace` seconds long."""
    curve = tuple(
        {"epoch": n, "step": 10 * n, "train_seconds": pace * n, "membrane_dice": 0.8 if n >= epoch else 0.5} for n in range(1, epochs + 1)
    )
    told = {"trial_id": f"{loss}-f{fold}-s{seed}", "stage": "finalist", "loss": loss, "function": loss, "suggestion": {}, "seed": seed}
    told |= {"fold": fold, "state": "complete", "curve": curve, "folder": Path("nowhere")}
    told["result"] = {"epochs": epochs, "seconds": {"train": pace * epochs}}
    return TrialRecord(**told | change)


def of(loss: str, trials: list[TrialRecord]) -> Contender:
    replicates = tuple((trial.seed, trial.fold) for trial in trials)
    return Contender(loss=loss, function=loss, trials=tuple(trials), replicates=replicates, configurations=1)


def loss(name: str, epochs: list[float], pace: float = 1.0) -> Contender:
    """One run a seed, each `pace` (1% apart, as clocks are) seconds an epoch."""
    return of(name, [run(name, seed, epoch, pace=pace * (1 + 0.01 * seed)) for seed, epoch in enumerate(epochs, start=1)])


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {row["loss"]: row["state"] for row in answer["rows"]}


@pytest.mark.parametrize(
    ("epochs", "median"),
    [([3, 5, 4], 40.0), ([3, NEVER, 4], 40.0), ([3, NEVER, NEVER], math.inf), ([3, NEVER], math.inf), ([NEVER], math.inf), ([3, 5], 40.0)],
)
def test_a_miss_is_infinite_in_the_median(epochs: list[float], median: float):
    (row,) = to_target([loss("a", epochs)], TARGET, by_fold=False)["steps"]["rows"]
    assert row["value"] == (median if math.isfinite(median) else None)


def test_the_first_epoch_that_reaches_it_counts_and_what_is_no_number_does_not():
    trial = run("a", 1, 3)
    assert reach(trial, GOAL) == (3.0, 30.0) and reach(trial, None) == (math.inf, math.inf)
    blank = ({"epoch": 1, "membrane_dice": math.nan}, {"epoch": 2, "membrane_dice": None}, {"epoch": 3}, *trial.curve)
    assert reach(run("a", 1, 3, curve=blank), GOAL) == (3.0, 30.0)
    timeless = ({"epoch": 1, "membrane_dice": 0.9, "train_seconds": math.nan},)
    assert reach(run("a", 1, 3, curve=timeless), GOAL) == (math.inf, math.inf)
    assert reach(run("a", 1, 3, curve=()), GOAL) == (math.inf, math.inf)


def test_a_miss_is_held_for_as_long_as_it_certainly_took():
    """20 epochs of training without the target against 2 until it: at least 10 times, to the logarithm."""
    found = times_apart(loss("misses", [NEVER, NEVER]), loss("quick", [2, 2]), GOAL, by_fold=False, clock=STEPS)
    assert found.mean == pytest.approx(math.log(10))
    early = of("misses", [run("misses", 1, NEVER, epochs=3), run("misses", 2, NEVER, epochs=3)])
    late = of("late", [run("late", 1, 18), run("late", 2, 18)])
    assert times_apart(early, late, GOAL, by_fold=False).mean == 0.0, "infinity is later than 18 epochs, however short the training was"
    both = times_apart(loss("x", [NEVER] * 3), loss("y", [NEVER] * 3), GOAL, by_fold=False)
    assert both.mean == 0.0, "where both miss neither was sooner"


def test_a_loss_gains_nothing_by_missing():
    """Where it reaches the target it is quick. A test of those runs alone would call it as fast."""
    steady, lucky = loss("steady", [4, 5, 4, 5, 4, 5, 4, 5]), loss("lucky", [3, NEVER, 3, NEVER, 3, NEVER, 3, NEVER])
    found = times_apart(lucky, steady, GOAL, by_fold=False)
    assert found.mean is not None and found.mean > 0
    on_hits = times_apart(of("lucky", [t for t in lucky.trials if math.isfinite(reach(t, GOAL)[0])]), steady, GOAL, by_fold=False)
    assert on_hits.mean is not None and on_hits.mean < 0


def test_always_later_is_slower_and_sometimes_later_ties():
    quick = loss("quick", [3, 4, 3, 4, 3])
    slow, mixed = loss("slow", [12, 14, 12, 13, 15]), loss("mixed", [3, 5, 4, 3, 4])
    never, often = loss("never", [NEVER] * 5), loss("often", [14, 15, NEVER, 14, NEVER])
    found = to_target([slow, mixed, never, often, quick], TARGET, by_fold=False)
    for clock in (SECONDS, STEPS):
        assert (found[clock]["fastest"], found[clock]["ties"]) == ("quick", ["mixed"])


def test_runs_that_are_missing_do_not_make_a_slow_loss_quick():
    """b takes 1.1 times as long on every fold, and lacks its two slow folds; its own median would be the smaller."""
    fold_of = [4, 5, 14, 15]
    a = of("a", [run("a", 1, 30, fold=fold, pace=pace, epochs=60) for fold, pace in enumerate(fold_of)])
    b = of("b", [run("b", 1, 30, fold=fold, pace=1.1 * pace, epochs=60) for fold, pace in enumerate(fold_of[:2])])
    found = to_target([a, b], TARGET, by_fold=True)["seconds"]
    rows = {row["loss"]: row for row in found["rows"]}
    assert found["fastest"] == "a" and rows["b"]["ratio"] == pytest.approx(1.1)
    assert rows["b"]["low"] <= rows["b"]["ratio"] <= rows["b"]["high"] and "runs are missing" in found["note"]


@pytest.mark.parametrize("seeds", [2, 3])
def test_the_same_epoch_by_chance_is_no_proof(seeds: int):
    """Steps come in whole epochs, so a few runs may differ by exactly one each; without the rounding that had no spread and p 0."""
    found = times_apart(loss("b", [5] * seeds), loss("a", [4] * seeds), GOAL, by_fold=False, clock=STEPS)
    assert found.p is not None and found.p > 0.05 and found.sd is not None and found.sd > 0
    assert found.sd == pytest.approx(math.sqrt((1 / 5) ** 2 + (1 / 4) ** 2) / math.sqrt(12))
    many = times_apart(loss("b", [5] * 12), loss("a", [4] * 12), GOAL, by_fold=False, clock=STEPS)
    assert many.p is not None and many.p < 0.01


def test_folds_are_the_units_where_there_are_several():
    def folds(name: str, epochs: list[float]) -> Contender:
        return of(name, [run(name, seed, epoch, fold=fold) for fold, epoch in enumerate(epochs) for seed in (1, 2)])

    found = times_apart(folds("b", [10, 12, 14]), folds("a", [5, 6, 7]), GOAL, by_fold=True)
    assert (found.n, found.unit) == (3, "fold") and found.mean == pytest.approx(math.log(2))


@pytest.mark.parametrize("misses", [0.0, 0.3])
def test_equal_losses_are_told_apart_no_more_often_than_the_error_rate(misses: float):
    told = 0
    for seed in range(60):
        rng = np.random.default_rng(seed)
        drawn = np.where(rng.random((3, 4)) < misses, NEVER, rng.integers(3, 9, (3, 4)))
        field = [loss(name, [float(epoch) for epoch in epochs]) for name, epochs in zip("abc", drawn, strict=True)]
        told += "slower" in states(to_target(field, TARGET, by_fold=False)["steps"]).values()
    assert told <= 3


def test_the_fastest_was_chosen_so_its_pairs_stand_for_all():
    assert corrected_for_choice([0.01]) == [0.01], "two losses are one pair"
    assert corrected_for_choice([0.01, 0.02, None]) == pytest.approx([0.03, 0.03, None])  # 3 pairs of 3 losses
    assert corrected_for_choice([0.9, 0.9]) == [1.0, 1.0] and corrected_for_choice([]) == []


def test_seconds_and_steps_have_winners_of_their_own():
    few_steps, short_steps = loss("few", [4, 4, 4], pace=3.0), loss("short", [8, 8, 8], pace=0.5)
    found = to_target([few_steps, short_steps], TARGET, by_fold=False)
    assert (found["seconds"]["fastest"], found["steps"]["fastest"]) == ("short", "few")
    assert found["seconds"]["rows"][0]["values"] == pytest.approx([8 * 0.5 * (1 + 0.01 * seed) for seed in (1, 2, 3)])
    assert found["reached"] == {"few": {"reached": 3, "runs": 3}, "short": {"reached": 3, "runs": 3}}


def test_misses_stand_for_themselves():
    found = to_target([loss("a", [4, 5, NEVER]), loss("b", [NEVER, NEVER, 3])], TARGET, by_fold=False)
    assert states(found["seconds"]) == {"a": "fastest", "b": "misses"}
    assert found["steps"]["rows"][1]["value"] is None and found["steps"]["rows"][1]["values"] == [None, None, 30.0]
    assert "not reached in the median run: b" in found["seconds"]["note"]
    nobody = to_target([loss("a", [NEVER, 5]), loss("b", [NEVER, NEVER])], TARGET, by_fold=False)["seconds"]
    assert "no loss reaches" in nobody["reason"] and states(nobody) == {"a": "misses", "b": "misses"}


def test_nothing_to_compare_has_a_reason():
    assert to_target([], TARGET, by_fold=False)["seconds"]["reason"] == "no loss has a score"
    none = TARGET | {"value": None, "rule": "no learning curve holds a membrane Dice"}
    assert to_target([loss("a", [3])], none, by_fold=False)["steps"]["reason"] == none["rule"]
    alone = to_target([loss("a", [3])], TARGET, by_fold=False)["seconds"]
    assert states(alone) == {"a": "fastest"} and "one run a loss tells no two apart" in alone["note"]


@pytest.mark.parametrize(("floor", "said"), [(0.55, False), (0.9, True)])
def test_a_target_below_the_sanity_row_says_what_it_is_worth(floor: float, said: bool):
    rows = [{"name": "best intensity threshold", "membrane_dice": floor}]
    target = choose_target({}, rows, [loss("a", [3, 3])])
    assert target["value"] == pytest.approx(floor + 0.95 * (0.8 - floor))
    assert ("no network has learnt enough" in target["rule"]) == said
    assert choose_target({"speed": {"target": 0.6}}, rows, [])["value"] == 0.6


def test_seconds_are_the_clock_unless_told_otherwise():
    a, b = loss("a", [4, 4, 5], pace=1.0), loss("b", [4, 4, 5], pace=2.0)
    assert times_apart(b, a, GOAL, by_fold=False) == times_apart(b, a, GOAL, by_fold=False, clock=SECONDS)
    assert times_apart(b, a, GOAL, by_fold=False, clock=STEPS).mean == 0.0
