"""What a recipe may say, what comes out of it, and that it comes back the same."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sweeps.recipe.errors import RecipeError
from sweeps.recipe.file import parse_yaml
from sweeps.recipe.losses import LossEntry
from sweeps.recipe.parameters import own_value, registry_domain
from sweeps.recipe.schema import Recipe, read_recipe, shipped_recipes
from sweeps.recipe.text import dump_yaml
from sweeps.space import Choice, Float, Int
from unet.losses import LOSSES, ParameterSpec, build_loss

SIX = ["bce", "dice", "dice_bce", "iou", "focal", "tversky"]


def write(folder: Path, text: str) -> Path:
    path = folder / "recipe.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_shipped_recipes_are_valid_and_say_what_they_cost(name: str) -> None:
    recipe = read_recipe(name)
    assert recipe.name == name
    comment = shipped_recipes()[name].read_text().partition("name:")[0]
    assert "?" in comment.splitlines()[0], "the first line says what question it answers"
    assert "Cost: " in comment


def trainings(recipe: Recipe) -> int:
    """All that a recipe trains, no trial being lost."""
    finalists = recipe.finalists.per_loss * recipe.finalists.seeds * recipe.finalists.folds
    return sum(recipe.budget(loss) + finalists for loss in recipe.losses)


@pytest.mark.parametrize("name", ["isbi2012", "taxonomy", "every-loss"])
def test_a_recipe_of_many_losses_counts_what_it_costs(name: str) -> None:
    recipe = read_recipe(name)
    cost = shipped_recipes()[name].read_text().partition("Cost: ")[2].partition("name:")[0]
    assert f"{len(recipe.losses)} entries" in cost and f" {trainings(recipe):,} " in cost


def test_the_shipped_recipes() -> None:
    assert set(shipped_recipes()) == {"demo", "every-loss", "isbi2012", "isbi2012-quick", "taxonomy", "thesis"}


@pytest.mark.parametrize("name", ["demo", "isbi2012-quick", "thesis"])
def test_the_six_of_the_thesis(name: str) -> None:
    assert [entry.function for entry in read_recipe(name).losses.values()] == SIX


@pytest.mark.parametrize(("name", "again"), [("isbi2012", {"bce_again"}), ("every-loss", set())])
def test_recipes_of_every_loss_have_every_loss_once(name: str, again: set[str]) -> None:
    recipe = read_recipe(name)
    assert {entry.function for entry in recipe.losses.values()} == set(LOSSES)
    assert set(recipe.losses) == set(LOSSES) | again
    for loss, entry in recipe.losses.items():
        searched = {key for key, parameter in LOSSES[entry.function].parameters.items() if parameter.searchable}
        assert set(entry.space) == (set() if entry.function == "bce" and again else searched), loss


def test_every_loss_is_two_trials_each_on_the_generated_stack() -> None:
    recipe = read_recipe("every-loss")
    assert recipe.data.source.startswith("synthetic")
    assert {recipe.budget(loss) for loss in recipe.losses} == {2}
    assert (recipe.finalists.per_loss, recipe.finalists.seeds, recipe.finalists.folds) == (1, 1, 1)


def test_the_taxonomy_is_the_thesis_s_and_sized_like_isbi2012() -> None:
    recipe, full = read_recipe("taxonomy"), read_recipe("isbi2012")
    distribution = ["weighted_bce", "balanced_bce", "distance_bce", "focal"]
    region = ["sensitivity_specificity", "dice", "tversky", "iou"]
    rest = ["boundary", "hausdorff_dt", "exp_log", "dice_bce"]
    assert list(recipe.losses) == ["bce", "bce_again", *distribution, *region, *rest]
    assert recipe.losses["bce_again"].function == "bce"
    same = ("data", "model", "train", "search", "finalists", "objective")
    assert {key: getattr(recipe, key) for key in same} == {key: getattr(full, key) for key in same}
    assert "thesis" in shipped_recipes()["taxonomy"].read_text().splitlines()[0]


def test_the_quick_recipe_keeps_to_its_budget() -> None:
    recipe = read_recipe("isbi2012-quick")
    steps_per_epoch = -(-23 * recipe.data.crops_per_section // recipe.train.batch_size)
    assert recipe.train.epochs * steps_per_epoch <= 400
    assert (recipe.model.width, recipe.data.crop_px, recipe.train.batch_size, recipe.search.trials_per_loss) == (16, 256, 4, 3)
    assert (recipe.finalists.seeds, recipe.finalist_folds()) == (3, (0,))


def test_the_thesis_recipe_has_the_thesis_parameters() -> None:
    recipe = read_recipe("thesis")
    assert recipe.data.positive == "cell"
    assert recipe.loss_parameters("focal", {}) == {"alpha": 0.8, "gamma": 2.0}
    assert recipe.loss_parameters("tversky", {}).items() >= {"alpha": 0.3, "beta": 0.7}.items()
    assert recipe.network_config().redundant_bias
    train = recipe.train_config({})
    assert (train.epochs, train.lr, train.optimizer) == (100, 1e-3, "adam")
    assert all(not recipe.search_space(loss) for loss in recipe.losses)


def test_the_four_ways_to_write_a_loss(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(
            tmp_path,
            "name: x\nlosses: {bce: {}, dice_bce: search, again: {loss: bce, label_smoothing: search},"
            " focal: {alpha: 1, gamma: {low: 0, high: 5, step: 0.5}}, iou: {batch_reduce: {choices: [image, batch]}}}",
        )
    )
    assert recipe.losses["bce"] == LossEntry(function="bce", fixed={"label_smoothing": 0.0})
    assert recipe.losses["dice_bce"].space == {"bce_weight": Float(low=0.1, high=0.9)}
    assert recipe.losses["again"].function == "bce"
    assert recipe.losses["again"].space["label_smoothing"] == Float(low=0.0, high=0.2)
    assert recipe.losses["focal"] == LossEntry(function="focal", fixed={"alpha": 1.0}, space={"gamma": Float(low=0.0, high=5.0, step=0.5)})
    assert recipe.losses["iou"].space == {"batch_reduce": Choice(choices=("image", "batch"))}


@pytest.mark.parametrize("loss", list(LOSSES))
def test_what_a_search_proposes_builds_the_loss(loss: str, tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, f"name: x\ntrain: {{lr: {{low: 1e-2, high: 1e-1, log: true}}}}\nlosses: {{{loss}: search}}"))
    space, suggestion = recipe.search_space(loss), recipe.defaults(loss)
    assert list(space) == list(suggestion)
    assert all(space[name].contains(value) for name, value in suggestion.items())
    assert suggestion["train.lr"] == 1e-2  # the usual 1e-3, moved into the domain
    parameters = recipe.loss_parameters(loss, suggestion)
    assert build_loss(loss, **parameters).parameters == {name: spec.default for name, spec in LOSSES[loss].parameters.items()}
    for end in ("low", "high"):
        edges = {name: getattr(domain, end) for name, domain in space.items()}
        build_loss(loss, **recipe.loss_parameters(loss, edges))


@pytest.mark.parametrize("loss", [name for name, spec in LOSSES.items() if any(p.whole for p in spec.parameters.values())])
def test_whole_numbers_are_whole_in_domains_and_values(loss: str) -> None:
    for key, parameter in LOSSES[loss].parameters.items():
        if not parameter.whole:
            continue
        assert parameter.low is not None and parameter.high is not None
        ends = {"low": int(parameter.low), "high": int(parameter.high)}
        entry = Recipe.from_resolved({"name": "x", "losses": {loss: {key: ends}}}).losses[loss]
        assert entry.space[key] == Int(**ends)
        if parameter.searchable:
            assert isinstance(Recipe.from_resolved({"name": "x", "losses": {loss: {key: "search"}}}).losses[loss].space[key], Int)
        assert isinstance(Recipe.from_resolved({"name": "x", "losses": {loss: {}}}).losses[loss].fixed[key], int)
        with pytest.raises(RecipeError, match=rf"losses.{loss}.{key}: must be a whole number in .*; got 2.5; or search"):
            Recipe.from_resolved({"name": "x", "losses": {loss: {key: 2.5}}})
        with pytest.raises(RecipeError, match=rf"losses.{loss}.{key}.high: must be a whole number in .*; got 2.5"):
            Recipe.from_resolved({"name": "x", "losses": {loss: {key: {"low": 1, "high": 2.5}}}})


@pytest.mark.parametrize(("default", "kind"), [(3, Int), (3.0, Int)])
def test_what_makes_a_parameter_whole_is_that_it_says_so(default: float, kind: type) -> None:
    whole = ParameterSpec(default=default, low=1, high=9, search_low=2, search_high=5, whole=True, meaning="x", source="x")
    assert registry_domain(whole) == Int(low=2, high=5) and own_value(whole, default) == 3 and isinstance(own_value(whole, default), int)
    real = ParameterSpec(default=3, low=1, high=9, search_low=2, search_high=5, meaning="x", source="x")
    assert registry_domain(real) == Float(low=2.0, high=5.0) and isinstance(own_value(real, 3), float)


def test_components_get_what_the_recipe_says(tmp_path: Path) -> None:
    recipe = read_recipe(
        write(
            tmp_path,
            "name: x\ndata: {crop_px: 64, crops_per_section: 2, flips: false, elastic_px: 4}\nmodel: {width: 8, depth: 4}\n"
            "train: {epochs: 3, batch_size: 2, optimizer: sgd, weight_decay: {low: 1e-6, high: 1e-2, log: true}}\nlosses: {bce: {}}",
        )
    )
    crops, model = recipe.crop_config(), recipe.network_config()
    assert (crops.crop_px, crops.crops_per_section, crops.batch_size, crops.flips, crops.elastic_px) == (64, 2, 2, False, 4.0)
    assert (model.width, model.depth, model.redundant_bias) == (8, 4, False)
    assert recipe.train.fixed() == {"lr": 1e-3}
    train = recipe.train_config({"train.weight_decay": 1e-4, "loss.anything": 1})
    assert (train.epochs, train.optimizer, train.lr, train.weight_decay) == (3, "sgd", 1e-3, 1e-4)


def test_a_suggestion_of_another_space_is_refused(tmp_path: Path) -> None:
    recipe = read_recipe(write(tmp_path, "name: x\nlosses: {focal: {gamma: {low: 0.0, high: 3.0}}}"))
    with pytest.raises(ValueError, match=r"has the names \['loss.gamma'\]; got \[\]"):
        recipe.loss_parameters("focal", {})
    with pytest.raises(ValueError, match=r"outside its domains: got {'loss.gamma': 4.0}"):
        recipe.loss_parameters("focal", {"loss.gamma": 4.0})
    with pytest.raises(ValueError, match=r"train values \[\]; got \['lr'\]"):
        recipe.train_config({"train.lr": 1e-3})


def test_finalists_never_get_the_search_fold(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\ndata: {search_fold: 1}\nfinalists: {folds: 4}\nlosses: {bce: {}}")
    assert read_recipe(path).finalist_folds() == (0, 2, 3, 4)
    assert read_recipe(path, overrides=["finalists.folds=2"]).finalist_folds() == (0, 2)


def test_set_is_read_as_yaml(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\ntrain: {epochs: 5}\nlosses: {focal: search, bce: {}}")
    overrides = [
        "train.epochs=20",
        "train.lr={low: 1e-4, high: 1e-2, log: true}",
        "search.early_stop=null",
        "losses.focal={gamma: 1.5}",
        "name=y",
    ]
    recipe = read_recipe(path, overrides=overrides)
    assert (recipe.name, recipe.train.epochs, recipe.search.early_stop) == ("y", 20, None)
    assert recipe.train.lr == Float(low=1e-4, high=1e-2, log=True)
    assert recipe.losses["focal"].fixed == {"alpha": 0.25, "gamma": 1.5}
    assert recipe.finalists.seeds == 5


def test_paths_are_relative_to_the_recipe_and_data_replaces_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a folder").mkdir()
    path = write(tmp_path / "a folder", "name: x\ndata: {images: ../raw.tif, labels: labels.tif, positive: cell}\nlosses: {bce: {}}")
    monkeypatch.chdir(tmp_path)
    recipe = read_recipe("a folder/recipe.yaml")
    assert recipe.data.images == str(tmp_path / "raw.tif")
    assert recipe.data.labels == str(tmp_path / "a folder" / "labels.tif")
    other = read_recipe(path, data="a folder")
    assert (other.data.source, other.data.images, other.data.labels) == (str(tmp_path / "a folder"), None, None)
    assert other.data.positive == "cell"
    assert read_recipe(path, data="synthetic:sections=6").data.source == "synthetic:sections=6"
    with pytest.raises(RecipeError, match=r"^--data: data.source: unknown data set 'isbi2021'; .*did you mean 'isbi2012'"):
        read_recipe(path, data="isbi2021")


def test_a_label_value_to_ignore(tmp_path: Path) -> None:
    path = write(tmp_path, "name: x\ndata: {ignore: 127}\nlosses: {bce: {}}")
    recipe = read_recipe(path)
    assert recipe.data.ignore == recipe.resolved()["data"]["ignore"] == 127
    # kept with other data, and said on the command line for a recipe that has none
    assert read_recipe(path, data=str(tmp_path)).data.ignore == 127
    assert read_recipe("demo", data=str(tmp_path), overrides=["data.ignore=255"]).data.ignore == 255
    assert read_recipe(path, overrides=["data.ignore=null"]).data.ignore is None


@pytest.mark.parametrize("name", sorted(shipped_recipes()))
def test_recipes_resolved_before_labels_could_be_partial_still_load(name: str) -> None:
    resolved = read_recipe(name).resolved()
    assert resolved["data"].pop("ignore") is None
    assert Recipe.from_resolved(resolved) == read_recipe(name)


def test_a_recipe_behind_a_link_and_a_strange_name(tmp_path: Path) -> None:
    strange = tmp_path / "r\u00e9cipe \u6e2c\u8a66.yaml"
    strange.write_bytes(b"name: x\r\nlosses:\r\n  bce: {}\r\n")
    link = tmp_path / "link.yaml"
    link.symlink_to(strange)
    assert read_recipe(link) == read_recipe(strange)


def test_a_recipe_does_not_change() -> None:
    recipe = read_recipe("demo")
    with pytest.raises(ValueError, match="frozen"):
        recipe.name = "other"
    with pytest.raises(ValueError, match="frozen"):
        recipe.train.epochs = 3


def test_there_is_a_schema_for_editors() -> None:
    schema = Recipe.model_json_schema()
    assert set(schema["properties"]) == set(Recipe.model_fields)
    assert schema["$defs"]["TrainSection"]["properties"]["epochs"]["description"].startswith("Passes over")
    json.dumps(schema)


def test_problems_of_resolved_data_are_listed_too() -> None:
    with pytest.raises(RecipeError, match=r"(?s)recipe.resolved.yaml: data.crop_px: must be a multiple of 16") as caught:
        Recipe.from_resolved(read_recipe("demo").resolved() | {"model": {"depth": 5}, "data": {"crop_px": 72}})
    assert len(caught.value.problems) == 1


# A recipe made of valid parts.
def _domain(low: float, high: float, *, log: bool) -> st.SearchStrategy:
    ends = st.tuples(st.floats(low, high), st.floats(low, high)).map(sorted)
    return ends.map(lambda pair: {"low": pair[0], "high": pair[1]} | ({"log": True} if log and pair[0] > 0 else {}))


def _parameter(spec) -> st.SearchStrategy:
    if spec.choices:
        some = st.lists(st.sampled_from(spec.choices), min_size=1, unique=True)
        return st.sampled_from(spec.choices) | some.map(lambda choices: {"choices": choices})
    if spec.whole:
        return st.integers(int(spec.low), int(spec.high)) | st.just({"low": int(spec.low), "high": int(spec.high)})
    return (
        st.floats(spec.low, spec.high) | _domain(spec.low, spec.high, log=True) | st.just("search")
        if spec.searchable
        else st.just(spec.default)
    )


def _loss(name: str) -> st.SearchStrategy:
    parameters = {key: _parameter(spec) for key, spec in LOSSES[name].parameters.items()}
    entries = st.fixed_dictionaries({"loss": st.just(name)}, optional=parameters)
    # a loss that is held at a constant is refused
    return st.just("search") | entries.filter(lambda entry: any(entry.get(key) != 0 for key in ("alpha", "beta")))


def _sum(names: list[str]) -> st.SearchStrategy:
    parts = [st.fixed_dictionaries({}, optional={key: _parameter(spec) for key, spec in LOSSES[name].parameters.items()}) for name in names]
    terms = st.tuples(*(part.map(lambda settings, name=name: {name: settings}) for name, part in zip(names, parts, strict=True)))
    weight = st.floats(0, 1e6) | _domain(0.1, 10, log=True)
    weights = st.just("search") | st.lists(weight, min_size=len(names), max_size=len(names)).filter(any)
    return st.fixed_dictionaries({"sum": terms.map(list)}, optional={"weights": weights})


_some = st.lists(st.sampled_from(["bce", "dice", "focal", "dice_bce"]), min_size=2, max_size=4)
_raw = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z0-9][a-z0-9_-]{0,62}", fullmatch=True),
        "losses": st.fixed_dictionaries(
            {"bce": st.just({})}, optional={name: _loss(name) for name in SIX[1:]} | {"mix": _some.flatmap(_sum)}
        ),
    },
    optional={
        "data": st.fixed_dictionaries({"crop_px": st.sampled_from([64, 256]), "folds": st.integers(5, 9), "flips": st.booleans()}),
        "train": st.fixed_dictionaries(
            {
                "epochs": st.integers(10, 500),
                "lr": st.floats(1e-9, 10) | _domain(1e-9, 10, log=True),
                "weight_decay": _domain(0, 1, log=False),
            }
        ),
        "search": st.fixed_dictionaries({"early_stop": st.none() | st.just({"grace_epochs": 3}), "seed": st.integers(0, 2**32 - 1)}),
        "resources": st.fixed_dictionaries({"gpus_per_trial": st.just("auto") | st.floats(0, 8), "max_concurrent": st.integers(1, 99)}),
        "speed": st.fixed_dictionaries({"target": st.just("auto") | st.floats(0.01, 1)}),
        "published": st.fixed_dictionaries(
            {"source": st.text(min_size=1, max_size=40), "own_loss": st.fixed_dictionaries({"bce": st.floats(-1e9, 1e9)})},
            optional={"seconds": st.fixed_dictionaries({"bce": st.floats(1e-9, 1e9)}), "epochs": st.none() | st.integers(1, 999)},
        ),
    },
)


@given(raw=_raw)
@settings(max_examples=60, deadline=None)
def test_resolved_and_back_is_the_same_recipe(raw: dict) -> None:
    recipe = Recipe.model_validate(raw)
    resolved = recipe.resolved()
    assert Recipe.from_resolved(json.loads(json.dumps(resolved))) == recipe
    assert Recipe.from_resolved(parse_yaml(dump_yaml(resolved), source="x").data) == recipe
    for loss in recipe.losses:
        assert all(isinstance(domain, Float | Int | Choice) for domain in recipe.search_space(loss).values())
        recipe.loss_parameters(loss, recipe.defaults(loss))
