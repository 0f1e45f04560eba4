"""A sweep of every loss stays readable, and says which losses do not beat a prediction that needs no network."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from matplotlib.axes import Axes

from sweeps.record import SweepRecord
from sweeps.report import curves, differences, front, methods, sanity, spending, strips, tables, write_report
from sweeps.report.canvas import NARROW, WIDE, Layout, NothingToShow, num_named
from sweeps.report.overview import Overview, survey
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import make_record
from unet.losses import LOSSES


@pytest.fixture(scope="module")
def overview(tmp_path_factory: pytest.TempPathFactory) -> Overview:
    record = make_record(tmp_path_factory.mktemp("all-001"), losses=tuple(LOSSES), trials=1, seeds=2, epochs=6, pictures=False)
    return survey(record, compute_verdict(record))


def with_floor(record: SweepRecord, value: float) -> Overview:
    record = replace(record, sanity=[{"name": "best intensity threshold", "membrane_dice": value}])
    return survey(record, compute_verdict(record))


def names_in(axes: list[Axes], overview: Overview) -> list[str]:
    labels = {loss.label for loss in overview.losses}
    return [text.get_text() for each in axes for text in each.texts if text.get_text() in labels]


@pytest.mark.parametrize("layout", [WIDE, NARROW])
@pytest.mark.parametrize(("plot", "panels"), [(curves, 2), (spending, 1)])
def test_figures_of_lines_name_the_best_and_say_so(overview: Overview, plot: Any, panels: int, layout: Layout) -> None:
    figure = plot.draw(overview, layout)
    assert len(overview.losses) == len(LOSSES) > num_named(len(LOSSES)) == 12
    assert names_in(figure.axes, overview) == [loss.label for loss in overview.losses[:12]] * panels
    assert f"Named are the 12 best losses; the other {len(LOSSES) - 12} are grey, and by name in the data." in plot.caption(overview)
    assert len({row[1] for row in plot.table(overview).rows}) == len(LOSSES), "the data have all"


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_the_front_s_strip_keeps_its_room(overview: Overview, layout: Layout) -> None:
    figure = front.draw(overview, layout)
    width = figure.get_size_inches()[0] * 72
    for axes in figure.axes:
        place = axes.get_position()
        assert place.width * width > 80 and 0 <= place.x0 < place.x1 <= 1
    points = front.points_of(overview)
    missed = sum(point.seconds is None for point in points)
    assert len(points) == len(LOSSES)
    assert (f"Of the {missed} losses that never reached the target the best 3 are drawn" in front.caption(overview)) == (missed > 3)


def test_of_many_pairs_those_with_the_best_are_drawn(overview: Overview) -> None:
    pairs, drawn = differences.pairs_of(overview), differences.drawn(overview)
    assert len(pairs) == len(LOSSES) * (len(LOSSES) - 1) // 2 and len(drawn) <= differences.MOST_PAIRS
    assert all(overview.losses[0].name in (pair.a, pair.b) for pair in drawn)
    assert f"the other {len(pairs) - len(drawn):,} pairs are in the table and the data" in differences.caption(overview)
    assert len(differences.table(overview).rows) == len(pairs)


def test_few_losses_are_all_named_and_all_pairs_drawn(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", trials=1, seeds=2, epochs=3, pictures=False)
    few = survey(record, compute_verdict(record))
    assert len(differences.drawn(few)) == 15
    for plot in (curves, spending, front, differences):
        assert "grey" not in plot.caption(few) and "Drawn are" not in plot.caption(few)


def test_rows_are_lower_where_there_are_many(overview: Overview) -> None:
    assert strips.draw(overview, WIDE).get_size_inches()[1] * 72 < 34 * len(LOSSES) + 200


def test_losses_below_the_sanity_rows_are_a_table(overview: Overview) -> None:
    scores = sorted(score for loss in overview.losses if (score := loss.estimate("membrane_dice").mean) is not None)
    below = with_floor(overview.record, scores[3])
    grid = sanity.grid(below)
    assert len(grid.rows) == 4 and not any("registry" in row[3].text for row in grid.rows)
    assert sanity.statement(below).startswith(
        f"4 of {len(LOSSES)} ranked losses do not beat the best prediction that needs no network (best"
    )
    assert grid.csv().columns == ("loss", "membrane_dice", "sanity_score", "why")
    above = with_floor(overview.record, scores[0] - 0.01)
    assert sanity.statement(above).startswith(f"Each of the {len(LOSSES)} ranked losses beats the best prediction that needs no network")
    with pytest.raises(NothingToShow, match="each ranked loss beats"):
        sanity.grid(above)


def test_first_epochs_below_the_axis_are_told_where_there_are_some(overview: Overview) -> None:
    told = "The first epochs lie below the axis."
    low, _ = curves.draw(overview, WIDE).axes[0].get_ylim()
    assert low > 0.2 and told in curves.caption(overview), "the curves begin near 0"
    trials = tuple(replace(trial, curve=tuple(row | {"membrane_dice": 0.8} for row in trial.curve)) for trial in overview.record.trials)
    record = replace(overview.record, trials=trials)
    assert told not in curves.caption(survey(record, compute_verdict(record)))


def test_parameters_held_at_another_value_than_the_default_are_told(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=("focal", "tversky", "iou"), trials=2, seeds=2, epochs=3, pictures=False)
    losses = record.recipe["losses"]
    held = {"focal": {"gamma": 3.0}, "tversky": {"smooth": 1.0, "batch_reduce": "batch"}, "iou": {"smooth": 1.0, "empty": "smooth"}}
    changed = {name: losses[name] | held[name] for name in losses} | {"gone": {"loss": "gone", "x": 1.0}}
    overview = survey(replace(record, recipe=record.recipe | {"losses": changed}), compute_verdict(record))
    (said,) = [part for part in methods.methods(overview) if "were compared" in part]
    assert "focal (alpha searched from 0.05 to 0.95, gamma held at 3)" in said
    assert "beta searched from 0.05 to 0.95, batch_reduce held at batch)" in said
    assert "iou (" not in said and "gone (" not in said and "smooth held" not in said
    seconds = {row[1].value: row[1].second for row in tables.leaderboard(overview).rows}
    assert seconds["tversky"].endswith(", batch_reduce batch") and seconds["tversky"].startswith("alpha 0.")
    assert "smooth" not in seconds["tversky"] + seconds["iou"]
    assert "batch_reduce batch" in (page := write_report(overview.record, overview.verdict, tmp_path / "out").read_text())
    assert "batch_reduce held at batch" in page


def test_a_sum_s_held_weight_is_told(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=("dice",), trials=1, seeds=2, epochs=3, pictures=False)
    trials = tuple(replace(trial, loss="mix", function="dice+focal") for trial in record.trials)
    losses = {"mix": {"loss": "dice+focal", "dice.weight": 1.0, "focal.weight": 0.25, "focal.gamma": 2.0}}
    record = replace(record, trials=trials, recipe=record.recipe | {"losses": losses})
    overview = survey(record, compute_verdict(record))
    assert "mix (dice+focal, focal.weight held at 0.25)" in " ".join(methods.methods(overview))
    (row,) = tables.leaderboard(overview).rows
    assert row[1].second.startswith("dice+focal, lr ") and row[1].second.endswith(", focal.weight 0.25")


def test_without_sanity_rows_or_in_an_older_verdict_nothing_is_claimed(overview: Overview) -> None:
    assert sanity.statement(survey(replace(overview.record, sanity=[]), {**overview.verdict, "sanity": []})) == ""
    older = {key: value for key, value in overview.verdict.items() if key != "below_sanity"}
    assert sanity.statement(survey(overview.record, older)) == ""
