"""Which weights predict: those of a file, a sweep's best, or its k best finalists together; and what was tuned for them."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from data_utils.batches import Normalisation
from sweeps.record import load_results
from sweeps.verdict.contenders import calibration_of, maximises, objective_of
from unet.checkpoint import CheckpointError, load_model
from unet.folding import folded
from unet.predict import Member

WEIGHTS_NAMES = ("model.safetensors", "best.safetensors")
"""Of a winner's folder, and of a trial's."""


#: a threshold just above the largest probability finds no membrane at all, and is what is tuned where none is marked
_MOST_THRESHOLD = 1.0 + 2e-7
_MOST_CELL_PX = 2.0**31


class NoModel(ValueError):
    """No weights that can predict: the message says where was looked, and what to do."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Loaded:
    """A network from a weights file, ready to predict, and what its file says of it."""

    path: Path
    """The weights file."""
    member: Member
    """The network on its device, its batch normalisation folded, its normalisation and positive class."""
    metadata: dict[str, str]
    """What the trial that trained it wrote: trial, loss, tuned thresholds and sizes."""

    @property
    def name(self) -> str:
        """The trial's name, or the file's."""
        name = self.metadata.get("trial", self.path.name)
        return "".join(letter if letter.isprintable() else "?" for letter in name)[:100]  # the file may come from anywhere


def find_weights(model: Path, ensemble: int | None = None) -> list[Path]:
    """Return the weights files that `model` stands for: itself, a folder's own, or those of a results folder's winner.

    Args:
        model: a weights file, a results folder, or a folder of one trial or winner.
        ensemble: so many of a results folder's finalists, the best by their scores on the calibration sections.

    Raises:
        NoModel: there are none, or fewer than asked for.
        NoSweep: `ensemble` of a folder that holds no sweep.
    """
    if not model.exists():
        raise NoModel(f"{model} does not exist; name a weights file, such as best/model.safetensors, or a results folder")
    if ensemble is not None:
        if model.is_file():
            raise NoModel(f"{model} is one network: an ensemble takes a results folder, such as results/demo-001")
        return _best_finalists(model, ensemble)
    if model.is_file():
        return [model]
    looked = [folder / name for folder in (model, model / "best") for name in WEIGHTS_NAMES]
    found = next((path for path in looked if path.is_file()), None)
    if found is None:
        is_sweep = (model / "recipe.resolved.yaml").is_file()
        raise NoModel(
            f"{model} holds no weights: neither {' nor '.join(WEIGHTS_NAMES)}, nor best/{WEIGHTS_NAMES[0]}, which a sweep writes"
            f" when it ends. Name a weights file{f', or end the sweep: sweeps resume {model}' if is_sweep else ''}"
        )
    return [found]


def load_members(paths: Sequence[Path], device: torch.device) -> list[Loaded]:
    """Return the networks of weights files. Raises NoModel for a damaged or foreign file, and for one that does not say how to use it."""
    return [_load(path, device) for path in paths]


def tuned(members: Sequence[Loaded], *names: str) -> tuple[float, str] | None:
    """Return what the members were tuned to, and under which of the names, the first that all of them have: their mean.

    A mean, since the average of probabilities lies between them as well. None when there is no such name. Raises NoModel for a value
    that is no number.
    """
    for name in names:
        values = [member.metadata[name] for member in members if name in member.metadata]
        if len(values) < len(members):
            continue
        try:
            numbers = [float(value) for value in values]
        except ValueError:
            numbers = [math.nan]
        most = _MOST_CELL_PX if name.endswith("_px") else _MOST_THRESHOLD
        if not all(0 <= number <= most for number in numbers):
            paths = ", ".join(str(member.path) for member in members)
            told = ", ".join(value[:40] for value in values)
            raise NoModel(f"{paths} say {name} {told}: numbers from 0 to {most:.7g} were expected; give the number yourself")
        return math.fsum(numbers) / len(numbers), name
    return None


def _load(path: Path, device: torch.device) -> Loaded:
    try:
        model, metadata = load_model(path)
    except (CheckpointError, OSError) as error:
        raise NoModel(str(error)) from error
    if model.in_channels != 1:
        raise NoModel(f"{path}: the network takes {model.in_channels} channels; only those for grey sections, of one, can be used here")
    model = model.to(device).to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue] - torch's stub lacks this form
    try:
        told = json.loads(metadata["normalisation"])
        normalisation = Normalisation(mean=float(told["mean"]), std=float(told["std"]))
        member = Member(model=folded(model), normalisation=normalisation, positive=metadata["positive"])
    except (KeyError, TypeError, ValueError) as error:
        raise NoModel(
            f"{path} does not say how to use its network ({type(error).__name__}: {error}). Its metadata must hold `normalisation`, as JSON"
            ' {"mean": ..., "std": ...} of the grey values, and `positive`, membrane or cell: save it with unet.save_weights'
        ) from error
    return Loaded(path=path, member=member, metadata=metadata)


def _best_finalists(folder: Path, number: int) -> list[Path]:
    """Return the weights of the best finalists; test scores choose nothing, so that they stay unbiased."""
    record = load_results(folder)
    objective = objective_of(record)
    sign = -1.0 if maximises(objective) else 1.0
    ranked = []
    for trial in record.of(stage="finalist", state="complete"):
        score, weights = calibration_of(trial, objective), trial.folder / WEIGHTS_NAMES[1]
        if score is not None and weights.is_file():
            ranked.append((sign * score, trial.trial_id, weights))
    if number > len(ranked):
        told = f"at most {len(ranked)}" if ranked else "one network: sweeps predict with its best/, without --ensemble"
        raise NoModel(
            f"{folder} has {len(ranked)} complete finalists with weights and a {objective} on calibration sections,"
            f" fewer than the {number} asked for. Take {told}"
        )
    return [weights for _, _, weights in sorted(ranked)[:number]]
