"""Standing of trials that did not all go the same way, and the region that ties with the best: cases worked out by hand."""

import math
from pathlib import Path
from typing import Any

import pytest

from sweeps.record import TrialRecord
from sweeps.search.flat_region import FACTOR, flat_region
from sweeps.search.standing import standings
from sweeps.space import Choice, Domain, Float

SPACE: dict[str, Domain] = {"loss.gamma": Float(low=0, high=4), "train.lr": Float(low=1e-4, high=1e-2, log=True)}


def trial(
    number: int,
    scores: list[float],
    *,
    state: str = "complete",
    reason: str | None = None,
    stage: str = "search",
    suggestion: dict[str, Any] | None = None,
) -> TrialRecord:
    curve = tuple({"epoch": epoch, "membrane_dice": score} for epoch, score in enumerate(scores, 1))
    finite = [score for score in scores if math.isfinite(score)]
    result = {"scores": {"membrane_dice": max(finite)}} if state == "complete" and finite else None
    return TrialRecord(
        trial_id=f"focal-{number:04d}",
        stage=stage,
        loss="focal",
        function="focal",
        suggestion=suggestion or {},
        seed=0,
        fold=None,
        state=state,
        reason=reason,
        curve=curve,
        result=result,
        folder=Path("nowhere"),
    )


def places(*trials: TrialRecord) -> list[float]:
    return [told.place for told in standings(trials, "membrane_dice")]


def test_trials_that_went_to_the_end_stand_by_their_scores() -> None:
    assert places(trial(1, [0.2, 0.5]), trial(2, [0.6, 0.7]), trial(3, [0.1, 0.6])) == [0.0, 1.0, 0.5]


def test_a_stopped_trial_is_compared_at_its_own_last_epoch() -> None:
    """Its .5 after one epoch is less than .7 at the end, and yet it was ahead of both at that epoch."""
    assert places(trial(1, [0.5], state="pruned"), trial(2, [0.4, 0.7]), trial(3, [0.3, 0.6])) == [1.0, 0.5, 0.0]


def test_a_draw_counts_half() -> None:
    assert places(trial(1, [0.5]), trial(2, [0.5])) == [0.5, 0.5]


@pytest.mark.parametrize("nan", [trial(1, [0.9, 0.9], state="failed", reason="nan"), trial(1, [math.nan, math.nan])])
def test_nan_is_the_worst(nan: TrialRecord) -> None:
    assert places(nan, trial(2, [0.1, 0.2]), trial(3, [0.3], state="pruned")) == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    "other",
    [
        trial(1, [0.9], state="failed", reason="memory"),
        trial(1, [0.9], state="running"),
        trial(1, [], state="waiting"),
        trial(1, [0.9], stage="finalist"),
    ],
    ids=lambda item: f"{item.stage} {item.state}",
)
def test_what_says_nothing_of_its_parameters_does_not_count(other: TrialRecord) -> None:
    assert len(standings([other, trial(2, [0.2]), trial(3, [0.3])], "membrane_dice")) == 2


def test_less_is_better_for_some_metrics() -> None:
    trials = [trial(number, [0.0]) for number in (1, 2)]
    for item, value in zip(trials, (3.0, 5.0), strict=True):
        assert item.result is not None
        item.result["scores"]["hausdorff95"] = value
    assert [told.place for told in standings(trials, "hausdorff95")] == [1.0, 0.0]


def region(*told: tuple[float, float, float], margin: float, **more: Any) -> Any:
    """`told` holds score, gamma, learning rate."""
    trials = [trial(n, [score], suggestion={"loss.gamma": gamma, "train.lr": rate}) for n, (score, gamma, rate) in enumerate(told, 1)]
    return flat_region(SPACE, standings(trials, "membrane_dice"), margin, None, maximise=more.pop("maximise", True))


def test_the_region_by_hand() -> None:
    found = region((0.80, 1.0, 1e-3), (0.79, 3.0, 1e-3), (0.785, 2.0, 2e-4), (0.70, 2.5, 1e-3), (0.78, 0.0, 1e-2), margin=0.015)
    assert found.best.trial.trial_id == "focal-0001"
    assert [item.trial.trial_id for item in found.tied] == ["focal-0001", "focal-0002", "focal-0003"]
    assert found.threshold == pytest.approx(0.785)
    gamma, rate = found.sides["loss.gamma"], found.sides["train.lr"]
    assert (gamma.values, gamma.tied, gamma.between) == ((1.0, 3.0), 3, 4)
    assert gamma.of_range == pytest.approx(0.5)
    assert (rate.values, rate.between) == ((2e-4, 1e-3), 4)
    assert rate.of_range == pytest.approx(math.log10(5) / 2)


def test_the_best_alone_ties_without_noise() -> None:
    found = region((0.80, 1.0, 1e-3), (0.79, 3.0, 1e-3), margin=0.0)
    assert len(found.tied) == 1 and found.sides["loss.gamma"].of_range == 0


def test_a_region_where_less_is_better() -> None:
    found = region((0.80, 1.0, 1e-3), (0.31, 3.0, 1e-3), (0.30, 2.0, 1e-3), margin=0.02, maximise=False)
    assert found.threshold == pytest.approx(0.32)
    assert [item.trial.trial_id for item in found.tied] == ["focal-0002", "focal-0003"]


def test_a_stopped_trial_ties_where_it_was_good_already_and_is_never_the_best() -> None:
    at = {"loss.gamma": 1.0, "train.lr": 1e-3}
    trials = [
        trial(1, [0.7], suggestion=at),
        trial(2, [0.75], state="pruned", suggestion=at),
        trial(3, [0.5], state="pruned", suggestion=at),
    ]
    found = flat_region(SPACE, standings(trials, "membrane_dice"), 0.01, None, maximise=True)
    assert found is not None and found.best.trial.trial_id == "focal-0001"
    assert [item.trial.trial_id for item in found.tied] == ["focal-0001", "focal-0002"]


def test_no_region_where_nothing_went_to_its_end() -> None:
    assert flat_region(SPACE, standings([trial(1, [0.7], state="pruned")], "membrane_dice"), 0.01, None, maximise=True) is None


def test_a_choice_lists_the_values_that_tie() -> None:
    space: dict[str, Domain] = {"loss.reduce": Choice(choices=("image", "batch", "none"))}
    told = ((0.8, "none"), (0.79, "image"), (0.6, "batch"), (0.5, "none"))
    trials = [trial(number, [score], suggestion={"loss.reduce": choice}) for number, (score, choice) in enumerate(told, 1)]
    found = flat_region(space, standings(trials, "membrane_dice"), 0.02, None, maximise=True)
    assert found is not None
    side = found.sides["loss.reduce"]
    assert (side.values, side.tied, side.between) == (("image", "none"), 2, 3)
    assert side.of_range == pytest.approx(2 / 3)


def test_one_in_twenty_of_equals_falls_behind_the_margin() -> None:
    from scipy.stats import norm

    assert norm.sf(FACTOR / math.sqrt(2)) == pytest.approx(0.05, abs=1e-4)
