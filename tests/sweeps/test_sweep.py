"""One small sweep, really run: Tune, Optuna, W&B offline, finalists, verdict, report; then looked at from every side."""

import dataclasses
import json
import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest

from data_utils.errors import DataError
from data_utils.stack import write_stack
from sweeps import sweep
from sweeps.ledger import read_events
from sweeps.record import SweepRecord, load_results
from sweeps.stacks import load_stack
from tests.sweeps.small import SOURCE, small_recipe, small_stack

RECIPE = """
name: tiny
data: {source: "synthetic:sections=10,size_px=64,seed=0", crop_px: 32}
model: {width: 4, depth: 3}
train: {epochs: 3, lr: {low: 1e-4, high: 1e-2, log: true}}
losses: {bce: {}, focal: search}
search: {trials_per_loss: 2, early_stop: null}
finalists: {seeds: 2, folds: 1}
wandb: {mode: offline}
"""


def sweeps(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [sys.executable, "-m", "sweeps.cli", *words], env=environment, capture_output=True, text=True, check=False, **options
    )


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipe") / "tiny.yaml"
    path.write_text(RECIPE)
    return path


@pytest.fixture(scope="module")
def launched(recipe: Path) -> tuple[Path, subprocess.CompletedProcess[str]]:
    done = sweeps("launch", str(recipe), "--results", str(recipe.parent / "results"), timeout=280)
    assert done.returncode == 0, done.stdout + done.stderr
    return recipe.parent / "results" / "tiny-001", done


@pytest.fixture(scope="module")
def record(launched: tuple[Path, Any]) -> SweepRecord:
    return load_results(launched[0])


def test_every_loss_has_its_trials_and_its_finalists(record: SweepRecord) -> None:
    assert {trial.state for trial in record.trials} == {"complete"}
    assert [len(record.of(loss, "search")) for loss in ("bce", "focal")] == [2, 2]
    assert [len(record.of(loss, "finalist")) for loss in ("bce", "focal")] == [2, 2]
    assert {trial.seed for trial in record.of(stage="search")} == {0}
    assert {trial.seed for trial in record.of(stage="finalist")} == {1, 2}, "only fresh seeds rank"


def test_the_end_prints_the_verdict_the_report_and_the_next_commands(launched: tuple[Path, subprocess.CompletedProcess[str]]) -> None:
    folder, done = launched
    verdict = json.loads((folder / "verdict.json").read_text())
    assert verdict["stage"] == "finalist" and verdict["sentence"] in done.stdout
    assert str(folder / "report" / "index.html") in done.stdout and (folder / "report" / "index.html").exists()
    for command in ("sweeps status", "sweeps best", "sweeps rerun", "sweeps predict"):
        assert f"{command} {folder}" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr and done.stderr == ""


def test_the_folder_is_as_it_is_documented(launched: tuple[Path, Any]) -> None:
    folder = launched[0]
    for name in ("recipe.yaml", "recipe.resolved.yaml", "provenance.json", "data.json", "study.sqlite3", "verdict.json"):
        assert (folder / name).is_file(), name
    for which in ("best", "fastest"):
        if json.loads((folder / "verdict.json").read_text())[which]:
            assert {path.name for path in (folder / which).iterdir()} == {"recipe.yaml", "model.safetensors", "metrics.json"}
    for name in ("recipe.yaml", "metrics.jsonl", "result.json", "log.txt", "best.safetensors", "sections.npz"):
        assert (folder / "trials" / "focal-0001" / name).is_file(), name
    assert (folder / "recipe.yaml").read_text() == RECIPE


def test_optuna_reads_one_study_a_loss_with_parameters_and_intermediate_values(record: SweepRecord) -> None:
    storage = f"sqlite:///{record.folder / 'study.sqlite3'}"
    assert sorted(optuna.get_all_study_names(storage)) == ["bce", "focal"]
    for loss in ("bce", "focal"):
        study = optuna.load_study(study_name=loss, storage=storage)
        trials = {trial.user_attrs["trial"]: trial for trial in study.trials}
        for ours in record.of(loss, "search"):
            theirs = trials[ours.trial_id]
            assert theirs.params == ours.suggestion and theirs.value == ours.score
            assert theirs.intermediate_values == {row["epoch"]: row["membrane_dice"] for row in ours.curve}


def test_the_offline_wandb_run_of_any_trial_has_its_loss_parameters_scores_and_state(record: SweepRecord) -> None:
    trial = record.of("focal", "search")[1]
    (run,) = (trial.folder / "wandb").glob("offline-run-*")
    wandb = Path(sys.executable).with_name("wandb")
    done = subprocess.run([wandb, "leet", "inspect", "--summary", "--json", run], capture_output=True, text=True, check=True, timeout=60)
    assert trial.result is not None
    for expected in ('"focal"', repr(trial.suggestion["loss.gamma"])[:8], repr(trial.result["scores"]["v_rand"])[:8], "complete"):
        assert expected in done.stdout, expected


def test_a_rerun_gives_the_recorded_curve_again_bit_for_bit(launched: tuple[Path, Any]) -> None:
    done = sweeps("rerun", str(launched[0]), "--trial", "best", timeout=120)
    assert done.returncode == 0 and "bit for bit" in done.stdout, done.stdout + done.stderr
    assert "not bit for bit" not in done.stdout


def test_a_rerun_over_seeds_gives_mean_and_spread(launched: tuple[Path, Any]) -> None:
    done = sweeps("rerun", str(launched[0]), "--trial", "focal-0001", "--seeds", "2", "--json", timeout=120)
    answer = json.loads(done.stdout)
    assert answer["n"] == 2 and answer["standard_deviation"] > 0
    assert [entry["seed"] for entry in answer["seeds"]] == [3, 4], "seeds that the sweep has not used"


