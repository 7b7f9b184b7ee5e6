"""Putting finished files where nodes fetch them.

Owns the output directory: a file is written under no name (O_TMPFILE), so that nobody sees half of it and a killed
build leaves nothing; a set of files is then named at once, the metadata last. It must not know what is in the files.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Callable

from fuel_image.errors import BuildError, HostError
from fuel_image.host.cpus import cpus
from fuel_image.host.files import locked
from fuel_image.images.emit import Sums, emit
from fuel_image.progress import Step

_TEMPORARY = ".fuel-image-new"
_READABLE_BY_ALL = 0o644  # nginx serves them as another user


@dataclass(frozen=True)
class Artifact:
    """A published file, with the sums of the file that it is *packed* in.

    An image of the tree below *mount* has those of the *raw* file system too, which nodes check. *kind* is IMAGE or
    DISK; *virtual_size_bytes* is how large the disk is that its file stands for.
    """

    kind: str
    filename: str
    format: str
    container: str
    packed: Sums
    raw: Sums | None = None
    mount: str | None = None
    virtual_size_bytes: int | None = None


IMAGE, DISK = "image", "disk"


class Staged:
    """A file on its way to *name* in the output directory."""

    def __init__(self, directory: Path, name: str, file: BinaryIO) -> None:
        self.name = name
        self.path = directory / name
        self.file = file
        self._directory = directory

    def fill(self, image: Path, container: str, step: Step, stopped: threading.Event) -> tuple[Sums, Sums]:
        """Write *image* in its container; return the sums of the two. An OSError says which file it is about."""
        try:
            return emit(image, container, self.file, threads=cpus(), step=step, stopped=stopped)
        except OSError as error:
            error.filename = error.filename or self.path
            raise

    def finish(self) -> None:
        """Bring it to the disk, whole, under a name that nobody looks for: what may fail is done after this."""
        self.file.flush()
        os.fchmod(self.file.fileno(), _READABLE_BY_ALL)
        os.fsync(self.file.fileno())
        # linkat(2) gives a nameless file a name but never replaces one; rename does. Without dst_dir_fd Python calls
        # link(2), which would link the link in /proc itself.
        directory = os.open(self._directory, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.link(f"/proc/self/fd/{self.file.fileno()}", self._finished, dst_dir_fd=directory, follow_symlinks=True)
        finally:
            os.close(directory)

    def reveal(self) -> None:
        """Give the finished file its name, replacing what has it."""
        os.rename(self._directory / self._finished, self.path)

    @property
    def _finished(self) -> str:
        return f".{self.name}{_TEMPORARY}"


@contextmanager
def staged(directory: Path, name: str) -> Iterator[Staged]:
    """Open a nameless file in the output directory for the length of the block; unless revealed, it is gone after."""
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise HostError(
            f"writing to {directory}: {error.strerror}", advice="give an output on a local file system"
        ) from error
    with os.fdopen(descriptor, "w+b") as file:
        yield Staged(directory, name, file)


def reveal_set(
    directory: Path,
    images: Sequence[Staged],
    metadata: Staged,
    listing: Callable[[], AbstractContextManager[Sequence[Staged]]] = lambda: nullcontext(()),
) -> None:
    """Publish the images, then the metadata, whose presence means that the set is whole.

    *listing* gives what is published between them and depends on what other sets are there; nobody else publishes
    meanwhile. Until everything is finished the older set of the same names stays as it was. Then its metadata goes
    first: beside a new image it would make every node's check fail.
    """
    try:
        with locked(directory):  # so that the files of two builds of the same set never mix
            _remove_unfinished(directory)  # left by a build that was killed just there
            try:
                with listing() as lists:
                    files = (*images, *lists, metadata)
                    for one in files:
                        one.finish()
                    (directory / metadata.name).unlink(missing_ok=True)
                    for one in files:
                        one.reveal()
                _sync_directory(directory)
            except BaseException:
                _remove_unfinished(directory)
                raise
    except OSError as error:
        raise BuildError(f"publishing in {directory}: {error.strerror}") from error


def _remove_unfinished(directory: Path) -> None:
    for left in directory.glob(f".*{_TEMPORARY}"):
        left.unlink()


def _sync_directory(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
