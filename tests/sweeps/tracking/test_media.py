"""Pictures of a trial on W&B: which sections, what the masks say, and that nothing damaged reaches anybody."""

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage.io import imread

from sweeps.tracking import fallback
from sweeps.tracking.media import chosen_sections
from sweeps.tracking.settings import run_id
from sweeps.tracking.tracker import Tracker
from tests.sweeps.tracking.wandb_runs import RESULT, append, restart_service, settings
from tests.sweeps.tracking.wandb_server import wandb_server

#: of sections 3, 4, 5, 6; of the last one nothing is known. The best is 5, the worst 4, the one in the middle of those known 4.
DICE = (0.8, 0.6, 0.9, None)
COMPLETE = RESULT | {"per_section": [{"section": 3 + at, "membrane_dice": dice, "v_rand": 0.9} for at, dice in enumerate(DICE)]}


def keep(folder: Path, size_px: int = 8, **changes: Any) -> dict[str, np.ndarray]:
    """Write what a trial keeps: sections 5 and 4, in the order in which a trial writes them."""
    random = np.random.default_rng(0)
    shape = (2, size_px, size_px)
    arrays = {"section": np.array([5, 4]), "raw": random.integers(0, 256, shape, dtype=np.uint8)}
    arrays |= {name: random.random(shape) < 0.4 for name in ("membrane", "found", "cell")} | changes
    folder.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(folder / "sections.npz", allow_pickle=False, **arrays)
    return arrays


def test_a_finalist_shows_its_best_and_worst_and_the_section_that_all_losses_show(tmp_path: Path) -> None:
    arrays = keep(tmp_path)
    shown = chosen_sections(settings(tmp_path, job_type="finalist"), COMPLETE)
    places = {"sections/best": 0, "sections/worst": 1, "sections/fixed": 1}
    assert shown.keys() == places.keys()
    for key, place in places.items():
        assert np.array_equal(shown[key].raw_HW, arrays["raw"][place])
        assert np.array_equal(shown[key].truth_HW, arrays["membrane"][place])
        assert np.array_equal(shown[key].prediction_HW, arrays["found"][place])
    assert shown["sections/best"].caption == "section 5, membrane Dice 0.9000"


def test_a_trial_of_the_search_shows_one_section(tmp_path: Path) -> None:
    keep(tmp_path)
    assert list(chosen_sections(settings(tmp_path), COMPLETE)) == ["sections/fixed"]


def test_what_is_unknown_is_neither_membrane_nor_cell(tmp_path: Path) -> None:
    counted = np.ones((2, 8, 8), bool)
    counted[:, :3] = False
    arrays = keep(tmp_path, counted=counted)
    shown = chosen_sections(settings(tmp_path), COMPLETE)["sections/fixed"]
    for mask_HW, name in ((shown.truth_HW, "membrane"), (shown.prediction_HW, "found")):
        assert (mask_HW[:3] == 2).all() and np.array_equal(mask_HW[3:], arrays[name][1, 3:])


@pytest.mark.parametrize(("size_px", "shown_px"), [(512, 512), (513, 257), (1100, 367)])
def test_large_sections_are_thinned_out(tmp_path: Path, size_px: int, shown_px: int) -> None:
    arrays = keep(tmp_path, size_px)
    shown = chosen_sections(settings(tmp_path), COMPLETE)["sections/fixed"]
    every = -(-size_px // 512)
    assert shown.raw_HW.shape == shown.truth_HW.shape == (shown_px, shown_px)
    assert np.array_equal(shown.truth_HW, arrays["membrane"][1, ::every, ::every])


@pytest.mark.parametrize("result", [COMPLETE | {"state": "failed"}, RESULT, COMPLETE | {"per_section": []}])
def test_a_trial_without_scores_shows_nothing(tmp_path: Path, result: dict[str, Any]) -> None:
    keep(tmp_path)
    assert chosen_sections(settings(tmp_path), result) == {}


def test_a_file_that_would_fill_the_memory_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tmp_path)
    monkeypatch.setattr("sweeps.tracking.media.MAX_BYTES", 100)
    with pytest.raises(ValueError, match=r"sections.npz unpacks to 0 MiB, more than 0 MiB"):
        chosen_sections(settings(tmp_path), COMPLETE)


@pytest.fixture
def run_online(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run a finalist online `times` times; what the server has of it."""
    monkeypatch.setattr(fallback, "server_lost", threading.Event())
    monkeypatch.setenv("WANDB_API_KEY", "c" * 40)

    def run(folder: Path, times: int = 1) -> Any:
        with wandb_server() as (address, received):
            monkeypatch.setenv("WANDB_BASE_URL", address)
            restart_service()
            append(folder, 1, 2)
            for _ in range(times):
                tracker = Tracker(settings(folder, mode="online", job_type="finalist"))
                tracker.start()
                tracker.finish("complete", COMPLETE)
                assert tracker.wait(60)
            restart_service()
            return received

    return run


def test_pictures_and_masks_arrive_in_a_row_of_their_own_once(tmp_path: Path, run_online: Any) -> None:
    folder = tmp_path / "focal-f0-s1"
    arrays = keep(folder)
    received = run_online(folder, times=2)
    name = run_id("uuid", folder.name)
    assert received.epochs(name) == [1, 2]
    (row,) = [row for row in received.history[name] if "epoch" not in row]
    best = row["sections/best"]
    assert best["caption"] == "section 5, membrane Dice 0.9000" and set(best["masks"]) == {"truth", "prediction"}
    files = {
        what: received.files[f"{name}/{path}"]
        for what, path in {
            "raw": best["path"],
            "membrane": best["masks"]["truth"]["path"],
            "found": best["masks"]["prediction"]["path"],
        }.items()
    }
    for what, encoded in files.items():
        picture = imread(io.BytesIO(encoded))
        plane_HW = picture if picture.ndim == 2 else picture[..., 0]
        assert np.array_equal(plane_HW, arrays[what][0]), what


def test_a_damaged_file_costs_the_pictures_alone(tmp_path: Path, run_online: Any, caplog: pytest.LogCaptureFixture) -> None:
    folder = tmp_path / "focal-f0-s1"
    keep(folder)
    (folder / "sections.npz").write_bytes((folder / "sections.npz").read_bytes()[:200])
    received = run_online(folder)
    assert "W&B gets no pictures of focal-f0-s1 (BadZipFile: " in caplog.text
    assert received.epochs(run_id("uuid", folder.name)) == [1, 2] and received.exit_code[run_id("uuid", folder.name)] == 0
    assert json.loads((folder / "wandb" / "record.json").read_text())["mode"] == "online"
