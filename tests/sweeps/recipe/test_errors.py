"""Mistakes in a recipe: all of them at once, each with its line, the value met, what is allowed and the nearest name."""

import copy
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.recipe.errors import RecipeError
from sweeps.recipe.file import load_yaml
from sweeps.recipe.schema import Recipe, read_recipe, shipped_recipes

FIVE = """\
name: mine
data: {source: isbi2021}
train:
  epochs: 0
  optimiser: adam
losses:
  focal:
    gama: 2
  tversky: {alpha: {low: 0.9, high: 0.1}}
"""


def problems(folder: Path, text: str, **options) -> list[str]:
    path = folder / "recipe.yaml"
    path.write_text(text)
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, **options)
    lines = [str(problem).replace(f"{folder}/", "") for problem in caught.value.problems]
    assert str(caught.value).replace(f"{folder}/", "") == "\n".join(lines)
    return lines


def test_five_mistakes_are_five_lines_in_one_message(tmp_path: Path) -> None:
    assert problems(tmp_path, FIVE) == [
        (
            "recipe.yaml:2:8: data.source: unknown data set 'isbi2021'; allowed: synthetic, isbi2012, or a folder with train-volume.tif and"
            " train-labels.tif (or with folders images and labels); did you mean 'isbi2012'?"
        ),
        "recipe.yaml:4:3: train.epochs: must be a whole number >= 1 and <= 100000; got 0",
        (
            "recipe.yaml:5:3: train.optimiser: unknown key; allowed: epochs, batch_size, optimizer, lr, weight_decay, precision, schedule;"
            " did you mean 'optimizer'?"
        ),
        "recipe.yaml:8:5: losses.focal.gama: unknown parameter of focal; allowed: alpha, gamma, loss; did you mean 'gamma'?",
        "recipe.yaml:9:21: losses.tversky.alpha.low: `low <= high` must hold; got low 0.9, high 0.1",
    ]


