"""Files that several builds share.

Owns the locks on them and how one appears and goes: whole, by rename, and the oldest first. The kernel drops a lock
with the process that holds it, however that ends. It must not know what is in the files.
"""

from __future__ import annotations

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Callable


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
def held(path: Path, mode: int, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """Hold the lock of a file that is made if it is not there and that its holder may remove or rename.

    *waiting* is called, once, if somebody else holds it. Raises OSError when the file cannot be had.
    """
    told = False
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, mode)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    waiting()
                told = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if _has_name(path, descriptor):
                yield
                return
        finally:
            os.close(descriptor)
        # Its holder removed it before it was ours: what has the name now, if anything, is another.


def _has_name(path: Path, descriptor: int) -> bool:
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
            os.unlink(file.name)
            raise


def keep_newest(directory: Path, limit: int) -> None:
    """Remove all but the *limit* newest files of a directory, which need not exist."""
    files = sorted(directory.glob("*"), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in files[limit:]:
        path.unlink(missing_ok=True)
