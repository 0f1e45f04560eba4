"""A stack of sections with its membranes, checked on the way in. Labels may be partial.

Axes: Z sections, H rows, W columns.
"""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_utils.errors import DataError
from data_utils.labels import MEMBRANE_CHOICES, Membranes, membrane_from_labels
from data_utils.tiff import read_tiff, write_tiff

IMAGES_NAME = "train-volume.tif"
LABELS_NAME = "train-labels.tif"
UNKNOWN_LABEL = 127
"""What write_stack writes where the label is unknown."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Stack:
    """Sections and the membranes marked in them. Treat the arrays as read-only."""

    raw_ZHW: np.ndarray
    """Grey values [Z, H, W]: uint8, uint16 or float32, finite."""
    membrane_ZHW: np.ndarray | None
    """True where membrane, bool [Z, H, W]; None for a stack without labels."""
    counted_ZHW: np.ndarray | None = None
    """True where the label is known, bool [Z, H, W]; None where it is known everywhere. Other pixels are seen by the network, but count
    neither for its training nor for its scores, whatever membrane_ZHW holds there."""
    voxel_size_nm: tuple[float, float, float] = (50.0, 4.0, 4.0)
    """Distance of voxels in nm along z, y and x."""
    name: str
    """What reports call it."""
    membrane_rule: str
    """How labels were read, as a sentence: "0 is membrane (21.96% of pixels), 255 is cell"."""
    notes: tuple[str, ...] = ()
    """Warnings worth showing, such as constant sections or labels that are all alike."""

    def __post_init__(self) -> None:
        if self.raw_ZHW.ndim != 3 or 0 in self.raw_ZHW.shape:
            raise DataError(f"{self.name}: sections must be an array (Z, H, W) with no empty axis, got shape {self.raw_ZHW.shape}")
        if self.raw_ZHW.dtype.name not in ("uint8", "uint16", "float32"):
            raise DataError(f"{self.name}: grey values must be uint8, uint16 or float32, got {self.raw_ZHW.dtype}")
        for name, array_ZHW, true in (("membrane_ZHW", self.membrane_ZHW, "membrane"), ("counted_ZHW", self.counted_ZHW, "known")):
            if array_ZHW is None:
                continue
            if array_ZHW.dtype != bool:
                raise DataError(f"{self.name}: {name} must be bool (True = {true}), got {array_ZHW.dtype}")
            check_same_shape(self.raw_ZHW, array_ZHW, images=self.name, labels=f"{self.name} {'labels' if true == 'membrane' else name}")
        if self.membrane_ZHW is None and self.counted_ZHW is not None:
            raise DataError(f"{self.name}: counted_ZHW says which labels are known, but there are no labels (membrane_ZHW is None)")

    def sha256(self) -> str:
        """Hash of shape, type and pixels of sections and membranes, and of which labels are known where not all are.

        The same data, the same hash, whatever file they came from; what membrane_ZHW holds where the label is unknown does not matter.
        """
        digest = hashlib.sha256()
        for array_ZHW in (self.raw_ZHW, *self._labels()):
            described = "none" if array_ZHW is None else f"{array_ZHW.dtype.name} {array_ZHW.shape}"
            digest.update(described.encode())
            if array_ZHW is not None:
                digest.update(np.ascontiguousarray(array_ZHW).data)
        return digest.hexdigest()

    def _labels(self) -> tuple[np.ndarray | None, ...]:
        if self.membrane_ZHW is None or self.counted_ZHW is None:
            return (self.membrane_ZHW,)
        return self.membrane_ZHW & self.counted_ZHW, self.counted_ZHW


def read_stack(
    images: Path,
    labels: Path | None = None,
    *,
    membrane: str = "auto",
    ignore: int | None = None,
    voxel_size_nm: tuple[float, float, float] = (50.0, 4.0, 4.0),
    name: str | None = None,
) -> Stack:
    """Reads sections and labels from TIFF stacks and checks both.

    Args:
        images: stack of grey sections.
        labels: stack of the same shape with values {0, 1}, {0, 255} or 1 bit, and `ignore`; None for a stack without labels.
        membrane: the label value of membranes: "zero", "nonzero", or "auto", the rarer of the two (zero where they are equal).
        ignore: the value of labels that are unknown, in 0 to 255; None: all are known.
        voxel_size_nm: distance of voxels in nm along z, y and x.
        name: what reports call the stack; by default the file's name.

    Raises:
        DataError: a file cannot be read (see read_tiff), pixels are NaN or infinite, shapes differ, or labels hold other values.
        ValueError: an unknown `membrane`, or an `ignore` outside its range.
    """
    if membrane not in MEMBRANE_CHOICES:
        raise ValueError(f"membrane must be one of {', '.join(MEMBRANE_CHOICES)}, got {membrane!r}")
    images = Path(images)
    raw_ZHW, notes = _as_grey(read_tiff(images), images)
    notes += _constant_notes(raw_ZHW, images)
    read: Membranes | None = None
    if labels is not None:
        labels_ZHW = read_tiff(Path(labels))
        check_same_shape(raw_ZHW, labels_ZHW, images=str(images), labels=str(labels))
        read = membrane_from_labels(labels_ZHW, membrane=membrane, source=str(labels), ignore=ignore)
        notes += read.notes
    return Stack(
        raw_ZHW=raw_ZHW,
        membrane_ZHW=read.membrane_ZHW if read else None,
        counted_ZHW=read.counted_ZHW if read else None,
        voxel_size_nm=voxel_size_nm,
        name=name or images.stem,
        membrane_rule=read.rule if read else "no labels",
        notes=tuple(notes),
    )


def write_stack(path: Path, stack: Stack) -> None:
    """Writes `path`/train-volume.tif and train-labels.tif; makes the folder.

    In the labels 0 is membrane and 255 is cell, as in the challenge, and 127 is unknown: read_stack(..., ignore=127).
    """
    path = Path(path)
    path.mkdir(parents=True, exist_ok=True)
    write_tiff(path / IMAGES_NAME, stack.raw_ZHW, voxel_size_nm=stack.voxel_size_nm)
    if stack.membrane_ZHW is not None:
        labels_ZHW = np.where(stack.membrane_ZHW, np.uint8(0), np.uint8(255))
        if stack.counted_ZHW is not None:
            labels_ZHW[~stack.counted_ZHW] = UNKNOWN_LABEL
        write_tiff(path / LABELS_NAME, labels_ZHW, voxel_size_nm=stack.voxel_size_nm)


def check_same_shape(raw_ZHW: np.ndarray, labels_ZHW: np.ndarray, *, images: str, labels: str) -> None:
    """Raises DataError with both shapes unless there is one label section of the same size for every section."""
    if raw_ZHW.shape != labels_ZHW.shape:
        raise DataError(
            f"{images} is {_shape(raw_ZHW)}, but {labels} is {_shape(labels_ZHW)}: every section needs one label section of the same size"
        )


def _shape(array_ZHW: np.ndarray) -> str:
    return " x ".join(str(size) for size in array_ZHW.shape) + " (sections x rows x columns)"


def _as_grey(array_ZHW: np.ndarray, path: Path) -> tuple[np.ndarray, list[str]]:
    """The array as uint8, uint16 or float32, finite."""
    if array_ZHW.dtype.kind == "f":
        _check_finite(array_ZHW, path)
    if array_ZHW.dtype.name in ("uint8", "uint16", "float32"):
        return array_ZHW, []
    if array_ZHW.dtype == bool:
        return array_ZHW.astype(np.uint8), [f"{path}: sections are 1-bit images: are these labels?"]
    with np.errstate(over="ignore"):
        grey_ZHW = array_ZHW.astype(np.float32)
    _check_finite(grey_ZHW, path)
    return grey_ZHW, [f"{path}: {array_ZHW.dtype} pixels are kept as float32"]


def _check_finite(array_ZHW: np.ndarray, path: Path) -> None:
    bad = {section: int(count) for section, section_HW in enumerate(array_ZHW) if (count := np.count_nonzero(~np.isfinite(section_HW)))}
    if bad:
        raise DataError(
            f"{path}: {sum(bad.values())} pixels are NaN or infinite, in {_few(f'section {s} ({count})' for s, count in bad.items())}:"
            " replace them by grey values, or leave those sections out"
        )


def _constant_notes(raw_ZHW: np.ndarray, path: Path) -> list[str]:
    constant = [section for section, section_HW in enumerate(raw_ZHW) if section_HW.min() == section_HW.max()]
    if len(constant) == len(raw_ZHW) and raw_ZHW.min() == raw_ZHW.max():
        return [f"{path}: the image is constant: every pixel is {raw_ZHW.flat[0]}; nothing can be learnt from it"]
    if constant:
        listed = _few(f"section {section} (every pixel {raw_ZHW[section].flat[0]})" for section in constant)
        return [f"{path}: constant sections, in which there is nothing to see: {listed}"]
    return []


def _few(items: Iterable[str], most: int = 10) -> str:
    listed = list(items)
    return ", ".join(listed[:most]) + (f" and {len(listed) - most} more" if len(listed) > most else "")
