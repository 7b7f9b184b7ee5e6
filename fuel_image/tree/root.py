"""A root tree and its files.

Owns ``Tree``: a mounted root tree, alive only inside the ``with`` that made it, and the only way in which our own code
reads and writes files in it. Every path is resolved by the kernel as if the tree were the root (openat2 with
RESOLVE_IN_ROOT), so that no symbolic link that a package left can lead a write out of the tree.
"""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fuel_image.errors import TreeError
from fuel_image.host import kernel
from fuel_image.host.removal import remove_directory

_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_LARGEST_BYTES = 256 << 20
"""How much of a file is read at once; dpkg's status of ten thousand packages is a tenth of it."""
_ODD = frozenset(
    getattr(errno, f"E{name}")
    for name in (
        *("NOENT", "NOTDIR", "ISDIR", "EXIST", "NOTEMPTY", "LOOP", "NAMETOOLONG"),
        *("INVAL", "NXIO", "NODEV", "BUSY", "TXTBSY", "XDEV", "ACCES", "PERM"),
    )
)
"""Errors that come of what is in a tree, and not of the disk that it lies on."""


@contextmanager
def _told(doing: str, inside: str) -> Iterator[None]:
    """Raise TreeError where something odd in the tree is in the way."""
    try:
        yield
    except OSError as error:
        if error.errno not in _ODD:
            raise
        raise TreeError(f"{doing} {inside} in the tree: {error.strerror}", advice="a package left it so") from error


