"""Turns: of those who would make the same thing, one at a time does.

Owns the lock files that stand for things to be made. A file is there only while somebody holds its lock or waits for
it; the kernel drops the lock with the process, however that ends. It must not know what is made.
"""

from __future__ import annotations

import fcntl
import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuel_image.errors import HostError
from fuel_image.host.workspace import has_name

LOG = logging.getLogger(__name__)


@contextmanager
def turn(directory: Path, thing: Path) -> Iterator[None]:
    """Be, for the length of the block, the only one of those with the same *directory* who makes *thing*."""
    real = os.path.join(os.path.realpath(thing.parent), thing.name)
    path = directory / f"{hashlib.sha256(os.fsencode(real)).hexdigest()}.lock"
    descriptor = _taken(path, thing)
    try:
        yield
    finally:
        path.unlink(missing_ok=True)  # while it is ours: who waits for it sees that it is gone
        os.close(descriptor)


def _taken(path: Path, thing: Path) -> int:
    """Return the open lock file once its lock is ours."""
    waited = False
    while True:
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise HostError(f"locking {thing}: {error}", advice="give another --work-dir") from error
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not waited:
                    LOG.info("waiting for another build of %s", thing)
                waited = True
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            if has_name(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # its holder removed it before it was ours: what has the name now is another
