"""The voxel size that a TIFF gives of itself, in nm along z, y and x.

Three programs write three things: ImageJ a unit and the spacing of sections in its description, and pixels per unit in the resolution
tags; OME physical sizes in its XML; and write_tiff, where ImageJ cannot read the file, "voxel_size_nm" in tifffile's own description.
Resolution tags alone say nothing here: 72 dots per inch is what programs write that know nothing, and sections have no distance in them.
"""

import html
import json
import math
import re
from collections.abc import Mapping
from typing import Any

import tifffile

VoxelSize = tuple[float, float, float]

LEAST_NM, MOST_NM = 2.5e-3, 1e9
"""What a TIFF's rational numbers, of 32 bits, can hold as pixels per centimetre, up to a metre; no voxel lies outside."""

_NM = {
    "pm": 1e-3, "a": 0.1, "angstrom": 0.1, "nm": 1.0, "nanometer": 1.0, "nanometre": 1.0,
    "um": 1e3, "micron": 1e3, "micrometer": 1e3, "micrometre": 1e3,
    "\N{MICRO SIGN}m": 1e3, "\N{GREEK SMALL LETTER MU}m": 1e3, "\\u00b5m": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimetre": 1e6, "cm": 1e7, "m": 1e9, "inch": 25.4e6,
}  # fmt: skip


def voxel_size_of(tif: tifffile.TiffFile) -> VoxelSize | None:
    """Returns the voxel size (z, y, x) in nm of an open file, to 6 digits; None where any of the three is not said, or makes no sense."""
    page = tif.pages.first
    if tif.is_imagej:
        return _calibrated(tif.imagej_metadata or {}, page)
    if tif.is_ome:
        return _ome(tif.ome_metadata or "")
    if tif.is_shaped:
        described = json.loads(page.shaped_description or "{}")
        sizes = described.get("voxel_size_nm")
        return _sensible(sizes) if isinstance(sizes, list) else _calibrated(described, page)
    return None


def _calibrated(metadata: Mapping[str, Any], page: tifffile.TiffPage) -> VoxelSize | None:
    nm = _unit(metadata.get("unit"))
    if nm is None or "spacing" not in metadata:
        return None
    sizes = [abs(_number(metadata["spacing"])) * (_unit(metadata.get("zunit")) or nm)]
    for axis in "YX":
        tag = page.tags.get(f"{axis}Resolution")
        per_unit = _fraction(tag.value) if tag is not None else math.nan
        sizes.append(nm / per_unit if per_unit else math.nan)
    return _sensible(sizes)


def _ome(xml: str) -> VoxelSize | None:
    pixels = re.search(r"<Pixels\b[^>]*>", xml)
    said = dict(re.findall(r'\bPhysicalSize([XYZ](?:Unit)?)="([^"]*)"', pixels.group() if pixels else ""))
    return _sensible([_number(said.get(axis)) * (_unit(html.unescape(said.get(f"{axis}Unit", "um"))) or math.nan) for axis in "ZYX"])


def _unit(name: object) -> float | None:
    plain = str(name).strip().strip('"').lower()
    return _NM.get(plain) or _NM.get(plain.removesuffix("s"))


def _fraction(value: object) -> float:
    # two whole numbers by the specification; some programs write a float
    if isinstance(value, tuple) and len(value) == 2:
        return _number(value[0]) / _number(value[1]) if value[1] else math.nan
    return _number(value[0] if isinstance(value, tuple) and len(value) == 1 else value)


def _number(value: object) -> float:
    try:
        return float(str(value))
    except ValueError:
        return math.nan


def _sensible(sizes: list[Any]) -> VoxelSize | None:
    numbers = [_number(size) for size in sizes]
    if len(numbers) != 3 or not all(LEAST_NM <= number <= MOST_NM for number in numbers):
        return None
    z, y, x = (float(f"{number:.6g}") for number in numbers)
    return z, y, x
