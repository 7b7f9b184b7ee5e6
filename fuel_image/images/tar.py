"""A tree as a tar archive.

Owns how one is written, so that the same tree gives the same bytes on every host and nothing that it is made of is
lost, and the look whether it holds the tree. The form is POSIX's (pax), with what SCHILY's star added for ACLs and
extended attributes, which GNU tar and libarchive read. It must not compress.

GNU tar is not asked: it names the users of ACLs as the host's passwd does, and writes attributes in the order, and with
the additions, of the host's file system.
"""

from __future__ import annotations

import os
import stat
import struct
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from fuel_image.errors import BuildError
from fuel_image.images import contents
from fuel_image.images.contents import Entry, Inventory
from fuel_image.printable import one_line

_ACLS = {b"system.posix_acl_access": "SCHILY.acl.access", b"system.posix_acl_default": "SCHILY.acl.default"}
_ATTRIBUTE = "SCHILY.xattr."
_ACL_HEADER_BYTES, _ACL_ENTRY = 4, struct.Struct("<HHI")
_ACL_TAGS = {0x01: "user", 0x02: "user", 0x04: "group", 0x08: "group", 0x10: "mask", 0x20: "other"}
_ACL_TAGS_WITH_ID = (0x02, 0x08)
"""The kernel's uapi/linux/posix_acl.h and posix_acl_xattr.h."""
_TYPES = {
    stat.S_IFREG: tarfile.REGTYPE,
    stat.S_IFDIR: tarfile.DIRTYPE,
    stat.S_IFLNK: tarfile.SYMTYPE,
    stat.S_IFCHR: tarfile.CHRTYPE,
    stat.S_IFBLK: tarfile.BLKTYPE,
    stat.S_IFIFO: tarfile.FIFOTYPE,
}
_TEXT: Mapping[str, Any] = {"encoding": "utf-8", "errors": "surrogateescape"}
"""Whatever the locale: names are bytes."""
_SECOND_NS = 10**9


def make(archive: Path, top: Path, inventory: Inventory) -> None:
    """Write the tree at *top* to *archive*: the paths in the order of their bytes, each below its directory.

    Raises BuildError.
    """
    with tarfile.open(archive, "w", format=tarfile.PAX_FORMAT, **_TEXT) as opened:
        for member in _members(inventory):
            if member.isreg():
                with (top / member.name).open("rb") as file:
                    opened.addfile(member, file)
            else:
                opened.addfile(member)


def check(archive: Path, top: Path, inventory: Inventory) -> None:
    """Raise BuildError unless *archive*, read back, is the tree at *top*, byte by byte and with all that is known."""
    doing = f"comparing {archive.stem} with the tree"
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r:", **_TEXT) as opened:
            _compare(opened, file, top, _members(inventory))
    except (tarfile.TarError, _OtherError) as error:
        raise BuildError(f"{doing}: {error}") from error


class _OtherError(Exception):
    """An archive does not hold what it should; the message tells what of it."""


def _compare(opened: tarfile.TarFile, file: BinaryIO, top: Path, wanted: Iterator[tarfile.TarInfo]) -> None:
    for found in iter(opened.next, None):
        member = next(wanted, None)
        if member is None or not _is_like(found, member, file, top):
            raise _OtherError(f"{one_line(found.name)} in it is not that of the tree")
        opened.members.clear()  # type: ignore[attr-defined]  # nobody needs the list that it keeps
    if (lacking := next(wanted, None)) is not None:
        raise _OtherError(f"it lacks {one_line(lacking.name)}")


def _is_like(found: tarfile.TarInfo, wanted: tarfile.TarInfo, file: BinaryIO, top: Path) -> bool:
    if _facts(found) != _facts(wanted):
        return False
    file.seek(found.offset_data)
    return not found.isreg() or contents.holds(file, top / found.name, found.size)


def _members(inventory: Inventory) -> Iterator[tarfile.TarInfo]:
    """Give what the archive says of each path; a file's other names are links to the first."""
    first_of = {path: min(paths, key=os.fsencode) for paths in inventory.links for path in paths}
    for path in inventory.ordered:
        entry, member = inventory.entries[path], tarfile.TarInfo(path)
        kind = _TYPES.get(stat.S_IFMT(entry.mode))
        if kind is None:
            message = f"writing the tree into an archive: {one_line(path)} is a socket, which none holds"
            raise BuildError(message, advice="remove it, or the package that left it, with a script")
        member.type, member.mode, member.uid, member.gid = kind, stat.S_IMODE(entry.mode), entry.uid, entry.gid
        seconds, nanoseconds = divmod(entry.mtime_ns, _SECOND_NS)
        member.mtime = seconds
        member.pax_headers = dict(_extended(entry))
        if nanoseconds:
            member.pax_headers["mtime"] = f"{seconds}.{nanoseconds:09}"
        if first_of.get(path, path) != path:
            member.type, member.linkname, member.pax_headers = tarfile.LNKTYPE, first_of[path], {}
        elif member.issym():
            assert isinstance(entry.detail, bytes)
            member.linkname = os.fsdecode(entry.detail)
        elif member.isreg() or member.ischr() or member.isblk():
            assert isinstance(entry.detail, int)
            if member.isreg():
                member.size = entry.detail
            else:
                member.devmajor, member.devminor = os.major(entry.detail), os.minor(entry.detail)
        yield member


def _extended(entry: Entry) -> Iterator[tuple[str, str]]:
    for name, value in entry.attributes:
        if name in _ACLS:
            yield _ACLS[name], _acl(value)
        else:
            yield _ATTRIBUTE + os.fsdecode(name), value.decode("utf-8", "surrogateescape")


def _acl(value: bytes) -> str:
    """Return an ACL as text (acl(5)), in which users and groups are numbers."""
    words = []
    for tag, permissions, number in _ACL_ENTRY.iter_unpack(value[_ACL_HEADER_BYTES:]):
        whom = str(number) if tag in _ACL_TAGS_WITH_ID else ""
        letters = "".join(letter if permissions & bit else "-" for letter, bit in (("r", 4), ("w", 2), ("x", 1)))
        words.append(f"{_ACL_TAGS[tag]}:{whom}:{letters}")
    return ",".join(words)


def _facts(member: tarfile.TarInfo) -> tuple[object, ...]:
    own = {name: value for name, value in member.pax_headers.items() if name.startswith("SCHILY.") or name == "mtime"}
    mtime = own.get("mtime", str(int(member.mtime)))
    device = (member.devmajor, member.devminor) if member.ischr() or member.isblk() else None
    facts = (member.name, member.type, member.mode, member.uid, member.gid, member.linkname, member.size)
    return (*facts, device, mtime, tuple(sorted((name, value) for name, value in own.items() if name != "mtime")))
