"""Either the old file or the new one, whatever fails in between."""

import os
from pathlib import Path

import pytest

from unet.durable import append_durably, write_durably


def test_a_file_is_written_and_replaced(tmp_path):
    path = tmp_path / "name with spaces.bin"
    write_durably(path, b"old")
    write_durably(path, b"new\x00")
    assert path.read_bytes() == b"new\x00"
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


def test_the_new_file_has_the_mode_of_any_other(tmp_path):
    (tmp_path / "plain").touch()
    write_durably(tmp_path / "durable", b"x")
    assert (tmp_path / "durable").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("failing", ["fsync", "replace"])
def test_a_failure_leaves_the_old_file_and_no_other(tmp_path, monkeypatch, failing):
    path = tmp_path / "kept"
    write_durably(path, b"old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(*((os, "fsync") if failing == "fsync" else (Path, "replace")), fail)
    with pytest.raises(OSError, match="No space left"):
        write_durably(path, b"new")
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_the_bytes_are_on_the_disk_before_the_name_is_and_the_folder_after(tmp_path, monkeypatch):
    order = []
    real_sync, real_replace = os.fsync, Path.replace
    monkeypatch.setattr(os, "fsync", lambda descriptor: (order.append("sync"), real_sync(descriptor))[1])
    monkeypatch.setattr(Path, "replace", lambda path, target: (order.append("rename"), real_replace(path, target))[1])
    write_durably(tmp_path / "file", b"x")
    assert order == ["sync", "rename", "sync"]


def test_a_missing_folder_is_said(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_durably(tmp_path / "nowhere" / "file", b"x")


@pytest.mark.parametrize("sync", [True, False])
def test_lines_are_appended_whole(tmp_path, sync):
    with (tmp_path / "lines").open("ab") as file:
        append_durably(file, b"one", sync)
        append_durably(file, b"two\n", sync)
        assert (tmp_path / "lines").read_bytes() == b"one\ntwo\n"
