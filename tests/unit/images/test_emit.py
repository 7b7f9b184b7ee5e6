"""One pass: content, sizes and digests of every container."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import lzma
import os
import threading
import zlib
from pathlib import Path
from typing import Callable

import pytest
import zstandard

from fuel_image.errors import BuildError
from fuel_image.images import contents
from fuel_image.images.containers import CONTAINERS
from fuel_image.images.emit import emit
from fuel_image.progress import Step

UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.decompress,
    "raw": bytes,
    "xz": lzma.decompress,
    "zstd": lambda packed: zstandard.ZstdDecompressor().decompressobj().decompress(packed),
}
MEBIBYTE = 1 << 20


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A file with a hole at each end, one in the middle, and an odd size."""
    path = tmp_path / "image"
    with path.open("wb") as file:
        for place in (3, 9):
            file.seek(place * MEBIBYTE)
            file.write(bytes(range(256)) * 4097)
        file.truncate(14 * MEBIBYTE + 17)
    return path


@pytest.mark.parametrize("container", CONTAINERS)
def test_containers(image: Path, container: str) -> None:
    target, step, raw = io.BytesIO(), Step("emitting"), image.read_bytes()
    sums = emit(image, container, target, threads=2, step=step, stopped=threading.Event())
    assert UNPACK[container](target.getvalue()) == raw
    for content, found in zip((raw, target.getvalue()), sums):
        assert found.size_bytes == len(content)
        assert (found.md5, found.sha256) == (hashlib.md5(content).hexdigest(), hashlib.sha256(content).hexdigest())
    assert step.done_bytes == len(raw)


@pytest.mark.parametrize("ends_with", [b"", b"end"])
def test_raw_leaves_holes_as_they_are(tmp_path: Path, ends_with: bytes) -> None:
    image, copy = tmp_path / "image", tmp_path / "copy"
    with image.open("wb") as file:
        file.write(b"begin")
        file.truncate(24 * MEBIBYTE - len(ends_with))
        file.seek(0, os.SEEK_END)
        file.write(ends_with)
    with copy.open("w+b") as target:
        raw, packed = emit(image, "raw", target, threads=1, step=Step("emitting"), stopped=threading.Event())
    assert copy.read_bytes() == image.read_bytes()
    assert raw == packed
    assert copy.stat().st_blocks * 512 <= 8 * MEBIBYTE + 4096


def test_gzip_is_one_member_for_the_node_reads_no_second(image: Path) -> None:
    target = io.BytesIO()
    emit(image, "gzip", target, threads=2, step=Step("emitting"), stopped=threading.Event())
    reader = zlib.decompressobj(zlib.MAX_WBITS | 32)
    assert len(reader.decompress(target.getvalue())) == image.stat().st_size
    assert (reader.eof, reader.unused_data) == (True, b"")


def test_an_empty_image(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    target = io.BytesIO()
    raw, _ = emit(tmp_path / "empty", "gzip", target, threads=1, step=Step("emitting"), stopped=threading.Event())
    assert raw.size_bytes == 0
    assert gzip.decompress(target.getvalue()) == b""


@pytest.mark.parametrize("container", CONTAINERS)
def test_where_the_holes_are_makes_no_difference(image: Path, tmp_path: Path, container: str) -> None:
    full = tmp_path / "full"
    full.write_bytes(image.read_bytes())
    assert full.stat().st_blocks > image.stat().st_blocks
    targets = [io.BytesIO(), io.BytesIO()]
    for path, target in zip((image, full), targets):
        emit(path, container, target, threads=2, step=Step("emitting"), stopped=threading.Event())
    assert targets[0].getvalue() == targets[1].getvalue()


def test_it_stops_when_it_is_told(tmp_path: Path) -> None:
    path, stopped = tmp_path / "image", threading.Event()
    path.write_bytes(b"content")
    stopped.set()
    with pytest.raises(BuildError, match="given up"):
        emit(path, "xz", io.BytesIO(), threads=1, step=Step("emitting"), stopped=stopped)


@pytest.mark.parametrize("container", CONTAINERS)
def test_an_error_of_the_disk_has_an_end(image: Path, container: str) -> None:
    """A compressor with threads raises the same error twice, so that it is its own context: who looks for the first
    error would look for ever.
    """

    class Full(io.BytesIO):
        def write(self, _chunk: object, /) -> int:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(OSError, match="No space left") as caught:
        emit(image, container, Full(), threads=2, step=Step("emitting"), stopped=threading.Event())
    contexts: list[BaseException | None] = [caught.value]
    while contexts[-1] is not None:
        assert contexts.count(contexts[-1]) == 1
        contexts.append(contexts[-1].__context__)


def test_a_file_that_becomes_shorter_does_not_hold_up_its_reader(tmp_path: Path) -> None:
    image = tmp_path / "image"
    image.write_bytes(b"short")
    with image.open("rb") as file, pytest.raises(OSError, match="it has become shorter while it was read"):
        contents.read(file.fileno(), 6, 0)
