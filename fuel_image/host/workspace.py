"""The directory in which one build works.

Owns the making, locking and removing of work directories. Each is held by a lock for as long as its build lives, so
that the next build can tell a dead build's directory from a living one's. It must never delete anything that lies
below a mount.
"""

from __future__ import annotations

import fcntl
import logging
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fuel_image.errors import BuildError, HostError
from fuel_image.host.files import locked
from fuel_image.host.removal import remove_directory

LOG = logging.getLogger(__name__)

_PREFIX = "build-"


@contextmanager
def workspace(work_dir: Path) -> Iterator[Path]:
    """Make a private directory below *work_dir*, removed at the end of the block; first remove those of dead builds."""
    descriptor = -1
    try:
        work_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        with locked(work_dir):  # so that nobody takes a directory for dead before its lock is held
            _remove_stale(work_dir)
            path = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=work_dir))
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
    except OSError as error:
        raise HostError(f"making a work directory: {error}", advice="give another with --work-dir") from error
    try:
        with removed_if_failed(path):
            yield path
        remove_tree(path)
    finally:
        os.close(descriptor)


def _remove_stale(work_dir: Path) -> None:
    for path in sorted(work_dir.glob(f"{_PREFIX}*")):
        try:
            with locked(path, wait=False):
                LOG.warning("removing %s, left by a build that was killed", path)
                remove_tree(path)
        except BlockingIOError:
            continue  # a build lives there


@contextmanager
def removed_if_failed(path: Path) -> Iterator[None]:
    """Remove a directory tree when the block fails. Why it cannot be removed is a warning: there is a first error."""
    try:
        yield
    except BaseException:
        try:
            remove_tree(path)
        except (BuildError, OSError) as error:
            LOG.warning("%s", error)
        raise


def remove_tree(path: Path) -> None:
    """Delete a directory tree; refuse if anything is mounted in it."""
    inside = mounts_below(path)
    if inside:
        raise BuildError(f"removing {path}: {inside[0]} is still mounted", advice=f"unmount it, then remove {path}")
    remove_directory(os.fspath(path))


def mounts_below(path: Path) -> list[str]:
    """Return the mount points at and below *path*, as this process sees them (proc_pid_mountinfo(5))."""
    real = os.path.realpath(path)
    lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    points = [line.split(" ")[4].replace("\\040", " ") for line in lines]
    return [point for point in points if point == real or point.startswith(real + "/")]
