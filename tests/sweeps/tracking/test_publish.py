import importlib.util
import json
import os
import re
import shutil
import sys
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sweeps.record import SweepRecord, load_results
from sweeps.tracking import publish as publishing
from sweeps.tracking import report_process
from sweeps.tracking.publish import Published, publish
from sweeps.tracking.report_process import NOTE, answer_for
from sweeps.tracking.report_uploads import missing_runs
from sweeps.tracking.workspace import library
from tests.sweeps.tracking.published_sweep import SECRET, ids, mark_as_sent, write_sweep
from tests.sweeps.tracking.wandb_reports_server import Reports, wandb_reports_server
from tests.sweeps.tracking.wandb_runs import ROOT, restart_service
from tests.sweeps.tracking.wandb_server import Received

KEY = "c" * 40
GROUP = "small-001"
Server = tuple[str, Received, Reports]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sweep(tmp_path_factory.mktemp("written") / GROUP).folder


@pytest.fixture
def record(written: Path, tmp_path: Path) -> SweepRecord:
    return load_results(shutil.copytree(written, tmp_path / GROUP))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("WANDB_API_KEY", KEY)
    with wandb_reports_server() as (address, received, reports):
        monkeypatch.setenv("WANDB_BASE_URL", address)
        restart_service()
        yield address, received, reports
    restart_service()


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Publishing in this process, of the report alone, and soon tired of waiting."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the library is written for an older pydantic
        import wandb_workspaces.reports.v2  # noqa: F401
    monkeypatch.setattr(report_process, "_send_summary", lambda *_: "")
    monkeypatch.setattr(report_process, "ANSWER_S", 1.0)
    monkeypatch.setattr(report_process, "RETRIES", 1)


def known_runs(record: SweepRecord, server: Server) -> Server:
    """Let the server have the sweep's runs, so that none is sent."""
    mark_as_sent(record)
    _, received, reports = server
    reports.projects.add("unet-losses")
    for run in ids(record, "search") | ids(record, "finalist"):
        received.buckets[run] = {"groupName": GROUP}
    return server


