"""The voxel size is taken from whoever wrote it, and from nobody who did not know it."""

from pathlib import Path

import numpy as np
import pytest
import tifffile

from data_utils.sections import open_sections
from data_utils.tiff import write_tiff

GREY_ZHW = np.zeros((3, 8, 9), np.uint8)
IMAGEJ = {"imagej": True}


def size_of(path: Path) -> tuple[float, float, float] | None:
    with open_sections(path) as sections:
        return sections.voxel_size_nm


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32", "uint32", "float64"])
@pytest.mark.parametrize("size", [(50.0, 4.0, 4.0), (40.0, 3.7, 5.25), (0.5, 999.0, 1.0)])
def test_ours_comes_back(dtype: str, size: tuple[float, float, float], tmp_path: Path) -> None:
    write_tiff(tmp_path / "stack.tif", GREY_ZHW.astype(dtype), voxel_size_nm=size)
    assert size_of(tmp_path / "stack.tif") == pytest.approx(size, rel=1e-5)


@pytest.mark.parametrize(
    ("unit", "nm"),
    [("nm", 1), ("micron", 1e3), ("um", 1e3), ("\N{MICRO SIGN}m", 1e3), ("\\u00B5m", 1e3), ("microns", 1e3), ("mm", 1e6), ("cm", 1e7)],
)
def test_imagejs_units(unit: str, nm: float, tmp_path: Path) -> None:
    # ImageJ counts pixels per unit, and writes a negative spacing for stacks that were turned over
    description = f"ImageJ=1.54f\nimages=3\nslices=3\nunit={unit}\nspacing=-0.05\n"
    with tifffile.TiffWriter(tmp_path / "stack.tif") as tif:
        for section_HW in GREY_ZHW:
            options = {"resolution": (250, 125), "resolutionunit": "NONE", "contiguous": False, "metadata": None, "software": False}
            tif.write(section_HW, photometric="minisblack", description=description.encode(), **options)
    assert size_of(tmp_path / "stack.tif") == pytest.approx((0.05 * nm, nm / 125, nm / 250), rel=1e-5)


def test_a_resolution_that_is_a_plain_number_counts_as_well(tmp_path: Path) -> None:
    write_tiff(tmp_path / "stack.tif", GREY_ZHW, voxel_size_nm=(50.0, 4.0, 4.0))
    with tifffile.TiffFile(tmp_path / "stack.tif", mode="r+b") as tif:
        for axis, per_nm in (("X", 0.125), ("Y", 0.5)):
            tif.pages.first.tags[f"{axis}Resolution"].overwrite(per_nm, dtype="f")
    assert size_of(tmp_path / "stack.tif") == (50.0, 2.0, 8.0)


def test_omes_physical_sizes(tmp_path: Path) -> None:
    sizes = {"PhysicalSizeX": 4.0, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.005, "PhysicalSizeZ": 0.05}
    tifffile.imwrite(tmp_path / "stack.ome.tif", GREY_ZHW, ome=True, metadata={"axes": "ZYX"} | sizes)
    # the unit that is not said is um
    assert size_of(tmp_path / "stack.ome.tif") == (50.0, 5.0, 4.0)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"metadata": None},
        {"resolution": (72, 72), "resolutionunit": "INCH"},
        {"ome": True, "metadata": {"axes": "ZYX"}},
        {"ome": True, "metadata": {"axes": "ZYX", "PhysicalSizeX": 4.0, "PhysicalSizeY": 4.0}},
        IMAGEJ,
        IMAGEJ | {"resolution": (0.25, 0.25), "metadata": {"axes": "ZYX", "unit": "nm"}},
        IMAGEJ | {"resolution": (0.25, 0.25), "metadata": {"axes": "ZYX", "unit": "pixel", "spacing": 50.0}},
        IMAGEJ | {"resolution": (0.25, 0.25), "metadata": {"axes": "ZYX", "unit": "nm", "spacing": 0.0}},
        IMAGEJ | {"resolution": ((0, 1), (1, 1)), "metadata": {"axes": "ZYX", "unit": "nm", "spacing": 50.0}},
        {"metadata": {"voxel_size_nm": [50, "wide", 4]}},
        {"metadata": {"voxel_size_nm": [50, -4, 4]}},
        {"metadata": {"voxel_size_nm": [50, 4]}},
    ],
)
def test_what_is_not_wholly_said_or_makes_no_sense_is_not_known(options: dict, tmp_path: Path) -> None:
    tifffile.imwrite(tmp_path / "stack.tif", GREY_ZHW, **({"photometric": "minisblack"} | options))
    assert size_of(tmp_path / "stack.tif") is None


def test_the_isbi_stacks_do_not_say(isbi2012_folder: Path) -> None:
    assert size_of(isbi2012_folder / "train-volume.tif") is None
