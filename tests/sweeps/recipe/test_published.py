"""Published figures in a recipe: read, written back, and refused with a reason."""

from pathlib import Path

import pytest
from ruamel.yaml import YAML

from sweeps.pinned import pinned_recipe
from sweeps.recipe.errors import RecipeError
from sweeps.recipe.schema import Recipe, read_recipe, shipped_recipes
from sweeps.recipe.text import dump_yaml

HEAD = "name: x\nlosses: {bce: {}, mine: {loss: focal}}\n"


def read(folder: Path, text: str, **options) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(HEAD + text)
    return read_recipe(path, **options)


def problems(folder: Path, text: str, **options) -> list[str]:
    with pytest.raises(RecipeError) as caught:
        read(folder, text, **options)
    return [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]


def test_the_thesis_s_two_tables() -> None:
    published = read_recipe("thesis").published
    assert published is not None
    assert list(published.seconds) == list(published.own_loss) == ["bce", "dice", "dice_bce", "focal", "iou", "tversky"]
    # its conclusions: the fastest is eight percent faster than the slowest, none takes 16 minutes and a half, focal's value is the lowest
    slowest, fastest = (pick(published.seconds.values()) for pick in (max, min))
    assert slowest / fastest == pytest.approx(1.087, abs=5e-4) and slowest < 16.5 * 60
    assert min(published.seconds, key=published.seconds.__getitem__) == "iou"
    assert sorted(published.own_loss, key=published.own_loss.__getitem__)[:3] == ["focal", "dice", "tversky"]
    assert published.epochs == read_recipe("thesis").train.epochs == 100
    assert "Kim" in published.source and "2020" in published.source and "P100" in published.hardware


@pytest.mark.parametrize("name", sorted(set(shipped_recipes()) - {"thesis"}))
def test_no_other_recipe_has_published_figures(name: str) -> None:
    assert read_recipe(name).published is None


@pytest.mark.parametrize(
    "text",
    ["", "published: null", "published: {source: a, seconds: {mine: 3}}", "published: {source: a, epochs: 7, own_loss: {bce: -0.5}}"],
)
def test_it_comes_back_the_same(tmp_path: Path, text: str) -> None:
    recipe = read(tmp_path, text)
    assert Recipe.from_resolved(recipe.resolved()) == recipe
    assert Recipe.from_resolved(YAML(typ="safe").load(dump_yaml(recipe.resolved()))) == recipe


def test_numbers_are_kept_to_the_last_digit(tmp_path: Path) -> None:
    published = read(tmp_path, "published: {source: a, seconds: {bce: 919.3693518638611, mine: 3}}").published
    assert published is not None and published.seconds == {"bce": 919.3693518638611, "mine": 3.0}
    assert (published.own_loss, published.epochs, published.hardware, published.note) == ({}, None, "", "")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{seconds: {bce: 1}}", ": published.source: this key is required: text: who printed them, and where"),
        ("{source: '', seconds: {bce: 1}}", ":13: published.source: must be text: who printed them, and where; got ''"),
        ("{source: a}", ": published: holds no figure: give seconds or own_loss, or leave the section out"),
        ("{source: a, seconds: {}}", ": published: holds no figure: give seconds or own_loss, or leave the section out"),
        ("{source: a, second: {bce: 1}}", ": published.second: unknown key; allowed: source, hardware, epochs, seconds, own_loss, note"),
        ("{source: a, seconds: [1]}", ": published.seconds: must be a mapping of losses to numbers, such as {bce: 1.5}; got [1]"),
        ("{source: a, seconds: {bce: 0}}", ":34: published.seconds.bce: must be a number in (0, 1e+09]; got 0"),
        ("{source: a, seconds: {bce: -3}}", ":34: published.seconds.bce: must be a number in (0, 1e+09]; got -3"),
        ("{source: a, seconds: {bce: .inf}}", ":34: published.seconds.bce: must be a number in (0, 1e+09]; got inf"),
        ("{source: a, seconds: {bce: true}}", ":34: published.seconds.bce: must be a number in (0, 1e+09]; got true"),
        ("{source: a, seconds: {bce: 9 min}}", ":34: published.seconds.bce: must be a number in (0, 1e+09]; got '9 min'"),
        ("{source: a, own_loss: {bce: .nan}}", ":35: published.own_loss.bce: must be a number in [-1e+09, 1e+09]; got nan"),
        ("{source: a, own_loss: {bce: null}}", ":35: published.own_loss.bce: must be a number in [-1e+09, 1e+09]; got nothing"),
        ("{source: a, epochs: 0, own_loss: {bce: 1}}", ":24: published.epochs: must be a whole number in [1, 1000000], or null; got 0"),
        ("soon", ":1: published: must be a mapping with the keys source, hardware, epochs, seconds, own_loss, note; got 'soon'"),
        (
            "{source: a, seconds: {bcee: 1}}",
            (
                ":34: published.seconds.bcee: no loss of this recipe; allowed: bce, mine; or published: null, which leaves the section out;"
                " did you mean 'bce'?"
            ),
        ),
        (
            "{source: a, own_loss: {focal: 1}}",
            ":35: published.own_loss.focal: no loss of this recipe; allowed: bce, mine; or published: null",
        ),
    ],
)
def test_each_mistake_is_told_with_its_place(tmp_path: Path, text: str, expected: str) -> None:
    (line,) = [line for line in problems(tmp_path, f"published: {text}") if "published" in line]
    assert line.startswith("recipe.yaml:3:") and expected in line


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, "published: {seconds: {bce: 0, moon: 1}, own_loss: {sun: 1}}")
    assert [line.split(": ")[1] for line in found] == [
        "published.source",
        "published.seconds.bce",
        "published.seconds.moon",
        "published.own_loss.sun",
    ]


def test_other_losses_are_told_how_to_go_on() -> None:
    with pytest.raises(RecipeError, match=r"published.seconds.dice: no loss of this recipe; .*or published: null") as caught:
        read_recipe("thesis", overrides=["losses={bce: {}}"])
    assert len(caught.value.problems) == 10  # five losses in two tables
    assert list(read_recipe("thesis", overrides=["losses={bce: {}}", "published=null"]).losses) == ["bce"]


def test_one_figure_can_be_set_from_the_command_line() -> None:
    published = read_recipe("thesis", overrides=["published.seconds.bce=12.5"]).published
    assert published is not None and published.seconds["bce"] == 12.5 and published.seconds["dice"] > 800


def test_the_recipe_of_one_configuration_can_be_read_again(tmp_path: Path) -> None:
    path = tmp_path / "best.yaml"
    path.write_text(dump_yaml(pinned_recipe(read_recipe("thesis"), "focal", {}).resolved()))
    assert list(read_recipe(path).losses) == ["focal"]
