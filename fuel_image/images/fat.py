"""FAT file systems, which the firmware reads.

Owns their making from a directory and their check, without a kernel that knows them. What they cannot hold (owners,
modes, links) is not in them. It must not decide what goes in.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host.command import run


def make(image: Path, top: Path, *, size_bytes: int, label: str | None, serial: str, epoch: int) -> None:
    """Make a FAT32 of *size_bytes* in the file *image* with the files below *top*; *serial* is as ``ABCD-1234``.

    Raises BuildError, of which CommandError is one.
    """
    _check_kinds(image.name, top)
    with image.open("wb") as file:
        file.truncate(size_bytes)
    named = ("-n", label.upper()) if label else ()
    options = ("--invariant", "-F", "32", "-i", serial.replace("-", ""), *named)
    run("mkfs.vfat", *options, image, doing=f"making the file system {image.name}")
    environment = {"TZ": "UTC", "SOURCE_DATE_EPOCH": str(epoch)}
    for path in _directories(top):
        run("mmd", "-i", image, f"::/{path}", doing=f"filling {image.name}", env=environment)
    for path in _files(top):
        run("mcopy", "-i", image, "-m", top / path, f"::/{path}", doing=f"filling {image.name}", env=environment)


def check(image: Path, top: Path, scratch: Path) -> None:
    """Raise BuildError unless *image* is sound and holds what is below *top*."""
    run("fsck.vfat", "-n", image, doing=f"checking the vfat file system of {image.name}")
    scratch.mkdir()
    run("mcopy", "-i", image, "-s", "-n", "::/", scratch, doing=f"reading {image.name}")
    wanted, found = ({path: (one / path).read_bytes() for path in _files(one)} for one in (top, scratch))
    if wanted != found:
        other = sorted(path for path in {**wanted, **found} if wanted.get(path) != found.get(path))
        raise BuildError(f"checking {image.name}: it is not the tree: {', '.join(other)}")


def _check_kinds(name: str, top: Path) -> None:
    """Raise BuildError if anything below *top* is no file or directory: mtools would follow a link to the host."""
    for directory, names, files in os.walk(top):
        for path in (os.path.join(directory, one) for one in (*names, *files)):
            mode = os.lstat(path).st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                inside = os.path.relpath(path, top)
                raise BuildError(f"making the file system {name}: {inside} is neither a file nor a directory")


def _directories(top: Path) -> Iterator[str]:
    for directory, names, _ in os.walk(top):
        names.sort()
        yield from (os.path.relpath(os.path.join(directory, name), top) for name in names)


def _files(top: Path) -> Iterator[str]:
    for directory, names, files in os.walk(top):
        names.sort()
        yield from (os.path.relpath(os.path.join(directory, name), top) for name in sorted(files))
