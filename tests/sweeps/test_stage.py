"""The conductor: what it deals, what reaches the ledger and the studies, what an interrupt and repeated faults do."""

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from optuna.trial import TrialState

from sweeps.ledger import Ledger, read_events
from sweeps.plan import TrialPlan
from sweeps.progress import SweepProgress
from sweeps.record import fold_events, read_json
from sweeps.search.sources import FixedSource, SearchSource
from sweeps.stage import Conductor, Interrupt
from tests.sweeps.small import plan_for, small_recipe

ROW = {"epoch": 1, "step": 2, "membrane_dice": 0.5, "threshold": 0.4, "membrane_dice_at_half": 0.4, "state": "running", "worker": "here:1"}


class Desk:
    """A conductor with its ledger, over the small recipe's search."""

    def __init__(self, folder: Path, **sections: Any) -> None:
        self.folder = folder
        self.recipe = small_recipe(**sections)
        self.source = SearchSource(self.recipe, [], self.plan, folder / "study.sqlite3")
        self.ledger = Ledger(folder / "ledger")
        self.interrupt = Interrupt()
        progress = SweepProgress("small", {"bce": 2, "focal": 2}, "plain")
        self.conductor = Conductor(self.source, self.ledger, progress, self.interrupt, stop_after=2)

    def plan(self, **fields: Any) -> TrialPlan:
        trial_id, loss, suggestion = (fields.pop(key) for key in ("trial_id", "loss", "suggestion"))
        return plan_for(self.folder / trial_id, loss, suggestion, self.recipe, trial_id=trial_id, **fields)

    def deal(self) -> TrialPlan:
        plan = self.conductor.next_plan()
        assert plan is not None
        plan.path.mkdir()
        self.conductor.started(plan.trial_id)
        return plan

    def standing(self) -> dict[str, str]:
        return {trial: entry["state"] for trial, entry in fold_events(read_events(self.folder / "ledger")[0]).items()}