HEAD = "name: x\nlosses: {bce: {}}\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # one section, one key
        ("losses: {bce: {}}", "1:1: name: this key is required: a name: 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit"),
        ("name: x", "1:1: losses: this key is required: a mapping of at least one loss, such as {bce: {}, focal: search}"),
        ("name: ../x\nlosses: {bce: {}}", "1:1: name: must be a name: 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit;"),
        (HEAD + "modell: {}", "3:1: modell: unknown key; allowed: name, data, model, train, losses, search, finalists, objective, speed,"),
        (HEAD + "train: fast", "3:1: train: must be a mapping with the keys epochs, batch_size, optimizer, lr, weight_decay, precision"),
        (HEAD + "train:", "3:1: train: must be a mapping with the keys epochs, batch_size, optimizer, lr, weight_decay, precision"),
        (HEAD + "train: {epochs: '20'}", "3:9: train.epochs: must be a whole number >= 1 and <= 100000; got '20'"),
        (HEAD + "train: {epochs: 2.5}", "3:9: train.epochs: must be a whole number >= 1 and <= 100000; got 2.5"),
        (HEAD + "train: {epochs: true}", "3:9: train.epochs: must be a whole number >= 1 and <= 100000; got true"),
        (HEAD + "train: {optimizer: adamm}", "3:9: train.optimizer: must be one of adam, adamw, sgd; got 'adamm'; did you mean 'adam'?"),
        (HEAD + "train: {lr: 0}", "3:9: train.lr: must be a number in (0, 10]; got 0; or a domain, such as {low: 1.0e-5, high: 1.0e-2,"),
        (HEAD + "train: {lr: .nan}", "3:9: train.lr: must be a number in (0, 10]; got nan"),
        (HEAD + "data: {flips: yes}", "3:8: data.flips: must be true or false; got 'yes'"),
        (HEAD + "data: {ignore: 256}", "3:8: data.ignore: must be a whole number in [0, 255], or null; got 256"),
        (HEAD + "data: {ignore: -1}", "3:8: data.ignore: must be a whole number in [0, 255], or null; got -1"),
        (HEAD + "data: {ignore: true}", "3:8: data.ignore: must be a whole number in [0, 255], or null; got true"),
        (HEAD + "data: {ignore: '127'}", "3:8: data.ignore: must be a whole number in [0, 255], or null; got '127'"),
        (HEAD + "data: {ignored: 127}", "3:8: data.ignored: unknown key; allowed: source, images, labels, membrane, ignore, positive,"),
        (HEAD + "data: {elastic_px: .inf}", "3:8: data.elastic_px: must be a number >= 0 and <= 200; got inf"),
        (HEAD + "search: {trials_per_loss: 0}", "3:10: search.trials_per_loss: must be a whole number >= 1 and <= 100000; got 0"),
        (HEAD + "search: {early_stop: {factor: 1}}", "3:23: search.early_stop.factor: must be a whole number >= 2 and <= 100; got 1"),
        (HEAD + "search: {early_stop: {kind: hyperband}}", "3:23: search.early_stop.kind: must be asha; got 'hyperband'"),
        (HEAD + "objective: {metric: v_rand}", "3:13: objective.metric: must be membrane_dice; got 'v_rand'; only what is measured while"),
        (HEAD + "speed: {target: atuo}", "3:9: speed.target: must be auto, or a number in (0, 1]; got 'atuo'; did you mean 'auto'?"),
        (HEAD + "resources: {max_concurrent: 0}", "3:13: resources.max_concurrent: must be auto, or a whole number in [1, 10000]; got 0"),
        (HEAD + "wandb: {mode: onlin}", "3:9: wandb.mode: must be one of auto, online, offline, disabled; got 'onlin'; did you mean"),
        # sections that do not fit together
        (HEAD + "data: {crop_px: 100}", "3:8: data.crop_px: must be a multiple of 16 with model.depth: 5, such as 96 or 112; got 100"),
        (HEAD + "data: {search_fold: 5}", "3:8: data.search_fold: must be a whole number in [0, 4], counted from 0, with data.folds: 5;"),
        (HEAD + "data: {labels: x.tif}", "3:8: data.labels: images and labels go together, and replace source; images is missing"),
        (HEAD + "finalists: {folds: 5}", "3:13: finalists.folds: must be at most 4: data.folds is 5, and the search's fold is never a"),
        # losses
        ("name: x\nlosses: {}", "2:1: losses: must be a mapping of at least one loss (bce, dice, dice_bce, iou, focal, tversky"),
        ("name: x\nlosses: [bce]", "2:1: losses: must be a mapping of at least one loss (bce, dice, dice_bce, iou, focal, tversky"),
        ("name: x\nlosses: {focall: {}}", "2:10: losses.focall: unknown loss 'focall'; did you mean 'focal'? all: sweeps losses; {loss: "),
        ("name: x\nlosses: {zzz: {}}", "2:10: losses.zzz: unknown loss 'zzz'; allowed: bce, dice, dice_bce, iou, focal, tversky"),
        ("name: x\nlosses: {b: {loss: bec}}", "2:14: losses.b.loss: unknown loss 'bec'; did you mean 'bce'? all: sweeps losses"),
        ("name: x\nlosses: {tversky: {alpha: 0, beta: 0}}", "2:30: losses.tversky.beta: alpha and beta cannot both be 0: tversky would"),
        ("name: x\nlosses: {A B: {loss: bce}}", "2:10: losses.A B: a name has 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a"),
        ("name: x\nlosses: {dice: serch}", "2:10: losses.dice: must be {} (fixed at its defaults), search, or a mapping of parameters"),
        ("name: x\nlosses: {focal: {alpha: 1.7}}", "2:18: losses.focal.alpha: must be a number in [0, 1]; got 1.7; or search, or a"),
        ("name: x\nlosses: {focal: {alpha: '1'}}", "2:18: losses.focal.alpha: must be a number in [0, 1]; got '1'"),
        ("name: x\nlosses: {focal: {alpha: {low: 0.1}}}", "2:18: losses.focal.alpha: a domain needs low and high (or choices)"),
        ("name: x\nlosses: {focal: {alpha: {low: 0.1, high: 1.2}}}", "2:36: losses.focal.alpha.high: must be a number in [0, 1]; got 1.2"),
        ("name: x\nlosses: {focal: {gamma: {low: 0, high: 1, log: true}}}", "2:26: losses.focal.gamma.low: `low > 0` must hold with"),
        ("name: x\nlosses: {focal: {gamma: {low: 0, high: 1, stp: 1}}}", "2:43: losses.focal.gamma.stp: unknown key; allowed: low,"),
        ("name: x\nlosses: {focal: {gamma: {low: 0, high: 1, step: 2}}}", "2:43: losses.focal.gamma.step: must be at most high - low ="),
        ("name: x\nlosses: {focal: {gamma: {choices: []}}}", "2:26: losses.focal.gamma.choices: must be a list of at least one value,"),
        ("name: x\nlosses: {iou: {empty: skipp}}", "2:16: losses.iou.empty: must be one of smooth, skip, penalise; got 'skipp'; did you"),
        ("name: x\nlosses: {iou: {empty: {low: 0, high: 1}}}", "2:24: losses.iou.empty.low: cannot stand beside or in place of choices"),
        # the file
        ("", "1:1: a recipe is a mapping with the keys name, data, model, train, losses, search, finalists, objective, speed,"),
        ("- 1", "1:1: a recipe is a mapping with the keys name, data, model, train, losses, search, finalists, objective, speed,"),
        (HEAD + "name: y", "3:1: name: this key is given twice, first on line 1; keep one"),
        (HEAD + "train: {epochs: !!python/name:os.system ''}", "3:17: train.epochs: tags are not taken"),
        ('name: "\\e[31mred"\nlosses: {bce: {}}', "1:1: name: must be a name: 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line(tmp_path: Path, text: str, message: str) -> None:
    lines = problems(tmp_path, text)
    assert len(lines) == 1, lines
    assert lines[0].startswith(f"recipe.yaml:{message}")


def test_a_bad_section_hides_no_mistake_elsewhere_in_it(tmp_path: Path) -> None:
    text = "name: x\nlosses: {bce: {}, dice: {smooth: -1, empti: 1}}\ndata: {flips: 3, search_fold: 9, crop_px: 50}\n"
    text += "train: {epochs: x}\nsearch: 3\n"
    paths = [line.split(": ")[1] for line in problems(tmp_path, text)]
    assert paths == ["losses.dice.smooth", "losses.dice.empti", "data.flips", "data.search_fold", "data.crop_px", "train.epochs", "search"]


def test_set_has_its_own_place(tmp_path: Path) -> None:
    overrides = ["train.epoch=3", "losses.focal.gamma=11", "epochs", "search.seed=[", "name.x=1", "wandb={mode: !x auto}"]
    lines = problems(tmp_path, "name: x\nlosses: {focal: {}}\ntrain: {epochs: 0}\n", overrides=overrides)
    options = ["--set train.epoch", "--set losses.focal.gamma", "--set epochs", "--set search.seed", "--set name.x", "--set wandb"]
    assert [line.split(": ")[0] for line in lines] == ["recipe.yaml:3:9", *options]
    assert "did you mean 'epochs'?" in lines[1]
    assert lines[3].startswith("--set epochs: must be KEY=VALUE with a dotted key, such as train.epochs=20; got 'epochs'")
    assert lines[5] == "--set name.x: name is 'x', not a mapping; set it as a whole, such as --set 'name={x: ...}'"


@pytest.mark.parametrize("order", [["data.crop_px=64", "data.folds=3"], ["data.folds=3", "data.crop_px=64"]])
def test_an_option_answers_for_the_sections_it_made_not_for_what_else_is_in_them(tmp_path: Path, order: list[str]) -> None:
    lines = problems(tmp_path, "name: x\nlosses: {focal: {}}\n", overrides=["losses.focal.alpha.x.y=1"])
    assert len(lines) > 1 and all(line.startswith("--set losses.focal.alpha.x.y: losses.focal.alpha") for line in lines)
    (line,) = [line for line in problems(tmp_path, "name: x\nlosses: {focal: {}}\n", overrides=order) if "data.search_fold: " in line]
    assert line.startswith("recipe.yaml:1:1: ")


def test_a_name_that_is_no_recipe() -> None:
    with pytest.raises(RecipeError, match=r"'demmo': no recipe of this name and no file; allowed: demo, .*did you mean 'demo'\?"):
        read_recipe("demmo")


@pytest.mark.parametrize("name", ["x" * 5000, "\0", "a/\x1b[31mb.yaml"])
def test_a_name_that_is_no_path(name: str) -> None:
    with pytest.raises(RecipeError, match="no recipe of this name and no file") as caught:
        read_recipe(name)
    assert str(caught.value).isprintable()


_junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | st.sampled_from(["search", "auto", "bce", {}, []]),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.sampled_from(["low", "high", "log", "choices", "loss", "sum", "weights", "x"]), inner, max_size=3)
    ),
    max_leaves=4,
)
_RAW = load_yaml(shipped_recipes()["isbi2012-quick"])


@given(path=st.sampled_from(sorted(path for path in _RAW.marks if path)), junk=_junk)
@settings(max_examples=200, deadline=None)
def test_no_value_anywhere_makes_anything_but_a_recipe_or_a_recipe_error(path: tuple[str, ...], junk: object) -> None:
    raw = section = copy.deepcopy(_RAW.data)
    for part in path[:-1]:
        section = section[part]
    section[path[-1]] = junk
    try:
        recipe = Recipe.from_resolved(raw)
    except RecipeError as error:
        assert error.problems
        assert all(line.isprintable() for line in str(error).splitlines())
    else:
        assert Recipe.from_resolved(recipe.resolved()) == recipe


def test_a_name_ends_where_its_line_does(tmp_path: Path) -> None:
    assert problems(tmp_path, 'name: "x\\n"\nlosses: {"bce\\n": {loss: bce}}')[0].startswith("recipe.yaml:1:1: name: must be a name")
    assert problems(tmp_path, 'name: x\nlosses: {"bce\\n": {loss: bce}}') == [
        "recipe.yaml:2:10: losses.'bce\\n': a name has 1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit; got 'bce\\n'"
    ]
