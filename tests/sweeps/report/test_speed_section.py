"""The section on the fastest, the headline figure with its misses, and what the seconds went on."""

import json
import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.patches import Rectangle

from sweeps.record import SweepRecord, TrialRecord
from sweeps.report import build, front, speed_figure, speed_tables, spending, write_report
from sweeps.report.canvas import NARROW, WIDE, Layout, NothingToShow, to_svg
from sweeps.report.csv_table import to_csv
from sweeps.report.front_misses import strip_width
from sweeps.report.front_points import middle_half
from sweeps.report.overview import Overview, survey
from sweeps.speed.answers import speed_of
from sweeps.verdict.compose import compute_verdict
from sweeps.verdict.contenders import gather
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record
from tests.sweeps.test_speed import stored

LAYOUTS = pytest.mark.parametrize("layout", [WIDE, NARROW], ids=lambda layout: layout.name)


def judged(record: SweepRecord) -> dict[str, Any]:
    """The verdict with the fastest told three ways."""
    verdict = compute_verdict(record)
    contenders = {contender.loss: contender for contender in gather(record, "membrane_dice").contenders}
    order = [contenders[row["loss"]] for row in verdict["ranking"]]
    return verdict | {"speed": speed_of(record, order, verdict["target"], by_fold=False)}


def make(folder: Path, *, costs: dict[str, float] | None = None, trials: int = 2, **how: Any) -> SweepRecord:
    record = make_record(folder, losses=("bce", "focal", "tversky"), trials=trials, seeds=3, epochs=8, pictures=False, **how)
    folder.mkdir(exist_ok=True)
    if costs:
        (folder / "speed.json").write_text(json.dumps(stored(costs)))
    return replace(record, recipe=record.recipe | {"speed": {"target": 0.62}})  # which each run reaches


def never(record: SweepRecord, loss: str, runs: int) -> SweepRecord:
    """The same sweep, in which so many finalists of a loss stay at a quality below any target."""

    def flat(trial: TrialRecord) -> TrialRecord:
        return replace(trial, curve=tuple(row | {"membrane_dice": 0.56} for row in trial.curve))

    gone = [trial.trial_id for trial in record.trials if trial.loss == loss and trial.stage == "finalist"][:runs]
    return replace(record, trials=tuple(flat(trial) if trial.trial_id in gone else trial for trial in record.trials))


@pytest.fixture
def overview(tmp_path: Path) -> Overview:
    record = never(make(tmp_path / "demo-001", costs={"bce": 1.0, "focal": 1.5, "tversky": 0.6}), "focal", 1)
    return survey(record, judged(record))


def test_three_answers_in_words_that_never_mix(overview: Overview):
    (cost, cost_said), (step, step_said), (soon, soon_said) = speed_tables.statements(overview)
    assert (cost, step) == ("The loss alone", "A training step") and soon.startswith("To membrane Dice .")
    assert cost_said.startswith("tversky is cheapest (0.6") and "each other loss is slower" in cost_said
    assert step_said and "By steps: " in soon_said
    assert "How many" not in speed_tables.MEANING and "the other two say nothing of" in speed_tables.MEANING
    assert "The target: membrane Dice .62 on the calibration sections, given" in speed_tables.section(overview).target


def test_where_none_can_be_told_apart_none_is_called_fastest(overview: Overview):
    tie = {"loss": "focal", "state": "tied", "value": 2.0, "values": [2.0]}
    first = {"loss": "bce", "state": "fastest", "value": 1.5, "values": [1.5]}
    answer = {"reason": None, "fastest": "bce", "ties": ["focal"], "rows": [first, tie], "noise": None, "note": "n"}
    speed = overview.verdict["speed"] | {"step_cost": answer}
    told = speed_tables.statements(replace(overview, verdict={**overview.verdict, "speed": speed}))[1][1]
    assert told == "No loss is quickest: bce has the smallest median (1.5 ms a step), and focal cannot be told apart from it."


@LAYOUTS
def test_three_panels_share_rows_and_no_axis(overview: Overview, layout: Layout):
    figure = speed_figure.draw(overview, layout)
    assert len(figure.axes) == 3 and len({axes.get_xlabel() for axes in figure.axes}) == 3
    limits = [axes.get_xlim() for axes in figure.axes]
    assert len(set(limits)) == 3 and all(axes.get_ylim() == figure.axes[0].get_ylim() for axes in figure.axes)
    assert "missed" in [text.get_text() for text in figure.axes[2].texts]
    svg = to_svg(lambda: speed_figure.draw(overview, layout))
    assert "A training step" in svg and "ms a call" in svg


