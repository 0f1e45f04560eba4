"""The verb losses: the list by family, the page of one, what machines get, and the figure."""

import functools
import json
import math
import os
import re
import struct
import subprocess
import sys
import textwrap
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
import typer
from rich.cells import cell_len
from typer.testing import CliRunner

from sweeps.cli import catalogue as cli_catalogue
from sweeps.cli.losses_tables import _COSTS, FAMILIES
from sweeps.loss_shape import ENDS, NUM_POINTS, SIZE_PX, loss_shape
from sweeps.pipe import write_line
from sweeps.recipe.file import parse_yaml
from sweeps.recipe.schema import Recipe
from sweeps.terminal_plot import Chart
from unet.losses import LOSSES, loss_spec
from unet.losses.spec import COSTS


@pytest.fixture
def app() -> typer.Typer:
    app = typer.Typer()
    cli_catalogue.add_to(app)
    return app


_shape = functools.cache(loss_shape)


@pytest.fixture(autouse=True)
def _drawn_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two tests look at each loss's shape."""
    monkeypatch.setattr("sweeps.loss_shape.loss_shape", _shape)


def run(app: typer.Typer, *arguments: str, code: int = 0, columns: int = 100) -> str:
    result = CliRunner().invoke(app, list(arguments), env={"COLUMNS": str(columns)})
    assert result.exit_code == code, result.output
    return result.output


def test_it_has_help_and_an_example(app: typer.Typer) -> None:
    text = run(app, "losses", "--help")
    assert "Example: sweeps losses tversky" in text and all(family in text for family in FAMILIES)


@pytest.mark.parametrize("columns", [80, 120])
def test_the_list_is_by_family_and_keeps_to_its_width(app: typer.Typer, columns: int) -> None:
    text = run(app, "losses", columns=columns)
    assert all(cell_len(line) <= columns for line in text.splitlines())
    at = {family: text.index(f"{family} losses") for family in FAMILIES if f"{family} losses" in text}
    assert list(at) == [family for family in FAMILIES if any(spec.family == family for spec in LOSSES.values())]
    titles = {f"{family} losses" for family in FAMILIES}
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith(" ") and " ".join(line.split()[:2]) not in titles]
    words = [line.split()[0] for line in lines]
    assert all(words.count(name) == 1 for name in LOSSES), "each loss begins one line, whole"
    flat = " ".join(text.split())
    for spec in LOSSES.values():
        assert " ".join(spec.when.split()) in flat


@pytest.mark.parametrize("family", list(FAMILIES))
def test_one_family(app: typer.Typer, family: str) -> None:
    rows = [json.loads(line) for line in run(app, "losses", "--family", family, "--json").splitlines()]
    assert [row["name"] for row in rows] == [name for name, spec in LOSSES.items() if spec.family == family]
    text = run(app, "losses", "--family", family)
    assert not any(f"{other} losses" in text for other in FAMILIES if other != family)


@pytest.mark.parametrize("name", [*LOSSES, "dice+focal"])
def test_one_loss_in_full(app: typer.Typer, name: str) -> None:
    text = " ".join(run(app, "losses", name).split())
    spec = loss_spec(name)
    for part in (spec.formula, spec.source, spec.when, *(p.meaning for p in spec.parameters.values()), *spec.parameters):
        assert " ".join(part.split()) in text
    for need in spec.needs:
        assert f"the map {need} (" in text
    assert ("not spatial" in text) != spec.spatial and ("not monotone" in text) != spec.monotone
    assert ("detached: " in text) == spec.detached
    assert "loss, membrane pixel" in text and "gradient, cell pixel" in text and "One logit goes from -8 to 8" in text


def test_a_sum_with_a_balanced_term_says_whose_value_it_follows(app: typer.Typer) -> None:
    text = " ".join(run(app, "losses", "dice+hausdorff_dt+focal").split())
    assert "balanced: hausdorff_dt is scaled to dice at every step, so the value follows that of dice" in text
    assert "hausdorff_dt and boundary are scaled to dice" in " ".join(run(app, "losses", "dice+hausdorff_dt+boundary").split())
    assert "balanced: " not in run(app, "losses", "hausdorff_dt+focal")


def test_a_reader_that_leaves_early_is_no_fault() -> None:
    code = "from sweeps.cli import main; import sys; sys.argv = ['sweeps', 'losses', '--json']; main()"
    program = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert program.stdout is not None and program.stderr is not None
    assert json.loads(program.stdout.readline())["name"] == "bce"
    program.stdout.close()
    told = program.stderr.read()
    program.stderr.close()
    assert (program.wait(60), told) == (0, "")


