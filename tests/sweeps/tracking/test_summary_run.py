"""The summary run of a sweep: tables, artifacts, no place of this machine in them, and no more time than it is given."""

import base64
import dataclasses
import json
import math
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from sweeps.record import SweepRecord
from sweeps.report import write_report
from sweeps.tracking import summary_tables
from sweeps.tracking.folder import forget_loss, mark_lost, mode_after_a_loss
from sweeps.tracking.repair import seconds_at_the_end
from sweeps.tracking.settings import run_id
from sweeps.tracking.summary_run import SummaryRun, record_summary
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import make_record
from tests.sweeps.tracking.published_sweep import SECRET, UUID, write_sweep
from tests.sweeps.tracking.wandb_reports_server import wandb_reports_server
from tests.sweeps.tracking.wandb_runs import settings
from tests.sweeps.tracking.wandb_server import Fault, Received, wandb_server

NAME = run_id(UUID, "summary")
WEIGHTS = b"weights of "


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> SweepRecord:
    record = write_sweep(tmp_path_factory.mktemp("results") / "small-001")
    for trial in record.of(stage="finalist"):
        (trial.folder / "best.safetensors").write_bytes(WEIGHTS + trial.trial_id.encode())
    page = f"<p>launched with --data /home/{SECRET}; <td>{SECRET}</td>The data were {SECRET} (3 sections); <p>{record.data['notes'][0]}</p>"
    (record.folder / "report" / "index.html").write_text(page + "the answer", encoding="utf-8")
    return record


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    with wandb_reports_server() as (address, received, _):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        yield received


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> Iterator[Received]:
    """A server whose every answer can be a fault."""
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)
    with wandb_server() as (address, received):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        yield received


def verdict_of(record: SweepRecord) -> dict[str, Any]:
    return json.loads((record.folder / "verdict.json").read_text())


def table(received: Received, name: str) -> dict[str, Any]:
    """A table as it arrived."""
    (found,) = [content for path, content in received.files.items() if path.startswith(f"{NAME}/media/table/{name}_")]
    return json.loads(found, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))


def test_tables_and_artifacts_arrive_and_no_place_does(record: SweepRecord, server: Received) -> None:
    verdict = verdict_of(record)
    assert record_summary(record.folder, mode="online", timeout_s=100) == SummaryRun(run_id=NAME, mode="online")
    bucket = server.buckets[NAME]
    assert (bucket["jobType"], bucket["groupName"], bucket["displayName"]) == ("summary", "small-001", "summary")
    assert server.exit_code[NAME] == 0 and server.summary[NAME]["sentence"] == verdict["sentence"]
    assert [row[1] for row in table(server, "leaderboard")["data"]] == [row["loss"] for row in verdict["ranking"]]
    assert len(table(server, "pairs")["data"]) == len(verdict["pairs"]) == 1
    assert len(table(server, "trials")["data"]) == len(record.trials)
    kinds = {(told["artifactTypeName"], told["artifactCollectionName"]): told for told in server.artifacts}
    assert all(told["committed"] for told in server.artifacts)
    ours = {kind for kind, _ in kinds if kind != "run_table"}
    assert ours == {"dataset", "model", "report"}
    data = next(told for (kind, _), told in kinds.items() if kind == "dataset")
    assert json.loads(data["metadata"])["sha256"] == record.data["sha256"]
    best = verdict["best"]["trial"]
    assert WEIGHTS + best.encode() in server.files.values(), "the finalist's weights that stand for the winner"
    everything = b"".join([*server.bodies, *server.files.values()])
    (page,) = [content for name, content in server.files.items() if name.endswith("/index.html")]
    assert page.decode() == "<p>launched with --data ...; <td>own data</td>The data were own data (3 sections); <p>...</p>the answer"
    for place in (SECRET, "/home/", str(record.folder.parent), f'"{os.uname().nodename}"', "c" * 40):
        assert place.encode() not in everything, place
    assert not list(record.folder.glob("wandb/staging/*"))


def test_it_is_kept_offline_and_sent_whole_later(record: SweepRecord, server: Received) -> None:
    assert record_summary(record.folder, mode="offline", timeout_s=100) == SummaryRun(run_id=NAME, mode="offline")
    assert not server.bodies, "offline nothing is sent"
    (kept,) = record.folder.glob("wandb/*run-*")
    subprocess.run([sys.executable, "-m", "wandb", "sync", str(kept)], check=True, timeout=120, capture_output=True)
    assert len(table(server, "trials")["data"]) == len(record.trials)
    kinds = {told["artifactTypeName"] for told in server.artifacts if told["committed"]}
    assert kinds == {"run_table", "dataset", "model", "report"}


def test_a_server_that_hangs_is_given_up_in_time_with_all_that_was_started(record: SweepRecord, failing: Received) -> None:
    failing.fault = Fault(kind="hang")
    begun = time.monotonic()
    made = record_summary(record.folder, mode="online", timeout_s=8.0)
    assert time.monotonic() - begun < 20.0
    assert made is None or made.mode == "offline"
    assert failing.failed, "it was asked"
    started = [process.name() for process in psutil.Process().children(recursive=True)]
    assert "wandb-core" not in started


@pytest.mark.parametrize("mode", ["disabled", "offline"])
def test_without_a_verdict_or_with_wandb_off_there_is_none(tmp_path: Path, mode: str) -> None:
    (tmp_path / "provenance.json").write_text(json.dumps({"name": "x", "uuid": UUID}))
    if mode == "disabled":
        (tmp_path / "verdict.json").write_text("{}")
    assert record_summary(tmp_path, mode=mode, timeout_s=10.0) is None
    assert not (tmp_path / "wandb").exists()


