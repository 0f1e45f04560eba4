"""A recipe: one YAML file that says all of a sweep, checked before anything starts.

    recipe = read_recipe("isbi2012-quick", overrides=["train.epochs=2"], data="../stacks")
    recipe.search_space("focal")            # {"loss.alpha": Float(...), ..., "train.lr": Float(...)}

Everything wrong with it is one RecipeError that lists all problems, each with its line.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field, PlainSerializer, PlainValidator, ValidationError, WithJsonSchema, model_validator

from sweeps.recipe.checks import cross_problems, source_problems
from sweeps.recipe.errors import Problem, RecipeError, did_you_mean, fail, placed, printable, problems_of, show
from sweeps.recipe.file import load_yaml
from sweeps.recipe.losses import LossEntry, defaults_of, read_losses, write_losses
from sweeps.recipe.overrides import Places, absolute_paths, apply_overrides, override_data
from sweeps.recipe.published import PublishedSection, published_problems
from sweeps.recipe.sections import (
    SLUG,
    SLUG_RULE,
    DataSection,
    FailuresSection,
    FinalistsSection,
    ModelSection,
    ObjectiveSection,
    ResourcesSection,
    SearchSection,
    Section,
    SpeedSection,
    TrainSection,
    WandbSection,
)
from sweeps.space import Domain, Value, defaults_within

if TYPE_CHECKING:
    from data_utils.batches import CropConfig
    from unet.fit import TrainConfig
    from unet.model import ModelConfig

_SHIPPED = Path(__file__).parents[1] / "recipes"
# The literature's starting points of what belongs to no loss.
_TRAIN_DEFAULTS: dict[str, Value] = {"lr": 1e-3, "weight_decay": 0.0}
_Losses = Annotated[dict[str, LossEntry], PlainValidator(read_losses), PlainSerializer(write_losses), WithJsonSchema({"type": "object"})]


class Recipe(Section):
    """A complete, valid sweep file."""

    name: str = Field(pattern=SLUG, description=f"a name: {SLUG_RULE}", json_schema_extra={"allowed": True})
    """The sweep's name, and the start of its folder's."""
    data: DataSection = DataSection()
    """Sections, classes, folds and crops."""
    model: ModelSection = ModelSection()
    """The network."""
    train: TrainSection = TrainSection()
    """How a trial trains."""
    losses: _Losses = Field(
        description="a mapping of at least one loss, such as {bce: {}, focal: search}", json_schema_extra={"allowed": True}
    )
    """What the question is about."""
    search: SearchSection = SearchSection()
    """The first stage."""
    finalists: FinalistsSection = FinalistsSection()
    """The second stage."""
    objective: ObjectiveSection = ObjectiveSection()
    """What trials are chosen by."""
    speed: SpeedSection = SpeedSection()
    """What counts as fast."""
    resources: ResourcesSection = ResourcesSection()
    """What a trial takes."""
    failures: FailuresSection = FailuresSection()
    """What is tried again."""
    wandb: WandbSection = WandbSection()
    """Weights & Biases."""
    published: PublishedSection | None = None
    """Figures that others printed for these losses, set beside ours in the report."""

    @model_validator(mode="after")
    def _sections_fit_together(self) -> "Recipe":
        fail((problem.path, problem.message) for problem in cross_problems(self.model_dump()))
        return self

    def search_space(self, loss_name: str) -> dict[str, Domain]:
        """What the study of this loss searches, by dotted name: loss.gamma, train.lr."""
        return _dotted("loss", self.losses[loss_name].space) | _dotted("train", self.train.space())

    def budget(self, loss_name: str) -> int:
        """Trials of this loss: those of every loss, but one where nothing is searched, since all would be the same to the last bit."""
        return self.search.trials_per_loss if self.search_space(loss_name) else 1

    def defaults(self, loss_name: str) -> dict[str, Value]:
        """The first suggestion of the study: the literature's values, moved into the domains."""
        train = defaults_within(self.train.space(), _TRAIN_DEFAULTS)
        return _dotted("loss", defaults_of(self.losses[loss_name])) | _dotted("train", train)

    def loss_parameters(self, loss_name: str, suggestion: Mapping[str, Value]) -> dict[str, Value]:
        """All parameters of the loss for one trial. ValueError when the suggestion is not one of this search space."""
        self._check(loss_name, suggestion)
        return self.losses[loss_name].fixed | _below("loss", suggestion)

    def train_config(self, suggestion: Mapping[str, Value]) -> "TrainConfig":
        """How this trial trains."""
        from unet.fit import TrainConfig

        suggested = _below("train", suggestion)
        if set(suggested) != set(self.train.space()):
            raise ValueError(f"a suggestion has the train values {sorted(self.train.space())}; got {sorted(suggested)}")
        settings: dict[str, Any] = self.train.model_dump(exclude={"batch_size"}) | suggested
        return TrainConfig(**settings)

    def network_config(self) -> "ModelConfig":
        """The network's configuration. (Pydantic keeps the name model_config for itself.)"""
        from unet.model import ModelConfig

        return ModelConfig(**self.model.model_dump())

    def crop_config(self) -> "CropConfig":
        """The crops' configuration."""
        from data_utils.batches import CropConfig

        names = ("crop_px", "crops_per_section", "flips", "quarter_turns", "elastic_px")
        return CropConfig(batch_size=self.train.batch_size, **{name: getattr(self.data, name) for name in names})

    def finalist_folds(self) -> tuple[int, ...]:
        """The test folds of the second stage: the first ones that are not the search's."""
        return tuple(fold for fold in range(self.data.folds) if fold != self.data.search_fold)[: self.finalists.folds]

    def resolved(self) -> dict[str, Any]:
        """Plain data with nothing left to a default; `Recipe.from_resolved` gives an equal recipe."""
        return self.model_dump(mode="json")

    @classmethod
    def from_resolved(cls, data: Mapping[str, Any], *, source: str = "recipe.resolved.yaml") -> "Recipe":
        """The recipe of plain data. RecipeError with all problems."""
        try:
            return cls.model_validate(dict(data))
        except ValidationError as error:
            problems = problems_of(error, cls)
        raise RecipeError(placed(problems, lambda path: (source, (0, 0))))

    def _check(self, loss_name: str, suggestion: Mapping[str, Value]) -> None:
        space = self.search_space(loss_name)
        if set(space) != set(suggestion):
            raise ValueError(f"a suggestion for {loss_name} has the names {sorted(space)}; got {sorted(suggestion)}")
        wrong = {name: value for name, value in suggestion.items() if not space[name].contains(value)}
        if wrong:
            allowed = {name: space[name] for name in wrong}
            raise ValueError(f"a suggestion for {loss_name} lies outside its domains: got {wrong}; allowed: {allowed}")


