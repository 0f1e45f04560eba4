"""The fastest, three ways: planted costs come out in order, equal ones tie, and what was not measured has a reason."""

import json
import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest

from data_utils.errors import DataError
from sweeps.record import SweepRecord, TrialRecord
from sweeps.speed import loss_times
from sweeps.speed.answers import speed_of
from sweeps.speed.lines import speed_lines
from sweeps.speed.loss_cost import loss_cost
from sweeps.speed.loss_times import FILE, budget_of, fits, measure_at_the_end, measured, request_of
from sweeps.speed.noise import Logs, margin, run_to_run
from sweeps.speed.rounds import MOST_ROUNDS, OVERTIME, interleave
from sweeps.speed.step_cost import seconds_per_step, step_cost
from sweeps.verdict.contenders import Contender
from tests.sweeps.report.sample import make_record

SCHEMA = json.loads((Path(__file__).parents[2] / "docs" / "verdict.schema.json").read_text())
HERE = {"device": "cpu", "threads": 1, "precision": "fp32", "host": "a"}


class Machine:
    """A clock and timers whose cost is planted: seconds at rest, times a drift that all share."""

    def __init__(self, drift: float = 0.0) -> None:
        self.now, self.drift = 0.0, drift

    def clock(self) -> float:
        return self.now

    def timer(self, seconds: float):
        def once() -> float:
            took = seconds * math.exp(self.drift * self.now)
            self.now += took
            return took

        return once


def run(loss: str, seed: int, pace: float, *, fold: int = 0, place: dict[str, Any] | None = None, first: float = 1.0, **change: Any):
    """A finalist of 6 epochs of 10 steps, `pace` seconds each; the first epoch `first` times as long."""
    seconds = [10 * pace * (first + epoch) for epoch in range(6)]
    curve = tuple({"epoch": n, "step": 10 * n, "train_seconds": t, "membrane_dice": 0.1 * n} for n, t in enumerate(seconds, start=1))
    result = {"environment": HERE if place is None else place, "peak_memory_mib": 100.0 + seed, "epochs": 6}
    result |= {"loss": {"parameters": {"smooth": 1.0}}, "seconds": {"train": seconds[-1]}, "scores": {"membrane_dice": 0.6}}
    told = {"trial_id": f"{loss}-f{fold}-s{seed}", "stage": "finalist", "loss": loss, "function": "dice", "suggestion": {}}
    told |= {"seed": seed, "fold": fold, "state": "complete", "curve": curve, "result": result, "folder": Path("nowhere")}
    return TrialRecord(**told | change)


def contender(loss: str, paces: list[float], **how: Any) -> Contender:
    return of(loss, [run(loss, seed, pace, **how) for seed, pace in enumerate(paces, start=1)])


def of(loss: str, trials: Sequence[TrialRecord]) -> Contender:
    replicates = tuple((trial.seed, trial.fold) for trial in trials)
    return Contender(loss=loss, function="dice", trials=tuple(trials), replicates=replicates, configurations=1)


def states(answer: dict[str, Any]) -> dict[str, str]:
    return {row["loss"]: row["state"] for row in answer["rows"]}


def stored(costs: dict[str, float], *, rounds: int = 8, noise: float = 0.02, seed: int = 0, **change: Any) -> dict[str, Any]:
    """A speed.json whose losses cost so many milliseconds, the reference one."""
    rng = np.random.default_rng(seed)

    def pairs(cost: float) -> list[list[float]]:
        return [[float(a), float(cost * b)] for a, b in np.exp(rng.normal(0, noise, (rounds, 2)))]

    losses = {name: {"function": "dice", "parameters": {"smooth": 1.0}, "rounds": pairs(cost)} for name, cost in costs.items()}
    hardware = {"device": "a processor", "kind": "cpu", "threads": 1, "torch": "2", "clock": "process CPU time"}
    made = {"schema": 1, "reason": None, "losses": losses, "same": pairs(1.0), "reference": "bce", "not_measured": {}, "batch": 4}
    return made | {"crop_px": 256, "hardware": hardware, "host": "a"} | change


# rounds


