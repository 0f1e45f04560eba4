"""A data set is found by name, by folder or by its files, or the message says what there is."""

import dataclasses
import re
from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_utils import datasets
from data_utils.datasets import DATASETS, data_folder, load_dataset
from data_utils.errors import DataError
from data_utils.stack import write_stack
from data_utils.synthetic import make_synthetic

SMALL = "synthetic:sections=3,size_px=48,seed=2"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_stack(tmp_path / "mine", load_dataset(SMALL))
    return tmp_path / "mine"


@pytest.fixture(autouse=True)
def empty_data_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SWEEPS_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


def test_synthetic_stacks_are_made_as_named() -> None:
    assert load_dataset(SMALL).sha256() == make_synthetic(sections=3, size_px=48, seed=2).sha256()
    assert load_dataset("synthetic: sections = 2 , size_px=32").raw_ZHW.shape == (2, 32, 32)


def test_the_default_is_the_embedded_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, int]] = []
    monkeypatch.setattr(datasets, "make_synthetic", lambda **options: asked.append(options))
    load_dataset()
    load_dataset("synthetic")
    assert asked == [{}, {}]


def test_a_folder_is_read_by_the_challenges_names(folder: Path) -> None:
    for source in (folder, str(folder)):
        stack = load_dataset(source)
        assert stack.sha256() == load_dataset(SMALL).sha256()
        assert stack.name == "mine"


def test_the_membrane_rule_is_passed_on(folder: Path) -> None:
    plain, turned = load_dataset(folder, membrane="zero"), load_dataset(folder, membrane="nonzero")
    assert np.array_equal(plain.membrane_ZHW, ~turned.membrane_ZHW)


def test_partial_labels_are_read_from_wherever_they_are(folder: Path, empty_data_folder: Path) -> None:
    stack = load_dataset(SMALL)
    counted_ZHW = np.random.default_rng(0).random(stack.raw_ZHW.shape) < 0.8
    partial = dataclasses.replace(stack, counted_ZHW=counted_ZHW)
    write_stack(folder, partial)
    write_stack(empty_data_folder / "isbi2012", partial)
    files = {"images": folder / "train-volume.tif", "labels": folder / "train-labels.tif"}
    for source, options in ((folder, {}), ("nowhere", files), ("isbi2012", {}), (empty_data_folder / "isbi2012", {})):
        assert load_dataset(source, membrane="zero", ignore=127, **options).sha256() == partial.sha256()
        with pytest.raises(DataError, match=r"say `ignore: 127`, if that is"):
            load_dataset(source, membrane="zero", **options)
        with pytest.raises(DataError, match=r"255 is one of the two classes"):
            load_dataset(source, membrane="zero", ignore=255, **options)


def test_every_label_of_a_generated_stack_is_known() -> None:
    stack = load_dataset(SMALL, ignore=127)
    assert stack.counted_ZHW is None and stack.sha256() == load_dataset(SMALL).sha256()
    assert stack.notes == ("synthetic: every label of a generated stack is known, so `ignore: 127` leaves out nothing",)


def test_files_with_other_names_are_given_by_path(folder: Path) -> None:
    images = (folder / "train-volume.tif").rename(folder / "em.tif")
    labels = (folder / "train-labels.tif").rename(folder / "marked.tif")
    assert load_dataset("nowhere", images=images, labels=labels).sha256() == load_dataset(SMALL).sha256()
    assert load_dataset(images=images).membrane_ZHW is None
    with pytest.raises(DataError, match="were given without images: give both"):
        load_dataset(labels=labels)
    found = r"train-volume.tif and train-labels.tif not found \(TIFFs here: em.tif, marked.tif\); .* `data: {images:"
    with pytest.raises(DataError, match=found):
        load_dataset(folder)


