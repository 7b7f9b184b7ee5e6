"""From a file system at rest to a published file.

Owns the one pass in which an image is read: compressed, while its digests and those of the result are taken. Holes are
not read. It must not make or check file systems.
"""

from __future__ import annotations

import concurrent.futures
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from fuel_image.images.containers import CONTAINERS
from fuel_image.progress import Step

_CHUNK_BYTES = 4 << 20
_ZEROS = bytes(_CHUNK_BYTES)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


class Digests:
    """The MD5, which nodes check, and the SHA-256 of a stream, taken at once in two threads."""

    def __init__(self, threads: concurrent.futures.Executor) -> None:
        self._threads = threads
        self._hashes: tuple[_Hash, _Hash] = (hashlib.md5(usedforsecurity=False), hashlib.sha256())
        self.size_bytes = 0

    def begin(self, chunk: bytes) -> list[concurrent.futures.Future[None]]:
        """Start taking in *chunk*; the next may begin only when what is returned has ended."""
        self.size_bytes += len(chunk)
        return [self._threads.submit(one.update, chunk) for one in self._hashes]

    @property
    def md5(self) -> str:
        """The MD5 in hexadecimal."""
        return self._hashes[0].hexdigest()

    @property
    def sha256(self) -> str:
        """The SHA-256 in hexadecimal."""
        return self._hashes[1].hexdigest()


class _Counted:
    """A file that takes the digests of what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.size_bytes = 0
        self.md5 = hashlib.md5(usedforsecurity=False)
        self.sha256 = hashlib.sha256()

    def write(self, chunk: bytes) -> int:
        self.md5.update(chunk)
        self.sha256.update(chunk)
        self.size_bytes += len(chunk)
        return self._file.write(chunk)

    def flush(self) -> None:
        self._file.flush()


class Emitted:
    """The sizes and digests of a written file and of the image in it."""

    def __init__(self, raw: Digests, packed: _Counted) -> None:
        self.raw_size_bytes, self.raw_md5, self.raw_sha256 = raw.size_bytes, raw.md5, raw.sha256
        self.size_bytes, self.md5, self.sha256 = packed.size_bytes, packed.md5.hexdigest(), packed.sha256.hexdigest()


def emit(image: Path, container: str, target: BinaryIO, *, threads: int, step: Step) -> Emitted:
    """Write *image* in its container to *target*."""
    packed = _Counted(target)
    with concurrent.futures.ThreadPoolExecutor(2) as executor:
        raw = Digests(executor)
        with CONTAINERS[container].opened(packed, threads) as stream:
            for chunk in _chunks(image):
                running = raw.begin(chunk)
                stream.write(chunk)
                for future in running:
                    future.result()
                step.advance(len(chunk))
    target.flush()
    return Emitted(raw, packed)


def _chunks(image: Path) -> Iterator[bytes]:
    """Give the content of a file in chunks of one size; those that lie in a hole come as zeros that were not read.

    The chunks do not follow the holes, whose places depend on the file system that the image lies on: a compressor's
    output depends on how it is fed.
    """
    with image.open("rb", buffering=0) as file:
        descriptor = file.fileno()
        size = os.fstat(descriptor).st_size
        next_data = 0
        for place in range(0, size, _CHUNK_BYTES):
            count = min(_CHUNK_BYTES, size - place)
            if next_data < place + 1:
                next_data = _next_data(descriptor, place, size)
            yield _ZEROS[:count] if next_data >= place + count else _read(descriptor, count, place)


def _read(descriptor: int, count: int, place: int) -> bytes:
    chunk = os.pread(descriptor, count, place)
    while len(chunk) < count:
        chunk += os.pread(descriptor, count - len(chunk), place + len(chunk))
    return chunk


def _next_data(descriptor: int, place: int, size: int) -> int:
    """Return where the first data at or after *place* begin, or *size*."""
    try:
        return os.lseek(descriptor, place, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data from here to the end
            return size
        raise
