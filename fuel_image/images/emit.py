"""From a file system at rest to a published file.

Owns the one pass in which an image is read: compressed, while its digests and those of the result are taken. Holes are
not read. It must not make or check file systems.
"""

from __future__ import annotations

import concurrent.futures
import functools
import hashlib
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol

from fuel_image.errors import BuildError
from fuel_image.images import contents
from fuel_image.images.containers import CONTAINERS, RAW
from fuel_image.progress import Step

_CHUNK_BYTES = 4 << 20
_ZEROS = bytes(_CHUNK_BYTES)


class _Hash(Protocol):
    def update(self, data: bytes, /) -> None: ...

    def hexdigest(self) -> str: ...


@dataclass(frozen=True)
class Sums:
    """The size of a stream, its MD5, which nodes check, and its SHA-256."""

    size_bytes: int
    md5: str
    sha256: str


class Running:
    """The sums of a stream so far, and its size."""

    def __init__(self) -> None:
        self.size_bytes = 0
        self._hashes: tuple[_Hash, _Hash] = (hashlib.md5(usedforsecurity=False), hashlib.sha256())

    def tasks(self, chunk: bytes) -> list[Callable[[], None]]:
        """Return what takes in *chunk*, to be run in any order, and at once if one likes."""
        self.size_bytes += len(chunk)
        return [functools.partial(one.update, chunk) for one in self._hashes]

    def take(self, chunk: bytes) -> None:
        """Take in *chunk*."""
        for task in self.tasks(chunk):
            task()

    def sums(self) -> Sums:
        """Return the sums of what was taken in."""
        md5, sha256 = self._hashes
        return Sums(self.size_bytes, md5.hexdigest(), sha256.hexdigest())


class _Summed:
    """A file that takes in *running* the sums of what is written to it; a hole that comes as it is stays one."""

    def __init__(self, file: BinaryIO, running: Running | None) -> None:
        self._file = file
        self._in_hole = False
        self._running = running

    def write(self, chunk: bytes) -> int:
        if self._running is not None:
            self._running.take(chunk)
        self._in_hole = chunk is _ZEROS
        if self._in_hole:
            self._file.seek(len(chunk), os.SEEK_CUR)
            return len(chunk)
        return self._file.write(chunk)

    def flush(self) -> None:
        if self._in_hole:  # a file ends with what was written last
            self._file.seek(-1, os.SEEK_CUR)
            self._file.write(b"\0")
            self._in_hole = False
        self._file.flush()


def emit(
    image: Path, container: str, target: BinaryIO, *, threads: int, step: Step, stopped: threading.Event
) -> tuple[Sums, Sums]:
    """Write *image* in its container to *target*; return the sums of the image and of what was written.

    Soon after *stopped* is set BuildError is raised.
    """
    raw = Running()
    sums = raw if container == RAW else Running()
    packed = _Summed(target, None if sums is raw else sums)
    opened = CONTAINERS[container].opened(packed, threads)
    try:
        with concurrent.futures.ThreadPoolExecutor(2) as executor, opened as stream:
            for chunk in _chunks(image):
                if stopped.is_set():
                    raise BuildError(f"writing {image.stem}: given up because of another error")
                running = [executor.submit(task) for task in raw.tasks(chunk)]
                stream.write(chunk)
                for future in running:
                    future.result()
                step.advance(len(chunk))
        packed.flush()
    except OSError as error:
        # A compressor with threads raises its error when it is written to and again when it is closed, which makes the
        # error its own context: contextlib.ExitStack looks for the end of the contexts, and would never find it.
        error.__context__ = None
        raise
    return raw.sums(), sums.sums()


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
                next_data = contents.next_data(descriptor, place, size)
            yield _ZEROS[:count] if next_data >= place + count else contents.read(descriptor, count, place)
