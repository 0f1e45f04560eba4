"""The sections of a recipe: what each key means, its default and its bounds."""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from sweeps.recipe.values import Allowed, auto_or, number_or_domain
from sweeps.space import Domain

SLUG = r"^[a-z0-9][a-z0-9_-]{0,62}$"
SLUG_RULE = "1 to 63 of a-z, 0-9, _ and -, starting with a letter or a digit"

Number = int | float
Searchable = Number | Domain


class Section(BaseModel):
    """Keys are known, types are meant, and nothing changes after reading."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)


class DataSection(Section):
    """Which sections, which class is what, and the crops a training sees."""

    source: str = Field(default="synthetic", min_length=1, max_length=4096)
    """A known data set (synthetic, isbi2012), or a folder with train-volume.tif and train-labels.tif, or with folders images and labels."""
    images: str | None = Field(default=None, min_length=1, max_length=4096)
    """A TIFF stack, a PNG, or a folder of either, relative to the recipe; together with labels it replaces source."""
    labels: str | None = Field(default=None, min_length=1, max_length=4096)
    """The stack of labels of the same shape."""
    membrane: Literal["auto", "zero", "nonzero"] = "auto"
    """The label value of membranes."""
    ignore: int | None = Field(
        default=None, ge=0, le=255, description="a whole number in [0, 255], or null", json_schema_extra={"allowed": True}
    )
    """The label value of pixels whose label is unknown, such as 127, which count neither for training nor for scores. null: none."""
    positive: Literal["membrane", "cell"] = "membrane"
    """The class that is 1 for the loss; scores are always of membranes."""
    folds: int = Field(default=5, ge=3, le=100)
    """Contiguous blocks of sections."""
    search_fold: int = Field(default=4, ge=0)
    """The block that prunes and chooses, counted from 0; never a test block of the finalists."""
    gap: int = Field(default=1, ge=0, le=100)
    """Sections left out beside a test or calibration block."""
    crop_px: int = Field(default=256, ge=8, le=8192)
    """Edge of the square crops."""
    crops_per_section: int = Field(default=1, ge=1, le=10_000)
    """Random crops of each training section in one epoch."""
    flips: bool = True
    """Random mirror images."""
    quarter_turns: bool = True
    """Random turns by 90 degrees."""
    elastic_px: float = Field(default=0.0, ge=0, le=200)
    """Size of the elastic deformation, 0 for none."""


class ModelSection(Section):
    """The network."""

    architecture: Literal["unet"] = "unet"
    """The U-Net of Ronneberger 2015 as the thesis built it."""
    width: int = Field(default=64, ge=1, le=1024)
    """Channels of the first level; each level below has twice as many."""
    depth: int = Field(default=5, ge=2, le=8)
    """Levels."""
    redundant_bias: bool = False
    """Biases of convolutions right before batch normalisation, which it cancels (the thesis has them)."""


class TrainSection(Section):
    """How one trial trains."""

    epochs: int = Field(default=100, ge=1, le=100_000)
    """Passes over the training sections."""
    batch_size: int = Field(default=4, ge=1, le=4096)
    """Crops in one step."""
    optimizer: Literal["adam", "adamw", "sgd"] = "adam"
    """What turns gradients into steps."""
    lr: Annotated[Searchable, *number_or_domain(Allowed(low=0, high=10, above=True))] = 1e-3
    """Learning rate: a number in (0, 10], or a domain."""
    weight_decay: Annotated[Searchable, *number_or_domain(Allowed(low=0, high=1))] = 0.0
    """Weight decay: a number in [0, 1], or a domain."""
    precision: Literal["auto", "fp32", "bf16"] = "auto"
    """auto: bf16 where the device has it."""
    schedule: Literal["constant", "cosine"] = "constant"
    """Learning rate over the epochs."""

    def space(self) -> dict[str, Domain]:
        """What is searched, by the field's name."""
        return {name: value for name, value in (("lr", self.lr), ("weight_decay", self.weight_decay)) if isinstance(value, Domain)}

    def fixed(self) -> dict[str, Number]:
        """Learning rate and weight decay, as far as they are fixed."""
        return {name: value for name, value in (("lr", self.lr), ("weight_decay", self.weight_decay)) if isinstance(value, Number)}


class EarlyStop(Section):
    """Asynchronous successive halving, one a loss."""

    kind: Literal["asha"] = "asha"
    """Li 2020."""
    grace_epochs: int = Field(default=10, ge=1)
    """Epochs before a trial can be stopped; with no fewer than train.epochs, none ever is."""
    factor: int = Field(default=3, ge=2, le=100)
    """One in `factor` trials goes on at each rung."""


class SearchSection(Section):
    """The first stage: one study a loss."""

    trials_per_loss: int = Field(default=20, ge=1, le=100_000)
    """The budget of every loss."""
    sampler: Literal["tpe", "random", "gp", "qmc"] = "tpe"
    """Who proposes: tree-structured Parzen estimator, random, Gaussian process (slow to ask), or a quasi-random sequence."""
    allocation: Literal["equal", "shared"] = "equal"
    """equal: the same number of trials for each loss. shared: more for those that do well, which finds the best network sooner and is no
    fair comparison of losses."""
    start_with_defaults: bool = True
    """Each study's first trial has the literature's defaults."""
    early_stop: EarlyStop | None = EarlyStop()
    """null: every trial runs to its end."""
    seed: int = Field(default=0, ge=0, le=2**32 - 1)
    """Of the samplers and of the trials' weights and crops."""


class FinalistsSection(Section):
    """The second stage: the best of each loss again, over seeds and folds."""

    per_loss: int = Field(default=1, ge=1, le=100)
    """Best configurations of each loss."""
    seeds: int = Field(default=5, ge=1, le=1000)
    """Seeds, the same for every loss."""
    folds: int = Field(default=4, ge=1)
    """How many folds; never the search's."""


class ObjectiveSection(Section):
    """What trials are pruned and chosen by."""

    metric: Literal["membrane_dice"] = "membrane_dice"
    """Measured while training; the score's registry knows which way is better."""


class SpeedSection(Section):
    """What counts as there, in time-to-target."""

    target: Annotated[Literal["auto"] | Number, *auto_or(Allowed(low=0, high=1, above=True))] = "auto"
    """A value of the objective, or auto."""


class ResourcesSection(Section):
    """What a trial takes."""

    gpus_per_trial: Annotated[Literal["auto"] | Number, *auto_or(Allowed(low=0, high=64))] = "auto"
    """GPUs of a trial, or a share of one; auto: one where there are GPUs."""
    cpus_per_trial: Annotated[Literal["auto"] | Number, *auto_or(Allowed(low=0, high=1024, above=True))] = "auto"
    """CPUs of a trial."""
    max_concurrent: Annotated[Literal["auto"] | int, *auto_or(Allowed(low=1, high=10_000, integer=True))] = "auto"
    """Trials at one time."""


class FailuresSection(Section):
    """What is tried again, and when to give up."""

    retries: int = Field(default=3, ge=0, le=100)
    """Of a trial, after out-of-memory and i/o faults."""
    stop_after_consecutive: int = Field(default=5, ge=1, le=10_000)
    """Identical code errors that stop the sweep."""


class WandbSection(Section):
    """Weights & Biases."""

    mode: Literal["auto", "online", "offline", "disabled"] = "auto"
    """auto: online with a key and a reachable server, offline otherwise."""
    project: str = Field(default="unet-losses", pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$")
    """The project's name: letters, digits, _ . and -."""