@pytest.fixture
def make_desk(tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    desks: list[Desk] = []

    def make(**sections: Any) -> Desk:
        desks.append(Desk(tmp_path, **sections))
        return desks[-1]

    yield make
    for made in desks:
        made.ledger.close()


@pytest.fixture
def desk(make_desk: Callable[..., Desk]) -> Desk:
    return make_desk()


def test_losses_are_dealt_in_turn_and_to_an_equal_budget(desk: Desk) -> None:
    dealt = []
    while (plan := desk.conductor.next_plan()) is not None:
        dealt.append(plan.trial_id)
    assert dealt == ["bce-0001", "focal-0001", "bce-0002", "focal-0002"]
    assert desk.standing() == dict.fromkeys(dealt, "waiting")


def test_a_suggestion_is_in_the_ledger_before_anybody_hears_of_it(desk: Desk) -> None:
    plan = desk.conductor.next_plan()
    assert plan is not None
    (event,) = read_events(desk.folder / "ledger")[0]
    assert event.data["suggestion"] == plan.suggestion


def test_complete_failed_and_pruned_reach_ledger_and_optuna(desk: Desk) -> None:
    first, second, third = desk.deal(), desk.deal(), desk.deal()
    for plan in (first, second, third):
        desk.conductor.measured(plan.trial_id, ROW)
        (plan.path / "metrics.jsonl").write_text(json.dumps(ROW) + "\n")
    desk.conductor.ended(first.trial_id, {"state": "complete", "scores": {"membrane_dice": 0.6}})
    desk.conductor.ended(second.trial_id, {"state": "failed", "reason": "nan", "error": "it became nan"})
    desk.conductor.ended(third.trial_id, ROW)
    assert desk.standing() == {first.trial_id: "complete", second.trial_id: "failed", third.trial_id: "pruned"}
    assert [trial.state for trial in desk.source.studies["bce"].study.trials] == [TrialState.COMPLETE, TrialState.PRUNED]
    assert [trial.state for trial in desk.source.studies["focal"].study.trials] == [TrialState.FAIL]
    result = read_json(third.path / "result.json")
    assert result["state"] == "pruned" and result["scores"]["membrane_dice"] == 0.5


def test_an_end_is_told_once(desk: Desk) -> None:
    plan = desk.deal()
    for _ in range(2):
        desk.conductor.ended(plan.trial_id, {"state": "complete", "scores": {"membrane_dice": 0.6}})
    assert [event.event for event in desk.ledger].count("complete") == 1


def test_what_an_interrupt_cuts_is_not_pruned_and_nothing_new_begins(desk: Desk) -> None:
    plan = desk.deal()
    desk.interrupt.signal = signal.SIGINT
    desk.conductor.ended(plan.trial_id, ROW)
    assert desk.standing() == {plan.trial_id: "running"}
    assert desk.conductor.next_plan() is None and desk.conductor.stopping
    assert not (plan.path / "result.json").exists()


def test_identical_code_errors_in_a_row_stop_the_sweep(desk: Desk) -> None:
    fault = {"state": "failed", "reason": "code", "error": "TypeError: no"}
    desk.conductor.ended(desk.deal().trial_id, fault)
    desk.conductor.ended(desk.deal().trial_id, fault | {"error": "TypeError: another"})
    assert not desk.conductor.stopping
    desk.conductor.ended(desk.deal().trial_id, fault | {"error": "TypeError: another"})
    assert desk.conductor.too_many_failed and desk.conductor.next_plan() is None


def test_failures_that_belong_to_their_trial_do_not_stop_the_sweep(desk: Desk) -> None:
    for _ in range(4):
        desk.conductor.ended(desk.deal().trial_id, {"state": "failed", "reason": "nan", "error": "the loss became nan"})
    assert not desk.conductor.stopping


def test_a_lost_process_goes_back_to_waiting_and_counts_another_attempt(desk: Desk) -> None:
    plan = desk.deal()
    desk.conductor.lost(plan.trial_id, "the node went away")
    assert desk.standing() == {plan.trial_id: "waiting"}
    desk.conductor.started(plan.trial_id)
    assert fold_events(desk.ledger.events)[plan.trial_id]["attempts"] == 2


def test_the_pruner_of_one_loss_does_not_see_another(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(search={"trials_per_loss": 4, "early_stop": {"grace_epochs": 1, "factor": 2}})
    plans = [desk.deal() for _ in range(8)]
    scores = {"bce": iter((0.9, 0.8, 0.95, 0.7)), "focal": iter((0.2, 0.3, 0.4, 0.1))}
    stopped = [plan.trial_id for plan in plans if desk.conductor.measured(plan.trial_id, ROW | {"membrane_dice": next(scores[plan.loss])})]
    assert stopped == ["bce-0002", "bce-0004", "focal-0004"], "focal's best are far below bce's worst and still go on"


def test_a_study_mirror_that_cannot_be_written_does_not_stop_the_sweep(tmp_path: Path, make_desk: Callable[..., Desk]) -> None:
    (tmp_path / "study.sqlite3").mkdir()
    desk = make_desk()
    plan = desk.deal()
    desk.conductor.ended(plan.trial_id, {"state": "complete", "scores": {"membrane_dice": 0.6}})
    assert desk.standing() == {plan.trial_id: "complete"}


def test_a_fixed_list_is_dealt_in_order_and_never_pruned(tmp_path: Path) -> None:
    plans = [plan_for(tmp_path, "bce", {"train.lr": 1e-3}, trial_id=f"bce-f0-s{seed}", seed=seed, fold=0) for seed in (1, 2)]
    source = FixedSource(plans)
    assert source.remaining() == 2
    assert source.next_plan() == plans[0] and not source.measured(plans[0], ROW)
    assert source.next_plan() == plans[1] and source.next_plan() is None


def test_a_pruned_trial_keeps_the_best_of_before_a_resume(desk: Desk) -> None:
    plan = desk.deal()
    rows = [ROW | {"epoch": epoch, "membrane_dice": score} for epoch, score in ((1, 0.5), (2, 0.7), (3, 0.6))]
    (plan.path / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    desk.conductor.ended(plan.trial_id, rows[-1])
    result = read_json(plan.path / "result.json")
    assert (result["best_epoch"], result["scores"]["membrane_dice"], result["epochs"]) == (2, 0.7, 3)


def test_a_trial_whose_process_was_lost_too_often_leaves_a_result(desk: Desk) -> None:
    plan = desk.deal()
    desk.conductor.gave_up(plan.trial_id, "the node went away")
    result = read_json(plan.path / "result.json")
    assert (result["state"], result["reason"]) == ("failed", "node")
    assert desk.standing() == {plan.trial_id: "failed"}


def test_a_ledger_that_cannot_be_written_stops_the_stage(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = desk.deal()
    whole = desk.ledger.append

    def full(*words: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(desk.ledger, "append", full)
    with pytest.raises(OSError, match="No space left"):
        desk.conductor.ended(plan.trial_id, {"state": "complete", "scores": {"membrane_dice": 0.6}})
    assert desk.conductor.stopping and desk.conductor.next_plan() is None
    assert desk.conductor.fault is not None and desk.conductor.fault.errno == 28
    monkeypatch.setattr(desk.ledger, "append", whole)
    desk.conductor.ended(plan.trial_id, {"state": "complete", "scores": {"membrane_dice": 0.6}})
    assert desk.standing() == {plan.trial_id: "complete"}, "the end that was not written is not forgotten"


def test_a_kill_between_a_rungs_row_and_pruned_does_not_let_the_trial_escape() -> None:
    from sweeps.record import TrialRecord
    from sweeps.search.pruner import LossPruner

    def trial(trial_id: str, *scores: float) -> TrialRecord:
        rows = tuple({"epoch": epoch, "membrane_dice": score} for epoch, score in enumerate(scores, 1))
        return TrialRecord(
            trial_id=trial_id, stage="search", loss="bce", function="bce", suggestion={}, seed=0, fold=None, state="running", curve=rows,
            folder=Path("nowhere"),
        )  # fmt: skip

    pruner = LossPruner(metric="membrane_dice", mode="max", epochs=4, grace_epochs=2, factor=2)
    for record in (trial("bce-0001", 0.8, 0.9), trial("bce-0002", 0.4, 0.5)):
        pruner.replay(record)
    assert pruner.stops("bce-0002", {"epoch": 3, "membrane_dice": 0.95})
    assert not pruner.stops("bce-0001", {"epoch": 3, "membrane_dice": 0.7})


def test_a_loss_with_nothing_to_search_gets_one_trial(make_desk: Callable[..., Desk]) -> None:
    desk = make_desk(train={"lr": 1e-3})
    dealt = []
    while (plan := desk.conductor.next_plan()) is not None:
        dealt.append(plan.trial_id)
    assert dealt == ["bce-0001", "focal-0001", "focal-0002"], "more would be the same trial again, to the last bit"


def test_what_a_failed_trial_had_measured_is_no_score(desk: Desk) -> None:
    told: list[Any] = []
    desk.source.ended = lambda plan, state, scores: told.append((state, dict(scores)))  # type: ignore[method-assign]
    plan = desk.deal()
    (plan.path / "metrics.jsonl").write_text(json.dumps(ROW) + "\n")
    desk.conductor.ended(plan.trial_id, {"state": "failed", "reason": "nan", "error": "it became nan"})
    assert told == [("failed", {})]
