"""Stacks in, stacks out: what is written, that it is whole or not there, and that memory does not grow with sections."""

import subprocess
import sys
import tracemalloc
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import tifffile
import torch

from data_utils import DataError, read_tiff, write_tiff
from data_utils.sections import open_sections
from data_utils.tiles import TileError
from sweeps import predicted_output, predicting
from sweeps.folder import FolderError
from sweeps.members import Loaded, load_members
from sweeps.predicted_output import Output, OutputRefused
from sweeps.predicting import NoPrediction, Settings, Watch, predict_stack_file
from tests.sweeps.trained import save_network
from unet.cells import label_cells
from unet.predict import predict_sections

CPU = torch.device("cpu")
FP32 = Settings(precision="fp32")
VOXELS = (50.0, 4.0, 6.0)
SHAPE = (3, 50, 61)


@pytest.fixture
def members(tmp_path: Path) -> list[Loaded]:
    return load_members([save_network(tmp_path / "focal-f0-s1" / "best.safetensors")], CPU)


@pytest.fixture
def raw() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, SHAPE, dtype=np.uint8)


@pytest.fixture
def source(tmp_path: Path, raw: np.ndarray) -> Path:
    write_tiff(tmp_path / "sections.tif", raw, voxel_size_nm=VOXELS)
    return tmp_path / "sections.tif"


def membrane_of(members: Sequence[Loaded], raw: np.ndarray) -> np.ndarray:
    each = [
        predict_sections(loaded.member.model, raw, normalisation=loaded.member.normalisation, positive=loaded.member.positive)
        for loaded in members
    ]
    return np.mean(each, axis=0)


