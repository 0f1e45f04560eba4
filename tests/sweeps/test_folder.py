"""Names and locks of results folders, and what resuming refuses."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sweeps.folder import FolderError, NameTaken, create_folder, locked
from sweeps.ledger import Ledger
from sweeps.provenance import recipe_hashes
from sweeps.reconcile import ChangedError, check_unchanged, reconcile
from sweeps.record import SweepRecord, fold_events
from tests.sweeps.small import small_stack


def test_default_names_are_numbered_and_never_reused(tmp_path: Path) -> None:
    assert [create_folder(tmp_path, "demo", None).name for _ in range(2)] == ["demo-001", "demo-002"]
    (tmp_path / "demo-001").rmdir()
    assert create_folder(tmp_path, "demo", None).name == "demo-003"
    assert create_folder(tmp_path, "demo-quick", None).name == "demo-quick-001"


def test_an_explicit_name_that_exists_is_refused_with_what_to_do(tmp_path: Path) -> None:
    create_folder(tmp_path, "demo", "mine")
    with pytest.raises(NameTaken, match=r"mine exists. Go on with it: sweeps resume .*mine; or choose another --name"):
        create_folder(tmp_path, "demo", "mine")


@pytest.mark.parametrize("name", ["../up", "a/b", "", "-x", "\x1b[31mred", "\u00c4", "x" * 64])
def test_a_name_that_is_no_slug_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(NameTaken, match="a name has small letters"):
        create_folder(tmp_path, "demo", name)
    assert list(tmp_path.iterdir()) == []


def test_a_results_folder_that_is_a_file_is_an_error_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(FolderError, match="cannot be written.*nothing was started"):
        create_folder(tmp_path / "file" / "results", "demo", None)


HOLD = """
import sys, time
from pathlib import Path
from sweeps.folder import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_driver_is_refused_and_a_killed_one_lets_go(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE) as first:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        with pytest.raises(FolderError, match=rf"is in use by process {first.pid} on .* since"), locked(tmp_path):
            pass
        first.kill()
        first.wait()
    with locked(tmp_path):
        pass


def sweep(folder: Path, **changes: object) -> SweepRecord:
    versions = {"torch": __import__("importlib.metadata").metadata.version("torch"), "numpy": __import__("numpy").__version__}
    fields = {"provenance": {"versions": versions, "code": None}, "data": {"sha256": small_stack().sha256()}} | changes
    return SweepRecord(name="x", uuid="0", folder=folder, recipe={}, sanity=[], **fields)  # type: ignore[arg-type]


def test_the_same_data_and_versions_go_on(tmp_path: Path) -> None:
    check_unchanged(sweep(tmp_path), small_stack(), frozenset())


def test_other_data_or_versions_are_refused_with_both_values_until_allowed(tmp_path: Path) -> None:
    other = sweep(tmp_path, data={"sha256": "f" * 64}, provenance={"versions": {"torch": "1.0", "numpy": "1.0"}, "code": None})
    with pytest.raises(ChangedError, match=r"(?s)SHA-256 is .*, at launch it was ffff.*torch is .*, at launch it was 1.0"):
        check_unchanged(other, small_stack(), frozenset())
    with pytest.raises(ChangedError, match="torch is"):
        check_unchanged(other, small_stack(), frozenset({"data"}))
    check_unchanged(other, small_stack(), frozenset({"data", "code"}))


def ledger_of(folder: Path) -> Ledger:
    for name in ("recipe.resolved.yaml", "data.json"):
        (folder / name).write_text("{}")
    (folder / "provenance.json").write_text('{"name": "x", "uuid": "0"}')
    ledger = Ledger(folder / "ledger")
    for trial_id in ("bce-0001", "bce-0002", "bce-0003"):
        ledger.append("asked", trial_id, stage="search", loss="bce", function="bce", suggestion={}, seed=0, fold=None)
        ledger.append("started", trial_id)
        (folder / "trials" / trial_id).mkdir(parents=True)
    return ledger


def test_what_ended_after_the_ledgers_last_line_is_taken_from_its_result(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    (tmp_path / "trials" / "bce-0001" / "result.json").write_text('{"state": "complete", "reason": null, "suggestion": {}}')
    (tmp_path / "trials" / "bce-0002" / "result.json").write_text('{"state": "comp')  # torn: it had not ended
    ledger.append("failed", "bce-0003", reason="code", error="TypeError: no")
    reconcile(tmp_path, ledger)
    ledger.close()
    states = {trial: entry["state"] for trial, entry in fold_events(ledger.events).items()}
    assert states == {"bce-0001": "complete", "bce-0002": "waiting", "bce-0003": "failed"}


def test_failed_trials_go_back_only_when_asked_for(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    result = tmp_path / "trials" / "bce-0003" / "result.json"
    result.write_text('{"state": "failed", "reason": "code"}')
    ledger.append("failed", "bce-0003", reason="code", error="TypeError: no")
    reconcile(tmp_path, ledger, retry_failed=True)
    ledger.close()
    assert fold_events(ledger.events)["bce-0003"]["state"] == "waiting" and not result.exists()


def test_trials_of_which_the_ledgers_lines_were_cut_are_found_again_by_their_folders(tmp_path: Path) -> None:
    ledger = ledger_of(tmp_path)
    lost = tmp_path / "trials" / "bce-0004"
    lost.mkdir()
    plan = {"trial_id": "bce-0004", "stage": "search", "loss": "bce", "function": "bce", "suggestion": {"x": 1}, "seed": 0, "fold": None}
    (lost / "plan.json").write_text(json.dumps(plan))
    (lost / "result.json").write_text('{"state": "complete", "suggestion": {"x": 1}}')
    (tmp_path / "trials" / "bce-0001" / "result.json").write_text('{"state": "complete", "suggestion": {"another": 1}}')
    reconcile(tmp_path, ledger)
    ledger.close()
    states = {trial: entry["state"] for trial, entry in fold_events(ledger.events).items()}
    assert states["bce-0004"] == "complete"
    assert states["bce-0001"] == "waiting", "a result of another suggestion is not this trial's"


def test_an_edited_recipe_is_refused(tmp_path: Path) -> None:
    for name in ("recipe.yaml", "recipe.resolved.yaml"):
        (tmp_path / name).write_text("{}")
    same = sweep(tmp_path).provenance | {"recipe": recipe_hashes(tmp_path)}
    check_unchanged(sweep(tmp_path, provenance=same), small_stack(), frozenset())
    (tmp_path / "recipe.resolved.yaml").write_text('{"name": "y"}')
    with pytest.raises(ChangedError, match="recipe.resolved.yaml was edited after the launch"):
        check_unchanged(sweep(tmp_path, provenance=same), small_stack(), frozenset())
