"""Sums of losses in a recipe: what may be written, the one loss that comes out, and every mistake at its place."""

import itertools
from pathlib import Path
from typing import Any

import pytest
import torch

from data_utils.maps import maps_of
from sweeps.loss_shape import scene
from sweeps.pinned import pinned_recipe
from sweeps.recipe.errors import RecipeError
from sweeps.recipe.file import parse_yaml
from sweeps.recipe.losses import LossEntry
from sweeps.recipe.schema import Recipe, read_recipe
from sweeps.recipe.text import dump_yaml
from sweeps.space import Choice, Float
from unet.losses import LOSSES, build_loss, loss_spec

WEIGHT = Float(low=0.1, high=10.0, log=True)
DICE_FOCAL = {key: parameter.default for key, parameter in loss_spec("dice+focal").parameters.items()}


def entry(text: str) -> LossEntry:
    raw = parse_yaml(f"name: x\nlosses: {{mix: {text}}}", source="x").data
    assert isinstance(raw, dict)
    return Recipe.from_resolved(raw).losses["mix"]


def without(*keys: str) -> dict[str, Any]:
    return {key: value for key, value in DICE_FOCAL.items() if key not in keys}


@pytest.mark.parametrize(
    ("text", "fixed", "space"),
    [
        ("{sum: [dice, focal]}", DICE_FOCAL, {}),
        ("{sum: [{dice: {}}, {focal: {}}], weights: [1, 1.0]}", DICE_FOCAL, {}),
        ("{loss: dice+focal}", DICE_FOCAL, {}),
        (
            "{sum: [dice, {focal: {gamma: 1}}], weights: [2, 0.5]}",
            DICE_FOCAL | {"focal.gamma": 1.0, "dice.weight": 2.0, "focal.weight": 0.5},
            {},
        ),
        (
            "{sum: [{dice: {}}, {focal: {gamma: {low: 0, high: 5}}}], weights: [1.0, {low: 0.1, high: 10, log: true}]}",
            without("focal.gamma", "focal.weight"),
            {"focal.weight": WEIGHT, "focal.gamma": Float(low=0.0, high=5.0)},
        ),
        ("{sum: [dice, focal], weights: search}", without("focal.weight"), {"focal.weight": WEIGHT}),
        ("{sum: [dice, focal], weights: [3, search]}", without("focal.weight") | {"dice.weight": 3.0}, {"focal.weight": WEIGHT}),
        ("{sum: [dice, {focal: {gamma: search}}]}", without("focal.gamma"), {"focal.gamma": Float(low=0.0, high=5.0)}),
        (
            "{sum: [dice, {focal: search}]}",
            without("focal.alpha", "focal.gamma"),
            {"focal.alpha": Float(low=0.05, high=0.95), "focal.gamma": Float(low=0.0, high=5.0)},
        ),
        (
            "{sum: [{dice: {ramp: fall}}, {focal: {ramp: rise, balance: partner}}]}",
            DICE_FOCAL | {"dice.ramp": "fall", "focal.ramp": "rise", "focal.balance": "partner"},
            {},
        ),
        (
            "{sum: [dice, {focal: {balance: {choices: [fixed, partner]}}}]}",
            without("focal.balance"),
            {"focal.balance": Choice(choices=("fixed", "partner"))},
        ),
        (
            "{loss: dice+focal, focal.weight: search, dice.smooth: 2}",
            without("focal.weight") | {"dice.smooth": 2.0},
            {"focal.weight": WEIGHT},
        ),
    ],
)  # fmt: skip
def test_a_sum_is_one_loss_with_dotted_parameters(text: str, fixed: dict[str, Any], space: dict[str, Any]) -> None:
    made = entry(text)
    assert made == LossEntry(function="dice+focal", fixed=fixed, space=space)
    assert set(made.fixed) | set(made.space) == set(loss_spec("dice+focal").parameters)


