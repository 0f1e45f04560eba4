"""Runs and models as safetensors files: no pickle, written durably, with a SHA-256 that covers every byte.

A checkpoint holds weights, the optimizer's tensors, the best weights, and the counters as JSON in the metadata. Crops depend on seed and
epoch only, and nothing draws from a global generator, so this is all that a run needs to go on bit for bit.

The digest stands in the file's own metadata: it is computed with 64 zeros in its place. A file beside it could be left behind by a crash.
"""

import dataclasses
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from safetensors import SafetensorError
from torch import Tensor

from unet.durable import write_durably
from unet.model import UNet
from unet.run import Run

_SCHEMA = 1
_ZEROS = "0" * 64


class CheckpointError(ValueError):
    """The file is damaged, is no checkpoint, or belongs to another run."""


def save_checkpoint(run: Run, path: Path) -> None:
    """Write everything that `run` needs to go on. Takes 12 bytes a parameter, and 4 more once there is a best epoch."""
    tensors = _prefixed("model", run.model.state_dict()) | _prefixed("best", run.best_weights)
    for index, state in run.optimizer.state_dict()["state"].items():
        tensors |= _prefixed(f"optimizer.{index}", {name: value for name, value in state.items() if isinstance(value, Tensor)})
    counters = {
        "schema": _SCHEMA,
        "identity": _identity(run),
        "epoch": run.epoch,
        "step": run.step,
        "best_score": run.best_score if run.best_epoch else None,
        "best_epoch": run.best_epoch,
        "seconds": run.stopwatch.state(),
    }
    write_durably(Path(path), _serialise(tensors, {"run": json.dumps(counters)}))


def load_checkpoint(run: Run, path: Path) -> None:
    """Put `run`, freshly started with the same configuration, where the checkpoint left it.

    Raises CheckpointError when the file is damaged or was written by a run with another configuration, seed or loss; `run` is then as
    it was. FileNotFoundError when there is none.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    try:
        counters = json.loads(metadata["run"])
    except KeyError:
        raise CheckpointError(f"{path} holds a model's weights, not a run: load it with load_model") from None
    _check_identity(path, counters["identity"], _identity(run))
    groups: dict[str, dict[str, Tensor]] = {"model": {}, "best": {}, "optimizer": {}}
    for name, tensor in tensors.items():
        group, _, rest = name.partition(".")
        groups[group][rest] = tensor
    run.model.load_state_dict(groups["model"])
    layouts = run.model.state_dict()
    run.best_weights = {name: _like(tensor, layouts[name]) for name, tensor in groups["best"].items()}
    _load_optimizer(run, groups["optimizer"])
    run.epoch, run.step, run.best_epoch = counters["epoch"], counters["step"], counters["best_epoch"]
    run.best_score = float("-inf") if counters["best_score"] is None else counters["best_score"]
    run.stopwatch.restore(counters["seconds"])


def save_weights(model: UNet, path: Path, metadata: Mapping[str, str]) -> str:
    """Write a network's weights and what is needed to use them (normalisation, positive class, ...), and return the file's SHA-256.

    Width, depth and bias are added to the metadata. For a run's best weights, `run.model.load_state_dict(run.best_weights)` first.
    """
    described = {"width": model.width, "depth": model.depth, "in_channels": model.in_channels, "redundant_bias": model.redundant_bias}
    payload = _serialise(model.state_dict(), {**metadata, "model": json.dumps({"schema": _SCHEMA, **described})})
    write_durably(Path(path), payload)
    return hashlib.sha256(payload).hexdigest()


def load_model(path: Path) -> tuple[UNet, dict[str, str]]:
    """The network of a weights file, on the CPU in evaluation mode, and the metadata that was saved with it.

    The metadata also has width, depth, in_channels and redundant_bias, as strings. Raises CheckpointError for a damaged or foreign file.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    try:
        described = json.loads(metadata.pop("model"))
    except KeyError:
        raise CheckpointError(f"{path} holds no model's weights; found {', '.join(metadata) or 'no metadata'}") from None
    described.pop("schema")
    model = UNet(**described)
    model.load_state_dict(tensors)
    return model.eval(), {**{name: str(value) for name, value in described.items()}, **metadata}


