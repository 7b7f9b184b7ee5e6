"""The store of fetched files that all builds on the host share.

Owns a directory of files named by their SHA-256. A file is there whole and verified, or not at all: it is written
under a lock, verified while it is written, and renamed. It must not fetch anything, and nothing may rely on a file
being there: the store may be emptied at any time between builds.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import math
import os
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from fuel_image.errors import FetchError, HostError
from fuel_image.host.files import held, locked

LOG = logging.getLogger(__name__)

_READ_BYTES = 1 << 20
_INCOMING = ".part"
_IN_USE_SECONDS = 86_400
_SHA256 = re.compile(r"[0-9a-f]{64}")


class Pool:
    """Files by digest below *directory*; safe for builds that run at the same time."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory

    def path(self, sha256: str) -> Path:
        """Return where the file with this digest is, or would be."""
        if not _SHA256.fullmatch(sha256):
            raise ValueError(f"{sha256!r} is no SHA-256")  # or a digest from outside could name any file
        return self.directory / sha256[:2] / sha256

    def holds(self, sha256: str, size_bytes: int) -> bool:
        """Tell whether the file is there with the right size; a file of another size is removed."""
        path = self.path(sha256)
        try:
            if path.stat().st_size == size_bytes:
                os.utime(path)  # what was used last is thrown out last
                return True
            path.unlink()
        except FileNotFoundError:
            pass
        return False

    @contextmanager
    def incoming(self, sha256: str, stopped: threading.Event) -> Iterator[Path]:
        """Lock a place for a file on its way in; what an earlier, killed fetch left there may be resumed.

        Another build that wants the same file waits here, and then finds it; until *stopped* is set.
        """
        part = self.path(sha256).with_suffix(_INCOMING)
        with contextlib.ExitStack() as stack:
            try:
                part.parent.mkdir(parents=True, exist_ok=True)
                stack.enter_context(held(part, 0o644, lambda: not stopped.is_set()))
            except InterruptedError as error:
                raise FetchError(f"waiting for another build's {sha256}: given up because of another error") from error
            except OSError as error:
                raise _unusable(error) from error
            yield part

    def admit(self, part: Path, sha256: str) -> None:
        """Make a verified incoming file a member."""
        os.replace(part, self.path(sha256))

    @contextmanager
    def used(self) -> Iterator[None]:
        """Keep everybody from removing files of the pool that may be needed during the block. Raises HostError."""
        with contextlib.ExitStack() as stack:
            try:
                self.directory.mkdir(parents=True, exist_ok=True)
                stack.enter_context(locked(self.directory, shared=True))
            except OSError as error:
                raise _unusable(error) from error
            yield

    def prune(self, limit_bytes: int) -> None:
        """Remove the files used longest ago until the rest take at most *limit_bytes*.

        While a build is under way, what was used within a day stays, and so does what is coming in.
        """
        with contextlib.suppress(FileNotFoundError):
            try:
                with locked(self.directory, wait=False):
                    self._prune(limit_bytes, math.inf)  # whatever the clock was when a file was used
            except BlockingIOError:
                self._prune(limit_bytes, time.time() - _IN_USE_SECONDS)

    def _prune(self, limit_bytes: int, unused_since: float) -> None:
        total = 0
        for status, path in sorted(self._files(), key=lambda one: one[0].st_mtime, reverse=True):
            total += status.st_size
            if status.st_mtime <= unused_since and (total > limit_bytes or path.suffix == _INCOMING):
                LOG.debug("removing %s from the pool", path.name)
                path.unlink(missing_ok=True)

    def usage(self) -> tuple[int, int]:
        """Return how many files there are, and their bytes."""
        sizes = [status.st_size for status, _ in self._files()]
        return len(sizes), sum(sizes)

    def _files(self) -> Iterator[tuple[os.stat_result, Path]]:
        for path in self.directory.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                yield path.stat(), path


def _unusable(error: OSError) -> HostError:
    return HostError(f"writing to the package pool: {error}", advice="give another with --cache-dir")


def sha256_of(stream: BinaryIO) -> hashlib._Hash:
    """Return the running SHA-256 of what is left in *stream*."""
    digest = hashlib.sha256()
    while chunk := stream.read(_READ_BYTES):
        digest.update(chunk)
    return digest
