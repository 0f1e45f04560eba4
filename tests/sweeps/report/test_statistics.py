"""How the comparison was judged: said in words, drawn as mean ranks where the verdict has them, and otherwise why not."""

from pathlib import Path
from typing import Any

import pytest

from sweeps.record import SweepRecord
from sweeps.report import critical_difference, differences, history, statistics, tables, write_report
from sweeps.report.canvas import NARROW, WIDE, Layout, NothingToShow
from sweeps.report.overview import Overview, survey
from sweeps.report.wording import bare, say_chance, with_scores
from sweeps.verdict.compose import compute_verdict
from sweeps.verdict.contenders import gather
from sweeps.verdict.paired import differences as differences_of
from sweeps.verdict.paired import estimate
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import SIX, make_record

RANKED: dict[str, Any] = {
    "blocks": 12,
    "unit": "seed",
    "friedman_p": 0.0003,
    "critical_difference": 2.18,
    "ranks": {"tversky": 1.7, "dice_bce": 2.6, "dice": 2.8, "iou": 3.4, "bce": 4.9, "focal": 5.6},
    "cliques": [["tversky", "dice_bce", "dice", "iou"], ["dice_bce", "dice", "iou", "bce"], ["bce", "focal"]],
}


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> SweepRecord:
    return make_record(tmp_path_factory.mktemp("results") / "demo-001", pictures=False)


def told(record: SweepRecord, **more: Any) -> Overview:
    return survey(record, compute_verdict(record) | more)


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_ranks_lie_on_the_axis_and_bars_over_cliques(record: SweepRecord, layout: Layout) -> None:
    (axes,) = critical_difference.draw(told(record, critical_difference=RANKED), layout).axes
    marks = {float(line.get_xdata()[0]) for line in axes.lines if list(line.get_ydata()) == [0]}
    assert marks == set(RANKED["ranks"].values())
    bars = [(*map(float, line.get_xdata()), float(line.get_ydata()[0])) for line in axes.lines if line.get_linewidth() == 4]
    assert [bar[:2] for bar in bars] == [(1.7, 3.4), (2.6, 4.9), (4.9, 5.6)]
    levels = [bar[2] for bar in bars]
    assert levels[0] == levels[2] != levels[1], "bars on one line do not touch"
    ruler = next(line for line in axes.lines if list(line.get_ydata()) == [-58.0, -58.0])
    low, high = map(float, ruler.get_xdata())
    assert high - low == pytest.approx(2.18)
    names = [text.get_text() for text in axes.texts]
    assert set(SIX) < set(names) and "critical difference 2.18" in names


def test_a_critical_difference_beyond_the_axis_is_cut(record: SweepRecord) -> None:
    (axes,) = critical_difference.draw(told(record, critical_difference=RANKED | {"critical_difference": 9.0}), WIDE).axes
    ruler = next(line for line in axes.lines if list(line.get_ydata()) == [-58.0, -58.0])
    assert list(ruler.get_xdata()) == [1, 6]


def test_ranks_are_said_and_stored(record: SweepRecord) -> None:
    overview = told(record, critical_difference=RANKED)
    assert (
        "Not told apart: tversky, dice_bce, dice and iou; dice_bce, dice, iou and bce; bce and focal."
        in critical_difference.alternative(overview)
    )
    assert "In each of 12 seeds" in critical_difference.caption(overview)
    rows = critical_difference.table(overview).rows
    assert [row[:3] for row in rows[:2]] == [("tversky", 1.7, "1"), ("dice_bce", 2.6, "1 2")]
    alone = told(record, critical_difference=RANKED | {"cliques": []})
    assert "no two losses are nearer" in critical_difference.caption(alone).lower()


@pytest.mark.parametrize(
    "entry", [None, {}, {"ranks": None}, RANKED | {"ranks": {"elsewhere": 1.0}}, RANKED | {"critical_difference": None}]
)
def test_without_ranks_the_page_says_why(record: SweepRecord, entry: Any) -> None:
    with pytest.raises(NothingToShow, match=r"at least 5 losses .* at least 10 independent blocks .* here there are 6 losses and 3 seeds"):
        critical_difference.draw(told(record, critical_difference=entry), WIDE)