def test_a_pipe_that_is_closed_takes_whatever_follows() -> None:
    reading, writing = os.pipe()
    with os.fdopen(writing, "w") as file:
        write_line(file, "read")
        assert os.read(reading, 100) == b"read\n"
        os.close(reading)
        write_line(file, "not read")
        write_line(file, "nor this")


@pytest.mark.parametrize("columns", [60, 80, 120, 300])
def test_the_page_keeps_to_its_width(app: typer.Typer, columns: int) -> None:
    lines = run(app, "losses", "dice+focal", columns=columns).splitlines()
    assert max(map(cell_len, lines)) <= columns
    assert any("loss, membrane pixel" in line and "gradient, membrane pixel" in line for line in lines) == (columns >= 76)


#: what may be empty: a number has no choices, choices have no ends, and what is not searched by itself has no ends of a search
def _may_be_none(parameter: dict, field: str) -> bool:
    if field == "choices":
        return parameter["low"] is not None
    if field in ("low", "high"):
        return parameter["choices"] is not None
    return field in ("search_low", "search_high") and not parameter["searched"]


def test_machines_get_every_loss_with_every_field_filled(app: typer.Typer) -> None:
    rows = [json.loads(line) for line in run(app, "losses", "--json").splitlines()]
    assert [row["name"] for row in rows] == list(LOSSES) and len(rows) >= 40
    for row in rows:
        assert {"needs", "spatial", "monotone", "detached", "uses_progress", "cost", "perfect", "searched", "when", "source"} <= set(row)
        assert all(value is not None and value != "" for value in row.values()), row["name"]
        for key, parameter in row["parameters"].items():
            assert {"whole", "log", "meaning", "source", "default"} <= set(parameter)
            wrong = [field for field, value in parameter.items() if value == "" or (value is None and not _may_be_none(parameter, field))]
            assert not wrong, f"{row['name']}.{key}: {wrong}"
        assert row["searched"] == [key for key, parameter in row["parameters"].items() if parameter["searched"]]
    focal = json.loads(run(app, "losses", "focal", "--json"))
    assert focal["parameters"]["gamma"]["default"] == LOSSES["focal"].parameters["gamma"].default
    assert json.loads(run(app, "losses", "dice+focal", "--json"))["parameters"]["focal.gamma"]["searched"] is True


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["focall"], "unknown loss 'focall'; did you mean 'focal'? all: sweeps losses"),
        (["dice+focall"], "unknown loss 'focall' in 'dice+focall'; did you mean 'focal'? all: sweeps losses"),
        (["zzz"], f"unknown loss 'zzz'; allowed: {', '.join(LOSSES)}"),
        (["dice+"], "'dice+' is no sum of losses"),
        (["--family", "regoin"], "allowed: distribution, region, boundary, topology, compound; did you mean 'region'?"),
        (["focal", "--family", "region"], "give a loss or --family, not both"),
        (["--plot", "x.svg"], "--plot draws one loss: name it, such as sweeps losses focal --plot focal.svg"),
        (["focal", "--plot", "x.pdf"], "--plot: a figure's name ends in .svg or .png; got 'x.pdf'"),
    ],
)  # fmt: skip
def test_what_cannot_be_shown(app: typer.Typer, words: list[str], message: str) -> None:
    assert message in run(app, "losses", *words, code=2)


def test_a_figure_that_cannot_be_written(app: typer.Typer, tmp_path: Path) -> None:
    assert "cannot be written" in run(app, "losses", "focal", "--plot", str(tmp_path / "none" / "x.svg"), code=4)