def test_what_a_sum_resolves_to_is_read_back_and_builds_the_loss() -> None:
    raw = {"name": "x", "losses": {"mix": {"sum": ["dice", {"focal": {"gamma": "search"}}, {"focal": {"gamma": 0}}], "weights": "search"}}}
    recipe = Recipe.from_resolved(raw)
    resolved = recipe.resolved()
    assert resolved["losses"]["mix"]["loss"] == "dice+focal+focal"
    assert resolved["losses"]["mix"]["focal_2.gamma"] == 0.0
    assert Recipe.from_resolved(parse_yaml(dump_yaml(resolved), source="x").data) == recipe  # type: ignore[arg-type]
    assert list(recipe.search_space("mix")) == ["loss.focal.weight", "loss.focal.gamma", "loss.focal_2.weight"]
    suggestion = recipe.defaults("mix") | {"loss.focal.gamma": 3.5}
    parameters = recipe.loss_parameters("mix", suggestion)
    loss = build_loss(recipe.losses["mix"].function, **parameters)
    assert dict(loss.parameters) == parameters and loss.parameters["focal.gamma"] == 3.5
    assert recipe.budget("mix") == recipe.search.trials_per_loss
    pinned = pinned_recipe(recipe, "mix", suggestion)
    assert pinned.search_space("mix") == {} and pinned.loss_parameters("mix", {}) == parameters


def test_a_compound_of_the_registry_may_be_a_term() -> None:
    made = entry("{sum: [dice_bce, focal]}")
    assert made.function == "dice_bce+focal" and "dice_bce.bce_weight" in made.fixed


@pytest.mark.parametrize("name", list(LOSSES))
def test_every_loss_may_be_a_term(name: str) -> None:
    made = entry(f"{{sum: [bce, {{{name}: search}}], weights: search}}")
    label = "bce_2" if name == "bce" else name
    searched = {f"{label}.{key}" for key, parameter in LOSSES[name].parameters.items() if parameter.searchable}
    assert set(made.space) == searched | {f"{label}.weight"}
    build_loss(made.function, **made.fixed | {key: loss_spec(made.function).parameters[key].default for key in made.space})  # type: ignore[arg-type]


