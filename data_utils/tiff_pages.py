"""What the header of a TIFF stack promises, checked against the file before anything is decoded.

Everything here reads page entries only: no pixel is decoded and nothing of the stack's size is allocated.
"""

import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import tifffile

from data_utils.errors import DataError
from data_utils.tiff_codecs import check_codec

# A real stack compresses 2 to 50 times, deflate at most 1,032 times: beyond this, header and data cannot both be honest.
MAX_RATIO = 10_000
_COLOURS = (2, 5, 6, 8)
_PALETTE = 3
_UNCOMPRESSED = 1
_CUT_OFF = "the file was cut off, or never written to its end; copy or download it again"


@dataclass(frozen=True, kw_only=True, eq=False)
class Plan:
    """A stack that can be decoded: its header agrees with itself and with the file's size."""

    pages: Sequence[tifffile.TiffPage]
    """Page entries: one a section, or a single one for contiguous sections without entries of their own."""
    num_sections: int
    """Sections in the stack."""
    dtype: np.dtype
    """Type of the pixels, native byte order."""

    @property
    def shape_ZHW(self) -> tuple[int, int, int]:
        """Shape of the decoded stack."""
        height, width = self.pages[0].shape
        return self.num_sections, height, width

    @property
    def section_bytes(self) -> int:
        """Bytes of one decoded section."""
        return math.prod(self.pages[0].shape) * self.dtype.itemsize


def plan_decoding(path: Path, tif: tifffile.TiffFile, complaints: Sequence[str], *, max_bytes: float, max_section_bytes: float) -> Plan:
    """Checks every page entry of an open file.

    Args:
        path: the file, for messages and its size.
        tif: the same file, open.
        complaints: what tifffile has logged about it so far; it goes on filling while pages are read.
        max_bytes: a larger decoded stack is refused.
        max_section_bytes: a larger decoded section is refused.

    Raises:
        DataError: pages are missing, differ or are not grey, or data lie outside the file; or the stack would be too large.
    """
    tif.pages.useframes = False
    pages = cast("list[tifffile.TiffPage]", list(tif.pages))
    if not pages:
        raise DataError(f"{path}: holds no page ({'; '.join(complaints) or 'the first entry is missing'}): {_CUT_OFF}")
    if complaints:
        raise DataError(f"{path}: truncated or damaged: only {len(pages)} pages can be read ({complaints[0]}): {_CUT_OFF}")
    for section, page in enumerate(pages):
        _check_grey(f"{path}, section {section}", page)
        if page.shape != pages[0].shape or page.dtype != pages[0].dtype:
            raise DataError(
                f"{path}, section {section}: is {_px(page)}, but section 0 is {_px(pages[0])}:"
                " all sections of a stack must be alike; crop or convert them"
            )
    plan = Plan(pages=pages, num_sections=_declared_sections(path, tif, pages), dtype=np.dtype(pages[0].dtype))
    _check_size(path, plan, max_bytes, max_section_bytes)
    _check_inside(path, plan)
    for section, page in enumerate(plan.pages):
        check_codec(f"{path}, section {section}", path, page)
    return plan


def _px(page: tifffile.TiffPage) -> str:
    return f"{' x '.join(str(size) for size in page.shape)} px {page.dtype}"


def _check_grey(where: str, page: tifffile.TiffPage) -> None:
    if page.samplesperpixel != 1 or page.photometric in _COLOURS or len(page.shape) != 2:
        colour = getattr(page.photometric, "name", page.photometric)
        raise DataError(
            f"{where}: not a grey section ({colour}, shape {page.shape}): convert it to 8-bit or 16-bit grey (ImageJ: Image > Type > 8-bit)"
        )
    if page.photometric == _PALETTE:
        colormap = page.colormap
        if colormap is None or (colormap[0] != colormap[1]).any() or (colormap[0] != colormap[2]).any():
            raise DataError(f"{where}: has a colour palette: convert it to grey (ImageJ: Image > Lookup Tables > Grays, then save)")
    if page.dtype is None or page.dtype.kind not in "buif":
        raise DataError(f"{where}: pixels of type {page.dtype or 'unknown'} cannot be used; use 8-bit, 16-bit or 32-bit float grey")