def test_the_verdict_s_own_ranks_are_drawn(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", trials=1, seeds=10, epochs=3, pictures=False)
    overview = told(record)
    assert len(critical_difference.ranks_of(overview).ranks) == 6
    page = read_page(write_report(record, compute_verdict(record), record.folder))
    assert not page.faults and "critical-difference diagram needs" not in page.text
    assert (record.folder / "report" / "figures" / "critical_difference.svg").exists()


def test_how_it_was_judged_is_said(record: SweepRecord) -> None:
    found = compute_verdict(record)
    said = dict(statistics.statements(survey(record, found)))
    assert said["Independent"].startswith("3 seeds a loss, all on one test fold")
    assert with_scores(found["test"]["why"]) in said["Test"] and said["Test"].startswith("Paired t over seeds, n = 3")
    alone = sum(pair["p"] < 0.05 for pair in found["pairs"])
    kept = sum(pair["significant"] for pair in found["pairs"])
    assert said["Many comparisons"].startswith("15 pairs were tested")
    assert f"; {alone} " in said["Many comparisons"] and f"alone, {kept} " in said["Many comparisons"]
    assert "would have been found four times in five" in said["What could have been found"]
    assert "no difference larger" not in said["What could have been found"], "one in five is missed"
    assert {"Intervals", "Chance of being better", "Between seeds"} < set(said)


@pytest.mark.parametrize(("p", "doubt"), [(0.009, False), (0.01, True), (0.058, True), (0.1, False), (None, False)])
def test_a_doubt_about_equal_spreads_tells_each_pair_alone(record: SweepRecord, p: float | None, doubt: bool) -> None:
    found = compute_verdict(record)
    pairs = [pair | {"winner": pair["a"]} for pair in found["pairs"][:2]] + found["pairs"][2:]
    test = found["test"] | {"alike_p": p, "spread": "blocks"}
    said = dict(statistics.statements(survey(record, found | {"pairs": pairs, "test": test})))["Test"]
    assert ("by its own differences alone" in said) == doubt
    if doubt:
        pair = pairs[0]
        values = {c.loss: c.values("membrane_dice") for c in gather(record, "membrane_dice").contenders}
        own = estimate(differences_of(values[pair["a"]], values[pair["b"]]), by_fold=False).p
        assert own is not None and f"{pair['a']} over {pair['b']} has p {bare(f'{own:.1g}')}" in said
        assert said.count(" has p ") >= 2


def test_of_one_seed_there_is_no_test_and_no_interval(tmp_path: Path) -> None:
    record = make_record(tmp_path / "demo-001", trials=1, seeds=1, epochs=2, pictures=False)
    said = dict(statistics.statements(told(record)))
    assert said["Test"].startswith("None:") and said["Intervals"].startswith("None:")
    assert "What could have been found" not in said and "Chance of being better" not in said


def test_without_finalists_nothing_is_judged(tmp_path: Path) -> None:
    overview = told(make_record(tmp_path / "demo-001", trials=1, seeds=0, epochs=2, pictures=False))
    for part in (statistics.statements, statistics.intervals):
        with pytest.raises(NothingToShow, match="finalists"):
            part(overview)


def test_intervals_are_the_verdict_s(record: SweepRecord) -> None:
    found = compute_verdict(record)
    grid = statistics.intervals(survey(record, found))
    csv = grid.csv()
    for row, ranked in zip(csv.rows, found["ranking"], strict=True):
        cells, entry = dict(zip(csv.columns, row, strict=True)), ranked["scores"]["membrane_dice"]
        assert cells["loss"] == ranked["loss"]
        assert [cells[f"membrane_dice{end}"] for end in ("", "_low", "_high")] == [entry[key] for key in ("mean", "low", "high")]
        assert (cells["sd"], cells["n"], cells["unit"], cells["runs"]) == (entry["sd"], entry["n"], entry["unit"], entry["replicates"])


def test_a_pair_that_is_turned_turns_its_chance(record: SweepRecord) -> None:
    pair = {"a": "bce", "b": "dice", "difference": -0.01, "low": -0.02, "high": 0.001, "p": 0.1, "p_holm": 0.1, "a_better": 0.04}
    overview = told(record, pairs=[pair], test={"name": "paired t over seeds"})
    (turned,) = differences.pairs_of(overview)
    assert (turned.a, turned.b, turned.a_better) == ("dice", "bce", pytest.approx(0.96))
    grid = tables.pairs(overview)
    assert "96%" in [cell.text for cell in grid.rows[0]] and grid.caption.endswith("test: paired t over seeds.")
    assert dict(zip(grid.csv().columns, grid.csv().rows[0], strict=True))["a_better"] == pytest.approx(0.96)


def test_a_verdict_of_before_has_no_empty_column(record: SweepRecord) -> None:
    pairs = [{key: value for key, value in pair.items() if key != "a_better"} for pair in compute_verdict(record)["pairs"]]
    grid = tables.pairs(told(record, pairs=pairs, test=None))
    assert "Better" not in [column.title for column in grid.columns]


@pytest.mark.parametrize(
    ("chance", "said"),
    [
        (0.5, "50%"),
        (0.943, "94%"),
        (0.9951, "99.5%"),
        (0.0049, "0.5%"),
        (0.99999, "> 99.9%"),
        (0, "< 0.1%"),
        (1.5, "\u2013"),
        (None, "\u2013"),
    ],
)
def test_a_chance_is_never_certain(chance: object, said: str) -> None:
    assert say_chance(chance) == said


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_the_search_is_followed_loss_by_loss(record: SweepRecord, layout: Layout) -> None:
    overview = told(record)
    figure = history.draw(overview, layout)
    assert len(figure.axes) == len(SIX)
    assert len({axes.get_ylim() for axes in figure.axes}) == 1, "one scale"
    for axes, loss in zip(figure.axes, overview.losses, strict=True):
        steps = history.best_so_far(loss, overview)
        scores = [score for trial in loss.search if (score := overview.score(trial)) is not None]
        assert steps[-1][1] == max(scores)
        found = next(number for number, best in steps if best == max(scores))
        assert any(text.get_text().endswith(f"trial {found} of {len(loss.search)}") for text in axes.texts)
        assert [best for _, best in steps] == sorted(best for _, best in steps), "it never falls"


def test_a_failed_trial_has_its_place_in_the_history(record: SweepRecord) -> None:
    overview = told(record)
    rows = [row for row in history.table(overview).rows if row[1] == "focal"]
    assert [row[2] for row in rows] == [1, 2, 3, 4]
    assert rows[3][3:5] == ("failed", None) and rows[3][5] == rows[2][5]
