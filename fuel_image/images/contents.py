"""What goes into one image.

Owns the division of a root tree among its images: the view of one mount point, in which deeper mount points are empty
directories; and the inventory of a view, from which sizes are computed and against which the finished image is checked.
"""

from __future__ import annotations

import errno
import os
import shutil
import stat
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO, NamedTuple

from fuel_image.host.mounts import bound


class Entry(NamedTuple):
    """One path of a view: what a check compares. *detail* is a file's size, a link's target or a device's number.

    *attributes* are the extended ones, among them ACLs and capabilities, by name. Bytes, not text, for what bytes mean
    as text depends on the locale. A tuple, for there are as many as
    files: making them is most of the time that an inventory takes.
    """

    mode: int
    uid: int
    gid: int
    mtime_ns: int
    detail: object
    attributes: tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Inventory:
    """A view's entries by path relative to its root (``.``), and how much room its inodes take, in bytes.

    *links* are the sets of paths that are one inode. *file_bytes* holds the size of each file without its holes (hard
    links once), *directory_bytes* that of the names in each directory, *long_links* counts the symbolic links that do
    not fit into an inode.
    """

    entries: Mapping[str, Entry]
    links: frozenset[tuple[str, ...]]
    inodes: int
    file_bytes: Sequence[int]
    directory_bytes: Sequence[int]
    long_links: int

    @property
    def ordered(self) -> list[str]:
        """The paths, the root first, in an order that no locale and no file system has a say in."""
        return [".", *sorted((path for path in self.entries if path != "."), key=os.fsencode)]

    def without(self, attributes: Collection[bytes] | None) -> Inventory:
        """Return what is left of it where times are whole seconds and there are none of *attributes*, or none at all.

        None stands for all of them.
        """

        def reduced(entry: Entry) -> Entry:
            kept = () if attributes is None else tuple(one for one in entry.attributes if one[0] not in attributes)
            return entry._replace(mtime_ns=entry.mtime_ns // _SECOND_NS * _SECOND_NS, attributes=kept)

        return replace(self, entries={path: reduced(entry) for path, entry in self.entries.items()})


_CHUNK_BYTES = 1 << 20
_SECOND_NS = 10**9
_INLINE_LINK_BYTES = 59  # ext2fs: i_block, less a NUL
_NAME_OVERHEAD_BYTES = 8  # struct ext2_dir_entry without its name
_PAGE_BYTES = 4096
_SPARSE_BYTES = 64 << 10
"""In smaller files nobody looks for holes."""
_NOT_STORED = ("security.selinux", "trusted.SGI_ACL_")
"""Attributes that a kernel answers whether they are stored or not; xfs tells ACLs twice."""


@contextmanager
def view(root: Path, mount: str, mounts: Sequence[str], workspace: Path) -> Iterator[Path]:
    """Show the tree below *mount*, with an empty directory at each deeper mount point of *mounts*."""
    top = root / mount.lstrip("/")
    name = mount.strip("/").replace("/", "-") or "root"
    target = workspace / f"view-{name}"
    target.mkdir()
    deeper = [other for other in mounts if other != mount and (other + "/").startswith(mount.rstrip("/") + "/")]
    with ExitStack() as stack:
        stack.enter_context(bound(top, target))
        for number, other in enumerate(sorted(deeper)):
            inside = os.path.relpath(other, mount)
            if any(inside.startswith(os.path.relpath(outer, mount) + "/") for outer in deeper):
                continue  # it lies below another image's mount point, which hides it
            cover = workspace / f"cover-{name}-{number}"
            cover.mkdir()
            original = root / other.lstrip("/")
            found = original.stat()
            os.chown(cover, found.st_uid, found.st_gid)
            shutil.copystat(original, cover)
            stack.enter_context(bound(cover, target / inside))
        yield target


def take(top: Path) -> Inventory:
    """Walk a view and take its inventory."""
    entries = {".": _entry(os.fspath(top), os.lstat(top))}
    seen: set[tuple[int, int]] = set()  # an overlay shows inodes of several file systems
    names_of: dict[tuple[int, int], list[str]] = {}
    file_bytes: list[int] = []
    directory_bytes: list[int] = []
    long_links = 0
    waiting = [""]
    while waiting:
        prefix = waiting.pop()
        names = 0
        with os.scandir(os.path.join(top, prefix)) as scanned:
            for item in scanned:
                path = prefix + item.name
                # A scandir entry's own stat does not cross onto what is mounted there; os.lstat does.
                found = os.lstat(item.path) if item.is_dir(follow_symlinks=False) else item.stat(follow_symlinks=False)
                entries[path] = _entry(item.path, found)
                inode = found.st_dev, found.st_ino
                names += _NAME_OVERHEAD_BYTES + (len(os.fsencode(item.name)) + 3 & ~3)
                if stat.S_ISDIR(found.st_mode):
                    waiting.append(f"{path}/")
                elif found.st_nlink > 1:
                    names_of.setdefault(inode, []).append(path)
                if inode in seen:
                    continue
                if stat.S_ISREG(found.st_mode):
                    file_bytes.append(_data_bytes(item.path, found.st_size))
                elif stat.S_ISLNK(found.st_mode) and found.st_size > _INLINE_LINK_BYTES:
                    long_links += 1
                seen.add(inode)
        directory_bytes.append(names)
    links = frozenset(tuple(sorted(paths, key=os.fsencode)) for paths in names_of.values() if len(paths) > 1)
    return Inventory(entries, links, len(seen) + 1, file_bytes, directory_bytes, long_links)


def _entry(path: str, found: os.stat_result) -> Entry:
    detail: object = None
    if stat.S_ISREG(found.st_mode):
        detail = found.st_size
    elif stat.S_ISLNK(found.st_mode):
        detail = os.readlink(os.fsencode(path))
    elif stat.S_ISCHR(found.st_mode) or stat.S_ISBLK(found.st_mode):
        detail = found.st_rdev
    return Entry(found.st_mode, found.st_uid, found.st_gid, found.st_mtime_ns, detail, _attributes(path))


def _data_bytes(path: str, size_bytes: int) -> int:
    """Return how much of a file is no hole, in whole pages.

    What the file system says that it has allocated would make an image of another size on another host.
    """
    if size_bytes < _SPARSE_BYTES:
        return size_bytes
    found, end = 0, 0
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        while (start := next_data(descriptor, end, size_bytes)) < size_bytes:
            start = max(start // _PAGE_BYTES * _PAGE_BYTES, end)
            end = min(-(-os.lseek(descriptor, start, os.SEEK_HOLE) // _PAGE_BYTES) * _PAGE_BYTES, size_bytes)
            found += end - start
    finally:
        os.close(descriptor)
    return found


def next_data(descriptor: int, place: int, size_bytes: int) -> int:
    """Return where the first data at or after *place* of an open file begin, or *size_bytes*."""
    try:
        return os.lseek(descriptor, place, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:  # no data from here to the end
            return size_bytes
        raise


def read(descriptor: int, count: int, place: int) -> bytes:
    """Return *count* bytes of an open file from *place* on; pread(2) may give fewer.

    Raises OSError where the file, which had them, ends before.
    """
    found = os.pread(descriptor, count, place)
    while len(found) < count:
        more = os.pread(descriptor, count - len(found), place + len(found))
        if not more:
            raise OSError(errno.EIO, "it has become shorter while it was read")
        found += more
    return found


def holds(archive: BinaryIO, path: Path, size_bytes: int) -> bool:
    """Tell whether the next *size_bytes* of an *archive* are what the file at *path* holds, and all of it."""
    with path.open("rb") as file:
        while size_bytes:
            chunk = archive.read(min(_CHUNK_BYTES, size_bytes))
            if not chunk or chunk != file.read(len(chunk)):
                return False
            size_bytes -= len(chunk)
        return not file.read(1)


def _attributes(path: str) -> tuple[tuple[bytes, bytes], ...]:
    try:
        names = os.listxattr(path, follow_symlinks=False)
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            return ()
        raise
    stored = sorted(os.fsencode(name) for name in names if not name.startswith(_NOT_STORED))
    return tuple((name, os.getxattr(path, name, follow_symlinks=False)) for name in stored)