def test_the_winning_recipe_launches_as_it_is(launched: tuple[Path, Any], tmp_path: Path) -> None:
    from sweeps.recipe.schema import read_recipe

    done = sweeps("best", str(launched[0]), "--out", str(tmp_path / "winner.yaml"), timeout=60)
    assert done.returncode == 0, done.stderr
    winner = read_recipe(tmp_path / "winner.yaml")
    (loss,) = winner.losses
    assert winner.search_space(loss) == {}, "everything is fixed at what won"


def test_status_counts_and_json_is_one_object_a_line(launched: tuple[Path, Any]) -> None:
    rows = [json.loads(line) for line in sweeps("status", str(launched[0]), "--json", timeout=60).stdout.splitlines()]
    assert [(row["stage"], row["loss"], row["complete"]) for row in rows] == [
        ("search", "bce", 2), ("search", "focal", 2), ("finalist", "bce", 2), ("finalist", "focal", 2)
    ]  # fmt: skip


def test_resuming_a_finished_sweep_runs_nothing_and_overwrites_nothing(launched: tuple[Path, Any]) -> None:
    before = {path: path.read_bytes() for path in launched[0].glob("*/*/metrics.jsonl")}
    done = sweeps("resume", str(launched[0]), timeout=120)
    assert done.returncode == 0, done.stderr
    events, _ = read_events(launched[0] / "ledger")
    assert [event.event for event in events].count("complete") == 8
    assert {path: path.read_bytes() for path in launched[0].glob("*/*/metrics.jsonl")} == before


def test_losing_mirror_and_tunes_files_and_report_costs_nothing(launched: tuple[Path, Any]) -> None:
    import shutil

    folder = launched[0]
    (folder / "study.sqlite3").write_bytes(b"not a database")
    for name in (".tune", "report"):
        shutil.rmtree(folder / name, ignore_errors=True)
    assert sweeps("resume", str(folder), timeout=120).returncode == 0
    assert (folder / "report" / "index.html").exists()
    assert sorted(optuna.get_all_study_names(f"sqlite:///{folder / 'study.sqlite3'}")) == ["bce", "focal"]


def read_terminal(terminal: int, until: bytes, seconds: float) -> bytes:
    """Read a pseudo-terminal until `until` appears, it closes, or the time is over."""
    read, deadline = b"", time.monotonic() + seconds
    while until not in read and time.monotonic() < deadline:
        try:
            read += os.read(terminal, 65536)
        except OSError:
            break
    return read


@pytest.mark.slow
@pytest.mark.faults
@pytest.mark.timeout(400)
def test_ctrl_c_in_a_terminal_stops_after_the_epoch_and_says_how_to_go_on(recipe: Path, tmp_path: Path) -> None:
    """Faults row 4, once: the terminal sends SIGINT to the whole process group, Ray's processes included."""
    words = ["launch", str(recipe), "--results", str(tmp_path), "--set", "train.epochs=2000", "--set", "wandb.mode=disabled"]
    pid, terminal = pty.fork()
    if pid == 0:
        os.environ |= {"OMP_NUM_THREADS": "1", "COLUMNS": "120", "LINES": "40"}
        os.execv(sys.executable, [sys.executable, "-m", "sweeps.cli", *words])
    screen = read_terminal(terminal, b"ep ", 120)
    os.write(terminal, b"\x03")
    screen += read_terminal(terminal, b"sweeps resume", 60)
    while read_terminal(terminal, b"\0", 5):
        pass
    _, status = os.waitpid(pid, 0)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(status) == 130, screen.decode(errors="replace")
    (folder,) = tmp_path.iterdir()
    assert f"sweeps resume {folder}".encode() in screen
    running = [trial for trial in load_results(folder).trials if trial.curve]
    assert running and all((trial.folder / "checkpoint.safetensors").exists() for trial in running)
    assert all(trial.state in ("running", "waiting") for trial in running)


@pytest.mark.parametrize(
    ("blank", "role"),
    [
        # 10 sections in 5 folds: the search trains on 0 to 6 and scores 8 and 9; the finalist of fold 0 calibrates on 2 and 3
        (slice(0, 7), r"train: \[0, 1, 2, 3, 4, 5, 6\]"),
        (slice(2, 4), r"calibration: \[2, 3\]"),
    ],
)
def test_a_role_of_which_no_label_is_known_is_refused_before_anything_is_there(
    blank: slice, role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted_ZHW = np.ones_like(small_stack().membrane_ZHW)
    counted_ZHW[blank] = False
    monkeypatch.setattr(sweep, "load_stack", lambda recipe: dataclasses.replace(small_stack(), counted_ZHW=counted_ZHW))
    monkeypatch.setattr(sweep, "connect", lambda address: pytest.fail("Ray is started"))
    with pytest.raises(DataError, match=rf"the label of every pixel is unknown in all sections of a role \({role}\): label some"):
        sweep.launch(small_recipe(), results=tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_data_are_said_to_come_from_where_they_were_read(tmp_path: Path) -> None:
    write_stack(tmp_path, small_stack())
    files = {"images": str(tmp_path / "train-volume.tif"), "labels": str(tmp_path / "train-labels.tif")}
    for data, source in ((files, " and ".join(files.values())), ({}, SOURCE), ({"source": str(tmp_path)}, str(tmp_path))):
        recipe = small_recipe(data=data)
        assert sweep._describe(recipe, load_stack(recipe))["source"] == source


def test_a_second_signal_is_left_to_python() -> None:
    from sweeps.stage import Interrupt
    from sweeps.sweep import _signals

    interrupt, said = Interrupt(), []
    with _signals(interrupt, said.append):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0)
        assert interrupt.signal == signal.SIGINT and len(said) == 1
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
