"""Turns: of those who would make the same thing, one at a time does.

Owns the lock files that stand for things to be made. A file is there only while somebody holds its lock or waits for
it; the kernel drops the lock with the process, however that ends. It must not know what is made.
"""

from __future__ import annotations

import hashlib
import logging
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from fuel_image.errors import HostError
from fuel_image.host.files import held

LOG = logging.getLogger(__name__)


@contextmanager
def turn(directory: Path, thing: Path) -> Iterator[None]:
    """Be, for the length of the block, the only one of those with the same *directory* who makes *thing*."""
    real = os.path.join(os.path.realpath(thing.parent), thing.name)
    path = directory / f"{hashlib.sha256(os.fsencode(real)).hexdigest()}.lock"
    told = False

    def waiting() -> bool:
        nonlocal told
        if not told:
            LOG.info("waiting for another build of %s", thing)
        told = True
        return True

    with ExitStack() as stack:
        try:
            directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            stack.enter_context(held(path, 0o600, waiting))
        except OSError as error:
            raise HostError(f"locking {thing}: {error}", advice="give another --work-dir") from error
        try:
            yield
        finally:
            path.unlink(missing_ok=True)  # while it is ours: who waits for it sees that it is gone
