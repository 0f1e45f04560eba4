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
    "bce": (0.7945, 3.3, 2.02),
    "dice": (0.8030, 2.5, 2.10),
    "dice_bce": (0.8035, 1.9, 2.16),
    "iou": (0.8000, 2.3, 2.08),
    "focal": (0.7880, 4.4, 2.05),
    "tversky": (0.8075, 2.8, 2.11),
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
    pace *= rng.uniform(0.85, 1.2)
    rows = []
    for epoch in range(1, epochs + 1):
        score = ceiling + offset - 0.55 * math.exp(-epoch / pace) + rng.normal(0, 0.002)
        rows.append({
            "epoch": epoch, "step": 6 * epoch, "train_loss": 0.6 * math.exp(-epoch / pace) + 0.2, "membrane_dice": score, "threshold": 0.42,
            "membrane_dice_at_half": score - (0.03 if name == "focal" else 0.006), "train_seconds": seconds * epoch * rng.uniform(0.98, 1.02),
            "eval_seconds": 0.2 * epoch, "wall_seconds": (seconds + 0.25) * epoch,
        })  # fmt: skip
    return tuple(rows)


def result(name: str, rows: tuple[dict[str, Any], ...], sections: tuple[int, int]) -> dict[str, Any]:
    """The result.json of a finished trial."""
    best = max(rows, key=lambda row: row["membrane_dice"])
    scores = {key: best[key] for key in ("membrane_dice", "threshold", "membrane_dice_at_half")}
    return {
        "schema": 1, "state": "complete", "loss": {"name": name, "function": name, "parameters": {}}, "best_epoch": best["epoch"], "epochs": len(rows),
        "scores": scores | {"v_rand": 0.15 + best["membrane_dice"], "v_info": 0.17 + best["membrane_dice"]},
        "per_section": [{"section": s, "membrane_dice": best["membrane_dice"] + d, "v_rand": 0.94 + d} for s, d in zip(sections, (0.02, -0.03), strict=True)],
        "seconds": {"train": rows[-1]["train_seconds"], "eval": 0.2 * len(rows), "wall": rows[-1]["wall_seconds"]},
        "environment": {"device": "cpu", "threads": 1, "precision": "bf16", "torch": "2.13.0"}, "peak_memory_mib": 412.0,
    }  # fmt: skip


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
    rows = curve(name, rng, epochs, float(rng.normal(0, 0.012 if stage == "search" else 0.003)))
    return TrialRecord(
        trial_id=trial_id, stage=stage, loss=name, function=name, suggestion=_suggestion(name, rng), seed=seed, fold=fold, state="complete",
        attempts=1, curve=rows, result=result(name, rows, (24, 28)), folder=folder / ("trials" if stage == "search" else "finalists") / trial_id,
    )  # fmt: skip


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
    folder: Path, *, losses: tuple[str, ...] = SIX, trials: int = 4, seeds: int = 3, folds: int = 1, epochs: int = 17, pictures: bool = True,
    sections: Sections = disk_sections, seed: int = 0,
) -> SweepRecord:  # fmt: skip
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
        if pictures:
            write_sections(trial.folder, name, rng, sections)
        made.append(trial)
    return SweepRecord(
        name=folder.name, uuid="4f0c", folder=folder, recipe=recipe(losses, trials, seeds, folds, epochs), provenance=PROVENANCE, data=DATA,
        sanity=SANITY, trials=tuple(_schedule(made, 2)),
    )  # fmt: skip


def recipe(losses: tuple[str, ...], trials: int, seeds: int, folds: int, epochs: int) -> dict[str, Any]:
    """A resolved recipe."""
    return {
        "name": "demo",
        "data": {"source": "isbi2012", "membrane": "auto", "positive": "membrane", "folds": 5, "search_fold": 4, "gap": 1, "crop_px": 256,
                 "crops_per_section": 1, "flips": True, "quarter_turns": True, "elastic_px": 0.0},
        "model": {"architecture": "unet", "width": 16, "depth": 5, "redundant_bias": False},
        "train": {"epochs": epochs, "batch_size": 4, "optimizer": "adam", "lr": {"low": 1e-4, "high": 1e-2, "log": True}, "precision": "auto"},
        "losses": {name: {"function": name, "fixed": {}, "space": {}} for name in losses},
        "search": {"trials_per_loss": trials, "sampler": "tpe", "start_with_defaults": True, "early_stop": {"kind": "asha", "grace_epochs": 4, "factor": 3}},
        "finalists": {"per_loss": 1, "seeds": seeds, "folds": folds},
        "objective": {"metric": "membrane_dice"},
    }  # fmt: skip


