"""A disk of the partition images of a set, put together as a node's agent would.

Owns the disk, in a file of its own, and what starts it: kernel and initial RAM disk out of the image that has them.
Images are read and changed by the tools of their file systems; none is mounted. It must not start anything.
"""

from __future__ import annotations

import logging
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuel_image.archive import version
from fuel_image.errors import BuildError
from fuel_image.host.command import run
from fuel_image.images import layout, placing, table
from fuel_image.images.layout import Extent
from fuel_image.images.table import Row
from fuel_image.machine.medium import unpack
from fuel_image.machine.qemu import SERIAL_CONSOLE, Drive, Kernel
from fuel_image.progress import step

LOG = logging.getLogger(__name__)

TOOLS = ("debugfs", "e2fsck", "resize2fs", "blkid", "sfdisk")
_FREE_BYTES = 1 << 30
"""How much larger the root file system is made: a machine that runs writes."""
_EXT = ("ext2", "ext3", "ext4")
_ROOT, _BOOT = "/", "/boot"
_FSTAB = "/etc/fstab"
_REPAIRED = (0, 1)
"""What e2fsck(8) ends with when nothing is wrong any more."""
_LISTED = re.compile(r"(?m)^/\d+/10\d{4}/\d+/\d+/((?:vmlinuz|initrd\.img)-[\w.+~-]+)/")
"""A regular file as debugfs lists it."""


@dataclass(frozen=True)
class Packed:
    """A published partition image: what is mounted where, and how it is compressed."""

    file: Path
    mount: str
    format: str
    container: str


@dataclass(frozen=True)
class _Part:
    """A file system in a file of its own."""

    file: Path
    mount: str
    format: str
    uuid: str


def assembled(images: Sequence[Packed], directory: Path) -> tuple[Drive, Kernel]:
    """Return a disk of all *images* and the kernel that is in them; *directory* is for both. Raises BuildError."""
    parts = [_unpacked(one, directory / f"part-{number}") for number, one in enumerate(images, start=1)]
    by_mount = {part.mount: part for part in parts}
    if _ROOT not in by_mount:
        raise BuildError(
            "putting a disk together: the set has no image for /", advice="give the metadata of a whole set"
        )
    with step("Putting a disk together"):
        kernel = _kernel(by_mount, directory)
        _name_mounts(parts, by_mount[_ROOT], directory)
        _grow(by_mount[_ROOT])
        disk = directory / "disk"
        _put_all(parts, disk)
    return Drive(disk, "raw"), kernel


def _unpacked(image: Packed, target: Path) -> _Part:
    unpack(image.file, image.container, target)
    doing = f"looking at {image.file.name}"
    tag = ("--match-tag", "UUID", "--output", "value")
    found = run("blkid", "--probe", *tag, target, doing=doing, want_output=True)
    return _Part(target, image.mount, image.format, found.text.strip())


def _kernel(parts: Mapping[str, _Part], directory: Path) -> Kernel:
    """Read the newest kernel, and its initial RAM disk, out of the image that holds /boot."""
    part, top = (parts[_BOOT], "") if _BOOT in parts else (parts[_ROOT], _BOOT)
    doing = f"looking for a kernel in the image of {part.mount}"
    if part.format not in _EXT:
        raise BuildError(f"{doing}: it is {part.format}, and only ext is read", advice="give /boot an ext4 of its own")
    listed = set(_LISTED.findall(_asked(part, f"ls -p {top or '/'}", doing)))
    versions = [name.partition("-")[2] for name in listed if name.startswith("vmlinuz-")]
    found = sorted((one for one in versions if f"initrd.img-{one}" in listed), key=version.sort_key)
    if not found:
        raise BuildError(f"{doing}: there is none with an initial RAM disk", advice="have packages install one")
    kernel, initrd = directory / "kernel", directory / "initrd"
    for file, name in ((kernel, "vmlinuz"), (initrd, "initrd.img")):
        _asked(part, f'dump {top}/{name}-{found[-1]} "{file}"', doing)
    parameters = f"root=UUID={parts[_ROOT].uuid} rw console=tty0 console={SERIAL_CONSOLE}"
    return Kernel(kernel, initrd, parameters)


def _name_mounts(parts: Sequence[_Part], root: _Part, directory: Path) -> None:
    """Write the fstab(5) that a node's agent would, unless there is one."""
    doing = f"writing {_FSTAB}"
    others = [part for part in parts if part.mount != _ROOT]
    found = _asked(root, f"cat {_FSTAB}", doing) if root.format in _EXT else ""
    if not others or any(line.strip() and not line.startswith("#") for line in found.splitlines()):
        return
    if root.format not in _EXT:
        LOG.warning("%s stay unmounted: %s is written on ext only", ", ".join(one.mount for one in others), _FSTAB)
        return
    text = "".join(f"UUID={one.uuid} {one.mount} {one.format} defaults 0 {1 + (one is not root)}\n" for one in parts)
    file, commands = directory / "fstab", directory / "fstab.commands"
    file.write_text(text, encoding="utf-8")
    # write makes a name of its second argument as it stands.
    commands.write_text(f'rm {_FSTAB}\ncd {_FSTAB[: _FSTAB.rindex("/")]}\nwrite "{file}" fstab\n', encoding="utf-8")
    run("debugfs", "-w", "-f", commands, root.file, doing=doing)
    if _asked(root, f"cat {_FSTAB}", doing) != text:  # debugfs ends with 0 whatever becomes of a request
        raise BuildError(f"{doing}: debugfs has not written it")


def _asked(part: _Part, request: str, doing: str) -> str:
    """Return the answer of debugfs(8) to a request that changes nothing."""
    return run("debugfs", "-R", request, part.file, doing=doing, want_output=True).text


def _grow(part: _Part) -> None:
    """Make an ext file system larger; others stay as they are."""
    if part.format not in _EXT:
        return
    doing = f"making the file system of {part.mount} larger"
    run("e2fsck", "-f", "-y", part.file, doing=doing, accept=_REPAIRED)
    with part.file.open("r+b") as file:
        file.truncate(part.file.stat().st_size + _FREE_BYTES)
    run("resize2fs", part.file, doing=doing)


def _put_all(parts: Sequence[_Part], disk: Path) -> None:
    """Write a partition table, and each file system into its partition."""
    extents = [Extent(number, part.file.stat().st_size) for number, part in enumerate(parts, start=1)]
    placed = layout.lay_out(extents, None, 0)
    with disk.open("wb") as file:
        file.truncate(placed.size_bytes)
    rows = [Row(one.number, "linux", str(uuid.uuid4())) for one in extents]
    table.write(disk, "gpt", str(uuid.uuid4()), placed, rows)
    for number, part in enumerate(parts, start=1):
        placing.put(part.file, disk, placed.place(number).start_bytes)
        part.file.unlink()