def test_tables_and_data_hold_every_answer(overview: Overview):
    grids = [speed_tables.grid_loss(overview), speed_tables.grid_step(overview), speed_tables.grid_target(overview)]
    assert [grid.name for grid in grids] == ["speed_loss", "speed_step", "speed_target"]
    assert grids[0].rows[0][0].text == "tversky" and "against bce" in grids[0].caption
    assert "peak_memory_mib" in grids[1].csv().columns and grids[1].rows[0][-1].text == "412"
    focal = next(row for row in grids[2].rows if row[0].text == "focal")
    assert focal[-1].text == "2 of 3"
    rows = speed_figure.table(overview).rows
    assert {row[0] for row in rows} == {"loss_cost", "step_cost", "to_target", "to_target_steps"}
    missed = [row for row in rows if row[:3] == ("to_target", "focal", "single") and row[4] is None]
    assert len(missed) == 1


def test_a_part_without_an_answer_says_why_once_and_the_others_stand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    record = make(tmp_path / "demo-001")
    overview = survey(record, judged(record))
    said = dict(speed_tables.statements(overview))["The loss alone"]
    assert said.startswith("No answer: what the losses cost has not been measured; `sweeps bench loss --results demo-001`")
    with pytest.raises(NothingToShow, match="has not been measured"):
        speed_tables.grid_loss(overview)
    for layout in (WIDE, NARROW):
        texts = " ".join(text.get_text() for text in speed_figure.draw(overview, layout).axes[0].texts)
        assert "no answer" in texts and "measured" not in texts, "the reason stands beside the figure, once"
    monkeypatch.setattr(build, "NARROW", WIDE)
    page = read_page(write_report(record, judged(record), record.folder))
    text = re.sub(r"<svg.*?</svg>", "", page.source, flags=re.DOTALL)
    assert text.count("what the losses cost has not been measured") == 1
    assert "<code>sweeps bench loss --results demo-001</code>" in text and " DIR" not in text


def test_who_comes_first_without_the_smallest_median_is_not_said_to_have_it(overview: Overview):
    tie = {"loss": "focal", "state": "tied", "value": 1.4, "values": [1.4]}
    first = {"loss": "bce", "state": "fastest", "value": 1.5, "values": [1.5]}
    answer = {"reason": None, "fastest": "bce", "ties": ["focal"], "rows": [first, tie], "noise": None, "note": "n"}
    speed = overview.verdict["speed"] | {"step_cost": answer}
    told = speed_tables.statements(replace(overview, verdict={**overview.verdict, "speed": speed}))[1][1]
    assert told.startswith("No loss is quickest: bce comes first run by run, not by the medians (1.5 ms a step)")


def test_what_is_said_of_memory_stands_where_memory_is_shown(overview: Overview):
    assert "memory is the worker" in speed_tables.grid_step(overview).caption
    assert "memory" not in speed_figure.caption(overview)
    share = dict(speed_tables.statements(overview))["The loss alone"]
    assert "A call is " in share or "of a training step" not in share


@pytest.mark.parametrize("verdict", [{}, {"speed": None}, {"speed": {}}])
def test_a_verdict_of_before_says_so(overview: Overview, verdict: dict[str, Any]):
    older = replace(overview, verdict={**{k: v for k, v in overview.verdict.items() if k != "speed"}, **verdict})
    with pytest.raises(NothingToShow, match="does not tell the fastest three ways"):
        speed_figure.draw(older, WIDE)


def test_the_section_is_in_the_page_and_without_faults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(build, "NARROW", WIDE)  # the other form is drawn by the tests above
    record = make(tmp_path / "demo-001", costs={"bce": 1.0, "focal": 1.5, "tversky": 0.6})
    page = read_page(write_report(record, judged(record), record.folder))
    assert not page.faults and "Fastest, three ways" in page.text
    assert (record.folder / "report" / "tables" / "speed_target.csv").exists()


# the front


def test_the_middle_half_of_the_runs_with_misses_as_infinity():
    assert middle_half([3.0, 1.0, 2.0]) == (1.0, 3.0) and middle_half([1.0, 2.0, 3.0, 4.0, 5.0]) == (2.0, 4.0)
    assert middle_half([1.0, math.inf]) == (1.0, math.inf) and middle_half([1.0]) is None and middle_half([]) is None
    assert middle_half([1.0, 2.0, 3.0, 4.0, math.inf]) == (2.0, 4.0), "one miss of five is outside the middle half"