def test_no_loss_has_a_parameter_that_a_recipe_uses_itself() -> None:
    words = {"loss", "sum", "weights", "weight", "ramp", "balance"}
    assert not {f"{name}.{key}" for name, spec in LOSSES.items() for key in spec.parameters if key in words or "." in key}


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("{sum: dice}", "sum", "must be a list of two or more losses, such as sum: [dice, {focal: {gamma: 1.5}}]; got 'dice'"),
        ("{sum: []}", "sum", "has two or more terms, such as sum: [dice, {focal: {gamma: 1.5}}]; got 0"),
        (
            "{sum: [dice]}",
            "sum",
            "has two or more terms, such as sum: [dice, {focal: {gamma: 1.5}}]; got 1; a loss alone is written {loss: dice}",
        ),
        ("{sum: [dice, focall]}", "sum.1", "unknown loss 'focall'; did you mean 'focal'? all: sweeps losses"),
        ("{sum: [dice, {focall: {}}]}", "sum.1.focall", "unknown loss 'focall'; did you mean 'focal'? all: sweeps losses"),
        ("{sum: [dice, 3]}", "sum.1", "a term is NAME or {NAME: parameters}, with one name of bce, dice, dice_bce"),
        ("{sum: [dice, {focal: {}, bce: {}}]}", "sum.1", "a term is NAME or {NAME: parameters}, with one name of bce, dice, dice_bce"),
        ("{sum: [dice, {}]}", "sum.1", "a term is NAME or {NAME: parameters}, with one name of bce, dice, dice_bce"),
        ("{sum: [dice, {loss: focal}]}", "sum.1.loss", "a term is NAME or {NAME: parameters}, without loss"),
        ("{sum: [dice, {sum: [bce, iou]}]}", "sum.1.sum", "a sum has no sums inside: write their terms here"),
        ("{sum: [dice, bce+iou]}", "sum.1", "a sum has no sums inside: write the terms of 'bce+iou' here, one by one"),
        ("{sum: [dice, {bce+iou: {}}]}", "sum.1.bce+iou", "a sum has no sums inside: write the terms of 'bce+iou' here, one by one"),
        ("{sum: [dice, {focal: serch}]}", "sum.1.focal", "must be {} (fixed at its defaults), search, or a mapping of parameters (alpha,"),
        ("{sum: [dice, {focal: {gama: 1}}]}", "sum.1.focal.gama", "unknown parameter of focal in a sum; allowed: alpha, gamma, ramp, bala"),
        ("{sum: [dice, {focal: {gamma: 99}}]}", "sum.1.focal.gamma", "must be a number in [0, 10]; got 99; or search, or a domain (low, h"),
        ("{sum: [dice, {focal: {gamma: {low: 9, high: 1}}}]}", "sum.1.focal.gamma.low", "`low <= high` must hold; got low 9, high 1"),
        ("{sum: [dice, {focal: {weight: 2}}]}", "sum.1.focal.weight", "the weights of a sum stand together beside it: weights: [1.0, 2.0]"),
        ("{sum: [dice, {focal: {ramp: up}}]}", "sum.1.focal.ramp", "must be one of constant, rise, fall; got 'up'"),
        ("{sum: [dice, {focal: {balance: partnr}}]}", "sum.1.focal.balance", "must be one of fixed, partner; got 'partnr'; did you mean '"),
        ("{sum: [{dice: {balance: partner}}, focal]}", "sum.0.dice.balance", "the first term is what others are balanced to; balance is f"),
        ("{sum: [dice, focal], weights: [1]}", "weights", "must be search (every weight but the first), or a list of 2 weights, one a ter"),
        ("{sum: [dice, focal], weights: [1, 2, 3]}", "weights", "must be search (every weight but the first), or a list of 2 weights, one"),
        ("{sum: [dice, focal], weights: 2}", "weights", "must be search (every weight but the first), or a list of 2 weights, one a term"),
        ("{sum: [dice, focal], weights: serch}", "weights", "must be search (every weight but the first), or a list of 2 weights, one a t"),
        ("{sum: [dice, focal], weights: [search, 1]}", "weights.0", "the first weight is not searched, since only ratios matter; write a"),
        ("{sum: [dice, focal], weights: [1, -2]}", "weights.1", "must be a number in [0, 1e+06]; got -2; or search, or a domain (low, hig"),
        ("{sum: [dice, focal], weights: [1, {low: 0, high: 1, log: true}]}", "weights.1.low", "`low > 0` must hold with log: true; got 0"),
        ("{sum: [dice, focal], loss: dice}", "loss", "cannot stand beside sum: write either loss: dice+focal, or sum: [dice, focal]"),
        ("{sum: [dice, focal], focal.gamma: 1}", "focal.gamma", "cannot stand beside sum: write it inside its term, without the dot"),
        ("{sum: [dice, focal], wieghts: search}", "wieghts", "unknown key beside sum; allowed: sum, weights; did you mean 'weights'?"),
        ("{loss: dice+focl}", "loss", "unknown loss 'focl' in 'dice+focl'; did you mean 'focal'? all: sweeps losses"),
        ("{loss: dice+zzz}", "loss", "unknown loss 'zzz' in 'dice+zzz'; allowed: bce, dice, dice_bce, iou, focal, tversky"),
        ("{loss: dice+focal, focal: {gamma: 2}}", "focal", "focal is a term, not a parameter; write it with a dot: focal.gamma: 2"),
        ("{loss: dice+focal, focal: search}", "focal", "focal is a term, not a parameter; write it with a dot: focal.weight: search, fo"),
        ("{sum: [dice, focal], focal: {gamma: 2}}", "focal", "is a term of the sum: its parameters stand inside it, in the list, at pos"),
        ("{sum: [dice, focal], weights: [0, 0.0]}", "weights.1", "the weights of a sum cannot all be 0: nothing would be left to train"),
        ("{loss: dice+focal, dice.weight: 0, focal.weight: 0}", "focal.weight", "the weights of a sum cannot all be 0"),
        ("{sum: [dice, {tversky: {alpha: 0, beta: 0}}]}", "sum.1.tversky.beta", "alpha and beta cannot both be 0: tversky would cost"),
        ("{loss: focal_tversky, beta: 0.0, alpha: 0}", "alpha", "alpha and beta cannot both be 0: focal_tversky would cost the same"),
        ("{loss: dice+}", "loss", "'dice+' is no sum of losses: a + stands between two names, such as dice+focal"),
        ("{loss: dice+focal, gamma: 1}", "gamma", "unknown parameter of dice+focal; allowed: dice.weight, dice.ramp, dice.smooth"),
        ("{loss: dice+focal, weights: search}", "weights", "stands beside sum: [...] only; beside loss each weight has its own name: dice"),
        ("{loss: dice+focal, dice.weight: search}", "dice.weight", "has no range in the registry; write a value or a domain"),
    ],
)  # fmt: skip
def test_one_mistake_is_one_line_at_its_place(tmp_path: Path, text: str, path: str, message: str) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"name: x\nlosses:\n  mix: {text}\n")
    with pytest.raises(RecipeError) as caught:
        read_recipe(recipe)
    (problem,) = caught.value.problems
    assert ".".join(problem.path) == f"losses.mix.{path}"
    assert problem.message.startswith(message)
    assert problem.place.startswith(f"{recipe}:3:") and not problem.place.endswith(":3:3"), "the place is inside the entry"


