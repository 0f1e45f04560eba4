"""How far seeds spread, and the limit that follows from it, against numbers worked by hand."""

import math
from collections.abc import Sequence
from pathlib import Path

import pytest
from scipy import stats

from sweeps.record import SweepRecord, TrialRecord
from sweeps.rerun.circumstances import differences, unknown
from sweeps.rerun.curves import Comparison
from sweeps.rerun.judging import DIFFERENT, SAME, WITHIN, judge_once, reasons
from sweeps.rerun.noise import Noise, compared, noise_of
from sweeps.rerun.running import Ran
from sweeps.verdict.contenders import SCORES
from tests.sweeps.small import small_recipe


def run(loss: str, seed: int, score: float, fold: int = 0) -> TrialRecord:
    scores = dict.fromkeys(SCORES, score)
    return TrialRecord(
        trial_id=f"{loss}-f{fold}-s{seed}", stage="finalist", loss=loss, function=loss, suggestion={}, seed=seed, fold=fold,
        state="complete", folder=Path("nowhere"), result={"state": "complete", "scores": scores},
    )  # fmt: skip


def sweep(*trials: TrialRecord, folder: Path = Path("nowhere")) -> SweepRecord:
    recipe = small_recipe().resolved()
    return SweepRecord(name="small", uuid="0", folder=folder, recipe=recipe, provenance={}, data={}, sanity=[], trials=trials)


#: two losses on two folds; within a loss and a fold two seeds lie 0.02 apart, so s = 0.02 / sqrt(2) with 4 degrees of freedom
SPREAD = sweep(*(run(loss, seed, 0.5 + 0.1 * fold + 0.02 * seed, fold) for loss in ("bce", "focal") for seed in (1, 2) for fold in (0, 1)))


@pytest.mark.parametrize(("then", "now"), [(1, 1), (5, 3)])
def test_the_limit_is_students_t_times_the_spread_of_the_difference(then: int, now: int) -> None:
    (score, *rest) = compared([{"membrane_dice": 0.5}] * then, [{"membrane_dice": 0.6}] * now, noise_of(SPREAD))
    t = stats.t.isf(0.05 / 2 / 4, 4)  # 95% for the four judged scores together
    assert score.metric == "membrane_dice" and not rest
    assert (score.spread, score.freedom) == (pytest.approx(0.02 / math.sqrt(2)), 4)
    assert score.margin == pytest.approx(t * 0.02 / math.sqrt(2) * math.sqrt(1 / then + 1 / now))


def test_fresh_runs_add_their_own_spread() -> None:
    now = [{"v_rand": 0.2}, {"v_rand": 0.6}]
    with_own, without = (compared([{"v_rand": 0.5}], now, noise_of(SPREAD), fresh=fresh)[0] for fresh in (True, False))
    assert (with_own.freedom, without.freedom) == (5, 4)
    assert with_own.spread == pytest.approx(math.sqrt((4 * 0.0002 + 0.08) / 5))


def test_differences_of_nothing_but_seeds_are_called_different_seldom() -> None:
    """The rule's own promise, by simulation: at most one rerun in twenty, though four scores are looked at."""
    import numpy as np

    rng, wrong, total = np.random.default_rng(0), 0, 400
    for _ in range(total):
        values = rng.normal(0.7, 0.05, (4, 9))  # four independent scores: the hardest case for the correction
        trials = [
            TrialRecord(
                trial_id=f"bce-f0-s{seed}", stage="finalist", loss="bce", function="bce", suggestion={}, seed=seed, fold=0,
                state="complete", folder=Path("nowhere"), result={"scores": dict(zip(SCORES, values[:, seed], strict=True))},
            )
            for seed in range(4)
        ]  # fmt: skip
        scored: list[dict[str, float]] = [dict(zip(SCORES, values[:, number], strict=True)) for number in range(9)]
        found = compared(scored[:4], scored[4:6], noise_of(sweep(*trials)), fresh=True)
        wrong += any(score.within is False for score in found)
    assert wrong / total < 0.08


def test_the_noise_floor_stands_in_where_no_seeds_spread(tmp_path: Path) -> None:
    (tmp_path / "verdict.json").write_text('{"noise_floor": {"value": 0.03}}')
    found = compared([{"membrane_dice": 0.5, "v_rand": 0.5}], [{"membrane_dice": 0.52, "v_rand": 0.5}], noise_of(sweep(folder=tmp_path)))
    assert [(score.metric, score.margin, score.within) for score in found] == [("membrane_dice", 0.03, True), ("v_rand", None, True)]