def _declared_sections(path: Path, tif: tifffile.TiffFile, pages: Sequence[tifffile.TiffPage]) -> int:
    """How many sections the file says it has: by its own description where it has one, else by its chain of pages."""
    declared = len(pages)
    if tif.is_imagej and tif.imagej_metadata:
        declared = int(tif.imagej_metadata.get("images", 1))
        channels = int(tif.imagej_metadata.get("channels", 1))
        # tifffile calls the sections of a grey stack channels when nobody tells it the axes
        grey_stack = channels == declared and tif.imagej_metadata.get("mode", "grayscale") == "grayscale"
        if channels > 1 and not grey_stack:
            raise DataError(
                f"{path}: has {channels} channels: save the one that shows membranes alone (ImageJ: Image > Color > Split Channels)"
            )
    elif tif.is_shaped:
        shape = json.loads(pages[0].shaped_description or "{}").get("shape", ())
        declared = max(math.prod(shape) // math.prod(pages[0].shape), 1)
    elif tif.is_ome:
        pixels = re.search(r"<Pixels\b[^>]*>", tif.ome_metadata or "")
        sizes = re.findall(r'\bSize[ZCT]="(\d+)"', pixels.group() if pixels else "")
        declared = math.prod(int(size) for size in sizes) if sizes else declared
    single_entry = len(pages) == 1 and declared > 1 and pages[0].is_contiguous and pages[0].compression == _UNCOMPRESSED
    if declared != len(pages) and not single_entry:
        raise DataError(f"{path}: says it has {declared} sections, but {len(pages)} pages are in the file: {_CUT_OFF}")
    return declared


def _check_size(path: Path, plan: Plan, max_bytes: float, max_section_bytes: float) -> None:
    # strips and tiles may reach far beyond the image: what counts is what the decoder is asked to make
    segment_bytes = max(math.prod(page.chunked) * math.prod(page.chunks) for page in plan.pages) * plan.dtype.itemsize
    section = max(plan.section_bytes, segment_bytes)
    decoded = plan.num_sections * section
    described = f"{plan.num_sections} x {_px(plan.pages[0])}"
    if decoded > max_bytes:
        raise DataError(
            f"{path}: {described} would take {decoded / 2**30:.1f} GiB, more than the {max_bytes / 2**30:.1f} GiB allowed:"
            " crop the stack, or raise max_bytes"
        )
    if section > max_section_bytes:
        raise DataError(
            f"{path}: a section of {_px(plan.pages[0])} would take {section / 2**30:.1f} GiB, more than the"
            f" {max_section_bytes / 2**30:.1f} GiB allowed: crop the sections, or raise max_section_bytes"
        )
    size = path.stat().st_size
    if decoded > MAX_RATIO * size:
        raise DataError(
            f"{path}: {size} bytes cannot hold {described}: it would be {decoded / size:.0f} times the file's size, and more than"
            f" {MAX_RATIO} times is not believed: the header is damaged or hostile"
        )


def _check_inside(path: Path, plan: Plan) -> None:
    """Every strip or tile must be present and lie wholly inside the file."""
    size = path.stat().st_size
    for section, page in enumerate(plan.pages):
        wanted = math.prod(page.chunked)
        offsets, counts = page.dataoffsets[:wanted], page.databytecounts[:wanted]
        present = sum(count > 0 for count in counts)
        if min(present, len(offsets)) < wanted:
            raise DataError(f"{path}, section {section}: {present} of {wanted} strips or tiles have data: {_CUT_OFF}")
        end = max(offset + count for offset, count in zip(offsets, counts, strict=True))
        if end > size:
            raise DataError(f"{path}, section {section}: truncated: pixels end at byte {end}, but the file has {size} bytes: {_CUT_OFF}")
        if page.compression == _UNCOMPRESSED and page.bitspersample % 8 == 0 and sum(counts) < plan.section_bytes:
            raise DataError(f"{path}, section {section}: has {sum(counts)} of {plan.section_bytes} bytes of pixels: {_CUT_OFF}")
    start = plan.pages[0].dataoffsets[0]
    if len(plan.pages) < plan.num_sections and start + plan.num_sections * plan.section_bytes > size:
        whole = max(size - start, 0) // plan.section_bytes
        raise DataError(f"{path}: truncated: says it has {plan.num_sections} sections, but the file holds {whole} whole ones: {_CUT_OFF}")