def shipped_recipes() -> dict[str, Path]:
    """The recipes that come with the program, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob("*.yaml"))}


def read_recipe(name_or_path: str | Path, *, overrides: Sequence[str] = (), data: str | None = None) -> Recipe:
    """A shipped recipe's name or a YAML file, with --set and --data applied. RecipeError lists every problem at once."""
    path = _find(str(name_or_path))
    source = f"recipes/{path.name}" if path.parent == _SHIPPED else printable(str(name_or_path))
    document = load_yaml(path, source=source)
    if not isinstance(document.data, dict):
        got = "the file is empty" if document.data is None else f"got {show(document.data)}"
        problem = Problem(message=f"a recipe is a mapping with the keys {', '.join(Recipe.model_fields)}; {got}")
        raise RecipeError(placed([*document.problems, problem], document.place_of))
    raw, places = document.data, Places(document)
    absolute_paths(raw, path.resolve().parent)
    if data is not None:
        override_data(raw, places, data)
    problems = [*document.problems, *apply_overrides(raw, places, overrides)]
    absolute_paths(raw, Path.cwd())
    recipe, found = _validate(raw)
    problems += placed([problem for problem in found if problem.path not in document.unread], places.of)
    if problems or recipe is None:
        raise RecipeError(problems)
    return recipe


def _validate(raw: dict[str, Any]) -> tuple[Recipe | None, list[Problem]]:
    """The recipe, or every problem: those of single values, of the registry's rules, and of sections that do not fit together."""
    recipe, problems = None, []
    try:
        recipe = Recipe.model_validate(raw)
    except ValidationError as error:
        problems = problems_of(error, Recipe)
    problems += cross_problems(raw) + source_problems(raw) + published_problems(raw)
    return recipe, list({(problem.path, problem.message): problem for problem in problems}.values())


def _find(name_or_path: str) -> Path:
    shipped = shipped_recipes()
    if name_or_path in shipped:
        return shipped[name_or_path]
    path = Path(name_or_path)
    try:
        is_file = path.is_file()
    except (OSError, ValueError):
        is_file = False
    if not is_file:
        near = did_you_mean(name_or_path, shipped)
        message = f"no recipe of this name and no file; allowed: {', '.join(shipped)}, or the path of a YAML file{near}"
        raise RecipeError([Problem(message=message, place=show(name_or_path))])
    return path


def _dotted(prefix: str, values: Mapping[str, Any]) -> dict[str, Any]:
    return {f"{prefix}.{name}": value for name, value in values.items()}


def _below(prefix: str, values: Mapping[str, Value]) -> dict[str, Value]:
    return {name.removeprefix(f"{prefix}."): value for name, value in values.items() if name.startswith(f"{prefix}.")}