def test_probabilities_are_the_challenge_s_and_keep_shape_and_voxel_size(
    members: list[Loaded], raw: np.ndarray, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tif"
    told = predict_stack_file(members, source, out, Output(kind="probability"), settings=FP32)
    found = tifffile.imread(out)
    assert found.dtype == np.float32 and found.shape == SHAPE and found.min() >= 0 and found.max() <= 1 and found.std() > 0.1
    np.testing.assert_allclose(found, 1.0 - membrane_of(members, raw), rtol=0, atol=1e-6)
    np.testing.assert_array_equal(read_tiff(out), found)
    with open_sections(out) as written:
        assert written.voxel_size_nm == pytest.approx(VOXELS)
    assert told["shape"] == list(SHAPE) and told["dtype"] == "float32" and told["models"] == ["focal-f0-s1"]


def test_a_mask_is_255_where_there_is_no_membrane(members: list[Loaded], raw: np.ndarray, source: Path, tmp_path: Path) -> None:
    out, membrane = tmp_path / "out.tif", membrane_of(members, raw)
    threshold = float(membrane[1, 20, 30])  # a value that occurs: it is membrane
    predict_stack_file(members, source, out, Output(kind="mask", threshold=threshold), settings=FP32)
    found = read_tiff(out)
    assert found.dtype == np.uint8 and set(np.unique(found)) == {0, 255}
    assert found[1, 20, 30] == 0
    np.testing.assert_array_equal(found, np.where(membrane >= np.float32(threshold), 0, 255))


def test_cells_have_numbers_of_their_own_through_the_whole_stack(
    members: list[Loaded], raw: np.ndarray, source: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out.tif"
    told = predict_stack_file(members, source, out, Output(kind="cells", threshold=0.5, smallest_cell_px=4), settings=FP32)
    found = read_tiff(out)
    assert found.dtype == np.uint16 and told["cells"] == found.max() > 10
    before = 0
    for cells_HW, membrane_HW in zip(found, membrane_of(members, raw), strict=True):
        expected = label_cells(membrane_HW < 0.5, 4)
        np.testing.assert_array_equal(cells_HW, np.where(expected > 0, expected + before, 0))
        before += int(expected.max())
    assert before == told["cells"] and np.bincount(found.ravel())[1:].min() >= 4


def test_more_cells_than_uint16_counts_make_uint32(
    members: list[Loaded], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = Output(kind="cells", threshold=0.5)
    predict_stack_file(members, source, tmp_path / "narrow.tif", output, settings=FP32)
    narrow = read_tiff(tmp_path / "narrow.tif")
    monkeypatch.setattr(predicting, "_UINT16_MOST", int(narrow.max()) - 1)
    predict_stack_file(members, source, tmp_path / "wide.tif", output, settings=FP32)
    wide = read_tiff(tmp_path / "wide.tif")
    assert narrow.dtype == np.uint16 and wide.dtype == np.uint32
    np.testing.assert_array_equal(wide, narrow)


def test_several_networks_are_averaged(raw: np.ndarray, source: Path, tmp_path: Path) -> None:
    paths = [
        save_network(tmp_path / name / "best.safetensors", seed=seed, depth=seed + 1, positive=positive)
        for seed, (name, positive) in enumerate([("bce-f0-s1", "membrane"), ("dice-f0-s1", "cell"), ("focal-f0-s1", "membrane")])
    ]
    members = load_members(paths, CPU)
    told = predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="probability"), settings=FP32)
    np.testing.assert_allclose(read_tiff(tmp_path / "out.tif"), 1.0 - membrane_of(members, raw), rtol=0, atol=1e-6)
    assert told["models"] == ["bce-f0-s1", "dice-f0-s1", "focal-f0-s1"]


def test_tiles_and_views_reach_the_networks(members: list[Loaded], source: Path, tmp_path: Path) -> None:
    def passes(settings: Settings) -> int:
        heard = Heard()
        predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="probability"), settings=settings, watch=heard)
        assert heard.begun_with == (SHAPE, heard.passes // SHAPE[0]) and heard.sections == [1, 2, 3]
        return heard.passes // SHAPE[0]

    assert passes(FP32) == 1 == passes(Settings(tile_px=0)) == passes(Settings(tile_px=64))
    assert passes(Settings(tta=True)) == 8
    tiles = passes(Settings(tile_px=40))
    assert tiles > 4 and passes(Settings(tile_px=40, tta=True)) == 8 * tiles


class Heard(Watch):
    def __init__(self) -> None:
        self.passes, self.sections, self.notes = 0, list[int](), list[str]()

    def begun(self, shape_ZHW: tuple[int, int, int], passes: int) -> None:
        self.begun_with = (shape_ZHW, passes)

    def passed(self) -> None:
        self.passes += 1

    def section(self, done: int) -> None:
        self.sections.append(done)

    def note(self, text: str) -> None:
        self.notes.append(text)


@pytest.mark.parametrize("kind", ["probability", "mask", "cells"])
def test_what_fails_midway_leaves_the_older_output_and_nothing_else(
    members: list[Loaded], raw: np.ndarray, tmp_path: Path, kind: str
) -> None:
    bad = raw.astype(np.float32)
    bad[2, 5, 5] = np.nan
    folder = tmp_path / "work"
    folder.mkdir()
    write_tiff(folder / "bad.tif", bad)
    (folder / "out.tif").write_bytes(b"older")
    with pytest.raises(DataError, match="NaN"):
        predict_stack_file(
            members, folder / "bad.tif", folder / "out.tif", Output(kind=kind, threshold=None if kind == "probability" else 0.5)
        )
    assert (folder / "out.tif").read_bytes() == b"older"
    assert {path.name for path in folder.iterdir()} == {"bad.tif", "out.tif"}


def test_a_network_that_predicts_nan_writes_nothing(members: list[Loaded], source: Path, tmp_path: Path) -> None:
    with torch.no_grad():
        members[0].member.model.head.bias.fill_(float("nan"))
    with pytest.raises(NoPrediction, match="section 0: the network predicts NaN"):
        predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="probability"))
    assert not (tmp_path / "out.tif").exists()


@pytest.mark.parametrize(("change", "warned"), [(lambda raw: raw, False), (lambda raw: raw.astype(np.uint16) * 257, True)])
def test_another_scale_of_grey_values_is_worth_a_warning(
    members: list[Loaded], raw: np.ndarray, tmp_path: Path, change: object, warned: bool
) -> None:
    write_tiff(tmp_path / "other.tif", change(raw))
    heard = Heard()
    predict_stack_file(members, tmp_path / "other.tif", tmp_path / "out.tif", Output(kind="probability"), watch=heard)
    assert [("was trained on 128 +- 74" in note) for note in heard.notes] == [True] * warned


def test_a_full_disk_is_noticed_before_the_work(
    members: list[Loaded], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    needed = np.prod(SHAPE) * 4
    monkeypatch.setattr(predicted_output.shutil, "disk_usage", lambda folder: SimpleNamespace(free=needed - 1))
    heard = Heard()
    with pytest.raises(FolderError, match="would take 0.00 GiB, .* Nothing was written"):
        predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="probability"), watch=heard)
    assert heard.passes == 0
    predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="mask", threshold=0.5))


