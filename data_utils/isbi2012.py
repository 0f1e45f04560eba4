"""The stacks of the ISBI 2012 challenge: find, download, verify.

30 ssTEM sections of Drosophila larva ventral nerve cord, 512 x 512 px of 4 x 4 nm, 50 nm apart, with membranes marked by hand
(Cardona et al. 2010, PLoS Biology 8:e1000502; Arganda-Carreras et al. 2015, Frontiers in Neuroanatomy 9:142). No licence was
found for them, so they are never shipped with this program.
"""

import dataclasses
import hashlib
import logging
import zipfile
import zlib
from pathlib import Path

import numpy as np

from data_utils.errors import DataError
from data_utils.stack import IMAGES_NAME, LABELS_NAME, Stack, read_stack
from data_utils.tiff import read_tiff

logger = logging.getLogger(__name__)

URL = "https://downloads.imagej.net/ISBI-2012-challenge.zip"
TEST_NAME = "test-volume.tif"
NAMES = (IMAGES_NAME, LABELS_NAME, TEST_NAME)

SHA256_TRAIN_VOLUME = "200da3d452d726e6c9ca1ce04b869d4edb727320d23b516d01cce707dc8c4760"
SHA256_TRAIN_LABELS = "a7cb64000a1a7e542682927e19c91339f58f9f178e0bcce4e207371116f0ca36"
SHA256_TEST_VOLUME = "1b58fa7ec1d0ff9d39a855622db3ff66a97863036339b0d04be51b2f5a99b0e9"
# Hashes of array.tobytes(): of the pixels alone, because files with the same pixels differ in their headers.
PIXELS_SHA256 = {IMAGES_NAME: SHA256_TRAIN_VOLUME, LABELS_NAME: SHA256_TRAIN_LABELS, TEST_NAME: SHA256_TEST_VOLUME}

_VOXEL_SIZE_NM = (50.0, 4.0, 4.0)
# Each stack is 7.9 MB: more than this is not the challenge's archive.
_MAX_MEMBER_BYTES = 256 * 2**20
_TIMEOUT_S = 60


def find_isbi2012(folder: Path, *, membrane: str = "zero", ignore: int | None = None) -> Stack:
    """Reads train-volume.tif and train-labels.tif of a folder; pixels that are not the published ones are said in Stack.notes.

    Args:
        folder: holds the two files.
        membrane: the label value of membranes; 0 in the challenge's own labels.
        ignore: the label value of pixels whose label is unknown; the challenge's own labels have none.

    Raises:
        DataError: a file is missing or cannot be used.
    """
    folder = Path(folder)
    missing = [name for name in (IMAGES_NAME, LABELS_NAME) if not (folder / name).is_file()]
    if missing:
        raise DataError(f"{folder}: {' and '.join(missing)} not found; `sweeps data get isbi2012` downloads the stacks of the challenge")
    files = (folder / IMAGES_NAME, folder / LABELS_NAME)
    stack = read_stack(*files, membrane=membrane, ignore=ignore, voxel_size_nm=_VOXEL_SIZE_NM, name="isbi2012")
    # the labels' pixels are hashed as stored, before they become a mask
    notes = [
        note
        for name, pixels_ZHW in ((IMAGES_NAME, stack.raw_ZHW), (LABELS_NAME, read_tiff(folder / LABELS_NAME)))
        if (note := _hash_note(folder / name, pixels_ZHW))
    ]
    return dataclasses.replace(stack, notes=(*stack.notes, *notes))


def download_isbi2012(cache: Path, *, url: str = URL) -> Path:
    """Downloads and unpacks the challenge's archive into `cache`/isbi2012, and checks the pixels' hashes.

    Stacks that are already there are not downloaded again. A hash that differs is logged as a warning, and is in the notes of
    find_isbi2012.

    Args:
        cache: folder for data sets; made if it does not exist.
        url: the archive.

    Returns:
        The folder with train-volume.tif, train-labels.tif and, where the archive has it, test-volume.tif.

    Raises:
        ConnectionError: the archive could not be downloaded.
        DataError: the archive is damaged, or the stacks are not in it.
    """
    folder = Path(cache) / "isbi2012"
    if not all((folder / name).is_file() for name in (IMAGES_NAME, LABELS_NAME)):
        folder.mkdir(parents=True, exist_ok=True)
        archive = _fetch(url, folder)
        try:
            _unpack(archive, folder, url)
        finally:
            archive.unlink(missing_ok=True)
    for name in NAMES:
        if (folder / name).is_file() and (note := _hash_note(folder / name, read_tiff(folder / name))):
            logger.warning("%s", note)
    return folder


def _fetch(url: str, folder: Path) -> Path:
    import pooch  # only a download needs it

    downloader = pooch.HTTPDownloader(timeout=_TIMEOUT_S)
    archive = folder / ".archive.zip"
    # an archive left by a download that was cut is not to be trusted
    archive.unlink(missing_ok=True)
    try:
        # No hash: the published ones are of pixels, and are checked once they are unpacked.
        # pooch's own downloaders do not match the protocol it declares for them (1.9.0).
        return Path(pooch.retrieve(url, known_hash=None, fname=archive.name, path=folder, downloader=downloader))  # pyright: ignore[reportArgumentType]
    except (OSError, ValueError) as error:
        raise ConnectionError(
            f"{url}: cannot be downloaded ({type(error).__name__}: {str(error)[:300]});"
            f" try again later, or put {', '.join(NAMES)} into {folder}"
        ) from error


def _hash_note(path: Path, pixels_ZHW: np.ndarray) -> str | None:
    found = hashlib.sha256(np.ascontiguousarray(pixels_ZHW).data).hexdigest()
    if found == PIXELS_SHA256[path.name]:
        return None
    return f"{path}: pixels differ from the published stack (SHA-256 {found[:12]}..., published {PIXELS_SHA256[path.name][:12]}...)"


def _unpack(archive: Path, folder: Path, url: str) -> None:
    """Takes the three stacks, by their bare names, out of the archive: no path in it can lead out of the folder."""
    try:
        with zipfile.ZipFile(archive) as unzipped:
            # archives made on a Mac carry a shadow of each file
            members = {Path(m.filename).name: m for m in unzipped.infolist() if not m.is_dir() and "__MACOSX" not in m.filename}
            missing = [name for name in (IMAGES_NAME, LABELS_NAME) if name not in members]
            if missing:
                found = ", ".join(sorted(members)[:10]) or "nothing"
                raise DataError(f"{url}: {' and '.join(missing)} not in the archive, which holds {found}")
            for name in NAMES:
                if name in members:
                    _unpack_member(unzipped, members[name], folder / name, url)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise DataError(f"{url}: what was downloaded is not a whole zip archive ({error}); try again") from error


def _unpack_member(unzipped: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, url: str) -> None:
    if member.file_size > _MAX_MEMBER_BYTES:
        raise DataError(f"{url}: {member.filename} would unpack to {member.file_size} bytes, a stack of the challenge has 8 million")
    unfinished = target.with_name(f".{target.name}.unfinished")
    try:
        with unzipped.open(member) as packed:
            # file_size is the archive's claim: read no more than it allows
            unfinished.write_bytes(packed.read(_MAX_MEMBER_BYTES))
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)
