"""Putting a file system where it lies on a disk.

Owns the copying between two files that are mostly holes, and the look whether it was done. It must not know what it
copies.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.images import contents

_AT_ONCE_BYTES = 16 << 20


def put(image: Path, disk: Path, start_bytes: int) -> None:
    """Copy what of *image* is no hole to its place on the disk."""
    with image.open("rb") as source, disk.open("r+b") as target:
        for place, count in _data(source.fileno()):
            os.lseek(target.fileno(), start_bytes + place, os.SEEK_SET)
            done = 0
            while done < count:
                done += os.sendfile(target.fileno(), source.fileno(), place + done, count - done)


def check(image: Path, disk: Path, start_bytes: int) -> None:
    """Raise BuildError unless what of *image* is no hole is at its place on the disk, when all else is there, too."""
    with image.open("rb") as source, disk.open("rb") as target:
        for place, count in _data(source.fileno()):
            found = os.pread(target.fileno(), count, start_bytes + place)
            if found != os.pread(source.fileno(), count, place):
                raise BuildError(f"checking {disk.name}: at {start_bytes + place:,} it does not hold {image.name}")


def _data(descriptor: int) -> Iterator[tuple[int, int]]:
    """Give the place and size of what of an open file is no hole, in parts that fit into memory."""
    size_bytes, end = os.fstat(descriptor).st_size, 0
    while (place := contents.next_data(descriptor, end, size_bytes)) < size_bytes:
        end = os.lseek(descriptor, place, os.SEEK_HOLE)
        for start in range(place, end, _AT_ONCE_BYTES):
            yield start, min(_AT_ONCE_BYTES, end - start)
