"""All scores in one table: means, what is bold, and which way each column is better."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sweeps.report import metrics_table, write_report
from sweeps.report.canvas import NothingToShow
from sweeps.report.grid import Grid
from sweeps.report.overview import survey
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import make_record
from unet.metrics import METRICS

LOSSES = ("bce", "dice", "focal")


def grid_of(tmp_path: Path, scores: dict[str, dict[str, Any]], *, seeds: int = 2) -> Grid:
    """A sweep whose runs have these scores, loss by loss, the second seed a tenth more."""
    record = make_record(tmp_path / "demo-001", losses=LOSSES, trials=1, seeds=seeds, epochs=2, pictures=False)
    trials = []
    for trial in record.trials:
        own = {name: None if value is None else value * (1.1 if trial.seed == 101 else 1.0) for name, value in scores[trial.loss].items()}
        trials.append(replace(trial, result=trial.result | {"scores": own} if trial.result else None))
    record = replace(record, trials=tuple(trials))
    return metrics_table.grid(survey(record, compute_verdict(record)))


def column(grid: Grid, key: str) -> dict[str, Any]:
    at = [column.key for column in grid.columns].index(key)
    return {row[0].value: row[at] for row in grid.rows}


def test_a_cell_is_the_mean_of_the_runs_and_the_best_is_bold(tmp_path: Path) -> None:
    base = {"membrane_dice": 0.8}
    grid = grid_of(
        tmp_path,
        {
            "bce": base | {"v_rand": 0.9, "pixel_error": 0.04, "membrane_dice_at_half": 0.5},
            "dice": base | {"v_rand": 0.8, "pixel_error": 0.02, "membrane_dice_at_half": 0.6},
            "focal": base | {"v_rand": 0.7, "pixel_error": None, "membrane_dice_at_half": None},
        },
    )
    assert {name: cell.value for name, cell in column(grid, "v_rand").items()} == pytest.approx(
        {"bce": 0.945, "dice": 0.84, "focal": 0.735}
    )
    assert [name for name, cell in column(grid, "v_rand").items() if cell.best] == ["bce"]
    assert [name for name, cell in column(grid, "pixel_error").items() if cell.best] == ["dice"], "less is better"
    assert column(grid, "pixel_error")["focal"].text == "\u2013" and column(grid, "pixel_error")["focal"].value is None
    assert not any(cell.best for cell in column(grid, "membrane_dice").values()), "all are alike"
    assert [cell.second for cell in column(grid, "membrane_dice").values()] == [".525", ".630", ""]
    titles = {column.key: column.title for column in grid.columns}
    assert titles["v_rand"].endswith("\u2191") and titles["pixel_error"].endswith("\u2193")
    assert titles["membrane_dice_at_half"] == "", "in the data, not in the page"


def test_scores_that_no_run_has_are_left_out_and_the_rest_keeps_the_registry_s_order(tmp_path: Path) -> None:
    scores = {name: 0.5 for name in METRICS if name != "betti_error"}
    grid = grid_of(tmp_path, dict.fromkeys(LOSSES, {"membrane_dice": 0.7} | scores))
    assert [column.key for column in grid.columns] == ["loss", *(name for name in METRICS if name != "betti_error")]
    for each in grid.columns[1:]:
        assert each.lower_is_better == (METRICS[each.key].goal == "minimise") and each.hint == METRICS[each.key].formula
    assert grid.csv().columns == tuple(column.key for column in grid.columns)


def test_what_reads_the_same_as_the_best_is_bold_too(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, {loss: {"membrane_dice": value} for loss, value in zip(LOSSES, (0.80001, 0.80002, 0.7), strict=True)}, seeds=1)
    assert {name for name, cell in column(grid, "membrane_dice").items() if cell.best} == {"bce", "dice"}


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        ((0.00081, 0.00052, 0.00031), [".000810", ".000520", ".000310"]),
        ((41.23, 3.456, 12.0), ["41.2", "3.5", "12.0"]),
        ((4.123, 0.5, 1.0), ["4.12", ".50", "1.00"]),
        ((0.5, 0.0, 0.25), [".500", "0", ".250"]),
        ((0.0, 0.0, 0.0), ["0", "0", "0"]),
    ],
)
def test_decimals_suit_the_column(tmp_path: Path, values: tuple[float, ...], texts: list[str]) -> None:
    grid = grid_of(tmp_path, {loss: {"membrane_dice": 0.8, "betti_error": v} for loss, v in zip(LOSSES, values, strict=True)}, seeds=1)
    assert [column(grid, "betti_error")[loss].text for loss in LOSSES] == texts


def test_without_any_score_there_is_no_table(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=LOSSES, trials=1, seeds=0, epochs=2, pictures=False)
    record = replace(record, trials=tuple(replace(trial, result=None, curve=()) for trial in record.trials))
    with pytest.raises(NothingToShow, match="no run has a score yet"):
        metrics_table.grid(survey(record, compute_verdict(record)))


def test_the_page_sets_the_best_in_bold(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", losses=LOSSES, trials=1, seeds=2, epochs=2, pictures=False)
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert not page.faults
    assert any("best" in cell["class"].split() for cell in page.of("td"))
    assert "td.best { font-weight: 700; }" in page.source
    assert "more is better" in page.text
