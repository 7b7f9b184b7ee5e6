"""A tree as a RAM disk that a kernel starts from.

Owns the archive's form, which is the kernel's (Documentation/driver-api/early-userspace/buffer-format.rst): "newc",
without extended attributes. It must not compress.
"""

from __future__ import annotations

import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fuel_image.errors import BuildError
from fuel_image.host.command import run
from fuel_image.images import contents
from fuel_image.images.contents import Entry, Inventory
from fuel_image.printable import one_line

LOG = logging.getLogger(__name__)

_INIT = "init"
"""What a kernel starts from a RAM disk. Without it, the kernel would look for a disk."""
_LARGEST_BYTES = (1 << 32) - 1
"""The size of a file has eight hexadecimal digits, as all numbers of a header have."""
_MAGIC, _HEADER_BYTES = b"070701", 110
_TRAILER = "TRAILER!!!"
_SECOND_NS = 10**9


def make(archive: Path, top: Path, inventory: Inventory, epoch: int) -> None:
    """Write the tree at *top* to *archive*, with a link to its init where a kernel looks for one.

    Raises BuildError.
    """
    for path, entry in inventory.entries.items():
        if isinstance(entry.detail, int) and entry.detail > _LARGEST_BYTES:
            raise BuildError(f"making a RAM disk: {path} is larger than 4 GiB", advice="leave the initramfs out")
    if any(entry.attributes for entry in inventory.entries.values()):
        LOG.info("a RAM disk holds no extended attributes: file capabilities and ACLs are not in it")
    _write(archive, top, inventory.ordered)
    if _INIT not in inventory.entries:
        extra = archive.with_suffix(".extra")
        extra.mkdir()
        (extra / _INIT).symlink_to("sbin/init")
        os.utime(extra / _INIT, (epoch, epoch), follow_symlinks=False)
        second = archive.with_suffix(".second")
        _write(second, extra, [_INIT])
        with archive.open("ab") as file:  # the kernel unpacks one after the other
            file.write(second.read_bytes())
        second.unlink()
        (extra / _INIT).unlink()
        extra.rmdir()


def _write(archive: Path, top: Path, paths: list[str]) -> None:
    run(
        *("cpio", "--create", "--null", "--quiet", "--format=newc", "--reproducible", "--file", archive),
        *("--directory", top),
        doing="writing the tree into a RAM disk",
        stdin="\0".join([*paths, ""]),
    )


def check(archive: Path, top: Path, inventory: Inventory) -> None:
    """Raise BuildError unless *archive* holds the tree at *top*, but for its extended attributes, byte by byte.

    The link to init lies in an archive of its own behind the other, and is not looked at.
    """
    found: set[str] = set()
    names_of: dict[int, list[str]] = {}
    without_content: set[int] = set()
    with archive.open("rb") as file:
        for member in _members(file):
            wanted = inventory.entries.get(member.path)
            if wanted is None or not _is_like(file, member, wanted, top):
                raise BuildError(f"checking {archive.stem}: {one_line(member.path)} in it is not that of the tree")
            found.add(member.path)
            if member.links > 1 and not stat.S_ISDIR(member.mode):
                names_of.setdefault(member.inode, []).append(member.path)
                if stat.S_ISREG(member.mode) and member.size_bytes == wanted.detail:
                    without_content.discard(member.inode)
                else:
                    without_content.add(member.inode)
    links = {tuple(sorted(names, key=os.fsencode)) for names in names_of.values() if len(names) > 1}
    if missing := inventory.entries.keys() - found:
        raise BuildError(f"checking {archive.stem}: it lacks {one_line(min(missing))}")
    if without_content:
        raise BuildError(f"checking {archive.stem}: files in it that have several names have no content")
    if links != inventory.links:
        raise BuildError(f"checking {archive.stem}: other files in it are linked than in the tree")


class _Member(NamedTuple):
    """A file of an archive; the reading stands at its content."""

    inode: int
    mode: int
    uid: int
    gid: int
    links: int
    mtime: int
    size_bytes: int
    device: tuple[int, int]
    path: str


def _members(file: BinaryIO) -> Iterator[_Member]:
    """Give each file of a "newc" archive, up to its end. Raises BuildError for anything else."""
    place = 0
    while True:
        file.seek(place)
        header = file.read(_HEADER_BYTES)
        if len(header) < _HEADER_BYTES or not header.startswith(_MAGIC):
            raise BuildError(f"checking {Path(file.name).stem}: it breaks off at byte {place:,}")
        fields = [int(header[start : start + 8], 16) for start in range(len(_MAGIC), _HEADER_BYTES, 8)]
        inode, mode, uid, gid, links, mtime, size_bytes, _, _, major, minor, name_bytes, _ = fields
        path = os.fsdecode(file.read(name_bytes).rstrip(b"\0"))
        if path == _TRAILER:
            return
        place += _HEADER_BYTES + name_bytes
        place += -place % 4
        file.seek(place)
        yield _Member(inode, mode, uid, gid, links, mtime, size_bytes, (major, minor), path)
        place += size_bytes
        place += -place % 4


def _is_like(file: BinaryIO, member: _Member, wanted: Entry, top: Path) -> bool:
    if (member.mode, member.uid, member.gid, member.mtime) != (
        *(wanted.mode, wanted.uid, wanted.gid),
        wanted.mtime_ns // _SECOND_NS,
    ):
        return False
    if stat.S_ISREG(member.mode):
        if member.links > 1 and not member.size_bytes:  # the last of its names comes with the content
            return True
        return member.size_bytes == wanted.detail and contents.holds(file, top / member.path, member.size_bytes)
    if stat.S_ISLNK(member.mode):
        return file.read(member.size_bytes) == wanted.detail
    if stat.S_ISCHR(member.mode) or stat.S_ISBLK(member.mode):
        return os.makedev(*member.device) == wanted.detail
    return not member.size_bytes
