"""Which files make a stack, in which order, and which belong together."""

import re
from collections.abc import Sequence
from pathlib import Path

from data_utils.errors import DataError
from data_utils.grey import few

SUFFIXES = (".png", ".tif", ".tiff")
"""Endings, in small letters, of the files that are read from a folder."""


def section_files(path: Path) -> list[Path]:
    """Returns the file itself, or a folder's files in natural order (section2 before section10): PNGs or TIFFs.

    Raises:
        DataError: a folder with neither, or with both.
    """
    if not path.is_dir():
        return [path]
    there = [file for file in path.iterdir() if file.is_file() and not file.name.startswith(".")]
    files = sorted((file for file in there if file.suffix.lower() in SUFFIXES), key=_natural)
    if not files:
        others = few(sorted(file.name for file in there), 5) or "no file"
        raise DataError(f"{path}: holds no PNG and no TIFF, but {others}: sections are read from .png, .tif or .tiff files")
    num_png = sum(file.suffix.lower() == ".png" for file in files)
    if 0 < num_png < len(files):
        raise DataError(
            f"{path}: holds {num_png} PNGs and {len(files) - num_png} TIFFs: which are the sections? Keep one kind in the folder"
        )
    return files


def pairing_notes(images: Sequence[Path], labels: Sequence[Path]) -> list[str]:
    """Returns a note where files of two folders that go together by their order have other numbers in their names."""
    if len(images) != len(labels) or len(images) < 2:
        return []
    apart = [(image, label) for image, label in zip(images, labels, strict=True) if _last_number(image) != _last_number(label)]
    if not apart:
        return []
    pairs = few((f"{image.name} with {label.name}" for image, label in apart), 3)
    return [f"{labels[0].parent}: files go together by their order, and these have other numbers: {pairs}; are they of the same sections?"]


def _natural(path: Path) -> tuple[list[tuple[int, int, str]], str]:
    # numbers by their value, and before letters; names that differ in zeros alone stay in a fixed order
    parts = re.findall(r"[0-9]+|[^0-9]+", path.stem.lower())
    return [(0, int(part), "") if part[0] in "0123456789" else (1, 0, part) for part in parts], path.name


def _last_number(path: Path) -> int | None:
    numbers = re.findall(r"[0-9]+", path.stem)
    return int(numbers[-1]) if numbers else None