def test_isbi2012_is_found_where_it_was_downloaded(empty_data_folder: Path) -> None:
    advice = re.escape(f"isbi2012 is not in {empty_data_folder / 'isbi2012'}: get it with `sweeps data get isbi2012`")
    with pytest.raises(DataError, match=advice):
        load_dataset("isbi2012")
    write_stack(empty_data_folder / "isbi2012", load_dataset(SMALL))
    stack = load_dataset("isbi2012")
    assert stack.name == "isbi2012"
    assert stack.membrane_rule.endswith("is cell")
    # this is another stack under its name, and that is said
    assert len(stack.notes) == 2
    assert all("pixels differ from the published stack" in note for note in stack.notes)
    assert load_dataset(empty_data_folder / "isbi2012").notes == stack.notes


def test_downloads_are_kept_in_the_cache_unless_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert data_folder() == tmp_path / "data"
    monkeypatch.delenv("SWEEPS_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert data_folder() == tmp_path / "cache" / "unet-loss-sweeps"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert data_folder() == tmp_path / ".cache" / "unet-loss-sweeps"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("isbi", "isbi: no such folder, and no known data set (synthetic, isbi2012); did you mean 'isbi2012'?"),
        ("/no/such", "/no/such: no such folder, and no known data set (synthetic, isbi2012)"),
        ("synthetic:slices=3", "synthetic:slices=3: unknown option 'slices'; there are sections, size_px, seed"),
        ("synthetic:sections=many", "synthetic:sections=many: sections must be a whole number, got 'many'"),
        ("synthetic:sections=0", "`sections >= 1`"),
    ],
)
def test_what_is_not_there_is_said_with_what_is(source: str, message: str) -> None:
    with pytest.raises(DataError, match=re.escape(message)):
        load_dataset(source)


def test_every_data_set_says_what_it_is() -> None:
    assert list(DATASETS) == ["synthetic", "isbi2012"]
    assert all(description and "\n" not in description for description in DATASETS.values())


def _spread(file: Path, folder: Path) -> None:
    """The sections of a stack as single TIFFs in a folder; the stack goes."""
    folder.mkdir()
    for section, section_HW in enumerate(tifffile.imread(file)):
        tifffile.imwrite(folder / f"{section}.tif", section_HW, photometric="minisblack")
    file.unlink()


@pytest.mark.parametrize(
    ("images", "labels"), [("images", "labels"), ("train-volume", "train-labels"), ("train-volume.tiff", "train-labels")]
)
def test_a_folder_may_hold_folders(images: str, labels: str, folder: Path) -> None:
    for file, name in (("train-volume.tif", images), ("train-labels.tif", labels)):
        if "." in name:
            (folder / file).rename(folder / name)
        else:
            _spread(folder / file, folder / name)
    stack = load_dataset(folder)
    assert (stack.sha256(), stack.name) == (load_dataset(SMALL).sha256(), "mine")


def test_the_challenges_two_files_go_before_all_others(folder: Path) -> None:
    (folder / "images").mkdir()
    (folder / "labels").mkdir()
    assert load_dataset(folder).sha256() == load_dataset(SMALL).sha256()


def test_more_than_one_pair_is_refused(folder: Path) -> None:
    _spread(folder / "train-volume.tif", folder / "train-volume")
    (folder / "images.png").write_bytes(b"x")
    (folder / "labels").mkdir()
    message = (
        "which are the sections and their labels? There are train-volume with train-labels.tif, images.png with labels; keep one pair, or"
    )
    with pytest.raises(DataError, match=re.escape(message)):
        load_dataset(folder)


def test_a_folder_without_a_pair_says_what_is_in_it(folder: Path) -> None:
    (folder / "train-labels.tif").unlink()
    (folder / "masks").mkdir()
    (folder / "images").mkdir()
    message = "train-labels.tif not found (TIFFs here: train-volume.tif); folders of PNGs or TIFFs must be called images and labels"
    with pytest.raises(DataError, match=re.escape(f"{message} (folders here: images, masks); for stacks with other names")):
        load_dataset(folder)