def local_files(folder: Path) -> dict[str, bytes]:
    """What publishing must leave as it is: everything but W&B's own."""
    files = (path for path in folder.rglob("*") if path.is_file() and "wandb" not in path.relative_to(folder).parts and path.name != NOTE)
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def grids(spec: dict[str, Any]) -> list[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """The run set and the panels of each grid."""
    found = [block["metadata"] for block in spec["blocks"] if block["type"] == "panel-grid"]
    return [(grid["runSets"][0], grid["panelBankSectionConfig"]["panels"]) for grid in found]


def picked(runset: dict[str, Any], received: Received) -> set[str]:
    """The runs that a run set's filters leave, as W&B would apply them, less the hidden ones."""
    assert runset["filters"]["filterFormat"] == "filterV2"

    def value(run: str, key: dict[str, str]) -> Any:
        bucket = received.buckets[run]
        if key["section"] == "run":
            return bucket[{"group": "groupName", "jobType": "jobType"}[key["name"]]]
        return at(json.loads(bucket["config"]), key["name"])

    def passes(run: str, item: dict[str, Any]) -> bool:
        found = value(run, item["key"])
        return found in item["value"] if item["op"] == "IN" else found == item["value"]

    items = runset["filters"]["filters"]
    assert all(item.get("connector", "AND") == "AND" and not item["disabled"] for item in items)
    assert runset["selections"]["root"] == 1, "what is in the tree is hidden"
    return {run for run in received.buckets if all(passes(run, item) for item in items)} - set(runset["selections"]["tree"])


def at(nested: Any, path: str) -> Any:
    for key in path.split("."):
        nested = nested[key] if isinstance(nested, dict) and key in nested else None
    return nested


def exists(accessor: str, run: str, received: Received) -> bool:
    """Whether a run has what a panel names: configuration, summary, or a metric of its history."""
    section, _, name = accessor.rpartition(":")
    if section == "config":
        return at(json.loads(received.buckets[run]["config"]), name) is not None
    return name in received.summary[run] or (not section and any(name in row for row in received.history[run]))


def named(panel: dict[str, Any]) -> list[str]:
    """Everything that a panel's specification names of its runs."""
    config = panel["config"]
    names = [*config.get("metrics", ()), *(column["accessor"] for column in config.get("columns", ())), *config.get("mediaKeys", ())]
    names += [config[key] for key in ("xAxis", "yAxis", "targetKey") if key in config]
    return names + [f"config:{config[key]}" for key in ("groupBy",) if key in config]


def test_an_online_sweep_arrives_and_every_panel_names_what_is_there(record: SweepRecord, server: Server, alone: None) -> None:
    _, received, reports = server
    said: list[str] = []
    before = local_files(record.folder)
    published = publish(record.folder, say=said.append, timeout_s=100)
    assert published.action == "created" and published.reason is None, published
    finalists, trials = ids(record, "finalist"), ids(record, "search")
    assert set(published.uploaded) == finalists | trials and said
    assert local_files(record.folder) == before

    spec = reports.spec()
    (bars, time, curves), (everything, importance, comparer), *own, (pictures,) = (panels for _, panels in grids(spec))
    kinds = [panel["viewType"] for panel in (bars, time, curves, everything, importance, comparer, pictures)]
    assert kinds == [
        *("Bar Chart", "Scatter Plot", "Run History Line Plot"),
        *("Parallel Coordinates Plot", "Parameter Importance", "Run Comparer", "Media Browser"),
    ]
    assert bars["config"]["metrics"] == ["best/membrane_dice"] and bars["config"]["groupAgg"] == "mean"
    assert curves["config"]["metrics"] == ["val/membrane_dice"] and curves["config"]["xAxis"] == "epoch"
    assert (time["config"]["xAxis"], time["config"]["yAxis"]) == ("summary:time/train_s", "summary:best/membrane_dice")
    assert bars["config"]["groupBy"] == curves["config"]["groupBy"] == "loss.value.name"
    assert bars["config"]["groupArea"] == curves["config"]["groupArea"] == "minmax"
    assert set(pictures["config"]["mediaKeys"]) >= {"sections/best", "sections/worst", "sections/fixed"}
    ((focal, _),) = own  # dice has no parameters of its own that are searched
    columns = [(column["accessor"], column.get("log")) for column in focal["config"]["columns"]]
    assert columns == [
        ("config:loss.value.params.alpha", None),
        ("config:loss.value.params.gamma", True),
        ("config:train.value.lr", True),
        ("summary:best/membrane_dice", None),
    ]

    for runset, panels in grids(spec):
        assert runset["project"] == {"name": "unet-losses", "entityName": "somebody", "id": "1"}
        runs = picked(runset, received)
        expected = {"Finalists": finalists, "Search": trials, "focal": ids(record, "search", "focal")}.get(runset["name"])
        assert runs == expected or expected is None and runs >= finalists, runset["name"]
        for panel in panels:
            assert all(any(exists(name, run, received) for run in runs) for name in named(panel)), panel
            if panel["viewType"] != "Media Browser":
                assert all(exists(name, run, received) for run in runs for name in named(panel)), panel
    colours = next(grid["metadata"]["customRunColors"] for grid in spec["blocks"] if grid["type"] == "panel-grid")
    assert set(colours) == finalists and len({colours[run] for run in ids(record, "finalist", "dice")}) == 1

    second = answer_for(record.folder, 60)
    assert (second["action"], second["url"]) == ("updated", published.url) and "reason" not in second
    assert len(reports.views) == 1 and [save["id"] for save in reports.saves] == [
        None,
        json.loads((record.folder / NOTE).read_text())["id"],
    ]
    assert_private(received, record)


def assert_private(received: Received, record: SweepRecord) -> None:
    everything = b"".join(received.bodies).decode()
    assert not [secret for secret in (SECRET, str(record.folder), str(ROOT), KEY) if secret in everything]
    assert not re.search(rf"\b{re.escape(os.uname().nodename)}\b", everything)
    assert SECRET.encode() not in b"".join(received.files.values())


def test_the_words_and_the_round_trip(record: SweepRecord, server: Server, alone: None) -> None:
    _, _, reports = known_runs(record, server)
    answer = answer_for(record.folder, 60)
    (view,) = reports.views.values()
    assert view["displayName"] == "Losses compared in small-001" and view["type"] == "runs"
    report = library().Report.from_url(answer["url"])
    assert not [block for block in report.blocks if "Unknown" in type(block).__name__]
    verdict = json.loads((record.folder / "verdict.json").read_text())
    texts = [block.text for block in report.blocks if hasattr(block, "text")]
    assert verdict["sentence"].startswith(texts[0].rstrip("."))
    words = "\n".join(map(str, texts))
    assert "What weakens the comparison" in words and verdict["gaps"][0][1:] in words and "Group A: dice." in words
    assert "U-Net (Ronneberger et al. 2015)" in words and "sweeps rerun results/small-001 --trial best" in words
    table = next(text for text in texts if str(text).startswith("| #")).split("\n")
    estimate = verdict["ranking"][0]["scores"]["membrane_dice"]
    row = f"| 1 | dice | {estimate['mean']:.3f} ({estimate['low']:.3f} to {estimate['high']:.3f}) | A |".replace("0.", ".")
    assert table[2].startswith(row), table
    assert {line.count("|") for line in table[: table.index("")]} == {10}
    before = json.loads(view["spec"])
    report.save()
    after = json.loads(view["spec"])
    assert strip(after["blocks"]) == strip(before["blocks"]), "the library reads what it wrote"


def strip(blocks: Any) -> Any:
    """Without the paragraphs that the library puts around, and what is null or empty."""
    return [block for block in blocks if block != {"type": "paragraph", "children": [{"text": ""}]}]


def test_a_report_that_was_deleted_is_made_anew(
    record: SweepRecord, server: Server, alone: None, capsys: pytest.CaptureFixture[str]
) -> None:
    _, _, reports = known_runs(record, server)
    first = answer_for(record.folder, 60)
    reports.views.clear()
    second = answer_for(record.folder, 60)
    assert second["action"] == "created" and second["url"] != first["url"]
    assert "does not know the report of an earlier time any more" in capsys.readouterr().out
    (record.folder / NOTE).write_text(json.dumps(json.loads((record.folder / NOTE).read_text()) | {"server": "https://other.example"}))
    assert answer_for(record.folder, 60)["action"] == "created"
    assert "is elsewhere" in capsys.readouterr().out


FAULTS: list[tuple[str, int | str, str]] = [
    ("Viewer", 401, "did not accept the key"),
    ("Runs", 403, "may not write there"),
    ("upsertView", 403, "may not write there"),
    ("upsertView", 500, "HTTP 500"),
    ("ProjectInternalId", 403, "may not write there"),
    ("upsertView", "cut", "W&B failed"),
    ("GetProjects", "hang", "W&B failed"),
]


@pytest.mark.parametrize(("operation", "fault", "words"), FAULTS)
def test_a_server_that_fails_is_a_reason_in_words(
    record: SweepRecord, server: Server, alone: None, operation: str, fault: int | str, words: str
) -> None:
    _, _, reports = known_runs(record, server)
    reports.faults[operation] = fault
    before = local_files(record.folder)
    answer = answer_for(record.folder, 60)
    assert words in answer["reason"] and "url" not in answer
    assert KEY not in answer["reason"] and not (record.folder / NOTE).exists()
    assert local_files(record.folder) == before


def test_without_a_key_nothing_is_asked(record: SweepRecord, server: Server, alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WANDB_API_KEY")
    monkeypatch.setenv("NETRC", str(record.folder / "no-netrc"))
    assert "there is no key for W&B. Log in with: wandb login" in answer_for(record.folder, 60)["reason"]
    assert not server[2].asked


def test_a_server_that_is_away(record: SweepRecord, server: Server, alone: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report_process, "probe", lambda: (True, False))
    assert f"W&B's server {server[0]} does not answer" in answer_for(record.folder, 60)["reason"]
    assert not server[2].asked


@pytest.mark.parametrize("lacking", ["wandb_workspaces", "wandb"])
def test_a_library_that_is_missing_is_named(record: SweepRecord, monkeypatch: pytest.MonkeyPatch, lacking: str) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == lacking else find(name, *rest))
    reason = publish(record.folder, say=print, timeout_s=5).reason
    assert reason is not None and f"pip install {lacking.replace('_', '-')}" in reason


def test_a_sweep_without_a_verdict_is_told_to_make_one(record: SweepRecord) -> None:
    (record.folder / "verdict.json").unlink()
    assert f"sweeps report {record.folder}" in str(publish(record.folder, say=print, timeout_s=5).reason)


SILENT = """
import subprocess, sys, time
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
open(sys.argv[1] + "/pid", "w").write(str(child.pid))
print("wandb: something of its own")
print('sweeps: {"step": "the report was saved", "uploaded": "abc"}', flush=True)
time.sleep(600)
"""


def run_instead(monkeypatch: pytest.MonkeyPatch, script: str) -> None:
    monkeypatch.setattr(publishing, "COMMAND", (sys.executable, "-c", script))


def test_a_silence_ends_with_the_time_and_leaves_no_process(record: SweepRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, SILENT.replace(', "uploaded": "abc"', ""))
    begun = time.monotonic()
    published = publish(record.folder, say=print, timeout_s=2)
    assert time.monotonic() - begun < 5
    assert published == Published(reason="W&B did not answer within 2 s, while the report was saved: given up")
    child = int((record.folder / "pid").read_text())
    for _ in range(50):
        if not Path(f"/proc/{child}").exists() or "Z" in Path(f"/proc/{child}/stat").read_text().split()[2]:
            break
        time.sleep(0.1)
    else:
        pytest.fail("what the process had started lives on")


def test_a_process_that_dies_says_its_last_words(record: SweepRecord, monkeypatch: pytest.MonkeyPatch) -> None:
    run_instead(monkeypatch, "print('sweeps: {\"uploaded\": \"abc\"}', flush=True); raise MemoryError('no room')")
    published = publish(record.folder, say=print, timeout_s=20)
    assert published.uploaded == ("abc",)
    assert published.reason == "the process that publishes ended with exit code 1: MemoryError: no room"


@pytest.mark.parametrize(
    ("mode", "there", "missing"),
    [
        (None, "none", "all"),  # never sent
        ("offline", "none", "all"),
        ("offline", "all", "none"),  # wandb sync has brought them there
        ("online", "all", "none"),
        ("online", "some", "none"),  # somebody deleted the rest
        ("online", "none", "all"),  # another server, or project
    ],
)
def test_what_is_sent_is_what_w_and_b_lacks(record: SweepRecord, mode: str | None, there: str, missing: str) -> None:
    if mode is not None:
        mark_as_sent(record, mode)
    every = ids(record, "search") | ids(record, "finalist")
    has = {"none": set(), "some": ids(record, "finalist"), "all": every}[there] | {"of-another-sweep"}
    assert {settings.run_id for settings in missing_runs(record.folder, has)} == (every if missing == "all" else set())


def test_a_rerun_is_never_sent_in_its_trials_place(record: SweepRecord) -> None:
    trial = next(iter(record.trials)).folder
    rerun = record.folder / "reruns" / trial.name
    rerun.mkdir(parents=True)
    for name in ("plan.json", "result.json"):
        (rerun / name).write_bytes((trial / name).read_bytes())
    assert all(settings.folder.parent.name != "reruns" for settings in missing_runs(record.folder, []))
    assert len(missing_runs(record.folder, [])) == len(record.trials)
