"""What needs no network: hand-worked rows, edges, and the figures of the real sections."""

import json
import math
from pathlib import Path

import numpy as np
import pytest
import tifffile

from unet.metrics.sanity import sanity_rows


def stack(*columns: float, dtype=np.uint8) -> np.ndarray:
    return np.tile(np.array(columns, dtype=dtype), (4, 1))[None]


def rows_of(raw: np.ndarray, membrane: np.ndarray) -> dict[str, dict]:
    return {row["name"]: row for row in sanity_rows(raw, membrane)}


def test_names_and_keys():
    rows = sanity_rows(stack(200, 200, 10, 200), stack(0, 0, 1, 0, dtype=bool))
    assert [row["name"] for row in rows] == ["all membrane", "all cell", "best intensity threshold"]
    assert all(set(row) == {"name", "membrane_dice", "v_rand", "v_info", "threshold", "side"} for row in rows)


def test_dark_membrane_is_found():
    rows = rows_of(stack(200, 180, 10, 200), stack(0, 0, 1, 0, dtype=bool))
    assert rows["best intensity threshold"] == {
        "name": "best intensity threshold",
        "membrane_dice": 1.0,
        "v_rand": pytest.approx(1.0),
        "v_info": pytest.approx(1.0),
        "threshold": 10.0,
        "side": "dark",
    }
    assert rows["all membrane"]["membrane_dice"] == pytest.approx(2 * 4 / (16 + 4))
    assert rows["all cell"]["membrane_dice"] == 0.0
    assert rows["all cell"]["v_info"] == pytest.approx(0.0, abs=1e-12)


def test_bright_membrane_is_found_in_floats():
    rows = rows_of(stack(-1.5, 0.25, 9.5, 0.0, dtype=np.float32), stack(0, 0, 1, 0, dtype=bool))
    best = rows["best intensity threshold"]
    assert (best["membrane_dice"], best["threshold"], best["side"]) == (1.0, 9.5, "bright")


def test_one_threshold_for_all_sections():
    raw = np.concatenate([stack(5, 9, 9, 9), stack(9, 2, 5, 9)])
    membrane = np.concatenate([stack(1, 0, 0, 0, dtype=bool), stack(0, 1, 0, 0, dtype=bool)])
    best = rows_of(raw, membrane)["best intensity threshold"]
    assert best["threshold"] == 5.0  # 2 alone: Dice 8/12; up to 5: 16/20
    assert best["membrane_dice"] == pytest.approx(16 / 20)


def test_threshold_is_the_best_of_all_by_brute_force():
    generator = np.random.default_rng(0)
    raw = generator.integers(0, 12, (2, 9, 7), dtype=np.uint16)
    membrane = generator.random(raw.shape) < 0.15 + 0.5 * (raw > 8)

    def dice(mask: np.ndarray) -> float:
        return 2 * (mask & membrane).sum() / (mask.sum() + membrane.sum())

    brute = max(max(dice(raw <= value), dice(raw >= value)) for value in range(12))
    assert rows_of(raw, membrane)["best intensity threshold"]["membrane_dice"] == pytest.approx(brute)


def test_constant_image_offers_only_all_membrane():
    rows = rows_of(stack(7, 7, 7, 7), stack(0, 0, 1, 0, dtype=bool))
    assert rows["best intensity threshold"]["membrane_dice"] == rows["all membrane"]["membrane_dice"]


def test_empty_classes_stay_json():
    no_membrane = rows_of(stack(1, 2, 3, 4), stack(0, 0, 0, 0, dtype=bool))
    assert no_membrane["all cell"]["membrane_dice"] == 1.0
    assert no_membrane["all membrane"]["membrane_dice"] == 0.0
    no_cell = sanity_rows(stack(1, 2, 3, 4), stack(1, 1, 1, 1, dtype=bool))
    assert all(row["v_rand"] is None and row["v_info"] is None for row in no_cell)
    json.dumps(no_cell, allow_nan=False)


def test_refused():
    with pytest.raises(ValueError, match=r"one shape, not empty, but got \(1, 4, 4\) and \(4, 4\)"):
        sanity_rows(stack(1, 2, 3, 4), stack(1, 0, 0, 0, dtype=bool)[0])
    with pytest.raises(ValueError, match="section 0 holds NaN"):
        sanity_rows(stack(1, math.nan, 3, 4, dtype=np.float32), stack(1, 0, 0, 0, dtype=bool))


def test_pixels_of_unknown_label_are_in_no_row():
    """The last column is unknown; whatever the image and the labels hold there, the rows are those of the first three."""
    first = rows_of(stack(200, 10, 200), stack(0, 1, 0, dtype=bool))
    for grey, label in ((10, 0), (200, 1), (5, 1), (255, 0)):
        rows = sanity_rows(stack(200, 10, 200, grey), stack(0, 1, 0, label, dtype=bool), stack(1, 1, 1, 0, dtype=bool))
        for row in rows:
            assert row["membrane_dice"] == first[row["name"]]["membrane_dice"]
            assert (row["threshold"], row["side"]) == (first[row["name"]]["threshold"], first[row["name"]]["side"])
            assert row["v_rand"] == pytest.approx(first[row["name"]]["v_rand"], abs=0.05)


def test_unknown_pixels_are_no_cell():
    """Two cells and a bar of unknown pixels between them, which a prediction of "all cell" joins: only the two cells' pixels count."""
    membrane, counted = stack(0, 0, 0, 0, 0, dtype=bool), stack(1, 1, 0, 1, 1, dtype=bool)
    rows = {row["name"]: row for row in sanity_rows(stack(1, 2, 3, 4, 5), membrane, counted)}
    # two cells of one half each in one segment: 2 (1/2) / (1/2 + 1)
    assert sum([0.5**2, 0.5**2]) == 0.5
    assert rows["all cell"]["v_rand"] == pytest.approx(2 * 0.5 / (0.5 + 1))


def test_known_pixels_are_needed():
    with pytest.raises(ValueError, match=r"at least one pixel whose label is known, got bool \(1, 4, 4\) with 0"):
        sanity_rows(stack(1, 2, 3, 4), stack(1, 0, 0, 0, dtype=bool), stack(0, 0, 0, 0, dtype=bool))
    with pytest.raises(ValueError, match=r"counted must be bool \(1, 4, 4\) .* got uint8 \(1, 4, 4\)"):
        sanity_rows(stack(1, 2, 3, 4), stack(1, 0, 0, 0, dtype=bool), stack(1, 1, 1, 1))


@pytest.mark.realdata
def test_real_sections_24_to_29(isbi2012_folder: Path):
    raw = tifffile.imread(isbi2012_folder / "train-volume.tif")[24:]
    membrane = tifffile.imread(isbi2012_folder / "train-labels.tif")[24:] == 0
    rows = rows_of(raw, membrane)
    assert rows["all membrane"]["membrane_dice"] == pytest.approx(0.328, abs=5e-4)
    assert rows["best intensity threshold"]["membrane_dice"] == pytest.approx(0.554, abs=5e-4)
    assert rows["best intensity threshold"]["side"] == "dark"