PROVENANCE: dict[str, Any] = {
    "name": "demo", "uuid": "4f0c", "versions": {"python": "3.11.9", "torch": "2.13.0", "ray": "2.60.0", "optuna": "5.0.0", "wandb": "0.31.0"},
    "hardware": {"cpu": "2 cores with AVX-512 bf16", "memory_gib": 8.0, "gpus": []}, "code": {"commit": "0123abcd", "changed_files": 0},
}  # fmt: skip
DATA: dict[str, Any] = {
    "name": "isbi2012", "shape": [30, 512, 512], "voxel_size_nm": [50.0, 4.0, 4.0], "membrane_rule": "0 is membrane (21.96% of pixels), 255 is cell",
    "sha256": "200da3d452d726e6c9ca1ce04b869d4edb727320d23b516d01cce707dc8c4760",
}  # fmt: skip
SANITY: list[dict[str, Any]] = [
    {"name": "all membrane", "membrane_dice": 0.328, "v_rand": 0.21, "v_info": 0.0, "threshold": None},
    {"name": "all cell", "membrane_dice": 0.0, "v_rand": 0.39, "v_info": 0.0, "threshold": None},
    {"name": "best intensity threshold", "membrane_dice": 0.554, "v_rand": 0.47, "v_info": 0.62, "threshold": 0.41},
]


def _estimate(values: list[float]) -> dict[str, Any]:
    mean = float(np.mean(values))
    half = 4.303 * float(np.std(values, ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else None
    return {"mean": mean, "low": None if half is None else mean - half, "high": None if half is None else mean + half, "n": len(values)}


def _reached(trial: TrialRecord, target: float) -> float | None:
    return next((row["train_seconds"] for row in trial.curve if row["membrane_dice"] >= target), None)


def _row(record: SweepRecord, name: str, target: float) -> dict[str, Any]:
    runs = record.of(loss=name, stage="finalist")
    times = [_reached(trial, target) for trial in runs]
    median = sorted(math.inf if time is None else time for time in times)[len(times) // 2]
    metrics = ("membrane_dice", "membrane_dice_at_half", "v_rand", "v_info")
    return {
        "loss": name, "function": name, "params": runs[0].suggestion, "trials": len(record.of(loss=name, stage="search")), "seeds": 3, "folds": 1,
        "scores": {metric: _estimate([trial.result["scores"][metric] for trial in runs if trial.result]) for metric in metrics},
        "seconds": {"to_target": {"median": median if math.isfinite(median) else None, "values": times}, "per_epoch": character(name)[2],
                    "train": float(np.mean([trial.curve[-1]["train_seconds"] for trial in runs]))},
        "failed": len(record.of(loss=name, state="failed")),
    }  # fmt: skip


def _front(rows: list[dict[str, Any]]) -> list[str]:
    points = [(row["loss"], row["scores"]["membrane_dice"]["mean"], row["seconds"]["to_target"]["median"]) for row in rows]
    timed = [point for point in points if point[2] is not None]
    return [a[0] for a in timed if not any(b[1] >= a[1] and b[2] <= a[2] and b is not a for b in timed)]


def make_verdict(record: SweepRecord, *, target: float = 0.785) -> dict[str, Any]:
    """A verdict of the contract's form, with plausible statistics."""
    names = [name for name in record.recipe["losses"] if record.of(loss=name, stage="finalist")]
    rows = sorted((_row(record, name, target) for name in names), key=lambda row: -row["scores"]["membrane_dice"]["mean"])
    mean = {row["loss"]: row["scores"]["membrane_dice"]["mean"] for row in rows}
    pairs = []
    for a, b in itertools.combinations(mean, 2):
        gap = mean[a] - mean[b]
        pairs.append({"a": a, "b": b, "difference": gap, "low": gap - 0.007, "high": gap + 0.007, "p": 0.04, "p_holm": 0.2 if gap < 0.007 else 0.01,
                      "significant": gap > 0.007})  # fmt: skip
    timed = sorted(
        (row for row in rows if row["seconds"]["to_target"]["median"] is not None), key=lambda row: row["seconds"]["to_target"]["median"]
    )
    best, fastest = (rows or [None])[0], (timed or [None])[0]
    ties = [name for name in mean if best and mean[best["loss"]] - mean[name] <= 0.007]
    said = ""
    if best and fastest:
        said = (f"{best['loss']} is best (membrane Dice {mean[best['loss']]:.3f}), but ties with {len(ties) - 1} of {len(mean) - 1}; "
                f"{fastest['loss']} is the fastest to {target}.")  # fmt: skip
    return {
        "schema": 1, "sentence": said, "best": best, "fastest": fastest, "ranking": rows, "pairs": pairs,
        "groups": [ties, [name for name in mean if name not in ties]] if rows else [],
        "target": {"metric": "membrane_dice", "value": target, "rule": "0.985 of the median finalist's score"}, "sanity": record.sanity,
        "noise_floor": None, "front": _front(rows), "missing": [],
    }  # fmt: skip
