"""Files that several builds share.

Owns the locks on them and how one appears and goes: whole, by rename, and the oldest first. The kernel drops a lock
with the process that holds it, however that ends. It must not know what is in the files.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Callable

_LOOK_AGAIN_SECONDS = 0.05
"""A lock is not waited for but looked at: only so can a thread be told to stop waiting."""


@contextmanager
def locked(path: Path, *, wait: bool = True, shared: bool = False) -> Iterator[None]:
    """Hold the lock of a file or directory that exists, with *shared* together with others that share it.

    Without *wait*, raise BlockingIOError if it is taken.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB))
        yield
    finally:
        os.close(descriptor)


@contextmanager
def held(path: Path, mode: int, waiting: Callable[[], bool] = lambda: True, *, shared: bool = False) -> Iterator[int]:
    """Hold the lock of a file that is made if it is not there and that its holder may remove or rename.

    With *shared* others who share it may hold it, too. Gives the open file. While somebody else holds it *waiting* is
    called again and again; it tells whether to go on, else InterruptedError is raised. Raises OSError when the file
    cannot be had.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            while not _taken(descriptor, shared=shared):
                if not waiting():
                    raise InterruptedError(errno.EINTR, "given up while another process holds it", str(path))
                time.sleep(_LOOK_AGAIN_SECONDS)
            if has_name(path, descriptor):
                yield descriptor
                return
        finally:
            os.close(descriptor)
        # Its holder removed it before it was ours: what has the name now, if anything, is another.


def _taken(descriptor: int, *, shared: bool) -> bool:
    try:
        fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def has_name(path: Path, descriptor: int) -> bool:
    """Tell whether an open file still is what *path* names."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


@contextmanager
def appearing(path: Path) -> Iterator[IO[bytes]]:
    """Give a file to write, which at the end of the block has the name *path*; if the block fails, it is gone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        try:
            yield file
            file.flush()
            os.replace(file.name, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):  # a signal may come when it has its name already
                os.unlink(file.name)
            raise


def keep_newest(directory: Path, limit: int) -> None:
    """Remove all but the *limit* newest files of a directory, which need not exist."""
    found = []
    for path in directory.glob("*"):
        with contextlib.suppress(FileNotFoundError):  # another build may prune too
            found.append((path.stat().st_mtime, path))
    for _, path in sorted(found, reverse=True)[limit:]:
        path.unlink(missing_ok=True)