def test_planted_costs_come_out_whatever_the_machine_drifts():
    machine = Machine(drift=0.3)
    forms = {name: machine.timer(cost) for name, cost in (("dear", 0.02), ("cheap", 0.005), ("same", 0.01))}
    found = interleave(machine.timer(0.01), forms, budget_s=2.0, clock=machine.clock)
    ratios = {name: np.exp(np.median([math.log(b / a) for a, b in pairs])) for name, pairs in found.items()}
    assert ratios == pytest.approx({"dear": 2.0, "cheap": 0.5, "same": 1.0}, rel=5e-3)


def test_only_whole_rounds_count_and_the_budget_holds():
    machine = Machine()
    forms = {str(number): machine.timer(0.01) for number in range(5)}
    found = interleave(machine.timer(0.01), forms, budget_s=0.7, clock=machine.clock)
    assert {len(pairs) for pairs in found.values()} == {3}  # 0.2 s a round, and a fourth would not be whole
    assert machine.now <= 0.7 + 0.04
    assert {len(pairs) for pairs in interleave(machine.timer(1e-9), forms, budget_s=1e9, clock=machine.clock).values()} == {MOST_ROUNDS}


def test_who_has_no_turn_in_the_first_round_is_not_measured():
    machine = Machine()
    forms = {"quick": machine.timer(0.1), "huge": machine.timer(5.0), "late": machine.timer(0.1)}
    found = interleave(machine.timer(0.1), forms, budget_s=1.0, clock=machine.clock)
    assert (len(found["quick"]), len(found["huge"]), found["late"]) == (1, 1, [])
    assert machine.now > OVERTIME


# the loss alone


def test_losses_stand_in_the_order_of_their_cost():
    order = [contender(name, [0.1, 0.1]) for name in ("middle", "dear", "cheap")]
    found = loss_cost(stored({"dear": 4.0, "cheap": 0.5, "middle": 1.0}), order)
    assert [row["loss"] for row in found["rows"]] == ["cheap", "middle", "dear"]
    assert states(found) == {"cheap": "fastest", "middle": "slower", "dear": "slower"}
    assert [row["ratio"] for row in found["rows"]] == pytest.approx([0.5, 1.0, 4.0], rel=0.05)
    assert (found["like_trials"], found["against"], found["ties"]) == (True, "bce", [])
    assert "a processor, 1 thread, torch 2, process CPU time; 8 interleaved rounds" in found["note"]


@pytest.mark.parametrize(("rounds", "told"), [(1, 0), (3, 2), (8, 2)])
def test_equal_costs_are_told_apart_no_more_often_than_the_error_rate(rounds: int, told: int):
    names = ("a", "b", "c", "d")
    order = [contender(name, [0.1]) for name in names]
    found = [loss_cost(stored(dict.fromkeys(names, 1.0), rounds=rounds, noise=0.05, seed=seed), order) for seed in range(40)]
    assert sum("slower" in states(each).values() for each in found) <= told
    assert set(states(loss_cost(stored(dict.fromkeys(names, 1.0), rounds=8, noise=0.0), order)).values()) == {"fastest", "tied"}


def test_a_difference_inside_the_aa_row_is_none():
    order = [contender(name, [0.1]) for name in ("a", "b")]
    close = stored({"a": 1.0, "b": 1.02}, noise=0.001)
    assert states(loss_cost(close, order))["b"] == "slower"
    wide = close | {"same": [[1.0, 1.0 + 0.05 * (-1) ** number] for number in range(8)]}
    assert states(loss_cost(wide, order))["b"] == "tied"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "has not been measured; `sweeps bench loss --results DIR`"),
        ({"reason": "the trials ran on a GPU", "losses": {}}, "the trials ran on a GPU; `sweeps bench"),
        (stored({"other": 1.0}), "of other losses"),
        (stored({"a": 1.0}, same=[]), "of other losses"),
        ([1, 2], "has not been measured"),
        ({"losses": {"a": {"rounds": [[None, 1.0], [0.0, 1.0], [math.nan, 1.0], "x"]}}, "same": [[1, 1]]}, "of other losses"),
    ],
)
def test_without_a_measurement_there_is_a_reason(content: Any, said: str):
    found = loss_cost(content, [contender("a", [0.1])])
    assert found["fastest"] is None and not found["rows"] and said in found["reason"]


