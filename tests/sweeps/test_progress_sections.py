"""A prediction's progress: a bar on a terminal, few lines in a log, JSON for machines."""

import io
import json

import pytest
from rich.console import Console

from sweeps.progress_sections import SectionsProgress


def run(mode: str, *, seconds: float, terminal: bool = False, width: int = 100) -> str:
    """Three sections of four passes, each pass so many seconds by the clock."""
    file, now = io.StringIO(), [0.0]
    console = Console(file=file, force_terminal=terminal, width=width)
    with SectionsProgress(mode, console, clock=lambda: now[0]) as progress:
        progress.begun((3, 70, 90), 4)
        progress.note("grey values are odd")
        for section in range(3):
            for _ in range(4):
                now[0] += seconds
                progress.passed()
            progress.section(section + 1)
    return file.getvalue()


def test_a_terminal_has_a_bar_that_ends_full() -> None:
    shown = run("live", seconds=1, terminal=True)
    assert "100%" in shown and "section 3 of 3, tile pass" in shown and "grey values are odd" in shown


def test_a_log_has_few_lines_and_the_last_says_that_all_is_done() -> None:
    assert run("plain", seconds=0.1).splitlines() == ["grey values are odd", "all 3 sections, 0:00:01 elapsed"]


def test_a_long_section_is_seen_to_go_on() -> None:
    lines = run("plain", seconds=20).splitlines()
    assert lines[1] == "section 1 of 3, tile pass 2 of 4, 0:00:40 elapsed, ~0:03:20 left"
    assert lines[-1] == "all 3 sections, 0:04:00 elapsed" and len(lines) == 8


def test_machines_get_events(capsys: pytest.CaptureFixture[str]) -> None:
    assert run("json", seconds=20) == ""
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert events[0] == {"event": "begun", "shape": [3, 70, 90], "passes": 4}
    assert events[1] == {"event": "note", "text": "grey values are odd"}
    assert [event["done"] for event in events if event["event"] == "section"] == [1, 2, 3]
    assert {"event": "passed", "section": 0, "passed": 2, "of": 4} in events
