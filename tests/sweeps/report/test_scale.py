"""Scores that need no network say of which sections they are; the sweep can be launched again from what the report names."""

import json
import shlex
from dataclasses import replace
from pathlib import Path

import pytest

from sweeps.recipe.schema import read_recipe
from sweeps.record import SweepRecord
from sweeps.report import strips
from sweeps.report.canvas import NARROW, WIDE, Layout
from sweeps.report.commands import commands
from sweeps.report.overview import survey
from sweeps.report.tables import leaderboard
from sweeps.report.wording import say_sections
from sweeps.verdict.compose import compute_verdict
from tests.sweeps.report.sample import make_record
from tests.sweeps.small import RECIPE, small_recipe


@pytest.fixture
def record(tmp_path: Path) -> SweepRecord:
    return make_record(tmp_path / "results" / "demo-001", trials=1, pictures=False)


@pytest.mark.parametrize(
    ("numbers", "said"),
    [
        ((), ""),
        ((3,), "section 3"),
        ((0, 1, 2, 3, 4, 5), "sections 0-5"),
        ((9, 0, 1, 2), "sections 0-2, 9"),
        (tuple(range(0, 30, 2)), "15 sections from 0 to 28"),
        (("<b>", None, True, 4), "section 4"),
    ],
)
def test_sections_are_said_as_ranges(numbers: tuple[object, ...], said: str) -> None:
    assert say_sections(numbers) == said


@pytest.mark.parametrize("layout", [WIDE, NARROW])
def test_rows_for_scale_name_their_sections(record: SweepRecord, layout: Layout) -> None:
    overview = survey(replace(record, sanity_sections=tuple(range(6))), compute_verdict(record))
    assert leaderboard(overview).scale_title == "For scale: no network, sections 0-5"
    texts = [text.get_text() for axes in strips.draw(overview, layout).axes for text in axes.texts]
    assert any("best intensity threshold .554 (sections 0-5)" in text for text in texts), texts


def test_unknown_sections_are_not_named(record: SweepRecord) -> None:
    assert leaderboard(survey(record, compute_verdict(record))).scale_title == "For scale: no network"


def test_the_whole_sweep_again_is_launched_from_a_recipe_that_stands_alone(record: SweepRecord) -> None:
    (line,) = [each.line for each in commands(survey(record, compute_verdict(record)), record.folder) if "launch" in each.line]
    assert shlex.split(line) == ["sweeps", "launch", "results/demo-001/recipe.resolved.yaml"]


def test_a_resolved_recipe_is_read_as_what_it_was(tmp_path: Path) -> None:
    resolved = small_recipe(data={"source": "folder", "images": "/data/a.tif", "labels": "/data/b.tif"} | RECIPE["data"]).resolved()
    path = tmp_path / "recipe.resolved.yaml"
    path.write_text(json.dumps(resolved, indent=1))
    assert read_recipe(path).resolved() == resolved