def test_sections_that_do_not_fit_into_memory_are_refused_before_the_work(
    members: list[Loaded], source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(predicting.psutil, "virtual_memory", lambda: SimpleNamespace(available=1000))
    heard = Heard()
    with pytest.raises(MemoryError, match="GiB beside the network, .* are free: crop the sections"):
        predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="probability"), watch=heard)
    assert heard.passes == 0 and not (tmp_path / "out.tif").exists()


def test_the_scale_of_a_large_section_is_told_by_a_sample(members: list[Loaded]) -> None:
    raw_HW = np.zeros((4096, 4096), np.uint8)
    raw_HW[::3] = 200
    tracemalloc.start()
    predicting._far_from_training(members, raw_HW)
    assert tracemalloc.get_traced_memory()[1] < raw_HW.nbytes
    tracemalloc.stop()


def test_an_output_that_would_cost_the_sections_is_refused(members: list[Loaded], source: Path, tmp_path: Path) -> None:
    (tmp_path / "link.tif").hardlink_to(source)
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "0.tif").write_bytes(source.read_bytes())
    (tmp_path / "folder.tif").mkdir()
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "0.tif").symlink_to(source)
    for stack, out, message in (
        (source, source, "is the stack itself"),
        (source, tmp_path / "link.tif", "is the stack itself"),
        (tmp_path / "pages", tmp_path / "pages" / "out.tif", "lies in the folder of the sections"),
        (tmp_path / "links", source, "is the same file as .*0.tif, which is read and would be lost"),
        (source, tmp_path / "out.png", "name it so: out.tif"),
        (source, tmp_path / "folder.tif", "is a folder; name a file in it"),
        (source, tmp_path / "nowhere" / "out.tif", "mkdir -p"),
    ):
        with pytest.raises(OutputRefused, match=message):
            predict_stack_file(members, stack, out, Output(kind="probability"))


def test_a_tile_side_that_cannot_be_used_is_refused_before_anything_is_written(members: list[Loaded], source: Path, tmp_path: Path) -> None:
    with pytest.raises(TileError, match="multiple of 2 px"):
        predict_stack_file(members, source, tmp_path / "out.tif", Output(kind="probability"), settings=Settings(tile_px=33))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"kind": "probability", "threshold": 0.5}, "belongs to masks and cells"),
        ({"kind": "mask"}, "belongs to masks and cells"),
        ({"kind": "mask", "threshold": 1.5}, "from 0 to 1, got 1.5"),
        ({"kind": "cells", "threshold": float("nan")}, "from 0 to 1, got nan"),
        ({"kind": "cells", "threshold": 0.5, "smallest_cell_px": -1}, "at least 0, got -1"),
    ],
)
def test_outputs_that_make_no_sense_are_refused(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Output(**options)


PEAK = """
import resource, sys
from pathlib import Path
import torch
from sweeps.members import load_members
from sweeps.predicted_output import Output
from sweeps.predicting import predict_stack_file
members = load_members([Path(sys.argv[1])], torch.device("cpu"))
predict_stack_file(members, Path(sys.argv[2]), Path(sys.argv[3]), Output(kind="probability"))
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)
"""


@pytest.mark.slow
def test_a_section_of_8192_px_stays_under_4_gib_and_opens_as_it_should(tmp_path: Path) -> None:
    weights = save_network(tmp_path / "w" / "best.safetensors", depth=3)
    tile = np.random.default_rng(0).integers(0, 256, (1, 512, 512), dtype=np.uint8)
    write_tiff(tmp_path / "large.tif", np.tile(tile, (1, 16, 16)), voxel_size_nm=VOXELS)
    words = [sys.executable, "-c", PEAK, str(weights), str(tmp_path / "large.tif"), str(tmp_path / "out.tif")]
    ran = subprocess.run(words, capture_output=True, text=True, timeout=280, check=True)
    assert float(ran.stdout) < 4.0
    with open_sections(tmp_path / "out.tif") as written:
        assert written.shape_ZHW == (1, 8192, 8192) and written.dtype == np.float32
        assert written.voxel_size_nm == pytest.approx(VOXELS)
        section_HW = written.read(0)
    assert section_HW.min() >= 0 and section_HW.max() <= 1 and section_HW[4096:4608, 4096:4608].std() > 0.1
