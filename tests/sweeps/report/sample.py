"""A made-up sweep that looks like a real one: records, verdict and stored sections, from one seed."""

import itertools
import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sweeps.record import SweepRecord, TrialRecord

SIX = ("bce", "dice", "dice_bce", "iou", "focal", "tversky")
# name -> (highest score, epochs to get there, seconds an epoch)
_CHARACTER = {
    "bce": (0.7800, 3.0, 2.02),
    "dice": (0.7990, 2.4, 2.10),
    "dice_bce": (0.8000, 1.9, 2.16),
    "iou": (0.7960, 2.3, 2.08),
    "focal": (0.7720, 3.8, 2.05),
    "tversky": (0.8060, 2.7, 2.11),
}
_SPACE = {"focal": {"alpha": (0.05, 0.95), "gamma": (0.0, 5.0)}, "tversky": {"alpha": (0.05, 0.95), "beta": (0.05, 0.95)}}
START = 1_795_500_000.0

Sections = Callable[[int], tuple[np.ndarray, np.ndarray]]


def character(name: str) -> tuple[float, float, float]:
    """A loss that is not one of the six behaves like one of them."""
    return _CHARACTER.get(name, _CHARACTER[SIX[len(name) % len(SIX)]])


def curve(name: str, rng: np.random.Generator, epochs: int, offset: float) -> tuple[dict[str, Any], ...]:
    """A learning curve that rises to its loss's ceiling."""
    ceiling, pace, seconds = character(name)
    pace *= rng.uniform(0.93, 1.08)
    rows = []
    for epoch in range(1, epochs + 1):
        score = ceiling + offset - 0.55 * math.exp(-epoch / pace) + rng.normal(0, 0.0006)
        rows.append(
            {
                "epoch": epoch,
                "step": 6 * epoch,
                "train_loss": 0.6 * math.exp(-epoch / pace) + 0.2,
                "membrane_dice": score,
                "threshold": 0.42,
                "membrane_dice_at_half": score - (0.03 if name == "focal" else 0.006),
                "train_seconds": seconds * epoch * rng.uniform(0.98, 1.02),
                "eval_seconds": 0.2 * epoch,
                "wall_seconds": (seconds + 0.25) * epoch,
            }
        )
    return tuple(rows)


def result(name: str, rows: tuple[dict[str, Any], ...], sections: tuple[int, int]) -> dict[str, Any]:
    """The result.json of a finished trial."""
    best = max(rows, key=lambda row: row["membrane_dice"])
    scores = {key: best[key] for key in ("membrane_dice", "threshold", "membrane_dice_at_half")}
    return {
        "schema": 1,
        "state": "complete",
        "loss": {"name": name, "function": name, "parameters": {"smooth": 1.0}},
        "best_epoch": best["epoch"],
        "epochs": len(rows),
        "calibration": scores,
        "scores": scores | {"v_rand": 0.15 + best["membrane_dice"], "v_info": 0.17 + best["membrane_dice"]},
        "per_section": [
            {"section": s, "membrane_dice": best["membrane_dice"] + d, "v_rand": 0.94 + d}
            for s, d in zip(sections, (0.02, -0.03), strict=True)
        ],
        "seconds": {"train": rows[-1]["train_seconds"], "eval": 0.2 * len(rows), "wall": rows[-1]["wall_seconds"]},
        "environment": {"device": "cpu", "threads": 1, "precision": "bf16", "torch": "2.13.0"},
        "peak_memory_mib": 412.0,
    }


def _suggestion(name: str, rng: np.random.Generator) -> dict[str, Any]:
    return {f"loss.{key}": float(rng.uniform(*span)) for key, span in _SPACE.get(name, {}).items()} | {
        "train.lr": float(10 ** rng.uniform(-4, -2))
    }


