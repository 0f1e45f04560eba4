"""Scores of predictions that need no network: what any trained one must beat."""

import math
from typing import Any

import numpy as np

from unet.metrics.challenge import challenge_scores


def sanity_rows(raw_ZHW: np.ndarray, membrane_ZHW: np.ndarray, counted_ZHW: np.ndarray | None = None) -> list[dict[str, Any]]:
    """Return the scores of three predictions on the given sections, each a dict of name, membrane_dice, v_rand, v_info, threshold and side.

    "all membrane", "all cell", and "best intensity threshold": membrane wherever the image is at most (side "dark") or at least (side
    "bright") one grey value, the side and the value with the best membrane Dice on these same sections, which flatters it. `threshold` and
    `side` are None for the other two. V_rand and V_info are those of the same binary mask.

    Edges: without a single membrane pixel Dice is 1 where nothing is predicted and 0 where anything is; a constant image offers only
    "all membrane" as its best threshold. Without a single labelled cell V_rand and V_info are None, so that the rows stay JSON.

    Args:
        raw_ZHW: [Z, H, W], any real type, finite.
        membrane_ZHW: bool [Z, H, W], True = membrane.
        counted_ZHW: bool [Z, H, W], True where the label is known: other pixels are in no score. None: it is known everywhere.

    Raises:
        ValueError: The shapes differ, the image is not finite, or no label is known.
    """
    if raw_ZHW.shape != membrane_ZHW.shape or raw_ZHW.ndim != 3 or raw_ZHW.size == 0:
        raise ValueError(
            f"raw and membrane must both be [Z, H, W] of one shape, not empty, but got {raw_ZHW.shape} and {membrane_ZHW.shape}."
        )
    if not np.isfinite(raw_ZHW).all():
        section = int((~np.isfinite(raw_ZHW)).any(axis=(1, 2)).argmax())
        raise ValueError(f"an intensity threshold needs finite pixels, but section {section} holds NaN or infinity.")
    membrane_ZHW = membrane_ZHW.astype(bool)
    counted_ZHW = np.ones_like(membrane_ZHW) if counted_ZHW is None else counted_ZHW
    if counted_ZHW.shape != membrane_ZHW.shape or counted_ZHW.dtype != bool or not counted_ZHW.any():
        raise ValueError(
            f"counted must be bool {membrane_ZHW.shape} with at least one pixel whose label is known, got {counted_ZHW.dtype} "
            f"{counted_ZHW.shape} with {np.count_nonzero(counted_ZHW)}."
        )
    side, threshold = _best_threshold(raw_ZHW[counted_ZHW], membrane_ZHW[counted_ZHW])
    dark_or_bright_ZHW = raw_ZHW <= threshold if side == "dark" else raw_ZHW >= threshold
    truth = (membrane_ZHW, counted_ZHW)
    return [
        _row("all membrane", np.ones_like(membrane_ZHW), *truth),
        _row("all cell", np.zeros_like(membrane_ZHW), *truth),
        _row("best intensity threshold", dark_or_bright_ZHW, *truth, threshold=threshold, side=side),
    ]


def _row(
    name: str,
    predicted_ZHW: np.ndarray,
    membrane_ZHW: np.ndarray,
    counted_ZHW: np.ndarray,
    *,
    threshold: float | None = None,
    side: str | None = None,
) -> dict[str, Any]:
    hits, predicted, actual = (
        int(np.count_nonzero(mask & counted_ZHW)) for mask in (predicted_ZHW & membrane_ZHW, predicted_ZHW, membrane_ZHW)
    )
    scores = challenge_scores(~membrane_ZHW & counted_ZHW, (~predicted_ZHW).astype(np.uint8))
    return {
        "name": name,
        "membrane_dice": float(_dice(hits, predicted, actual)),
        "v_rand": None if math.isnan(scores.v_rand) else scores.v_rand,
        "v_info": None if math.isnan(scores.v_info) else scores.v_info,
        "threshold": threshold,
        "side": side,
    }


def _dice(hits: Any, predicted: Any, actual: int) -> Any:
    """Return 2 hits / (predicted + actual), numbers or arrays; 1 where both are empty."""
    return np.where(predicted + actual == 0, 1.0, 2.0 * hits / np.maximum(predicted + actual, 1))


def _best_threshold(raw: np.ndarray, membrane: np.ndarray) -> tuple[str, float]:
    """Return the side and the grey value of the best membrane Dice; of equal ones the dark side and the fewest predicted pixels."""
    values, total = np.unique(raw, return_counts=True)
    index = np.searchsorted(values, raw[membrane])
    hits = np.bincount(index, minlength=values.size)
    actual = int(hits.sum())
    dark = _dice(np.cumsum(hits), np.cumsum(total), actual)
    bright = _dice(np.cumsum(hits[::-1]), np.cumsum(total[::-1]), actual)
    if dark.max() >= bright.max():
        return "dark", float(values[dark.argmax()])
    return "bright", float(values[::-1][bright.argmax()])