def annotate_weights(path: Path, metadata: Mapping[str, str]) -> str:
    """Add to what a weights file says of itself, leaving its tensors as they are, and return the file's new SHA-256.

    Raises CheckpointError for a damaged or foreign file, FileNotFoundError when there is none.
    """
    path = Path(path)
    tensors, known = _read(path)
    if "model" not in known:
        raise CheckpointError(f"{path} holds no model's weights; found {', '.join(known) or 'no metadata'}")
    payload = _serialise(tensors, {**known, **metadata})
    write_durably(path, payload)
    return hashlib.sha256(payload).hexdigest()


def _identity(run: Run) -> dict[str, Any]:
    """What must agree for a checkpoint to continue a run. A run may be made longer, unless its schedule leads to its end."""
    train = dataclasses.asdict(run.config) | {"precision": run.precision}
    if run.config.schedule == "constant":
        train.pop("epochs")
    return {
        "loss": {"name": run.loss.name, **run.loss.parameters},
        "model": dataclasses.asdict(run.model_config),
        "train": train,
        "crops": dataclasses.asdict(run.crops.config),
        "normalisation": dataclasses.asdict(run.normalisation),
        "positive": run.positive,
        "seed": run.seed,
    }


def _check_identity(path: Path, found: dict[str, Any], wanted: dict[str, Any]) -> None:
    wanted = json.loads(json.dumps(wanted))
    different = [f"{key}: {found.get(key)} there, {wanted[key]} here" for key in wanted if found.get(key) != wanted[key]]
    if different:
        raise CheckpointError(f"{path} belongs to another run; " + "; ".join(different))


def _load_optimizer(run: Run, tensors: Mapping[str, Tensor]) -> None:
    parameters = [parameter for group in run.optimizer.param_groups for parameter in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        index, _, key = name.partition(".")
        parameter = parameters[int(index)]
        # A fused kernel walks weights and moments side by side in memory: they must have one layout.
        state.setdefault(int(index), {})[key] = _like(tensor, parameter) if tensor.shape == parameter.shape else tensor
    run.optimizer.load_state_dict({**run.optimizer.state_dict(), "state": state})


def _like(tensor: Tensor, other: Tensor) -> Tensor:
    return torch.empty_like(other, requires_grad=False).copy_(tensor)


def _prefixed(prefix: str, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def _serialise(tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    payload = safetensors.torch.save(plain, metadata={**metadata, "sha256": _ZEROS})
    # The library writes the metadata in an order that changes from process to process; the same weights must be the same file.
    size = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + size])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the format aligns the tensors to 8 bytes
    head, body = len(text).to_bytes(8, "little") + text, memoryview(payload)[8 + size :]
    return b"".join([head.replace(_ZEROS.encode(), _digest(head, body).encode(), 1), body])


def _digest(head: bytes, body: memoryview) -> str:
    """SHA-256 of a file whose head has zeros in the digest's place."""
    digest = hashlib.sha256(head)
    digest.update(body)
    return digest.hexdigest()


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    payload = path.read_bytes()
    try:
        size = int.from_bytes(payload[:8], "little")
        metadata = json.loads(payload[8 : 8 + size])["__metadata__"]
        digest = metadata.pop("sha256")
        head = payload[: 8 + size].replace(digest.encode(), _ZEROS.encode(), 1)
        found = _digest(head, memoryview(payload)[8 + size :])
    except (ValueError, KeyError, TypeError, AttributeError):
        raise CheckpointError(f"{path} ({len(payload)} bytes) is no checkpoint, or its head is damaged; use an older one") from None
    if found != digest:
        sums = f"its SHA-256 is {found[:12]}..., written was {digest[:12]}..."
        raise CheckpointError(f"{path} ({len(payload)} bytes) is damaged: {sums}; use an older one")
    try:
        return safetensors.torch.load(payload), metadata
    except SafetensorError as error:
        raise CheckpointError(f"{path} carries a matching SHA-256 but is no safetensors file: {error}") from error