def test_all_mistakes_of_a_sum_are_told_at_once(tmp_path: Path) -> None:
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("name: x\nlosses:\n  A+: {sum: [{dice: {smooth: -1}}, {focal: {gama: 1, gamma: x}}], weights: [1], loss: bce}\n")
    with pytest.raises(RecipeError) as caught:
        read_recipe(recipe)
    found = [".".join(problem.path[2:]) for problem in caught.value.problems]
    assert found == ["", "sum.0.dice.smooth", "sum.1.focal.gama", "sum.1.focal.gamma", "weights", "loss"]


def test_weights_of_another_length_are_counted() -> None:
    with pytest.raises(RecipeError, match=r"or a list of 2 weights, .*; got a list of 1$"):
        Recipe.from_resolved({"name": "x", "losses": {"mix": {"sum": ["dice", "focal"], "weights": [1]}}})


def test_a_sum_s_name_is_a_name() -> None:
    with pytest.raises(RecipeError, match=r"losses.dice\+focal: a name has .*; a sum gets a name of its own, such as mix: {loss: dice\+f"):
        Recipe.from_resolved({"name": "x", "losses": {"dice+focal": "search"}})
    with pytest.raises(RecipeError, match=r"unknown loss 'focl' in 'dice\+focl'"):
        Recipe.from_resolved({"name": "x", "losses": {"dice+focl": {}}})


def test_set_reaches_into_a_sum(tmp_path: Path) -> None:
    path = tmp_path / "recipe.yaml"
    losses = "{mix: {sum: [dice, {focal: {gamma: 1}}], weights: [1, 2]}, flat: {loss: dice+focal, focal.gamma: {low: 0, high: 5}}}"
    path.write_text(f"name: x\nlosses: {losses}")
    high = read_recipe(path, overrides=["losses.flat.focal.gamma.high=2"])
    assert high.losses["flat"].space == {"focal.gamma": Float(low=0.0, high=2.0)}
    overrides = ["losses.mix.sum.1.focal.gamma=3", "losses.mix.weights.1=search", "losses.flat.focal.gamma=2", "losses.flat.dice.smooth=2"]
    recipe = read_recipe(path, overrides=overrides)
    assert recipe.losses["mix"].fixed["focal.gamma"] == 3.0 and recipe.losses["mix"].space == {"focal.weight": WEIGHT}
    assert recipe.losses["flat"].fixed["focal.gamma"] == 2.0 and recipe.losses["flat"].fixed["dice.smooth"] == 2.0
    with pytest.raises(RecipeError) as caught:
        read_recipe(path, overrides=["losses.flat.focal.gamma=99", "losses.mix.sum.7.focal.gamma=1", "losses.mix.weights.1=-1"])
    assert [problem.place for problem in caught.value.problems] == [
        "--set losses.flat.focal.gamma",
        "--set losses.mix.sum.7.focal.gamma",
        "--set losses.mix.weights.1",
    ]
    assert caught.value.problems[1].message == "losses.mix.sum has positions 0 to 1; got 7"


WRITTEN = """
  mix: {sum: [dice, {focal: {gamma: 1}}, dice]}
  both: {sum: [dice, focal], weights: search}
  deep: {sum: [dice, {focal: search}]}
"""


def with_set(folder: Path, *overrides: str) -> Recipe:
    path = folder / "recipe.yaml"
    path.write_text(f"name: x\nlosses:{WRITTEN}")
    return read_recipe(path, overrides=overrides)


def test_set_writes_out_what_a_sum_leaves_short(tmp_path: Path) -> None:
    recipe = with_set(tmp_path, "losses.mix.sum.0.dice.smooth=2", "losses.mix.weights.2=3", "losses.mix.weights.1=search")
    fixed = recipe.losses["mix"].fixed
    assert (fixed["dice.smooth"], fixed["dice_2.smooth"], fixed["dice.weight"], fixed["dice_2.weight"]) == (2.0, 1.0, 1.0, 3.0)
    assert recipe.losses["mix"].space == {"focal.weight": WEIGHT}