def disk_sections(number: int, size: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """Rings of membrane on grey: enough to test with."""
    y, x = np.mgrid[:size, :size]
    membrane = np.abs(np.hypot(y % 21 - 10, (x + 5 * number) % 23 - 11) - 8) < 1.5
    raw = np.where(membrane, 70, 170) + np.random.default_rng(number).normal(0, 18, membrane.shape)
    return raw.clip(0, 255).astype(np.uint8), membrane


def write_sections(
    folder: Path, name: str, rng: np.random.Generator, sections: Sections = disk_sections, numbers: tuple[int, int] = (24, 28)
) -> None:
    """Store a best and a worst section with a prediction that misses some membrane and invents some."""
    folder.mkdir(parents=True, exist_ok=True)
    raw, membrane = (np.stack(arrays) for arrays in zip(*(sections(number) for number in numbers), strict=True))
    holes = np.kron(rng.random((len(numbers), *(-(-size // 8) for size in raw.shape[1:]))) < 0.12, np.ones((1, 8, 8)))
    extra = np.kron(rng.random(holes.shape[:1] + tuple(-(-size // 4) for size in raw.shape[1:])) < 0.015, np.ones((1, 4, 4)))
    height, width = raw.shape[1:]
    belief = np.where(membrane, 0.86, 0.08) + rng.normal(0, 0.06, raw.shape)
    belief = np.where(holes[:, :height, :width].astype(bool) & membrane, 0.2, belief)
    belief = np.where(extra[:, :height, :width].astype(bool), 0.75, belief)
    np.savez(
        folder / "sections.npz",
        section=np.array(numbers),
        raw=raw,
        membrane=membrane,
        probability=(255 * belief.clip(0, 1)).astype(np.uint8),
    )


def _trial(
    folder: Path, name: str, trial_id: str, rng: np.random.Generator, *, stage: str, seed: int, fold: int | None, epochs: int
) -> TrialRecord:
    # A seed lifts or lowers every loss alike, which is what pairing takes out.
    shared = float(np.random.default_rng(seed).normal(0, 0.004)) if stage == "finalist" else 0.0
    rows = curve(name, rng, epochs, shared + float(rng.normal(0, 0.012 if stage == "search" else 0.0008)))
    return TrialRecord(
        trial_id=trial_id,
        stage=stage,
        loss=name,
        function=name,
        suggestion=_suggestion(name, rng),
        seed=seed,
        fold=fold,
        state="complete",
        attempts=1,
        curve=rows,
        result=result(name, rows, (24, 28)),
        folder=folder / ("trials" if stage == "search" else "finalists") / trial_id,
    )


def _schedule(trials: list[TrialRecord], workers: int) -> list[TrialRecord]:
    """Deal the trials to workers as a scheduler would."""
    free, placed = [START] * workers, []
    for trial in trials:
        worker = free.index(min(free))
        start = free[worker] + 0.4
        free[worker] = start + (trial.curve[-1]["wall_seconds"] if trial.curve else 3.0)
        placed.append(replace(trial, started_at=start, ended_at=free[worker], worker=f"node1:{3100 + worker}"))
    return placed


def make_record(
    folder: Path,
    *,
    losses: tuple[str, ...] = SIX,
    trials: int = 4,
    seeds: int = 3,
    folds: int = 1,
    epochs: int = 17,
    pictures: bool = True,
    sections: Sections = disk_sections,
    seed: int = 0,
) -> SweepRecord:
    """A finished sweep: every third trial pruned, one failed, one retried."""
    rng, made = np.random.default_rng(seed), []
    for number, name in itertools.product(range(trials), losses):
        trial = _trial(folder, name, f"{name}-{number:04d}", rng, stage="search", seed=number, fold=None, epochs=epochs)
        if number % 3 == 2:
            trial = replace(trial, state="pruned", curve=trial.curve[: max(1, epochs // 3)], result=None)
        made.append(trial)
    if trials > 3 and "focal" in losses:
        at = next(i for i, trial in enumerate(made) if trial.trial_id == "focal-0003")
        error = "Traceback (most recent call last):\n  ...\nNonFiniteLoss: loss is nan at epoch 1, step 4 (lr 0.0098)"
        made[at] = replace(made[at], state="failed", reason="nan", error=error, curve=(), result=None)
        made[1] = replace(made[1], attempts=2)
    for name, fold, run in itertools.product(losses, range(folds), range(seeds)):
        trial = _trial(folder, name, f"{name}-f{fold}-s{run}", rng, stage="finalist", seed=100 + run, fold=fold, epochs=epochs)
        best = max((old for old in made if old.loss == name and old.result and old.stage == "search"), key=lambda old: old.score or 0.0)
        made.append(replace(trial, suggestion=best.suggestion))
        if pictures:
            write_sections(trial.folder, name, rng, sections)
    return SweepRecord(
        name=folder.name,
        uuid="4f0c",
        folder=folder,
        recipe=recipe(losses, trials, seeds, folds, epochs),
        provenance=PROVENANCE,
        data=DATA,
        sanity=SANITY,
        trials=tuple(_schedule(made, 2)),
    )


def recipe(losses: tuple[str, ...], trials: int, seeds: int, folds: int, epochs: int) -> dict[str, Any]:
    """A resolved recipe."""
    return {
        "name": "demo",
        "data": {
            "source": "isbi2012",
            "membrane": "auto",
            "positive": "membrane",
            "folds": 5,
            "search_fold": 4,
            "gap": 1,
            "crop_px": 256,
            "crops_per_section": 1,
            "flips": True,
            "quarter_turns": True,
            "elastic_px": 0.0,
        },
        "model": {"architecture": "unet", "width": 16, "depth": 5, "redundant_bias": False},
        "train": {
            "epochs": epochs,
            "batch_size": 4,
            "optimizer": "adam",
            "lr": {"low": 1e-4, "high": 1e-2, "log": True},
            "precision": "auto",
        },
        "losses": {
            name: {"loss": name} | {key: {"low": low, "high": high} for key, (low, high) in _SPACE.get(name, {}).items()} for name in losses
        },
        "search": {
            "trials_per_loss": trials,
            "sampler": "tpe",
            "start_with_defaults": True,
            "early_stop": {"kind": "asha", "grace_epochs": 4, "factor": 3},
        },
        "finalists": {"per_loss": 1, "seeds": seeds, "folds": folds},
        "objective": {"metric": "membrane_dice"},
    }


PROVENANCE: dict[str, Any] = {
    "name": "demo",
    "uuid": "4f0c",
    "created": "2026-11-24T09:00:00+00:00",
    "versions": {"python": "3.11.9", "torch": "2.13.0", "ray": "2.60.0", "optuna": "5.0.0", "wandb": "0.31.0"},
    "hardware": {"processor": "a processor with AVX-512 bf16", "cores": 2, "memory_gib": 8.0, "gpus": []},
    "code": {"commit": "0123abcd", "changed_files": 0},
}
DATA: dict[str, Any] = {
    "name": "isbi2012",
    "shape": [30, 512, 512],
    "voxel_size_nm": [50.0, 4.0, 4.0],
    "membrane_rule": "0 is membrane (21.96% of pixels), 255 is cell",
    "sha256": "200da3d452d726e6c9ca1ce04b869d4edb727320d23b516d01cce707dc8c4760",
}
SANITY: list[dict[str, Any]] = [
    {"name": "all membrane", "membrane_dice": 0.328, "v_rand": 0.21, "v_info": 0.0, "threshold": None},
    {"name": "all cell", "membrane_dice": 0.0, "v_rand": 0.39, "v_info": 0.0, "threshold": None},
    {"name": "best intensity threshold", "membrane_dice": 0.554, "v_rand": 0.47, "v_info": 0.62, "threshold": 0.41},
]
