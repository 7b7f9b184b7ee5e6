"""A published set, checked against its record.

Owns the one reading of each file, from a directory or over HTTP: its size and digests, and by unpacking it those of the
image in it. It must not change anything, and does not need the repositories.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urljoin

from fuel_image.archive.transport import Failure, Transport
from fuel_image.host.cpus import cpus
from fuel_image.host.tasks import together
from fuel_image.images.containers import CONTAINERS, UNPACKING_ERRORS
from fuel_image.images.emit import Running, Sums
from fuel_image.progress import Step, step
from fuel_image.record import Raw, Record, Recorded, url_of

_CHUNK_BYTES = 1 << 20
_LARGER_BYTES = 1 << 30
"""How much more than it should be is read, to tell how large it is: what a stranger serves may have no end."""


@dataclass(frozen=True)
class Finding:
    """A file of a set, and what is wrong with it."""

    image: Recorded
    problems: tuple[str, ...]


class _Summed:
    """A stream of chunks that can be read like a file and takes its sums on the way; it ends once *stopped* is set."""

    def __init__(self, chunks: Iterator[bytes], reading: Step, stopped: threading.Event) -> None:
        self._chunks = chunks
        self._reading = reading
        self._rest = b""
        self.stopped = stopped
        self.running = Running()

    def read(self, size_bytes: int = -1) -> bytes:
        """Return up to *size_bytes*, fewer only at the end of a chunk, none at the end."""
        if self.stopped.is_set():
            return b""
        if not self._rest:
            self._rest = next(self._chunks, b"")
            self.running.take(self._rest)
            self._reading.advance(len(self._rest))
        count = len(self._rest) if size_bytes < 0 else size_bytes
        taken, self._rest = self._rest[:count], self._rest[count:]
        return taken


def verify(record: Record, location: str, transport: Transport) -> list[Finding]:
    """Return what is found of every file that the record at *location*, a path or URL, describes."""
    base = url_of(location)
    stopped = threading.Event()
    with step("Verifying") as reading, together(cpus(), stopped.set) as tasks:
        reading.total_bytes = sum(image.size_bytes for image in record.files)
        futures = [tasks.start(_looked_at, image, base, transport, reading, stopped) for image in record.files]
    return [future.result() for future in futures]


def _looked_at(image: Recorded, base: str, transport: Transport, reading: Step, stopped: threading.Event) -> Finding:
    """Return what is found of one file; it is void once *stopped* is set."""
    if "/" in image.filename or image.container not in CONTAINERS:
        return Finding(image, (f"{image.filename} in {image.container} is nothing that can be checked",))
    try:
        with transport.opened(urljoin(base, quote(image.filename)), 0) as body:
            stream = _Summed(body.chunks(image.size_bytes + _LARGER_BYTES), reading, stopped)
            return Finding(image, tuple(_differences(image, stream)))
    except Failure as error:
        return Finding(image, (str(error),))


def _differences(image: Recorded, stream: _Summed) -> Iterator[str]:
    inside = () if image.raw is None else tuple(_inside(image.raw, image.container, stream))
    while stream.read(_CHUNK_BYTES):
        pass
    packed = stream.running.sums()
    yield from _unlike(packed, image.size_bytes, image.md5, image.sha256, "it")
    yield from inside


def _inside(raw: Raw, container: str, stream: _Summed) -> Iterator[str]:
    """Give what is wrong with the image in a container."""
    unpacked = Running()
    try:
        with CONTAINERS[container].reading(stream) as content:
            # A chunk of a file may unpack to gigabytes, of zeros for one.
            while not stream.stopped.is_set() and (chunk := content.read(_CHUNK_BYTES)):
                unpacked.take(chunk)
                if unpacked.size_bytes > raw.size_bytes + _LARGER_BYTES:
                    yield f"the image in it is larger than {raw.size_bytes:,} bytes"
                    return
    except UNPACKING_ERRORS as error:
        yield f"it cannot be unpacked: {str(error) or type(error).__name__}"
        return
    yield from _unlike(unpacked.sums(), raw.size_bytes, raw.md5, raw.sha256, "the image in it")


def _unlike(found: Sums, size_bytes: int, md5: str, sha256: str | None, what: str) -> Iterator[str]:
    if found.size_bytes != size_bytes:
        yield f"{what} has {found.size_bytes:,} bytes, not {size_bytes:,}"
    elif found.md5 != md5:
        yield f"{what} has the MD5 {found.md5}, not {md5}"
    elif sha256 is not None and found.sha256 != sha256:
        yield f"{what} has the SHA-256 {found.sha256}, not {sha256}"
