"""The check of a finished file system.

Owns the last look before an image may be published: attached read-only, it must satisfy its own fsck, mount, and hold
exactly the tree that it was made from: every path with all that is known of it and, byte by byte, every file. It must
not repair anything.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.errors import BuildError
from fuel_image.host import kernel
from fuel_image.host.command import PACKAGE_PARENT, run
from fuel_image.host.mounts import loop_device, mounted
from fuel_image.images.contents import Entry, Inventory
from fuel_image.images.filesystems import FILESYSTEMS
from fuel_image.printable import one_line

_FSCK = {
    "ext2": ("e2fsck", "-f", "-n"),
    "ext3": ("e2fsck", "-f", "-n"),
    "ext4": ("e2fsck", "-f", "-n"),
    "xfs": ("xfs_repair", "-n"),
    "btrfs": ("btrfs", "check", "--readonly"),
}
_OWN_DIRECTORY = "lost+found"
_SHOWN = 5


def check(image: Path, kind: str, wanted: Inventory, view: Path, *, start_bytes: int = 0, size_bytes: int = 0) -> None:
    """Raise BuildError or CommandError unless *image* is a sound file system of *kind* that holds *wanted*.

    What files contain is compared with the *view* that *wanted* is the inventory of. On a disk the file system begins
    at *start_bytes* and has *size_bytes*.
    """
    mountpoint = image.with_suffix(f".{start_bytes}.check")
    mountpoint.mkdir()
    with loop_device(image, read_only=True, start_bytes=start_bytes, size_bytes=size_bytes) as device:
        program, *arguments = _FSCK[kind]
        run(program, *arguments, device, doing=f"checking the {kind} file system of {image.name}")
        # The node looks at the file system before it mounts it, and a UUID may look like another one's magic number
        # (minix: LP1550227).
        probed = run(
            "blkid", "--probe", "--match-tag", "TYPE", "--output", "value", device, doing="probing", want_output=True
        )
        if probed.text.strip() != kind:
            raise BuildError(
                f"checking {image.name}: it looks like {probed.text.strip() or 'nothing known'}, not {kind}"
            )
        options = FILESYSTEMS[kind].mount_options
        with mounted(str(device), mountpoint, kind, kernel.MS_RDONLY | kernel.MS_NODEV | kernel.MS_NOSUID, options):
            holds(f"{image.stem} at {start_bytes:,}" if start_bytes else image.name, mountpoint, wanted, view)
    mountpoint.rmdir()


def holds(name: str, mountpoint: Path, wanted: Inventory, view: Path) -> None:
    """Raise BuildError unless *mountpoint*, where *name* is mounted or unpacked, holds *wanted*, as it is in *view*."""
    _compare(name, wanted, _found(mountpoint, view, mountpoint.with_suffix(".found")))


@dataclass(frozen=True)
class _Found:
    """What a mounted file system holds, and in which files its content is not that of the view."""

    entries: Mapping[str, Entry]
    links: frozenset[tuple[str, ...]]
    differing: Sequence[str]


def _found(mountpoint: Path, view: Path, file: Path) -> _Found:
    run(
        *(sys.executable, "-m", "fuel_image.images.likeness", mountpoint, view, file),
        doing=f"looking at what {mountpoint.stem} holds",
        env={"PYTHONPATH": PACKAGE_PARENT},
    )
    with file.open("rb") as answer:
        entries, links, differing = pickle.load(answer)
    file.unlink()
    return _Found(
        entries={os.fsdecode(path): Entry(*fields) for path, fields in entries.items()},
        links=frozenset(tuple(map(os.fsdecode, paths)) for paths in links),
        differing=differing,
    )


def _compare(name: str, wanted: Inventory, found: _Found) -> None:
    extra = found.entries.keys() - wanted.entries.keys() - {_OWN_DIRECTORY}
    missing = wanted.entries.keys() - found.entries.keys()
    both = wanted.entries.keys() & found.entries.keys()
    other = {path for path in both if wanted.entries[path] != found.entries[path]}
    problems = [f"{path} is missing" for path in sorted(missing)]
    problems += [f"{path} is not in the tree" for path in sorted(extra)]
    problems += [f"{path} is {found.entries[path]}, not {wanted.entries[path]}" for path in sorted(other)]
    problems += found.differing
    problems += [f"{' and '.join(paths)} are not one file" for paths in sorted(wanted.links - found.links)]
    problems += [f"{' and '.join(paths)} are one file" for paths in sorted(found.links - wanted.links)]
    if problems:
        more = f" and {len(problems) - _SHOWN} more" if len(problems) > _SHOWN else ""
        raise BuildError(f"checking {name}: it is not the tree: {one_line('; '.join(problems[:_SHOWN]))}{more}")