def test_another_machine_than_the_trials_is_named_and_not_like_them():
    found = loss_cost(stored({"a": 1.0}, host="elsewhere"), [contender("a", [0.1])])
    assert found["like_trials"] is False and "another machine (cpu on a), so it says little of them" in found["note"]
    gpu = contender("a", [0.1], place={"device": "NVIDIA H100", "threads": 1})
    assert loss_cost(stored({"a": 1.0}), [gpu])["like_trials"] is False
    hardware = {"device": "NVIDIA H100", "kind": "cuda", "threads": 1, "torch": "2", "clock": "CUDA events"}
    assert loss_cost(stored({"a": 1.0}, hardware=hardware, host="elsewhere"), [gpu])["like_trials"] is True


# a training step


def test_a_steps_cost_is_read_off_the_clocks_without_the_first_epoch():
    assert seconds_per_step(run("a", 1, 0.25, first=40.0)) == pytest.approx(0.25)
    alone = run("a", 1, 0.25)
    assert seconds_per_step(replace(alone, curve=alone.curve[:1])) == pytest.approx(0.25)
    broken = ({"epoch": 1}, {"step": 10, "train_seconds": math.nan}, {"step": None, "train_seconds": 3.0}, *alone.curve)
    assert seconds_per_step(replace(alone, curve=broken)) == pytest.approx(0.25)
    assert seconds_per_step(replace(alone, curve=())) is None


def test_dearer_steps_are_slower_and_equal_ones_tie():
    order = [contender("a", [0.100, 0.103, 0.101, 0.102]), contender("dear", [0.150, 0.155, 0.151, 0.154])]
    order.append(contender("b", [0.103, 0.100, 0.102, 0.101]))
    found = step_cost({}, order, by_fold=False)
    assert states(found) == {"a": "fastest", "b": "tied", "dear": "slower"}
    assert found["rows"][-1]["ratio"] == pytest.approx(1.5, rel=0.01)
    assert found["rows"][-1]["low"] < 1.5 < found["rows"][-1]["high"] < 1.6
    assert found["rows"][0]["peak_memory_mib"] == 102.5 and "which its trials share" in found["note"]
    assert found["noise"]["kind"] == "runs of one loss on one fold against each other"


def test_one_run_a_loss_tells_nothing_however_far_apart():
    """What the thesis did: one run each, 8% apart, and a winner."""
    found = step_cost({}, [contender("iou", [0.100]), contender("bce", [0.108])], by_fold=False)
    assert states(found) == {"iou": "fastest", "bce": "tied"} and found["noise"] is None


@pytest.mark.parametrize("folds", [1, 4])
def test_one_loss_under_many_names_is_never_told_apart(folds: int):
    told = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        order = []
        for name in ("a", "b", "c"):
            paces = 0.1 * np.exp(rng.normal(0, 0.08, (folds, 4)))
            order.append(of(name, [run(name, s, float(paces[f, s]), fold=f) for f in range(folds) for s in range(4)]))
        told += "slower" in states(step_cost({}, order, by_fold=folds > 1)).values()
    assert told <= 2  # of 40; the error rate is below one in twenty


def test_two_names_of_one_configuration_widen_the_aa_row():
    a, b = contender("a", [0.100, 0.101, 0.1]), contender("b", [0.120, 0.121, 0.12])
    far = contender("far", [0.13, 0.131, 0.13])
    alone = step_cost({"a": {"loss": "dice"}, "far": {}, "b": {"loss": "dice", "smooth": 2.0}}, [a, b, far], by_fold=False)
    assert states(alone) == {"a": "fastest", "b": "slower", "far": "slower"}
    twins = step_cost({"a": {"loss": "dice"}, "b": {"loss": "dice"}, "far": {}}, [a, b, far], by_fold=False)
    assert "one configuration under two names, a and b" in twins["noise"]["kind"]
    assert states(twins) == {"a": "fastest", "b": "tied", "far": "slower"}


def test_only_like_hardware_is_compared():
    other = HERE | {"host": "b"}
    a = of("a", [run("a", 1, 0.1), run("a", 2, 0.1), run("a", 3, 9.0, place=other)])
    b = contender("b", [0.1, 0.11])
    c = contender("c", [0.001, 0.001], place=other)
    found = step_cost({}, [a, b, c], by_fold=False)
    assert set(states(found)) == {"a", "b"} and (found["runs"], found["left_out"]) == (4, 3)
    assert "3 runs on other hardware left out" in found["note"] and "no comparable run: c" in found["note"]
    gpus = [contender("a", [0.1, 0.1], place={"device": "H100", "host": host}) for host in ("x", "y")]
    assert step_cost({}, [gpus[0], replace(gpus[1], loss="b")], by_fold=False)["left_out"] == 0, "one model of GPU on two hosts is alike"