@LAYOUTS
@pytest.mark.parametrize(("loss", "runs", "named"), [("focal", 1, False), ("focal", 3, True)])
def test_misses_stand_at_the_border(tmp_path: Path, layout: Layout, loss: str, runs: int, named: bool):
    record = never(make(tmp_path / "demo-001"), loss, runs)
    overview = survey(record, judged(record))
    points = {point.loss.name: point for point in front.points_of(overview)}
    assert len(points[loss].missed) == runs and len(points[loss].seeds) == 3 - runs
    assert (points[loss].seconds is None) == named and points[loss].span == (min((x for x, _ in points[loss].seeds), default=NEVER), NEVER)
    figure = front.draw(overview, layout)
    assert len(figure.axes) == 2 and strip_width(list(points.values()), layout) > 0
    crosses = [line for line in figure.axes[1].lines if line.get_marker() == "x"]
    assert sum(np.size(line.get_xdata()) for line in crosses) == runs
    assert (loss in [text.get_text() for text in figure.axes[1].texts]) == named
    assert "Crosses at the border are runs that missed" in front.caption(overview)
    rows = [row for row in front.table(overview).rows if row[1] == "run that missed"]
    assert len(rows) == runs and b",run that missed,inf," in to_csv(front.table(overview))


NEVER = math.inf


@LAYOUTS
def test_without_misses_there_is_no_border(tmp_path: Path, layout: Layout):
    record = make(tmp_path / "demo-001")
    overview = survey(record, judged(record))
    assert len(front.draw(overview, layout).axes) == 1 and "Crosses" not in front.caption(overview)


def test_the_target_is_drawn_where_it_is_the_same_score(tmp_path: Path):
    record = make(tmp_path / "demo-001")
    verdict = judged(record)
    high = min(row["scores"]["membrane_dice"]["mean"] for row in verdict["ranking"])

    def told(change: dict[str, Any]) -> bool:
        drawn = front.draw(survey(record, verdict | {"target": verdict["target"] | {"value": high} | change}), WIDE)
        return "target, on calibration sections" in [text.get_text() for text in drawn.axes[0].texts]

    assert told({}) and not told({"metric": "v_rand"}) and not told({"value": 0.01})


def test_intervals_of_two_runs_do_not_flatten_the_points(tmp_path: Path):
    record = make(tmp_path / "demo-001")
    verdict = judged(record)
    for row in verdict["ranking"]:
        row["scores"]["membrane_dice"] |= {"low": 0.0, "high": 1.0}
    overview = survey(record, verdict)
    low, high = front.draw(overview, WIDE).axes[0].get_ylim()
    assert high - low < 0.5 and "Intervals that leave the axis are longer" in front.caption(overview)


# score against time


@LAYOUTS
def test_with_one_trial_a_loss_the_second_panel_tells_where_the_seconds_went(tmp_path: Path, layout: Layout):
    record = make(tmp_path / "demo-001", trials=1)
    overview = survey(record, judged(record))
    assert not spending.searched(overview) and "One trial a loss is no search" in spending.caption(overview)
    bars = [bar for bar in spending.draw(overview, layout).axes[1].patches if isinstance(bar, Rectangle)]
    found = {loss.name: spending.went_on(loss) for loss in overview.losses}
    assert sorted(bar.get_width() for bar in bars) == pytest.approx(sorted(part for parts in found.values() for part in parts))
    assert found["bce"][1] == pytest.approx(sum(t.result["seconds"]["train"] for t in record.of("bce", "finalist") if t.result))
    assert "bars of each loss's train seconds" in spending.alternative(overview)


@LAYOUTS
def test_with_more_trials_the_best_so_far_stands_over_the_seconds_spent(tmp_path: Path, layout: Layout):
    overview = survey(record := make(tmp_path / "demo-001", trials=3), judged(record))
    assert spending.searched(overview)
    loss = overview.losses[0]
    steps = spending.progress(loss, overview)
    assert [number for number, _, _ in steps] == [1, 2, 3]
    assert [best for _, _, best in steps] == sorted(best for _, _, best in steps)
    spent = [spending.train_seconds(trial) or 0.0 for trial in loss.search]
    assert [seconds for _, seconds, _ in steps] == pytest.approx([sum(spent[:n]) for n in (1, 2, 3)])
    assert "added up" in spending.draw(overview, layout).axes[1].get_xlabel()
    assert {row[2] for row in spending.table(overview).rows} == {1, 2, 3, None}, "the finalists are in the data too"
