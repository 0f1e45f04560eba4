"""Published figures beside ours: the values, the places, and the figure in which a change of order is a crossing."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest

from sweeps.record import SweepRecord, TrialRecord
from sweeps.report import published, published_figure, published_rows, write_report
from sweeps.report.canvas import NARROW, WIDE, NothingToShow, to_svg
from sweeps.report.overview import Overview, survey
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record

THREE = ("bce", "dice", "focal")
PUBLISHED: dict[str, Any] = {
    "source": "A. Author, A study, 2020",
    "hardware": "one GPU",
    "epochs": 100,
    "seconds": {"bce": 900.5, "dice": 880.0, "focal": 960.0},
    "own_loss": {"bce": 0.2156, "dice": 0.0539, "focal": 0.0045},
    "note": "One run each.",
}
# own values that put the losses in the published order, which is that of the made-up scores turned round: dice .799, bce .780, focal .772
OWN = {"bce": 0.21, "dice": 0.13, "focal": 0.011}
TRAIN = {"bce": (40.0, 44.0, 42.0), "dice": (50.0, 52.0, 51.0), "focal": (41.0, 41.5, 41.25)}
EPOCHS = 4


def _measured(trial: TrialRecord, own: Mapping[str, float | None]) -> TrialRecord:
    if trial.result is None:
        return trial
    value = own.get(trial.loss)
    sections = [{"section": 5, "value": value}, {"section": 6, "value": None if value is None else 2 * value}]
    seconds = {"train": TRAIN[trial.loss][trial.seed % 3], "eval": 3.0, "wall": 60.0}
    return replace(trial, result=trial.result | {"own_loss": {"mean": None, "sections": sections}, "seconds": seconds})


def record_in(folder: Path, section: Any = PUBLISHED, own: Mapping[str, float | None] = OWN, *, seeds: int = 3) -> SweepRecord:
    record = make_record(folder / "demo-001", losses=THREE, trials=2, seeds=seeds, epochs=EPOCHS, pictures=False)
    return replace(record, recipe=record.recipe | {"published": section}, trials=tuple(_measured(trial, own) for trial in record.trials))


def overview_of(folder: Path, section: Any = PUBLISHED, own: Mapping[str, float | None] = OWN, *, seeds: int = 3) -> Overview:
    record = record_in(folder, section, own, seeds=seeds)
    return survey(record, compute_verdict(record))


def rows_of(grid: Any) -> dict[str, dict[str, Any]]:
    table = grid.csv()
    return {row[0]: dict(zip(table.columns, row, strict=True)) for row in table.rows}


def test_times_stand_beside_ours_brought_to_the_same_epochs(tmp_path: Path) -> None:
    grid = published.grid_time(overview_of(tmp_path))
    rows = rows_of(grid)
    assert list(rows) == ["dice", "bce", "focal"], "the fastest published one first"
    assert rows["bce"] == {
        "loss": "bce",
        "published_seconds": 900.5,
        "published_place": 2,
        "train_seconds": 42.0,
        "train_and_eval_seconds": 45.0,
        "alike_seconds": pytest.approx(42.0 * 100 / EPOCHS),
        "place": 2,
    }
    assert [rows[name]["place"] for name in ("dice", "bce", "focal")] == [3, 2, 1]
    shown = {column.key: (column, cell) for column, cell in grid.paired(grid.rows[0])}
    assert shown["alike_seconds"][0].title == "Ours for 100 epochs, s"
    assert (shown["alike_seconds"][1].text, shown["alike_seconds"][1].second) == ("1,275.0", "1.236 x")
    assert (shown["published_seconds"][1].second, shown["train_seconds"][1].second) == ("1.000 x", "")


@pytest.mark.parametrize("epochs", [EPOCHS, None])
def test_with_as_many_epochs_or_unknown_ones_our_time_stands_once(tmp_path: Path, epochs: int | None) -> None:
    grid = published.grid_time(overview_of(tmp_path, PUBLISHED | {"epochs": epochs}))
    shown = [column.key for column, _ in grid.paired(grid.rows[0])]
    assert "alike_seconds" not in shown and "train_seconds" in shown
    assert {name: row["alike_seconds"] for name, row in rows_of(grid).items()} == {"dice": 51.0, "bce": 42.0, "focal": 41.25}


def test_own_values_stand_beside_the_scores(tmp_path: Path) -> None:
    overview = overview_of(tmp_path)
    rows = rows_of(published.grid_loss(overview))
    assert list(rows) == ["focal", "dice", "bce"], "the smallest published value first"
    assert [(row["published_place"], row["own_loss_place"], row["membrane_dice_place"], row["v_rand_place"]) for row in rows.values()] == [
        (1, 1, 3, 3),
        (2, 2, 1, 1),
        (3, 3, 2, 2),
    ]
    focal = rows["focal"]
    first = min((trial for trial in overview.record.trials if trial.loss == "focal" and trial.stage == "finalist"), key=lambda t: t.seed)
    assert (focal["own_loss"], focal["section"], focal["run"]) == (0.011, 5, first.trial_id)
    assert focal["own_loss_mean"] == pytest.approx(0.0165)
    loss = overview.loss("focal")
    assert loss is not None and focal["membrane_dice"] == loss.estimate("membrane_dice").mean


def test_the_finding_says_how_far_the_orders_are_apart(tmp_path: Path) -> None:
    head = published.section(overview_of(tmp_path))
    assert head is not None
    assert head.finding == (
        "By its own loss value focal is 1st of 3, by Membrane Dice 3rd; 2 of 3 pairs of losses stand the other way round by the score."
    )
    assert head.caution.count(".") == 1 and "do not compare" in head.caution
    assert (head.source, head.note) == (PUBLISHED["source"], PUBLISHED["note"])
    assert head.circumstances.startswith("The published trainings ran on one GPU, 100 epochs each. Ours ran on cpu.")


def test_the_same_order_is_said_too(tmp_path: Path) -> None:
    head = published.section(overview_of(tmp_path, own={"dice": 0.1, "bce": 0.2, "focal": 0.3}))
    assert head is not None
    assert "dice is 1st of 3, by Membrane Dice also 1st; 0 of 3 pairs of losses stand" in head.finding


def test_places_share_where_values_are_equal() -> None:
    assert published_rows.places({"a": 2.0, "b": 1.0, "c": 1.0, "d": None}, lower_is_better=True) == {"a": 3, "b": 1, "c": 1}
    assert published_rows.places({"a": 2.0, "b": 1.0, "c": 1.0, "d": None}, lower_is_better=False) == {"a": 1, "b": 2, "c": 2}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3}, (0, 3)),
        ({"a": 1, "b": 2, "c": 3}, {"a": 3, "b": 2, "c": 1}, (3, 3)),
        ({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 3, "c": 2}, (1, 3)),
        ({"a": 1, "b": 1}, {"a": 1, "b": 2}, (0, 1)),  # equal values stand no way round
        ({"a": 1, "b": 2}, {"a": 1, "c": 2}, (0, 0)),
    ],
)
def test_turned_counts_pairs(before: dict[str, int], after: dict[str, int], expected: tuple[int, int]) -> None:
    assert published_rows.turned(before, after) == expected


@pytest.mark.parametrize(("place", "word"), [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (12, "12th"), (21, "21st")])
def test_ordinals(place: int, word: str) -> None:
    assert published._ordinal(place) == word


@pytest.mark.parametrize("layout", [WIDE, NARROW], ids=lambda layout: layout.name)
def test_the_figure_has_a_level_a_loss_on_each_scale(tmp_path: Path, layout: Any) -> None:
    overview = overview_of(tmp_path)
    figure = published_figure.draw(overview, layout)
    (axes,) = figure.axes
    levels = {}
    for line in axes.lines:
        if line.get_linestyle() == "None":
            levels[tuple(np.asarray(line.get_ydata()).tolist())] = np.asarray(line.get_xdata()).tolist()
    assert set(levels) == {(0, 0, 2, 2), (1, 1, 0, 0), (2, 2, 1, 1)}
    assert all(x == [0, 1, 2, 3] for x in levels.values())
    words = " ".join(ElementTree.fromstring(to_svg(lambda: published_figure.draw(overview, layout))).itertext())
    for word in (*THREE, ".0045", ".0110", "published", "ours", "Membrane", "V_rand"):
        assert word in words


def test_the_figure_s_words_and_data(tmp_path: Path) -> None:
    overview = overview_of(tmp_path)
    assert "focal 1 by Loss value, published, 1 by Loss value, ours, 3 by Membrane Dice, 3 by V_rand" in published_figure.alternative(
        overview
    )
    assert "From our loss values to Membrane Dice, 2 of 3 pairs change places." in published_figure.caption(overview)
    table = published_figure.table(overview)
    assert table.columns == ("loss", "by", "value", "place")
    assert ("focal", "published_own_loss", 0.0045, 1) in table.rows and len(table.rows) == 12


def test_ties_are_told_as_chance(tmp_path: Path) -> None:
    record = record_in(tmp_path)
    overview = survey(record, compute_verdict(record) | {"groups": [["dice", "bce"], ["focal"]]})
    assert "these cannot be told apart, and their order may be chance: dice and bce." in published_figure.caption(overview)


def test_without_own_values_the_published_order_stands_beside_the_scores(tmp_path: Path) -> None:
    overview = overview_of(tmp_path, own={})
    _, scales = published_figure.ladders(overview)
    assert [ladder.key for ladder in scales] == ["published_own_loss", "membrane_dice", "v_rand"]
    assert "From the published loss values to Membrane Dice" in published_figure.caption(overview)
    assert rows_of(published.grid_loss(overview))["focal"]["own_loss"] is None
    head = published.section(overview)
    assert head is not None and head.finding == ""


def test_a_loss_whose_value_is_not_finite_has_a_gap(tmp_path: Path) -> None:
    overview = overview_of(tmp_path, own=OWN | {"focal": None})
    rows = rows_of(published.grid_loss(overview))
    assert rows["focal"]["own_loss"] is None and rows["focal"]["own_loss_place"] is None
    assert [rows[name]["own_loss_place"] for name in ("dice", "bce")] == [1, 2]
    for layout in (WIDE, NARROW):
        assert published_figure.draw(overview, layout).axes


def test_a_search_alone_shows_its_best_trials(tmp_path: Path) -> None:
    rows = rows_of(published.grid_loss(overview_of(tmp_path, seeds=0)))
    assert all("-f" not in row["run"] and row["own_loss"] == OWN[name] for name, row in rows.items())


@pytest.mark.parametrize("section", [None, {}, "text", {"seconds": {"moon": 1.0}, "own_loss": "x"}, {"own_loss": {"bce": float("nan")}}])
def test_nothing_published_is_nothing_to_show(tmp_path: Path, section: Any) -> None:
    overview = overview_of(tmp_path, section)
    assert (published.section(overview) is None) == (not isinstance(section, dict))
    for make in (published.grid_time, published.grid_loss, lambda view: published_figure.draw(view, WIDE)):
        with pytest.raises(NothingToShow):
            make(overview)


def test_only_losses_with_a_published_figure_take_part(tmp_path: Path) -> None:
    overview = overview_of(tmp_path, PUBLISHED | {"own_loss": {"bce": 0.2, "focal": 0.004}, "seconds": {"bce": 1.0}})
    assert [row["membrane_dice_place"] for row in rows_of(published.grid_loss(overview)).values()] == [2, 1]
    assert list(rows_of(published.grid_time(overview))) == ["bce"]


def test_the_page_has_the_part_only_where_the_recipe_has_the_figures(tmp_path: Path) -> None:
    for section, shown in ((PUBLISHED | {"note": "<b>bold</b>"}, True), (None, False)):
        record = record_in(tmp_path / str(shown), section)
        page = read_page(write_report(record, compute_verdict(record), record.folder))
        assert not page.faults
        assert any(part.get("id") == "published" for part in page.of("section")) == shown
        assert (published.CAUTION in page.text) == shown
        assert (record.folder / "report" / "tables" / "published_loss.csv").exists() == shown
        assert (record.folder / "report" / "figures" / "published.svg").exists() == shown
        assert ("<b>bold</b>" in page.text) == shown