class Tree:
    """The root tree at *path*. All paths given to its methods are absolute paths inside the tree.

    *changed* is the directory that holds what differs from the tree that it started as. Methods raise TreeError where
    packages have left something that is in the way.
    """

    def __init__(self, path: Path, changed: Path | None = None) -> None:
        self.path = path
        self.changed = changed or path

    @contextmanager
    def _parent(self, inside: str) -> Iterator[tuple[int, str]]:
        """Open the directory that holds *inside*; give it and the last part of the path."""
        pure = PurePosixPath(inside)
        root = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            directory = kernel.open_in_root(root, str(pure.parent), os.O_PATH | os.O_DIRECTORY)
        finally:
            os.close(root)
        try:
            yield directory, pure.name or "."
        finally:
            os.close(directory)

    def _lstat(self, inside: str) -> os.stat_result | None:
        try:
            with self._parent(inside) as (directory, name):
                return os.stat(name, dir_fd=directory, follow_symlinks=False)
        except (FileNotFoundError, NotADirectoryError):
            return None

    def exists(self, inside: str) -> bool:
        """Tell whether there is anything at *inside*, be it a dangling link."""
        return self._lstat(inside) is not None

    def is_file(self, inside: str) -> bool:
        """Tell whether there is a regular file, not a link to one, at *inside*."""
        found = self._lstat(inside)
        return found is not None and stat.S_ISREG(found.st_mode)

    def is_dir(self, inside: str) -> bool:
        """Tell whether there is a directory, not a link to one, at *inside*."""
        found = self._lstat(inside)
        return found is not None and stat.S_ISDIR(found.st_mode)

    def leads_to_file(self, inside: str, *, executable: bool = False) -> bool:
        """Tell whether there is a file at *inside*, be it by way of links in the tree; an *executable* one if asked."""
        root = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = kernel.open_in_root(root, inside, os.O_PATH)
        except OSError:
            return False
        finally:
            os.close(root)
        mode = os.fstat(descriptor).st_mode
        os.close(descriptor)
        return stat.S_ISREG(mode) and (not executable or bool(mode & (stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)))

    @contextmanager
    def reading(self, inside: str) -> Iterator[BinaryIO]:
        """Open the regular file at *inside*; links are followed inside the tree. Raises TreeError for anything else."""
        with _told("reading", inside):
            root = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                flags = os.O_RDONLY | os.O_NONBLOCK  # a pipe must not hold us up
                descriptor = kernel.open_in_root(root, inside, flags)
            finally:
                os.close(root)
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                os.close(descriptor)
                raise OSError(errno.EINVAL, "no regular file")
        with os.fdopen(descriptor, "rb") as file:
            yield file

    def read(self, inside: str) -> str:
        """Return the text of a file, which must not be absurdly large; links are followed inside the tree."""
        with self.reading(inside) as file:
            content = file.read(_LARGEST_BYTES + 1)
        if len(content) > _LARGEST_BYTES:
            message = f"reading {inside} in the tree: it has more than {_LARGEST_BYTES >> 20} MiB"
            raise TreeError(message, advice="a package left it so")
        return content.decode("utf-8", "surrogateescape")

    @contextmanager
    def writing(self, inside: str, *, mode: int = 0o644) -> Iterator[BinaryIO]:
        """Give a file, owned by root, that at the end of the block is at *inside*; a link there is replaced.

        A regular file that is replaced keeps its owner and mode.
        """
        old = self._lstat(inside)
        with ExitStack() as stack:
            with _told("writing", inside):
                directory, name = stack.enter_context(self._parent(inside))
                temporary = f".fuel-image-{secrets.token_hex(8)}"  # nobody can have put something in its place
                flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
                descriptor = os.open(temporary, flags, 0o600, dir_fd=directory)
            try:
                with os.fdopen(descriptor, "wb") as file:
                    yield file
                    file.flush()
                    if old is not None and stat.S_ISREG(old.st_mode):
                        os.fchown(file.fileno(), old.st_uid, old.st_gid)
                        mode = stat.S_IMODE(old.st_mode)
                    os.fchmod(file.fileno(), mode)
                with _told("writing", inside):
                    os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
            except BaseException:
                os.unlink(temporary, dir_fd=directory)
                raise

    def write(self, inside: str, text: str, *, mode: int = 0o644) -> None:
        """Make or replace the file at *inside*, as ``writing`` does."""
        with self.writing(inside, mode=mode) as file:
            file.write(text.encode("utf-8", "surrogateescape"))

    def symlink(self, inside: str, target: str) -> None:
        """Make a symbolic link at *inside*."""
        with _told("making the link", inside), self._parent(inside) as (directory, name):
            os.symlink(target, name, dir_fd=directory)

    def mkdir(self, inside: str, *, mode: int = 0o755) -> None:
        """Make a directory and its parents; it is no error if it is there."""
        for path in (*reversed(PurePosixPath(inside).parents), PurePosixPath(inside)):
            if str(path) == "/":
                continue
            with _told("making the directory", str(path)), self._parent(str(path)) as (directory, name):
                try:
                    os.mkdir(name, dir_fd=directory)
                except FileExistsError:
                    continue
                # Not by its name: a program that runs in the tree meanwhile may have put a link there.
                descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
                try:
                    os.fchmod(descriptor, mode)
                finally:
                    os.close(descriptor)

    def remove(self, inside: str) -> None:
        """Remove what is at *inside*, a directory with all that it holds; it is no error if nothing is there."""
        gone = suppress(FileNotFoundError, NotADirectoryError)
        with _told("removing", inside), gone, self._parent(inside) as (directory, name):
            try:
                os.unlink(name, dir_fd=directory)
            except IsADirectoryError:
                remove_directory(name, directory)

    def move(self, inside: str, to: str) -> None:
        """Rename what is at *inside*; what is at *to* is replaced."""
        with _told("moving", inside), self._parent(inside) as (directory, name), self._parent(to) as (other, new):
            os.rename(name, new, src_dir_fd=directory, dst_dir_fd=other)

    def give(self, inside: str, uid: int, gid: int, mode: int) -> None:
        """Set the owner and the mode of the regular file or directory at *inside*."""
        with _told("opening", inside), self._parent(inside) as (directory, name):
            flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=directory)
        try:
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
        finally:
            os.close(descriptor)

    def empty(self, inside: str) -> None:
        """Remove everything below the directory at *inside*, but not itself."""
        for name in self.names(inside):
            self.remove(f"{inside}/{name}")

    def set_directory(self, inside: str, mode: int, uid: int, gid: int, mtime: int) -> None:
        """Set the mode and owner of the directory at *inside*, and its time if it is empty: else it changed since."""
        with _told("opening", inside), self._parent(inside) as (directory, name):
            descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
        try:
            os.fchown(descriptor, uid, gid)
            os.fchmod(descriptor, mode)
            if not os.listdir(descriptor):
                os.utime(descriptor, (mtime, mtime))
        finally:
            os.close(descriptor)

    def names(self, inside: str) -> list[str]:
        """Return the sorted names in the directory at *inside*; none if there is no such directory."""
        if not self.is_dir(inside):
            return []
        with _told("opening", inside), self._parent(inside) as (directory, name):
            descriptor = os.open(name, _DIRECTORY, dir_fd=directory)
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)

    def truncate(self, inside: str) -> None:
        """Empty the regular file at *inside*."""
        with _told("emptying", inside), self._parent(inside) as (directory, name):
            os.close(os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory))

    def walk_files(self, inside: str) -> Iterator[str]:
        """Give the paths of everything below *inside* that is no directory."""
        waiting = [inside]
        while waiting:
            directory = waiting.pop()
            for name in self.names(directory):
                path = f"{directory}/{name}"
                if self.is_dir(path):
                    waiting.append(path)
                else:
                    yield path
