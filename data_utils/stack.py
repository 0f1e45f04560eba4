"""A stack of sections with its membranes, checked on the way in. Labels may be partial.

Axes: Z sections, H rows, W columns.
"""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from data_utils.errors import DataError
from data_utils.grey import as_grey, few
from data_utils.labels import MEMBRANE_CHOICES, Membranes, membrane_from_labels
from data_utils.section_files import pairing_notes
from data_utils.sections import open_sections
from data_utils.tiff import write_tiff

IMAGES_NAME = "train-volume.tif"
LABELS_NAME = "train-labels.tif"
DEFAULT_VOXEL_SIZE_NM = (50.0, 4.0, 4.0)
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
    voxel_size_nm: tuple[float, float, float] = DEFAULT_VOXEL_SIZE_NM
    """Distance of voxels in nm along z, y and x; the default is that of the ISBI 2012 stacks."""
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
            check_same_shape(
                self.raw_ZHW.shape, array_ZHW.shape, images=self.name, labels=f"{self.name} {'labels' if true == 'membrane' else name}"
            )
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
    voxel_size_nm: tuple[float, float, float] | None = None,
    name: str | None = None,
) -> Stack:
    """Reads sections and labels and checks both.

    Args:
        images: grey sections: a TIFF stack, a PNG, or a folder of one or the other in natural order (see open_sections).
        labels: as many sections of the same size with values {0, 1}, {0, 255} or 1 bit, and `ignore`; None for a stack without labels.
        membrane: the label value of membranes: "zero", "nonzero", or "auto", the rarer of the two (zero where they are equal).
        ignore: the value of labels that are unknown, in 0 to 255; None: all are known.
        voxel_size_nm: distance of voxels in nm along z, y and x; None: as the images' file says, else 50 x 4 x 4.
        name: what reports call the stack; by default the file's or folder's name.

    Raises:
        DataError: a file cannot be read, pixels are NaN or infinite, shapes differ, or labels hold other values.
        ValueError: an unknown `membrane`, or an `ignore` outside its range.
    """
    if membrane not in MEMBRANE_CHOICES:
        raise ValueError(f"membrane must be one of {', '.join(MEMBRANE_CHOICES)}, got {membrane!r}")
    images = Path(images)
    with open_sections(images) as sections:
        raw_ZHW, notes = as_grey(sections.read_all(), images)
    notes = sections.notes + notes + _constant_notes(raw_ZHW, images)
    read: Membranes | None = None
    if labels is not None:
        with open_sections(Path(labels)) as label_sections:
            check_same_shape(sections.shape_ZHW, label_sections.shape_ZHW, images=str(images), labels=str(labels))
            labels_ZHW = label_sections.read_all()
        notes += label_sections.notes + pairing_notes(sections.files, label_sections.files)
        read = membrane_from_labels(labels_ZHW, membrane=membrane, source=str(labels), ignore=ignore)
        notes += read.notes
    return Stack(
        raw_ZHW=raw_ZHW,
        membrane_ZHW=read.membrane_ZHW if read else None,
        counted_ZHW=read.counted_ZHW if read else None,
        voxel_size_nm=voxel_size_nm or sections.voxel_size_nm or DEFAULT_VOXEL_SIZE_NM,
        name=name or sections.name,
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


def check_same_shape(images_ZHW: tuple[int, ...], labels_ZHW: tuple[int, ...], *, images: str, labels: str) -> None:
    """Raises DataError with both shapes unless there is one label section of the same size for every section."""
    if images_ZHW != labels_ZHW:
        raise DataError(
            f"{images} is {_shape(images_ZHW)}, but {labels} is {_shape(labels_ZHW)}:"
            " every section needs one label section of the same size"
        )


def _shape(shape_ZHW: tuple[int, ...]) -> str:
    return " x ".join(str(size) for size in shape_ZHW) + " (sections x rows x columns)"


def _constant_notes(raw_ZHW: np.ndarray, path: Path) -> list[str]:
    constant = [section for section, section_HW in enumerate(raw_ZHW) if section_HW.min() == section_HW.max()]
    if len(constant) == len(raw_ZHW) and raw_ZHW.min() == raw_ZHW.max():
        return [f"{path}: the image is constant: every pixel is {raw_ZHW.flat[0]}; nothing can be learnt from it"]
    if constant:
        listed = few(f"section {section} (every pixel {raw_ZHW[section].flat[0]})" for section in constant)
        return [f"{path}: constant sections, in which there is nothing to see: {listed}"]
    return []
