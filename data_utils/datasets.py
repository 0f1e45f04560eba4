"""Data sets by name, by folder, or by their two files."""

import dataclasses
import difflib
import os
from pathlib import Path

from data_utils.errors import DataError
from data_utils.grey import few
from data_utils.isbi2012 import find_isbi2012
from data_utils.section_files import SUFFIXES
from data_utils.stack import IMAGES_NAME, LABELS_NAME, Stack, read_stack
from data_utils.synthetic import make_synthetic

DATASETS: dict[str, str] = {
    "synthetic": "generated neuropil, 20 sections of 256 x 256 px; also synthetic:sections=10,size_px=128,seed=3",
    "isbi2012": "30 sections of Drosophila nerve cord, 512 x 512 px, from the ISBI 2012 challenge; needs a download",
}

_PAIRS = ((Path(IMAGES_NAME).stem, Path(LABELS_NAME).stem), ("images", "labels"))
_SYNTHETIC_OPTIONS = ("sections", "size_px", "seed")


def load_dataset(
    source: str | Path = "synthetic",
    *,
    images: Path | None = None,
    labels: Path | None = None,
    membrane: str = "auto",
    ignore: int | None = None,
) -> Stack:
    """Loads a stack with its membranes.

    Args:
        source: a name of DATASETS, or a folder with train-volume.tif and train-labels.tif, or with folders of PNGs or TIFFs of these names
            or called images and labels.
        images: a TIFF stack, PNG or folder with another name; `source` is then not looked at.
        labels: the labels of `images`.
        membrane: the label value of membranes: "zero", "nonzero", or "auto" (the rarer one).
        ignore: the label value of pixels whose label is unknown, in 0 to 255; None: every label is known.

    Raises:
        DataError: the data set is unknown, not there, or cannot be used; the message says which file and what to do.
        ValueError: an unknown `membrane`, or an `ignore` outside its range.
    """
    if images is not None:
        return read_stack(images, labels, membrane=membrane, ignore=ignore)
    if labels is not None:
        raise DataError(f"labels {labels} were given without images: give both, or a folder with {IMAGES_NAME} and {LABELS_NAME}")
    name, _, options = str(source).partition(":")
    if name == "synthetic":
        stack = make_synthetic(**_synthetic_options(options, str(source)))
        note = f"synthetic: every label of a generated stack is known, so `ignore: {ignore}` leaves out nothing"
        return stack if ignore is None else dataclasses.replace(stack, notes=(*stack.notes, note))
    if str(source) == "isbi2012" and not _is_stack_folder(Path(source)):
        return find_isbi2012(_isbi2012_folder(), membrane="zero" if membrane == "auto" else membrane, ignore=ignore)
    return _load_folder(Path(source).expanduser(), membrane, ignore)


def data_folder() -> Path:
    """Where downloaded data sets are kept: $SWEEPS_DATA, else a folder in the user's cache."""
    if configured := os.environ.get("SWEEPS_DATA"):
        return Path(configured).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "unet-loss-sweeps"


def _is_stack_folder(folder: Path) -> bool:
    return (folder / IMAGES_NAME).is_file() and (folder / LABELS_NAME).is_file()


def _isbi2012_folder() -> Path:
    folder = data_folder() / "isbi2012"
    if not _is_stack_folder(folder):
        raise DataError(
            f"isbi2012 is not in {folder}: get it with `sweeps data get isbi2012`, or set SWEEPS_DATA to the folder that has it,"
            f" or name a folder with {IMAGES_NAME} and {LABELS_NAME}"
        )
    return folder


def _load_folder(folder: Path, membrane: str, ignore: int | None) -> Stack:
    if not folder.is_dir():
        near = difflib.get_close_matches(str(folder), DATASETS, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise DataError(f"{folder}: no such folder, and no known data set ({', '.join(DATASETS)}){hint}")
    images, labels = _find_pair(folder)
    if folder.resolve().name == "isbi2012" and _is_stack_folder(folder):
        return find_isbi2012(folder, membrane="zero" if membrane == "auto" else membrane, ignore=ignore)
    return read_stack(images, labels, membrane=membrane, ignore=ignore, name=folder.resolve().name)


def _find_pair(folder: Path) -> tuple[Path, Path]:
    """The images and labels of a folder: the challenge's two files go before all others, of which there must be one pair."""
    if _is_stack_folder(folder):
        return folder / IMAGES_NAME, folder / LABELS_NAME
    pairs = [(i, j) for images, labels in _PAIRS for i in _called(folder, images) for j in _called(folder, labels)]
    if len(pairs) == 1:
        return pairs[0]
    say = "give both: `data: {images: PATH, labels: PATH}`"
    if pairs:
        listed = few(f"{images.name} with {labels.name}" for images, labels in pairs)
        raise DataError(f"{folder}: which are the sections and their labels? There are {listed}; keep one pair, or {say}")
    missing = [name for name in (IMAGES_NAME, LABELS_NAME) if not (folder / name).is_file()]
    found = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in (".tif", ".tiff"))
    folders = few(sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")))
    raise DataError(
        f"{folder}: {' and '.join(missing)} not found (TIFFs here: {few(found) or 'none'}); folders of PNGs or TIFFs must be"
        f" called images and labels (folders here: {folders or 'none'}); for stacks with other names {say}"
    )


def _called(folder: Path, name: str) -> list[Path]:
    """What is called `name` and can be read: a file with one of the endings, or a folder."""
    files = [folder / f"{name}{suffix}" for suffix in SUFFIXES if (folder / f"{name}{suffix}").is_file()]
    return files + [folder / name] * (folder / name).is_dir()


def _synthetic_options(options: str, source: str) -> dict[str, int]:
    """The numbers in "sections=10,size_px=128"."""
    read: dict[str, int] = {}
    for option in filter(None, options.split(",")):
        key, _, value = option.partition("=")
        if key.strip() not in _SYNTHETIC_OPTIONS:
            raise DataError(f"{source}: unknown option {key.strip()!r}; there are {', '.join(_SYNTHETIC_OPTIONS)}")
        try:
            read[key.strip()] = int(value)
        except ValueError as error:
            raise DataError(f"{source}: {key.strip()} must be a whole number, got {value!r}") from error
    return read
