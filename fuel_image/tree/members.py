"""The members of a package, put in their places.

Owns how one file, directory, link or node of a package's data.tar is made below the current root, which must be the
tree's, with owner, mode and time. It must not know of dpkg's database.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Collection
from typing import IO

from fuel_image.tree.deb import DebError

_COPY_BYTES = 1 << 20
_NEW_CONFFILE = ".dpkg-new"


class LeftError(Exception):
    """Only dpkg knows what to do with a package."""


def path_of(name: str) -> str:
    """Return the absolute path of a member of this name."""
    if "\n" in name:
        raise DebError(f"{name!r}: a line break in a path, which dpkg does not take either")
    return os.path.normpath("/" + name.lstrip("/"))


def target_of(path: str, renamed: Collection[str]) -> str:
    """Return where the file at *path* is made: a conffile that is *renamed* waits beside its place."""
    return path + _NEW_CONFFILE if path in renamed else path


def make_directory(path: str, member: tarfile.TarInfo) -> bool:
    """Make a directory and tell whether it is new: one that is there, or a link to one, stays as it is.

    Raises FileExistsError if anything else is there.
    """
    try:
        os.mkdir(path)
    except FileExistsError:
        if not os.path.isdir(path):
            raise
        return False
    os.chown(path, member.uid, member.gid)
    os.chmod(path, member.mode)
    os.utime(path, (member.mtime, member.mtime))
    return True


def make(
    content: IO[bytes] | None,
    member: tarfile.TarInfo,
    target: str,
    renamed: Collection[str],
    digests: dict[str, str] | None,
) -> None:
    """Make what is no directory; raise FileExistsError if there is anything at *target*."""
    path = path_of(member.name)
    if content is not None:
        digest = None if digests is None else hashlib.md5(usedforsecurity=False)
        descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            while chunk := content.read(_COPY_BYTES):
                file.write(chunk)
                if digest is not None:
                    digest.update(chunk)
            file.flush()  # what is written later would change the time
            os.fchown(descriptor, member.uid, member.gid)
            os.fchmod(descriptor, member.mode)
            os.utime(descriptor, (member.mtime, member.mtime))
        if digests is not None and digest is not None:
            digests[path] = digest.hexdigest()
        return
    if member.islnk():
        first = path_of(member.linkname)
        os.link(target_of(first, renamed), target, follow_symlinks=False)
        if digests is not None and first in digests:
            digests[path] = digests[first]
        return
    if member.issym():
        os.symlink(member.linkname, target)
        os.lchown(target, member.uid, member.gid)
    else:
        kinds = {tarfile.FIFOTYPE: 0o010000, tarfile.CHRTYPE: 0o020000, tarfile.BLKTYPE: 0o060000}
        if member.type not in kinds:
            raise DebError(f"{member.name}: unknown type of member")
        os.mknod(target, kinds[member.type] | 0o600, os.makedev(member.devmajor, member.devminor))
        os.chown(target, member.uid, member.gid)
        os.chmod(target, member.mode)
    os.utime(target, (member.mtime, member.mtime), follow_symlinks=False)
