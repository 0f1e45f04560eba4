"""Several sweeps on one page: made-up records, with every gap that real ones have."""

import csv
import json
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from sweeps.record import NoSweep, SweepRecord
from sweeps.report import comparison, comparison_sides, comparison_transfer
from sweeps.report.comparison import NothingToCompare, PageInSweep, default_page, write_comparison
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.given import lost_ledger
from tests.sweeps.report.reading import read_page
from tests.sweeps.report.sample import DATA, SIX, make_record
from tests.sweeps.small import small_recipe

SECTIONS = (12, 13)
OTHER = DATA | {"name": "fly", "sha256": "f" * 64}


def sweep(folder: Path, losses: tuple[str, ...] = SIX, data: dict[str, Any] = DATA, **changes: Any) -> SweepRecord:
    from dataclasses import replace

    record = make_record(folder, losses=losses, pictures=False, **changes)
    trials = tuple(
        replace(trial, result=trial.result | {"sections": {"test": list(SECTIONS)}}) if trial.result else trial for trial in record.trials
    )
    return replace(record, data=data, trials=trials)


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Write the page of some records; what is no record is read from the disk."""

    def show(*records: SweepRecord | Path, out: Path | None = None) -> tuple[comparison.Compared, Any]:
        known = {record.folder: record for record in records if isinstance(record, SweepRecord)}
        real = comparison_sides.load_results
        monkeypatch.setattr(comparison_sides, "load_results", lambda folder: known[folder] if folder in known else real(folder))
        found = write_comparison([record.folder if isinstance(record, SweepRecord) else record for record in records], out)
        return found, read_page(found.page)

    return show


def moved(record: SweepRecord, data: dict[str, Any], *scores: float, sections: tuple[int, ...] = SECTIONS, **changes: Any) -> None:
    """Write a rerun of a record's winner on other data."""
    winner = next(trial for trial in record.trials if trial.trial_id == compute_verdict(record)["best"]["trial"])
    answer = {"loss": winner.loss, "suggestion": winner.suggestion, "stage": winner.stage, "created": "2026-11-24T10:00:00+00:00"}
    answer |= {"data": {"sha256": data["sha256"], "sections": list(sections)}}
    answer |= {"seeds": [{"seed": 9 + n, "state": "complete", "membrane_dice": score} for n, score in enumerate(scores)]}
    number = len(list(record.folder.glob("reruns/*")))
    path = record.folder / "reruns" / f"{winner.trial_id}-{number:02d}" / "rerun.json"
    path.parent.mkdir(parents=True)
    path.write_text(json.dumps(answer | changes))