NOISE = Noise(cells={}, floor=0.05, judged=("membrane_dice",))
CURVES = Comparison(trial_id="bce-f0-s1", epochs=3, identical=True, first_difference=None, largest_difference=0.0)
OTHERS = Comparison(trial_id="bce-f0-s1", epochs=3, identical=False, first_difference="epoch 1: step was 1, is 2", largest_difference=0.1)


def ran(score: float, state: str = "complete", **more: float) -> Ran:
    last = {"state": state, "scores": {"membrane_dice": score, **more}} | ({"reason": "nan", "error": "e"} if state == "failed" else {})
    return Ran(curve=[], last=last, environment={}, around={})


def result(score: float, **more: float) -> TrialRecord:
    trial = run("bce", 1, score)
    return TrialRecord(**{**vars(trial), "result": {"state": "complete", "scores": {"membrane_dice": score, **more}}})


@pytest.mark.parametrize(
    ("recorded", "now", "curves", "verdict", "why"),
    [
        (result(0.7), ran(0.7), CURVES, SAME, "all 3 epochs and 1 number of its result came out again, bit for bit"),
        (result(0.7), ran(0.7), OTHERS, WITHIN, "not bit for bit the same (epoch 1: step was 1, is 2)"),
        (result(0.7), ran(0.74), OTHERS, WITHIN, "membrane_dice by +0.0400, where seeds alone make up to 0.0500 (the noise floor)"),
        (result(0.7), ran(0.76), OTHERS, DIFFERENT, "1 of 1 judged scores differ by more than seeds do"),
        (result(0.7, v_rand=0.5), ran(0.7, v_rand=0.25), CURVES, WITHIN, "scores are computed to others (scores.v_rand was 0.5, is 0.25)"),
        (result(0.7), ran(0.7, "failed"), CURVES, DIFFERENT, "the recorded run is complete, this one failed"),
    ],
)
def test_the_verdict_is_bit_for_bit_first_and_noise_second(
    recorded: TrialRecord, now: Ran, curves: Comparison, verdict: str, why: str
) -> None:
    found = judge_once(recorded, now, curves, compared([recorded.result["scores"]], [now.scores], NOISE) if recorded.result else [])
    assert found.verdict == verdict and why in found.why


def test_without_any_noise_known_a_difference_is_a_difference_and_that_is_said() -> None:
    blind = Noise(cells={}, floor=None, judged=("membrane_dice",))
    found = judge_once(result(0.7), ran(0.7000001), OTHERS, compared([{"membrane_dice": 0.7}], [{"membrane_dice": 0.7000001}], blind))
    assert found.verdict == DIFFERENT and "how far seeds spread is not known" in found.why


def test_a_score_that_is_not_computed_any_more_is_named() -> None:
    found = judge_once(result(0.7, old_score=0.5), ran(0.7), CURVES, compared([{"membrane_dice": 0.7}], [{"membrane_dice": 0.7}], NOISE))
    assert found.verdict == SAME and found.gone == ("scores.old_score",)


THEN = {"torch": "2.10.0", "threads": 1, "code": "abc", "optuna": "5.0", "device": "cpu"}


@pytest.mark.parametrize(
    ("now", "said"),
    [
        ({"torch": "2.13.0"}, "torch is 2.13.0, recorded 2.10.0"),
        ({"threads": 2, "device": "H100"}, "device is H100, recorded cpu; threads is 2, recorded 1"),
        ({"code": None}, "code is not known, recorded abc"),
    ],
)
def test_what_differs_is_named_with_both_values(now: dict[str, object], said: str) -> None:
    differ = differences(THEN, THEN | now)
    assert reasons(differ, [], DIFFERENT, fresh=False, device="cpu") == [f"this differs from the record: {said}"]


def test_what_decides_no_number_is_told_and_is_no_reason() -> None:
    (found,) = differences(THEN, THEN | {"optuna": "5.1"})
    assert (found.what, found.decides) == ("optuna", False)
    assert "nothing that the record tells" in reasons([found], [], DIFFERENT, fresh=False, device="cpu")[0]


def test_uncommitted_code_on_both_sides_is_not_known_to_be_the_same() -> None:
    def names(found: Sequence[str]) -> str:
        return " ".join(found)

    assert "uncommitted" in names(unknown({"code": "abc+"}, {"code": "abc+"}))
    assert "uncommitted" not in names(unknown({"code": "abc"}, {"code": "abc"})) and "code" in names(unknown({}, {}))
