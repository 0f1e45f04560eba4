"""What a trial leaves behind: result.json, its weights' metadata, and the sections to look at."""

import io
import json
import math
import resource
import socket
from pathlib import Path
from typing import Any

import numpy as np
import torch

from data_utils.folds import Split
from sweeps.plan import TrialPlan
from sweeps.predicted import Prediction
from sweeps.scoring import Scored
from unet.durable import write_durably
from unet.fit import Run


def outline(plan: TrialPlan, run: Run | None, proof: dict[str, Any], state: str) -> dict[str, Any]:
    """Return what a result says whatever came of the trial: who it is, what was built, where it ran. `run` is None if it never began."""
    return {
        "schema": 1,
        "trial": plan.trial_id,
        "stage": plan.stage,
        "state": state,
        "reason": None,
        "loss": {"name": plan.loss, "function": plan.function, "parameters": proof.get("built", {}).get("parameters")},
        "suggestion": plan.suggestion,
        "proof": proof,
        "configuration": {"seed": plan.seed, "fold": plan.fold, "positive": plan.recipe["data"]["positive"]},
        "environment": {
            "device": _device_name(run),
            "threads": plan.threads,
            "precision": run.precision if run else None,
            "torch": torch.__version__,
            "numpy": np.__version__,
            "host": socket.gethostname(),
        },
        "peak_memory_mib": _peak_memory_mib(run),
    }


def outcome(run: Run, prediction: Prediction, split: Split) -> dict[str, Any]:
    """Return what a complete trial has beyond its outline: epochs, sections, the loss's own value on the test sections."""
    own = [
        {"section": section, "value": value if math.isfinite(value) else None}
        for section, value in zip(prediction.test.sections, prediction.test.own_loss, strict=True)
    ]
    values = [entry["value"] for entry in own if entry["value"] is not None]
    return {
        "best_epoch": run.best_epoch,
        "epochs": run.epoch,
        "steps": run.step,
        "sections": {"train": list(split.train), "calibration": list(split.calibration), "test": list(split.test)},
        "own_loss": {"mean": math.fsum(values) / len(values) if values else None, "sections": own},
    }


def with_scores(result: dict[str, Any], scored: Scored) -> dict[str, Any]:
    """Return a result with all its scores."""
    return result | {"scores": scored.scores, "calibration": scored.calibration, "per_section": scored.per_section}


def seconds(run: Run, score_seconds: float, wall_seconds: float) -> dict[str, float]:
    """Return the trial's clocks in seconds; `overhead` is what belongs to none of the others."""
    clocks = {"train": run.stopwatch.seconds("train"), "eval": run.stopwatch.seconds("eval"), "score": score_seconds}
    return clocks | {"wall": wall_seconds, "overhead": wall_seconds - sum(clocks.values())}


def weights_metadata(plan: TrialPlan, run: Run, tuning: dict[str, str]) -> dict[str, str]:
    """Return what a weights file says of itself, so that it can be used without the sweep. `tuning` is `Scored.tuning()`, or a part."""
    return {
        "trial": plan.trial_id,
        "sweep": plan.uuid,
        "loss": json.dumps({"function": run.loss.name, "parameters": dict(run.loss.parameters)}),
        "normalisation": json.dumps({"mean": run.normalisation.mean, "std": run.normalisation.std}),
        "positive": run.positive,
        **tuning,
    }


def save_pictures(path: Path, scored: Scored) -> None:
    """Write the sections to look at as an .npz without pickle."""
    out = io.BytesIO()
    np.savez_compressed(out, allow_pickle=False, **scored.pictures)
    write_durably(path, out.getvalue())


def _device_name(run: Run | None) -> str | None:
    if run is None:
        return None
    return torch.cuda.get_device_name(run.device) if run.device.type == "cuda" else run.device.type


def _peak_memory_mib(run: Run | None) -> float:
    """Peak of the device's memory, or of this process's on a CPU (which trials of one worker share)."""
    if run is not None and run.device.type == "cuda":
        return torch.cuda.max_memory_allocated(run.device) / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