def test_the_figure_is_an_svg_or_a_png(app: typer.Typer, tmp_path: Path) -> None:
    run(app, "losses", "dice+focal", "--plot", str(tmp_path / "mix.svg"))
    run(app, "losses", "focal", "--json", "--plot", str(tmp_path / "focal.png"))
    svg = (tmp_path / "mix.svg").read_text()
    words = " ".join("".join(text.itertext()) for text in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"))
    assert "The loss of the scene: dice+focal" in words and "membrane" in words and "times 256" in words
    assert "#0101" not in svg and "#02" not in svg, "no stand-in colour is left"
    png = (tmp_path / "focal.png").read_bytes()
    assert png[:8] == b"\x89PNG\r\n\x1a\n" and struct.unpack(">II", png[16:24])[0] == 2080


def test_the_page_on_losses_and_the_program_say_the_same_of_costs() -> None:
    page = " ".join((Path(__file__).parents[3] / "docs" / "losses.md").read_text().split())
    words = {cost: said.partition(":")[0] for cost, said in _COSTS.items()}
    assert set(words) == set(COSTS)
    (told,) = re.findall(r"`cost` its class: (.*?\.)", page)
    for part in re.split(r", (?!and)", re.sub(r"\(.*?\)", "", told)):
        names, _, word = re.sub(r"\bis\b", "are", part).partition(" are ")
        assert {words.pop(name) for name in re.findall(r"[a-z]+", names) if name != "and"} == {word.strip(" .")}
    assert not words


def test_the_page_on_losses_names_each_in_its_family() -> None:
    page = (Path(__file__).parents[3] / "docs" / "losses.md").read_text()
    for family in FAMILIES:
        (line,) = [line for line in page.splitlines() if line.startswith(f"| {family} |")]
        assert re.findall(r"`(\w+)`", line) == [name for name, spec in LOSSES.items() if spec.family == family]


def test_the_recipes_of_the_page_on_losses_are_read() -> None:
    page = (Path(__file__).parents[3] / "docs" / "losses.md").read_text()
    blocks = re.findall(r"^    losses:\n(?:      .*\n)+", page, re.MULTILINE)
    assert len(blocks) == 3
    for block in blocks:
        raw = parse_yaml("name: x\n" + textwrap.dedent(block), source="losses.md").data
        assert isinstance(raw, dict) and Recipe.from_resolved(raw).losses


# The shapes themselves.


def test_the_shape_of_bce_is_its_formula() -> None:
    membrane, cell = loss_shape("bce").curves
    others = (SIZE_PX**2 - 1) * math.log1p(math.exp(-2.0))
    for curve, sign in ((membrane, 1.0), (cell, -1.0)):
        assert len(curve.logits) == NUM_POINTS and (curve.logits[0], curve.logits[-1]) == (-ENDS, ENDS)
        for logit, value, gradient in zip(curve.logits, curve.values, curve.gradients, strict=True):
            assert value == pytest.approx((others + math.log1p(math.exp(-sign * logit))) / SIZE_PX**2, rel=1e-12)
            assert gradient == pytest.approx(-sign / (1 + math.exp(sign * logit)), rel=1e-9)


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_shape_is_finite_and_ends_lower_where_the_pixel_is_right(name: str) -> None:
    membrane, cell = _shape(name).curves
    assert all(map(math.isfinite, (*membrane.values, *membrane.gradients, *cell.values, *cell.gradients)))
    if LOSSES[name].monotone:
        slack = 1e-9 * max(map(abs, membrane.values))
        assert all(a >= b - slack for a, b in zip(membrane.values, membrane.values[1:], strict=False))
        assert all(a <= b + slack for a, b in zip(cell.values, cell.values[1:], strict=False))


def test_a_chart_shows_where_the_curve_is() -> None:
    chart = Chart(title="line", x=(0.0, 1.0), y=(0.0, 1.0), width=18, height=2, braille=False)
    title, top, bottom, ends = chart.lines()
    assert title == "line".ljust(18) and ends.split() == ["0", "0.5", "1"]
    assert top == "        1|    ****" and bottom == "        0|****    "
    # Braille: four dots across and eight down, at rows 7, 5, 2 and 0 for 0, 1/3, 2/3 and 1, and joined upwards between them.
    corner = Chart(title="", x=(0.0, 1.0), y=(0.0, 1.0), width=12, height=2).lines()
    assert [ord(character) - 0x2800 for character in corner[1][10:]] == [0, (0x04 + 0x40) + (0x08 + 0x10)]
    assert [ord(character) - 0x2800 for character in corner[2][10:]] == [0x40 + (0x10 + 0x20), 0x01]


def test_a_chart_without_anything_to_scale_by() -> None:
    for y in ((2.0, 2.0, 2.0), (0.0, 0.0, 0.0), (float("nan"),) * 3, (1.0, float("inf"), 1.0)):
        lines = Chart(title="flat", x=(0.0, 1.0, 2.0), y=y, width=30, height=3).lines()
        assert len(lines) == 5 and {len(line) for line in lines} == {30}


def test_a_terminal_without_braille_gets_stars(app: typer.Typer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rich.console.ConsoleOptions.ascii_only", property(lambda self: True))
    text = run(app, "losses", "bce")
    assert "*" in text and not any(ord(character) >= 0x2500 for character in text)


def test_the_scene_is_the_caption_s() -> None:
    from sweeps.loss_shape import NEGATIVE, POSITIVE, scene

    target = scene()[0, 0]
    assert target[POSITIVE] == 1 and target[NEGATIVE] == 0
    assert f"{SIZE_PX} x {SIZE_PX} pixels" in loss_shape("bce").caption
    assert torch.equal(target, target.T), "two membranes of the same width that cross"