@pytest.mark.parametrize(
    ("key", "message", "instead"),
    [
        ("mix.sum.7.dice.smooth", "losses.mix.sum has positions 0 to 2; got 7", "mix.sum.2.dice.smooth"),
        ("mix.sum.x.dice.smooth", "losses.mix.sum has positions 0 to 2; got 'x'", "mix.sum.2.dice.smooth"),
        ("mix.weights.3", "losses.mix.weights has positions 0 to 2; got 3", "mix.weights.2"),
        ("mix.focal.gamma", "focal is a term of the sum mix; write losses.mix.sum.1.focal.gamma", "mix.sum.1.focal.gamma"),
        ("mix.dice_2.smooth", "dice_2 is a term of the sum mix; write losses.mix.sum.2.dice.smooth", "mix.sum.2.dice.smooth"),
        ("mix.focal.weight", "focal is a term of the sum mix; write losses.mix.weights.1", "mix.weights.1"),
        ("mix.sum.focal.gamma", "losses.mix.sum is a list; write losses.mix.sum.1.focal.gamma", "mix.sum.1.focal.gamma"),
        ("mix.sum.0.smooth", "losses.mix.sum.0 is the term 'dice'; write losses.mix.sum.0.dice.smooth", "mix.sum.0.dice.smooth"),
        (
            "mix.sum.0.focal.gamma",
            "losses.mix.sum.0 is the term 'dice'; another is set as a whole: --set 'losses.mix.sum.0={focal: {gamma: ...}}'",
            "mix.sum.0={focal: {gamma: 3}}",
        ),
        (
            "both.weights.1",
            "losses.both.weights is 'search', not a list; write the whole list: --set 'losses.both.weights=[1.0, 3]'",
            "both.weights=[1.0, 3]",
        ),
        (
            "deep.sum.1.focal.gamma.high",
            (
                "losses.deep.sum.1.focal is 'search', not a mapping; set it as a whole, such as "
                "--set 'losses.deep.sum.1.focal={gamma: {high: ...}}'"
            ),
            "deep.sum.1.focal={gamma: {low: 0, high: 3}}",
        ),
        ("mix.gamma", "unknown key beside sum; allowed: sum, weights", "mix.sum.1.focal.gamma"),
        ("mix.gama.x", "unknown key beside sum; allowed: sum, weights", "mix.sum.1.focal.gamma"),
    ],
)  # fmt: skip
def test_what_set_advises_can_be_followed(tmp_path: Path, key: str, message: str, instead: str) -> None:
    with pytest.raises(RecipeError) as caught:
        with_set(tmp_path, f"losses.{key}=3")
    (problem,) = caught.value.problems
    assert (problem.place, problem.message) == (f"--set losses.{key}", message)
    with_set(tmp_path, f"losses.{instead}" if "=" in instead else f"losses.{instead}=3")


@pytest.mark.parametrize("name", list(LOSSES))
def test_a_constant_loss_is_refused_and_no_other(name: str) -> None:
    """A loss is constant when no state of the logits has a gradient: a right one, a wrong one, and one at random."""
    target = scene()
    aux = maps_of(target, LOSSES[name].needs, positive="membrane")
    noise = torch.randn(target.shape, generator=torch.Generator().manual_seed(0), dtype=target.dtype)
    keys = [key for key, parameter in LOSSES[name].parameters.items() if parameter.low == 0]
    for chosen in (some for count in (1, 2) for some in itertools.combinations(keys, count)):
        settings = dict.fromkeys(chosen, 0)
        loss, constant = build_loss(name, **settings), True
        for logits in (noise, 8.0 * (2.0 * target - 1.0), 8.0 * (1.0 - 2.0 * target)):
            logits = logits.clone().requires_grad_()
            value = loss(logits, target, aux=aux, progress=0.5)
            constant = constant and not torch.autograd.grad(value, logits)[0].any()
        for losses in ({name: settings}, {"mix": {"sum": ["bce", {name: settings}]}}):
            try:
                Recipe.from_resolved({"name": "x", "losses": losses})
            except RecipeError as error:
                assert constant and "cannot both be 0" in str(error)
            else:
                assert not constant, settings
