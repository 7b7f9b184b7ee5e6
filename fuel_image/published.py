"""The question whether a set is there already.

Owns reading a published set and comparing it with what a build would make: whole, for the same request, by the same
version, from repositories that have not changed since. It must not change anything; in doubt the answer is no.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import logging
import os
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from fuel_image import __version__, checksums
from fuel_image import record as records
from fuel_image.archive.trust import Answer
from fuel_image.host.cpus import cpus
from fuel_image.milestones import Milestone
from fuel_image.record import Record, Recorded, RecordError
from fuel_image.request import Request

LOG = logging.getLogger(__name__)

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Standing:
    """What is published: a whole set that fits the request, or else why not; neither when nothing is."""

    record: Record | None = None
    difference: str = ""


@dataclass(frozen=True)
class AlreadyBuilt:
    """A published set that a build would only make again; *unasked* are repositories that no mirror spoke for."""

    metadata: Path
    unasked: tuple[str, ...]

    def __str__(self) -> str:
        rest = f"; nobody could be asked about {', '.join(self.unasked)}" if self.unasked else ""
        rest = rest or " and its repositories have not changed"
        return f"already built: {self.metadata.name} is whole{rest}"


def unfit(record: Record, request: Request) -> str:
    """Return why a set is not one that this version would make for *request*; nothing if it is."""
    if record.version != __version__:
        maker = "another program" if record.version is None else f"fuel-image {record.version}"
        return f"{request.metadata_filename} was made by {maker}, this is fuel-image {__version__}"
    if record.request_sha256 != request.digest:
        return "the request has changed"
    if sorted(one.filename for one in record.files) != sorted(request.filenames):
        return f"{request.metadata_filename} names other files"
    return ""


def changed(record: Record, answers: Sequence[Answer]) -> str:
    """Return which repository is in another state than the one the set was made from; nothing if none is.

    One that could not be asked counts as unchanged, one that has no Release as changed.
    """
    if len(record.sources) != len(answers):
        return "there are other repositories"
    for source, answer in zip(record.sources, answers):
        if answer.unreachable is not None:
            continue
        if answer.release is None:
            return f"{answer.repository.name} has no Release that tells whether it has changed"
        if answer.release.sha256 != source.release_sha256:
            return f"{answer.repository.name} has changed"
    return ""


@contextmanager
def examined(request: Request) -> Iterator[Future[Standing]]:
    """Look at the published set while the block runs; what is not known by its end is not looked for any more."""
    stopped = threading.Event()
    with ThreadPoolExecutor(1) as beside:
        try:
            yield beside.submit(examine, request, stopped)
        finally:
            stopped.set()


def examine(request: Request, stopped: threading.Event) -> Standing:
    """Look whether the set of *request* is there, whole and fitting; the answer is void once *stopped* is set."""
    path, name = request.metadata_path, request.metadata_filename
    if not os.path.lexists(path):
        found = any(os.path.lexists(request.output / name) for name in request.filenames)
        return Standing(difference=f"{name} is missing" if found else "")
    try:
        record = records.read(path)
    except OSError as error:
        return Standing(difference=f"{name} cannot be read: {error.strerror}")
    except (RecordError, UnicodeDecodeError) as error:
        LOG.debug("reading %s: %s", name, error)
        return Standing(difference=f"{name} is damaged")
    difference = unfit(record, request) or damage(record.files, request.output, stopped)
    difference = difference or checksums.lacking(request, _digests(record, path))
    return Standing(difference=difference) if difference else Standing(record)


def _digests(record: Record, metadata: Path) -> dict[str, str]:
    digests = {one.filename: one.sha256 or "" for one in record.files}
    return {**digests, metadata.name: hashlib.sha256(metadata.read_bytes()).hexdigest()}


def damage(files: Sequence[Recorded], directory: Path, stopped: threading.Event) -> str:
    """Return what is wrong with the image files; nothing if each is as described. Sizes are looked at first."""
    with ThreadPoolExecutor(cpus()) as workers:
        for wrong in (_wrong_size, _wrong_content):
            futures = [workers.submit(wrong, directory / one.filename, one, stopped) for one in files]
            for future in concurrent.futures.as_completed(futures):
                if future.result():
                    stopped.set()
                    return future.result()
    return ""


def _wrong_size(path: Path, expected: Recorded, _stopped: threading.Event) -> str:
    try:
        if not path.is_file():
            return f"{expected.filename} is {'no regular file' if path.exists() else 'missing'}"
        size_bytes = path.stat().st_size
    except OSError as error:
        return f"{expected.filename} cannot be read: {error.strerror}"
    if size_bytes != expected.size_bytes:
        return f"{expected.filename} has {size_bytes:,} bytes, not {expected.size_bytes:,}"
    return ""


def _wrong_content(path: Path, expected: Recorded, stopped: threading.Event) -> str:
    digest, chunk = hashlib.sha256(), bytearray(_CHUNK_BYTES)
    try:
        with path.open("rb", buffering=0) as file:
            while not stopped.is_set() and (count := file.readinto(chunk)):
                digest.update(memoryview(chunk)[:count])
    except OSError as error:
        return f"{expected.filename} cannot be read: {error.strerror}"
    return "" if digest.hexdigest() == expected.sha256 else f"the content of {expected.filename} has changed"


def already_built(standing: Standing, answers: Sequence[Answer], metadata: Path) -> AlreadyBuilt | None:
    """Say in the log whether the published set serves, and why not; return it if it does."""
    difference = standing.difference
    if standing.record is not None:
        difference = changed(standing.record, answers)
    if difference:
        LOG.info("building anew: %s", difference)
    if difference or standing.record is None:
        return None
    for answer in answers:
        if answer.unreachable is not None:
            LOG.warning("nobody tells whether %s has changed: %s", answer.repository.name, answer.unreachable.message)
    LOG.info(Milestone.ALREADY_BUILT.value)
    unasked = tuple(answer.repository.name for answer in answers if answer.unreachable is not None)
    return AlreadyBuilt(metadata, unasked)