def test_no_finalists_no_clocks_no_loss_have_a_reason():
    assert "no loss has a score" in step_cost({}, [], by_fold=False)["reason"]
    search = of("a", [run("a", 1, 0.1, stage="search")])
    assert "there are none" in step_cost({}, [search], by_fold=False)["reason"]
    blind = of("a", [run("a", 1, 0.1, curve=())])
    assert "no finalist's curve" in step_cost({}, [blind], by_fold=False)["reason"]
    assert states(step_cost({}, [contender("a", [0.1, 0.2])], by_fold=False)) == {"a": "fastest"}


def test_the_aa_row_of_split_runs_by_hand():
    logs: list[Logs] = [{(1, 0): 0.0, (2, 0): 0.2}, {(1, 0): 5.0, (2, 0): 5.2}]  # variance .02 within each, 2 degrees of freedom
    row = run_to_run(logs, 2)
    assert row is not None and margin(row) == pytest.approx(4.302653 * math.sqrt(0.02) * 1.0, rel=1e-6)
    assert row["low"] == pytest.approx(1 / row["high"]) and row["n"] == 2
    assert run_to_run([{(1, 0): 1.0}], 2) is None and margin(None) == 0.0
    by_fold = run_to_run([{(1, 0): 0.0, (1, 1): 0.2}], 2)
    assert by_fold is not None and by_fold["kind"] == "runs of one loss against each other"


# the file, and all three


@pytest.fixture
def record(tmp_path: Path) -> SweepRecord:
    made = make_record(tmp_path / "demo-001", losses=("bce", "focal"), trials=2, seeds=2, epochs=3, pictures=False)
    made.folder.mkdir(exist_ok=True)
    built = {"bce": {"label_smoothing": 0.0}, "focal": {"alpha": 0.3, "gamma": 2.0}}

    def as_built(trial: TrialRecord) -> TrialRecord:
        told = {"loss": {"name": trial.loss, "function": trial.function, "parameters": built[trial.loss]}}
        return replace(trial, result=trial.result | told) if trial.result else trial

    return replace(made, trials=tuple(as_built(trial) for trial in made.trials))


def long(record: SweepRecord, seconds: float) -> SweepRecord:
    """The same sweep, but so long."""
    first = min(trial.started_at or 0.0 for trial in record.trials)
    return replace(record, trials=(replace(record.trials[0], started_at=first, ended_at=first + seconds), *record.trials[1:]))


def test_measured_for_real_in_a_process_of_its_own():
    losses = {"A/A": {"function": "hausdorff_er", "parameters": {}}, "cheap": {"function": "dice", "parameters": {"smooth": 2.0}}}
    losses["gone"] = {"function": "no such loss", "parameters": {}}
    found = measured({"losses": losses, "batch": 1, "crop_px": 48, "device": "cpu", "budget_s": 1.0})
    assert found["reason"] is None and set(found["losses"]) == {"A/A", "cheap"}
    assert "no loss is called 'no such loss'" in found["not_measured"]["gone"]
    assert found["hardware"]["threads"] == 1 and found["hardware"]["clock"] == "process CPU time"
    order = [contender(name, [0.1]) for name in ("A/A", "cheap")]
    told = loss_cost(found, order)
    assert told["fastest"] == "cheap" and told["rows"][1]["ratio"] > 1.2 * told["rows"][0]["ratio"]
    assert "gone" in told["not_measured"] and "not measured: gone" in told["note"]


def test_a_short_sweep_is_not_measured_and_says_so(record: SweepRecord, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loss_times, "measured", lambda request: pytest.fail("measured"))
    short = long(record, 20.0)
    measure_at_the_end(short)
    assert "took less than 50 s" in json.loads((record.folder / FILE).read_text())["reason"]


def test_budget_is_a_share_of_the_sweep_and_at_most_ten_seconds(record: SweepRecord):
    assert budget_of(long(record, 100.0)) == pytest.approx(2.0)
    assert budget_of(long(record, 86_400.0)) == 10.0
    assert budget_of(replace(record, trials=())) == 0.0


