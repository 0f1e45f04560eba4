"""The ledger keeps every whole line, drops a torn tail wherever it is torn, and refuses damage elsewhere."""

import json
from pathlib import Path
from typing import Any

import pytest

from sweeps.ledger import FILE, STATES, Event, Ledger, LedgerError, read_events
from sweeps.record import fold_events


def write(folder: Path, count: int) -> bytes:
    ledger = Ledger(folder)
    for number in range(count):
        ledger.append("asked", f"bce-{number:04d}", value=number / 3, text='a "quoted" text')
    ledger.close()
    return (folder / FILE).read_bytes()


def test_events_come_back_as_written(tmp_path: Path) -> None:
    write(tmp_path, 3)
    events, _ = read_events(tmp_path)
    assert [event.trial for event in events] == ["bce-0000", "bce-0001", "bce-0002"]
    assert [event.seq for event in events] == [1, 2, 3]
    assert events[1].data == {"value": 1 / 3, "text": 'a "quoted" text'}


def test_a_file_cut_at_any_byte_loses_only_the_torn_line(tmp_path: Path) -> None:
    raw = write(tmp_path / "whole", 3)
    ends = [index + 1 for index, byte in enumerate(raw) if byte == ord("\n")]
    for cut in range(len(raw) + 1):
        folder = tmp_path / str(cut)
        folder.mkdir()
        (folder / FILE).write_bytes(raw[:cut])
        kept = sum(end <= cut for end in ends)
        assert len(read_events(folder)[0]) == kept
        ledger = Ledger(folder)
        assert ledger.append("started", "bce-0000").seq == kept + 1
        ledger.close()
        assert [event.seq for event in read_events(folder)[0]] == list(range(1, kept + 2))


def test_a_torn_line_is_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    raw = write(tmp_path, 2)
    (tmp_path / FILE).write_bytes(raw[:-5])
    with caplog.at_level("WARNING"):
        read_events(tmp_path)
    assert "the last line (2) is torn and is dropped" in caplog.text


@pytest.mark.parametrize("line", [1, 2])
def test_damage_before_the_last_line_is_refused_and_named(tmp_path: Path, line: int) -> None:
    lines = write(tmp_path, 3).splitlines(keepends=True)
    lines[line - 1] = lines[line - 1].replace(b"quoted", b"quotad")
    (tmp_path / FILE).write_bytes(b"".join(lines))
    with pytest.raises(LedgerError, match=rf"{FILE}, line {line}: checksum"):
        read_events(tmp_path)


def test_a_missing_line_is_refused(tmp_path: Path) -> None:
    lines = write(tmp_path, 3).splitlines(keepends=True)
    (tmp_path / FILE).write_bytes(lines[0] + lines[2] + lines[2])
    with pytest.raises(LedgerError, match="its number is 3, 2 was expected"):
        read_events(tmp_path)


def test_numbers_that_json_does_not_have_are_refused(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    with pytest.raises(ValueError, match="Out of range float values"):
        ledger.append("epoch", "bce-0000", membrane_dice=float("nan"))
    ledger.close()
    assert read_events(tmp_path)[0] == []


def test_each_line_is_plain_json(tmp_path: Path) -> None:
    for line in write(tmp_path, 2).splitlines():
        assert json.loads(line)["event"] == "asked"


def test_the_words_are_optunas_and_rays() -> None:
    import optuna
    from ray.tune.experiment import Trial

    for told, shown in STATES.values():
        assert told in optuna.trial.TrialState.__members__
        assert shown in vars(Trial).values()


def test_what_the_disk_refuses_leaves_the_ledger_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sweeps.ledger

    ledger = Ledger(tmp_path)
    ledger.append("asked", "bce-0001")
    before = (tmp_path / FILE).read_bytes()
    whole = sweeps.ledger.append_durably

    def full(file: Any, line: bytes, sync: bool) -> None:
        file.write(line[: len(line) // 2])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(sweeps.ledger, "append_durably", full)
    with pytest.raises(OSError, match="No space left"):
        ledger.append("started", "bce-0001")
    assert (tmp_path / FILE).read_bytes() == before
    monkeypatch.setattr(sweeps.ledger, "append_durably", whole)
    assert ledger.append("started", "bce-0001").seq == 2
    ledger.close()
    assert [event.event for event in read_events(tmp_path)[0]] == ["asked", "started"]


@pytest.mark.parametrize("trial", ["../../outside", "a/b", "..", "/etc/passwd", "bce", "", "bce-0001/x"])
def test_a_trial_whose_name_would_lead_out_of_the_folder_is_refused(trial: str) -> None:
    asked = Event(seq=1, time=0.0, event="asked", trial=trial, data={"stage": "search"})
    with pytest.raises(LedgerError, match="is no trial of a sweep"):
        fold_events([asked])


def test_an_event_of_a_trial_that_was_never_asked_for_is_refused() -> None:
    with pytest.raises(LedgerError, match="'bce-0001' started, but was never asked for"):
        fold_events([Event(seq=1, time=0.0, event="started", trial="bce-0001", data={})])
