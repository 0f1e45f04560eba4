"""The challenge's stacks: verified by their pixels, and downloaded from a server (here: one on loopback)."""

import contextlib
import gc
import hashlib
import io
import logging
import re
import threading
import warnings
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from data_utils import isbi2012
from data_utils.datasets import load_dataset
from data_utils.errors import DataError
from data_utils.isbi2012 import download_isbi2012, find_isbi2012
from data_utils.stack import write_stack
from data_utils.tiff import read_tiff, write_tiff


@pytest.fixture
def stacks(tmp_path: Path) -> dict[str, bytes]:
    """Three small files with the challenge's names."""
    stack = load_dataset("synthetic:sections=3,size_px=48")
    write_stack(tmp_path / "source", stack)
    write_tiff(tmp_path / "source" / "test-volume.tif", stack.raw_ZHW[::-1])
    return {path.name: path.read_bytes() for path in sorted((tmp_path / "source").iterdir())}


def zipped(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return packed.getvalue()


@contextlib.contextmanager
def serving(content: bytes, *, status: int = 200, announced: int | None = None) -> Iterator[tuple[str, list[str]]]:
    """A server on loopback that has one file; yields its address and the list of requests."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("Content-Length", str(len(content) if announced is None else announced))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/ISBI-2012-challenge.zip", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


def published(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Lets the small stacks be the published ones."""
    hashes = {path.name: hashlib.sha256(read_tiff(path).tobytes()).hexdigest() for path in folder.iterdir()}
    monkeypatch.setattr(isbi2012, "PIXELS_SHA256", hashes)


@pytest.mark.parametrize("inside", ["", "ISBI-2012-challenge/", "../../outside/", "/etc/"])
def test_the_archive_is_downloaded_once_and_unpacked_into_its_folder(
    inside: str, stacks: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    published(monkeypatch, tmp_path / "source")
    files = {inside + name: content for name, content in stacks.items()}
    # what a Mac adds, and things nobody asked for
    files |= {"__MACOSX/" + inside + "._train-volume.tif": b"shadow", "__MACOSX/train-volume.tif": b"shadow", "../evil.sh": b"rm"}
    cache = tmp_path / "deep" / "cache"
    with serving(zipped(files)) as (url, asked), caplog.at_level(logging.WARNING):
        folder = download_isbi2012(cache, url=url)
        assert folder == cache / "isbi2012"
        assert download_isbi2012(cache, url=url) == folder
        assert asked == ["/ISBI-2012-challenge.zip"]
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == stacks
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "source"]
    assert not caplog.records
    stack = find_isbi2012(folder)
    assert stack.notes == ()
    assert stack.sha256() == load_dataset("synthetic:sections=3,size_px=48").sha256()


def test_pixels_that_differ_are_said(stacks: dict[str, bytes], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(zipped(stacks)) as (url, _), caplog.at_level(logging.WARNING, "data_utils.isbi2012"):
        folder = download_isbi2012(tmp_path / "cache", url=url)
    assert [record.message.split(":")[0] for record in caplog.records] == [str(folder / name) for name in isbi2012.NAMES]
    volume, labels = find_isbi2012(folder).notes
    assert volume.startswith(f"{folder / 'train-volume.tif'}: pixels differ from the published stack (SHA-256 ")
    assert volume.endswith("published 200da3d452d7...)")
    assert labels.endswith("published a7cb64000a1a...)")


@pytest.mark.parametrize(
    ("content", "options", "error", "message"),
    [
        (b"gone", {"status": 404}, ConnectionError, r"cannot be downloaded \(HTTPError: 404.*try again later, or put train-volume.tif, "),
        (b"PK", {"announced": 99}, ConnectionError, r"cannot be downloaded \(\w+"),
        (b"<html>moved</html>", {}, DataError, "what was downloaded is not a whole zip archive"),
        (zipped({"train-volume.tif": b"II", "a.txt": b"-"}), {}, DataError, "train-labels.tif not in the archive, which holds a.txt"),
    ],
)
def test_a_failed_download_says_so_and_leaves_nothing(content, options, error, message: str, tmp_path: Path) -> None:
    # 2026-11-24: pooch 1.9.0 leaves the connection of a failed download to the garbage collector
    with warnings.catch_warnings(action="ignore", category=ResourceWarning):
        with serving(content, **options) as (url, _), pytest.raises(error, match=message) as caught:
            download_isbi2012(tmp_path, url=url)
        assert str(caught.value).startswith(url)
        del caught
        gc.collect()
    assert not list((tmp_path / "isbi2012").iterdir())


def test_no_server_is_a_connection_error(tmp_path: Path) -> None:
    with serving(b"") as (url, _):
        pass
    with pytest.raises(ConnectionError, match=re.escape(url)):
        download_isbi2012(tmp_path, url=url)


def test_a_damaged_archive_is_refused_by_its_checksums(stacks: dict[str, bytes], tmp_path: Path) -> None:
    content = bytearray(zipped(stacks))
    content[len(content) // 2] ^= 255
    with serving(bytes(content)) as (url, _), pytest.raises(DataError, match="is not a whole zip archive"):
        download_isbi2012(tmp_path, url=url)


def test_a_member_too_large_is_not_unpacked(stacks: dict[str, bytes], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(isbi2012, "_MAX_MEMBER_BYTES", 1000)
    with serving(zipped(stacks)) as (url, _), pytest.raises(DataError, match=r"train-volume.tif would unpack to \d+ bytes"):
        download_isbi2012(tmp_path, url=url)


def test_a_folder_without_the_stacks_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"train-volume.tif and train-labels.tif not found; `sweeps data get isbi2012` downloads"):
        find_isbi2012(tmp_path)


@pytest.mark.realdata
def test_the_real_stacks_are_the_published_ones(isbi2012_folder: Path) -> None:
    stack = find_isbi2012(isbi2012_folder)
    assert stack.raw_ZHW.shape == (30, 512, 512)
    assert stack.membrane_rule == "0 is membrane (21.96% of pixels), 255 is cell"
    assert stack.notes == ()
    assert hashlib.sha256(read_tiff(isbi2012_folder / "test-volume.tif").tobytes()).hexdigest() == isbi2012.SHA256_TEST_VOLUME
    assert load_dataset(isbi2012_folder).sha256() == stack.sha256()