def test_measured_once_and_again_for_other_losses(record: SweepRecord, monkeypatch: pytest.MonkeyPatch):
    asked: list[Any] = []

    def fake(request: Any) -> dict[str, Any]:
        asked.append(request)
        found = stored(dict.fromkeys(request["losses"], 1.0))
        for name, loss in request["losses"].items():
            found["losses"][name] |= loss
        return found

    monkeypatch.setattr(loss_times, "measured", fake)
    sweep = long(record, 300.0)
    measure_at_the_end(sweep)
    measure_at_the_end(sweep)
    assert len(asked) == 1 and asked[0]["budget_s"] == pytest.approx(6.0)
    assert {name: loss["function"] for name, loss in asked[0]["losses"].items()} == {"bce": "bce", "focal": "focal"}
    kept = json.loads((record.folder / FILE).read_text())
    assert fits(kept, request_of(sweep)) and not fits(kept, request_of(sweep) | {"crop_px": 128})
    assert not fits({"losses": {}}, request_of(sweep)) and not fits(None, request_of(sweep))
    lines = list(speed_lines_of(sweep, monkeypatch, as_json=False))
    assert len(asked) == 2 and asked[1]["budget_s"] == 5
    assert "the A/A row lies in" in lines[-2] and "ties with the cheapest" in "".join(lines)
    assert json.loads(*speed_lines_of(sweep, monkeypatch, as_json=True))["against"] == "bce"


def speed_lines_of(record: SweepRecord, monkeypatch: pytest.MonkeyPatch, *, as_json: bool):
    monkeypatch.setattr("sweeps.speed.lines.load_results", lambda folder: record)
    return speed_lines(record.folder, seconds=5, device="auto", as_json=as_json)


def test_another_host_or_no_gpu_is_a_reason_and_no_measurement(record: SweepRecord, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(loss_times, "measured", lambda request: pytest.fail("measured"))

    def placed(**place: Any) -> SweepRecord:
        trials = (replace(t, result=t.result | {"environment": place}) if t.result else t for t in record.trials)
        return long(replace(record, trials=tuple(trials)), 300.0)

    for sweep, said in ((placed(device="cpu", host="far"), "another machine"), (placed(device="NVIDIA H100"), "on a GPU, which")):
        monkeypatch.setattr(loss_times, "_has_gpu", lambda: False)
        measure_at_the_end(sweep)
        assert said in json.loads((record.folder / FILE).read_text())["reason"]


def test_a_failing_measurement_costs_no_verdict(record: SweepRecord, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture):
    monkeypatch.setattr(loss_times.sys, "executable", "/bin/false")
    measure_at_the_end(long(record, 300.0))
    assert "measuring failed: exit code 1" in json.loads((record.folder / FILE).read_text())["reason"]
    with pytest.raises(DataError, match="measuring failed: exit code 1; speed.json is as it was"):
        list(speed_lines_of(long(record, 300.0), monkeypatch, as_json=False))
    monkeypatch.setattr(loss_times, "request_of", lambda record: 1 / 0)
    measure_at_the_end(record)
    assert "could not be measured" in caplog.text


def test_without_a_scored_loss_measuring_again_says_what_to_do(record: SweepRecord, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(DataError, match="no loss has a score yet.*sweeps status"):
        list(speed_lines_of(replace(record, trials=()), monkeypatch, as_json=False))


@pytest.mark.parametrize("trials", ["all", "none", "one loss", "search only"])
def test_the_three_answers_are_plain_data_of_the_schema(record: SweepRecord, trials: str):
    names = {"all": ("bce", "focal"), "none": (), "one loss": ("bce",), "search only": ("bce", "focal")}[trials]
    stage = "search" if trials == "search only" else "finalist"
    order = []
    for name in names:
        runs = [trial for trial in record.trials if trial.loss == name and trial.stage == stage and trial.result]
        order.append(of(name, runs))
    (record.folder / FILE).write_text(json.dumps(stored({"bce": 1.0, "focal": 2.0})))
    for target in (0.5, 0.999, None):
        told = speed_of(record, order, {"metric": "membrane_dice", "value": target, "rule": "given"}, by_fold=False)
        assert json.loads(json.dumps(told, allow_nan=False)) == told
        jsonschema.validate(told, SCHEMA["properties"]["speed"] | {"$defs": SCHEMA["$defs"]})
        assert (told["loss_cost"]["fastest"] is None) == (trials == "none")
        assert (told["step_cost"]["reason"] is None) == (trials in ("all", "one loss"))
        assert (told["to_target"]["seconds"]["fastest"] is not None) == (target == 0.5 and trials != "none")
