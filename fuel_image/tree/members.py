"""The members of a package, put in their places.

Owns how one file, directory, link or node of a package's data.tar is made below the current root, which must be the
tree's, with owner, mode and time. It must not know of dpkg's database.
"""

from __future__ import annotations

import hashlib
import os
import tarfile
from collections.abc import Collection
from dataclasses import dataclass
from typing import IO

from fuel_image.tree.deb import DebError

_COPY_BYTES = 1 << 20
_LONGEST_PATH = 4096  # PATH_MAX
_NEW_CONFFILE = ".dpkg-new"
_NODES = {tarfile.FIFOTYPE: 0o010000, tarfile.CHRTYPE: 0o020000, tarfile.BLKTYPE: 0o060000}


def path_of(name: str) -> str:
    """Return the absolute path of a member of this name."""
    if "\n" in name:
        raise DebError(f"{name!r}: a line break in a path, which dpkg does not take either")
    if len(name) > _LONGEST_PATH:
        raise DebError(f"{name[:60]!r}...: a path of {len(name):,} characters")
    return os.path.normpath("/" + name.lstrip("/"))


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


@dataclass(frozen=True)
class Places:
    """The places of a package's members that are no directories.

    Conffiles that are *renamed* wait beside theirs. With *replace*, what is in a place makes way; a directory does not.
    The MD5 of each regular file is noted in *digests* by path, unless that is None.
    """

    renamed: Collection[str] = ()
    replace: bool = False
    digests: dict[str, str] | None = None

    def _of(self, path: str) -> str:
        return path + _NEW_CONFFILE if path in self.renamed else path

    def make(self, path: str, member: tarfile.TarInfo, content: IO[bytes] | None) -> str | None:
        """Make the member at *path*, with this content if it is a regular file; return where it is, if it is made.

        Raises FileExistsError if there is anything that does not make way.
        """
        target = self._of(path)
        if self.replace and os.path.lexists(target):
            if os.path.isdir(target):
                return None  # /bin may be a directory where this package has a link; dpkg will know
            os.unlink(target)
        if content is not None:
            digest = _make_regular(target, member, content, digested=self.digests is not None)
        elif member.islnk():
            first = path_of(member.linkname)
            os.link(self._of(first), target, follow_symlinks=False)
            digest = self.digests.get(first) if self.digests else None
        else:
            digest = None
            _make_other(target, member)
        if self.digests is not None and digest is not None:
            self.digests[path] = digest
        return target


def _make_regular(target: str, member: tarfile.TarInfo, content: IO[bytes], *, digested: bool) -> str | None:
    """Make a regular file and return its MD5 if it is to be *digested*."""
    digest = hashlib.md5(usedforsecurity=False) if digested else None
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
    return None if digest is None else digest.hexdigest()


def _make_other(target: str, member: tarfile.TarInfo) -> None:
    """Make a symbolic link, a device or a pipe."""
    if member.issym():
        os.symlink(member.linkname, target)
        os.lchown(target, member.uid, member.gid)
    elif member.type in _NODES:
        os.mknod(target, _NODES[member.type] | 0o600, os.makedev(member.devmajor, member.devminor))
        os.chown(target, member.uid, member.gid)
        os.chmod(target, member.mode)
    else:
        raise DebError(f"{member.name}: unknown type of member")
    os.utime(target, (member.mtime, member.mtime), follow_symlinks=False)