def rows(found: comparison.Compared, name: str) -> list[dict[str, str]]:
    with (found.page.with_name(f"{found.page.stem}-tables") / f"{name}.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_page_is_complete_in_itself(shown: Any, tmp_path: Path) -> None:
    found, page = shown(sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001", data=OTHER))
    assert found.page == tmp_path / "comparison-of-a-001-and-b-001.html" and not page.faults and not page.unclosed
    assert [tag for tag, attributes in page.elements if attributes.get("src") or attributes.get("href", "").startswith("http")] == []
    assert "a-001 and b-001 side by side" in page.text
    for name in ("sweeps", "scores", "agreement", "transfer"):
        assert rows(found, name), name
        assert f"-tables/{name}.csv" in page.source and "data:text/csv" in page.source


def test_the_page_asks_its_question_and_its_tables_say_what_they_hold(shown: Any, tmp_path: Path) -> None:
    _, page = shown(sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001", data=OTHER))
    assert "Whether a winner transfers is not known yet: of 2 sweeps of 2 data sets, no winner has run on other data." in page.text
    assert "best loss by Membrane Dice" in page.text and "The sweeps." not in page.text


@pytest.mark.parametrize(
    ("scores", "said"),
    [
        ((0.70, 0.71, 0.72), "does not transfer to fly ffffffff: it scores less than the winner there, by more than seeds make"),
        ((0.90, 0.91, 0.92), "transfers to fly ffffffff: it scores no less than the winner there, as far as seeds tell"),
    ],
)
def test_the_heading_answers_whether_the_winner_transfers(scores: tuple[float, ...], said: str, shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a-001", folds=1), sweep(tmp_path / "b-001", data=OTHER, folds=1)
    moved(a, OTHER, *scores)
    found, page = shown(a, b)
    assert said in found.clauses[0] and said in page.text.split("Sweeps")[0], "in the heading"


def test_the_heading_tells_which_loss_leads_on_one_data_set(shown: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    a, b = sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001")
    assert "2 sweeps of the same data agree on the loss with the best mean: tversky." in shown(a, b)[1].text
    other = sweep(tmp_path / "c-001", ("bce", "focal"))
    assert "do not agree on the loss with the best mean: tversky and bce." in shown(a, other)[1].text
    assert "d-001 has no winner yet; elsewhere tversky" in shown(a, replace(sweep(tmp_path / "d-001"), trials=()))[1].text


@pytest.mark.parametrize("place", ["report/index.html", "new/both.html", "../a-001/both.html", "../link/both.html"])
def test_nothing_in_a_sweeps_own_folder_is_written(place: str, shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001", data=OTHER)
    own = a.folder / "report" / "index.html"
    own.parent.mkdir(parents=True)
    own.write_text("its own")
    (tmp_path / "link").symlink_to(a.folder)
    for records in ((a, b), (b, a)):
        with pytest.raises(PageInSweep, match=r"would be written into .*a-001, over files of that sweep.*such as both\.html"):
            shown(*records, out=a.folder / place)
    assert own.read_text() == "its own" and len(list(a.folder.rglob("*"))) == 2


def test_a_page_whose_tables_would_lie_in_a_sweep_is_refused(shown: Any, tmp_path: Path) -> None:
    with pytest.raises(PageInSweep, match="x-tables"):
        shown(sweep(tmp_path / "x-tables"), sweep(tmp_path / "b-001", data=OTHER), out=tmp_path / "x.html")


def test_links_are_quoted_and_lead_to_what_is_there(shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a#1"), sweep(tmp_path / "b-001", data=OTHER)
    (a.folder / "report").mkdir(parents=True)
    (a.folder / "report" / "index.html").write_text("its own")
    found, page = shown(a, b, out=tmp_path / "out" / "a#b: 50%.html")
    links = [element["href"] for element in page.of("a") if not element["href"].startswith(("#", "data:"))]
    assert "../a%231/report/index.html" in links and len(links) == 5, "b-001 has no report of its own"
    for link in links:
        assert (found.page.parent / unquote(link)).is_file() and not urlsplit(link).scheme and not urlsplit(link).fragment, link


def test_a_sweep_is_called_by_its_folder_and_told_apart(shown: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    copied = replace(sweep(tmp_path / "copy-001"), name="a-001")
    found, page = shown(sweep(tmp_path / "a-001"), copied, sweep(tmp_path / "x" / "b-001"), sweep(tmp_path / "y" / "b-001"))
    assert [side.label for side in found.sides] == ["a-001", "copy-001", "x/b-001", "y/b-001"]
    assert page.text.count("recorded as a-001") == 1


def test_folders_of_the_same_name_and_parent_are_numbered() -> None:
    folders = [Path("one/x/a-001"), Path("two/x/a-001"), Path("b-001")]
    assert comparison_sides._labels(folders) == ["x/a-001 (1)", "x/a-001 (2)", "b-001"]


def test_a_setting_that_an_older_recipe_did_not_record_is_no_difference(shown: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    resolved = small_recipe().resolved()
    older = {**resolved, "search": {key: value for key, value in resolved["search"].items() if key != "allocation"}}
    other = {**resolved, "train": {**resolved["train"], "epochs": 7}}
    a, b, c = (
        replace(sweep(tmp_path / f"{name}-001"), recipe=recipe) for name, recipe in zip("abc", (resolved, older, other), strict=True)
    )
    found, page = shown(a, b, c)
    assert [(row["setting"], row["c-001"]) for row in rows(found, "settings")] == [("train.epochs", "7")]
    assert "1 setting on which the recipes differ" in page.text
    unreadable = replace(b, recipe={**older, "search": {**older["search"], "sampler": "gone"}})
    found, page = shown(a, unreadable)
    assert ("search.sampler", "gone") in [(row["setting"], row["b-001"]) for row in rows(found, "settings")] and not page.faults


def test_an_empty_cell_holds_the_command_that_would_fill_it(shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a 001"), sweep(tmp_path / "b-001", data=OTHER)
    a.folder.mkdir()
    (a.folder / "verdict.json").write_text(json.dumps(compute_verdict(a)))
    found, page = shown(a, b)
    (first, second) = [row for row in rows(found, "transfer") if row["own"] == "false"]
    assert first["command"] == f"sweeps rerun '{a.folder}' --trial best --data {b.folder} --seeds 3"
    best = compute_verdict(b)["best"]["trial"]
    assert second["command"].startswith(f"sweeps rerun {b.folder} --trial {best} "), "b has no verdict.json that could say which is best"
    assert first["command"] in page.text and "2 transfers have not been run" in page.text


def test_a_transfer_is_set_beside_the_own_winner_on_the_same_sections(shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a-001", folds=1), sweep(tmp_path / "b-001", data=OTHER, folds=1)
    moved(a, OTHER, 0.70, 0.71, 0.72)
    found, page = shown(a, b)
    (row,) = [row for row in rows(found, "transfer") if row["winner_of"] == "a-001" and row["own"] == "false"]
    own = compute_verdict(b)["ranking"][0]["scores"]["membrane_dice"]["mean"]
    assert (float(row["mean"]), row["n"]) == (pytest.approx(0.71), "3")
    assert float(row["gain"]) == pytest.approx(0.71 - own) and float(row["own_mean"]) == pytest.approx(own)
    assert 0 < float(row["limit"]) < -float(row["gain"]), "far below its own, by more than seeds make"
    assert "scores .710 on fly ffffffff" in page.text and "more than seeds alone make" in page.text


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"sections": (0, 1)}, "other sections"),
        ({"seeds": [{"seed": 9, "state": "failed", "reason": "data"}]}, "failed (data)"),
        ({"suggestion": {"train.lr": 0.5}}, ""),
        ({"stage": "search"}, ""),
    ],
)
def test_what_does_not_compare_is_told_or_left_out(changes: dict[str, Any], note: str, shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001", data=OTHER)
    moved(a, OTHER, 0.7, 0.71, **changes)
    found, page = shown(a, b)
    (row,) = [row for row in rows(found, "transfer") if row["winner_of"] == "a-001" and row["own"] == "false"]
    assert row["gain"] == "" and note in row["note"] and not page.faults
    assert bool(row["mean"]) == ("sections" in changes)


def test_the_newest_run_of_a_seed_counts_and_damaged_files_do_not(shown: Any, tmp_path: Path) -> None:
    a, b = sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001", data=OTHER)
    moved(a, OTHER, 0.6, 0.61)
    moved(a, OTHER, 0.7, created="2026-11-25T10:00:00+00:00")
    for name, text in (("torn-01", "{"), ("list-01", "[]"), ("old-01", '{"schema": 1, "trial": "bce-f0-s1"}')):
        (a.folder / "reruns" / name).mkdir()
        (a.folder / "reruns" / name / "rerun.json").write_text(text)
    found, _ = shown(a, b)
    (row,) = [row for row in rows(found, "transfer") if row["winner_of"] == "a-001" and row["own"] == "false"]
    assert (float(row["mean"]), row["n"]) == (pytest.approx((0.7 + 0.61) / 2), "2")


def test_sweeps_of_the_same_data_share_a_column_and_its_best_is_the_measure(shown: Any, tmp_path: Path) -> None:
    a, b, c = sweep(tmp_path / "a-001", ("bce", "focal")), sweep(tmp_path / "b-001"), sweep(tmp_path / "c-001", data=OTHER)
    found, page = shown(a, b, c)
    assert len(found.cells) == 3 and [len(row) for row in found.cells] == [2, 2, 2]
    cell = found.cells[0][0]
    assert cell.own and cell.data.reference is not None and cell.data.reference.label == "b-001"
    assert cell.gain is not None and cell.gain < 0 and "3 sweeps" in page.text and "2 data sets" in page.text


def test_sweeps_of_one_data_set_have_nothing_to_transfer_to(shown: Any, tmp_path: Path) -> None:
    _, page = shown(sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001"))
    assert "nothing that a winner could transfer to" in page.text and "sweeps rerun" not in page.text


def test_damaged_and_repeated_folders_are_said_and_the_rest_stands(shown: Any, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for name, text in (("recipe.resolved.yaml", "{}"), ("provenance.json", "{}"), ("data.json", "[]")):
        (broken / name).write_text(text)
    (tmp_path / "none").mkdir()
    a, b = sweep(tmp_path / "a-001"), sweep(tmp_path / "b-001")
    lost = lost_ledger(tmp_path / "lost-001")
    found, page = shown(a, broken, tmp_path / "nowhere", tmp_path / "none", lost, a, b)
    assert [each.folder.name for each in found.unread if not each.repeated] == ["broken", "nowhere", "none", "lost-001"]
    assert [each.folder for each in found.unread if each.repeated] == [a.folder] and [side.label for side in found.sides] == [
        "a-001", "b-001"
    ]  # fmt: skip
    for words in (
        "damaged, or of another version",
        "nowhere: no such folder",
        "none: holds no sweep",
        "named twice",
        "events.jsonl is missing",
    ):
        assert words in page.text, words
    assert rows(found, "sweeps")


def test_one_sweep_alone_is_no_comparison(shown: Any, tmp_path: Path) -> None:
    a = sweep(tmp_path / "a-001")
    for others in ((tmp_path / "a-01",), (a,)):
        with pytest.raises(NothingToCompare, match=r"only .*a-001 can be shown, and a comparison takes two:(.|\n)*sweeps report .*a-001"):
            shown(a, *others)
    assert not list(tmp_path.iterdir())


def test_nothing_to_compare_is_an_error_that_names_each_folder(tmp_path: Path) -> None:
    with pytest.raises(NoSweep, match=r"none of these folders(.|\n)*nowhere: no such folder\n(.|\n)*neither: no such folder"):
        write_comparison([tmp_path / "nowhere", tmp_path / "neither"])
    assert not list(tmp_path.iterdir())


def test_sweeps_without_a_result_have_rows_with_gaps(shown: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    a = sweep(tmp_path / "a-001")
    empty = replace(sweep(tmp_path / "b-001", data=OTHER), trials=())
    found, page = shown(a, empty)
    assert not page.faults and "no winner yet" in page.text
    assert [cell.found for cell in found.cells[1]] == [None, None] and found.cells[0][1].command.endswith("b-001 --seeds 3")


@pytest.mark.parametrize(
    ("order", "tau", "p"), [((1, 2, 3, 4), 1.0, 1 / 12), ((4, 3, 2, 1), -1.0, 1 / 12), ((2, 1, 4, 3), 1 / 3, None), ((1, 2), None, None)]
)
def test_kendalls_tau_by_hand(order: tuple[int, ...], tau: float | None, p: float | None) -> None:
    from sweeps.report.comparison_tables import _kendall

    found, chance = _kendall([float(place) for place in sorted(order)], [float(place) for place in order])
    assert found == (None if tau is None else pytest.approx(tau))
    if p is not None:
        assert chance == pytest.approx(p), "2 of 4! orders are this extreme"


def test_one_name_for_two_functions_is_two_losses(shown: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    a, b = sweep(tmp_path / "a-001", ("bce", "dice", "focal")), sweep(tmp_path / "b-001", ("bce", "dice", "focal"))
    other = tuple(replace(trial, function="iou") if trial.loss == "dice" else trial for trial in b.trials)
    found, _ = shown(a, replace(b, trials=other))
    assert sorted(row["function"] for row in rows(found, "scores") if row["loss"] == "dice") == ["dice", "iou"]
    assert float(rows(found, "agreement")[0]["losses"]) == 2


def test_names_from_elsewhere_cannot_break_the_page(shown: Any, tmp_path: Path) -> None:
    from dataclasses import replace

    bad = "<script>alert(1)</script>\u202e=1+1"
    record = sweep(tmp_path / "<img src=x onerror=alert(2)>")
    found, page = shown(replace(record, name=bad, data=DATA | {"name": bad}), sweep(tmp_path / "b-001", data=OTHER))
    assert "<script>alert" not in page.source and not page.of("img") and "\u202e" not in page.source and len(page.of("script")) == 1
    assert not any(row["sweep"].startswith("=") for row in rows(found, "sweeps"))


def test_the_pages_name_is_short_for_many_folders() -> None:
    assert default_page([Path("r") / f"s-{n:03d}" for n in range(5)]).name == "comparison-of-s-000-and-4-others.html"


def test_commands_name_folders_below_the_working_folder_as_a_user_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert comparison_transfer._from_here(tmp_path / "results" / "a-001") == Path("results/a-001")
