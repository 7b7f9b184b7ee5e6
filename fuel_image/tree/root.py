"""A root tree and its files.

Owns ``Tree``: a mounted root tree, alive only inside the ``with`` that made it, and the only way in which our own code
reads and writes files in it. Every path is resolved by the kernel as if the tree were the root (openat2 with
RESOLVE_IN_ROOT), so that no symbolic link that a package left can lead a write out of the tree.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fuel_image.errors import BuildError
from fuel_image.host import kernel
from fuel_image.host.mounts import bound, mounted

_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "fd/0", "stdout": "fd/1", "stderr": "fd/2", "ptmx": "pts/ptmx"}


class Tree:
    """The root tree at *path*. All paths given to its methods are absolute paths inside the tree.

    *changed* is the directory that holds what differs from the tree that it started as.
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

    @contextmanager
    def reading(self, inside: str) -> Iterator[BinaryIO]:
        """Open the regular file at *inside*; links are followed inside the tree. Raises OSError for anything else."""
        root = os.open(self.path, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            descriptor = kernel.open_in_root(root, inside, os.O_RDONLY | os.O_NONBLOCK)  # a pipe must not hold us up
        finally:
            os.close(root)
        with os.fdopen(descriptor, "rb") as file:
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                raise OSError(errno.EINVAL, "no regular file", inside)
            yield file

    def read(self, inside: str) -> str:
        """Return the text of a file; links are followed inside the tree."""
        with self.reading(inside) as file:
            return file.read().decode("utf-8", "surrogateescape")

    @contextmanager
    def writing(self, inside: str, *, mode: int = 0o644) -> Iterator[BinaryIO]:
        """Give a file, owned by root, that at the end of the block is at *inside*; a link there is replaced.

        A regular file that is replaced keeps its owner and mode.
        """
        old = self._lstat(inside)
        with self._parent(inside) as (directory, name):
            temporary = f".{name}.fuel-image"
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
        with self._parent(inside) as (directory, name):
            os.symlink(target, name, dir_fd=directory)

    def mkdir(self, inside: str, *, mode: int = 0o755) -> None:
        """Make a directory and its parents; it is no error if it is there."""
        for path in (*reversed(PurePosixPath(inside).parents), PurePosixPath(inside)):
            if str(path) == "/":
                continue
            with self._parent(str(path)) as (directory, name):
                try:
                    os.mkdir(name, dir_fd=directory)
                    os.chmod(name, mode, dir_fd=directory)
                except FileExistsError:
                    pass

    def remove(self, inside: str) -> None:
        """Remove what is at *inside*, a directory with all that it holds; it is no error if nothing is there."""
        try:
            with self._parent(inside) as (directory, name):
                try:
                    os.unlink(name, dir_fd=directory)
                except IsADirectoryError:
                    _remove_directory(name, directory)
        except (FileNotFoundError, NotADirectoryError):
            pass

    def empty(self, inside: str) -> None:
        """Remove everything below the directory at *inside*, but not itself."""
        for name in self.names(inside):
            self.remove(f"{inside}/{name}")

    def set_directory(self, inside: str, mode: int, uid: int, gid: int, mtime: int) -> None:
        """Set the mode and owner of the directory at *inside*, and its time if it is empty: else it changed since."""
        with self._parent(inside) as (directory, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
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
        with self._parent(inside) as (directory, name):
            descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
        try:
            return sorted(os.listdir(descriptor))
        finally:
            os.close(descriptor)

    def truncate(self, inside: str) -> None:
        """Empty the regular file at *inside*."""
        with self._parent(inside) as (directory, name):
            os.close(os.open(name, os.O_WRONLY | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory))

    def walk_files(self, inside: str) -> Iterator[str]:
        """Give the paths of everything below *inside* that is no directory."""
        for name in self.names(inside):
            path = f"{inside}/{name}"
            if self.is_dir(path):
                yield from self.walk_files(path)
            else:
                yield path


def _remove_directory(name: str, directory: int) -> None:
    """Remove a directory tree by descriptors, never following a link (shutil.rmtree takes dir_fd from Python 3.11)."""
    descriptor = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
    try:
        with os.scandir(descriptor) as entries:
            for entry in list(entries):
                if entry.is_dir(follow_symlinks=False):
                    _remove_directory(entry.name, descriptor)
                else:
                    os.unlink(entry.name, dir_fd=descriptor)
    finally:
        os.close(descriptor)
    os.rmdir(name, dir_fd=directory)


@contextmanager
def entered(tree: Tree) -> Iterator[Tree]:
    """Give the tree what programs in it expect for the length of the block: /dev and an empty /run.

    Both are ours: of the host's devices a program sees six that do no harm, and nodes that it makes elsewhere cannot
    be opened (the tree is mounted nodev). What is left in /run never gets into the image.
    """
    for name in ("/dev", "/run", "/proc", "/sys"):
        tree.mkdir(name)
        if not tree.is_dir(name):
            raise BuildError(f"entering the tree: a package made {name} something else than a directory")
    nodev = kernel.MS_NOSUID | kernel.MS_NODEV
    with ExitStack() as stack:
        devices = stack.enter_context(mounted("tmpfs", tree.path / "dev", "tmpfs", nodev, "mode=0755"))
        for name in _DEVICES:
            # A node that is bound can be opened where one that is made cannot.
            (devices / name).touch()
            stack.enter_context(bound(Path("/dev", name), devices / name))
        for name, target in _LINKS.items():
            os.symlink(target, devices / name)
        for name in ("pts", "shm"):
            (devices / name).mkdir()
        options = "newinstance,gid=5,mode=0620,ptmxmode=0666"
        stack.enter_context(mounted("devpts", devices / "pts", "devpts", kernel.MS_NOSUID, options))
        stack.enter_context(mounted("tmpfs", devices / "shm", "tmpfs", nodev, "mode=1777"))
        stack.enter_context(mounted("tmpfs", tree.path / "run", "tmpfs", nodev, "mode=0755"))
        (tree.path / "run" / "lock").mkdir()
        (tree.path / "run" / "lock").chmod(0o1777)
        yield tree