def test_what_a_server_refuses_is_kept_offline_and_told(record: SweepRecord, failing: Received, caplog: pytest.LogCaptureFixture) -> None:
    failing.fault = Fault(kind=403)
    assert record_summary(record.folder, mode="online", timeout_s=60.0) == SummaryRun(run_id=NAME, mode="offline")
    assert "online: CommError: " in caplog.text and "the server says 403" in caplog.text
    assert len(list(record.folder.glob("wandb/*run-*"))) == 1


def test_a_process_that_fails_is_told_in_its_last_line(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "provenance.json").write_text(json.dumps({"name": "x", "uuid": UUID}))
    (tmp_path / "verdict.json").write_text("{}")
    assert record_summary(tmp_path, mode="offline", timeout_s=60.0) is None
    assert "W&B's summary of x, offline: " in caplog.text and "holds no sweep" in caplog.text


def test_the_trials_table_tells_a_miss_from_what_is_not_known(record: SweepRecord) -> None:
    trial = record.of(stage="finalist")[0]
    dice = [row["membrane_dice"] for row in trial.curve]
    for target, reached in ((min(dice), True), (2.0, False), (None, None)):
        columns, rows = summary_tables.trials(record, target)
        told = dict(zip(columns, next(row for row in rows if row[0] == trial.trial_id), strict=True))
        assert told["reached target"] is reached
        assert (told["seconds to_target"] is not None) is (reached is True)
        assert told["run"] == run_id(UUID, trial.trial_id)


def test_every_table_has_as_many_cells_as_columns_and_no_infinity(record: SweepRecord) -> None:
    made = summary_tables.tables(record, verdict_of(record))
    assert set(made) >= {"leaderboard", "pairs", "trials"}
    for columns, rows in made.values():
        assert len(set(columns)) == len(columns)
        assert all(len(row) == len(columns) for row in rows)
        assert all(math.isfinite(cell) for row in rows for cell in row if isinstance(cell, float))


def test_sections_are_of_the_runs_that_rank(record: SweepRecord) -> None:
    columns, rows = summary_tables.sections(record, "finalist")
    expected = sum(len((trial.result or {}).get("per_section") or ()) for trial in record.of(stage="finalist", state="complete"))
    assert len(rows) == expected and columns[:5] == ["run", "loss", "seed", "fold", "section"]


def test_only_a_finalists_weights_are_a_model(record: SweepRecord) -> None:
    verdict = verdict_of(record)
    found = summary_tables.shown_trial(record, verdict, "best")
    assert found is not None and found.stage == "finalist"
    searched = record.of(stage="search")[0].trial_id
    assert summary_tables.shown_trial(record, verdict | {"best": {"trial": searched}}, "best") is None
    assert summary_tables.shown_trial(record, verdict | {"best": None}, "best") is None


def test_a_server_that_one_process_lost_is_left_alone_by_the_others_for_a_while(tmp_path: Path) -> None:
    forget_loss(tmp_path)  # there is none yet
    assert mode_after_a_loss(tmp_path, "online") == "online"
    mark_lost(settings(tmp_path / "trials" / "a", sweep_folder=tmp_path))
    assert mode_after_a_loss(tmp_path, "online") == mode_after_a_loss(tmp_path, "offline") == "offline"
    assert mode_after_a_loss(tmp_path, "disabled") == "disabled"
    forget_loss(tmp_path)
    assert mode_after_a_loss(tmp_path, "online") == "online", "the sweep was resumed"
    mark_lost(settings(tmp_path / "trials" / "a", sweep_folder=tmp_path))
    long_ago = time.time() - 3600
    os.utime(tmp_path / "wandb" / "lost", (long_ago, long_ago))
    assert mode_after_a_loss(tmp_path, "online") == "online", "by now it may be back"
    assert not list((tmp_path / "trials" / "a").iterdir())


@pytest.mark.parametrize(
    ("name", "told"), [("train", "own data"), ("isbi2012", "isbi2012"), ("synthetic:size_px=64", "synthetic:size_px=64")]
)
def test_the_page_loses_the_name_of_own_data_and_no_other_word(record: SweepRecord, name: str, told: str) -> None:
    page = f'<b>data {name}</b><td data-sort="{name}">{name}</td> to train for train seconds'
    found = summary_tables.page_without_places(page, dataclasses.replace(record, data={"name": name, "source": "/d/x"}))
    assert found == f'<b>data {told}</b><td data-sort="{told}">{told}</td> to train for train seconds'


@pytest.mark.parametrize(("sweep", "allowed"), [(0, 20), (1000, 20), (3600, 36)])
def test_the_end_of_a_long_sweep_has_a_hundredth_of_it(sweep: float, allowed: float) -> None:
    assert seconds_at_the_end(sweep) == pytest.approx(allowed)


def test_a_reports_page_tells_no_machine_and_no_path_in_its_data_either(tmp_path: Path) -> None:
    made = make_record(tmp_path / "demo-001", losses=("bce", "dice"), trials=2, seeds=2, folds=2, epochs=3)
    trials = tuple(dataclasses.replace(trial, worker="secret-host-7:4711") for trial in made.trials)
    made = dataclasses.replace(made, trials=trials, data=made.data | {"source": "/secret/folder/train.tif"})
    page = write_report(made, compute_verdict(made), made.folder).read_text()

    def told(page: str) -> str:
        return page + "".join(base64.b64decode(part).decode() for part in re.findall(r"data:text/csv;base64,([A-Za-z0-9+/=]+)", page))

    found = told(summary_tables.page_without_places(page, made))
    assert "secret" in told(page) and "secret" not in found
    assert "node-" in found and found.count("<section") == page.count("<section")
