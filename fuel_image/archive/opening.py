"""Opening the repositories of a request.

Owns bringing their indices here, verified, as one consistent state with their Release files: an index that does not fit
its Release (a mirror in the middle of its sync) makes both be fetched again. Which Release is believed, ``trust.py``
tells. It must not choose packages.
"""

from __future__ import annotations

import bz2
import functools
import hashlib
import io
import logging
import lzma
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Callable

import tenacity
from isal import igzip, igzip_lib

from fuel_image import xz
from fuel_image.archive import trust
from fuel_image.archive.fetch import Fetcher, Wanted
from fuel_image.archive.packages import Index
from fuel_image.archive.release import Release
from fuel_image.archive.repositories import OpenRepository, Repositories, suite_path, urls_of
from fuel_image.archive.trust import Answer, Inquiry
from fuel_image.errors import FetchError, ReleaseError
from fuel_image.progress import Step
from fuel_image.request import Repository

LOG = logging.getLogger(__name__)

_INDEX_LIMIT_BYTES = 512 << 20
"""Packed or not; Debian's largest has a tenth of it."""
_CHUNK_BYTES = 1 << 20
_INDEX_ATTEMPTS = 3
"""Then a newer Release is looked for: by insisting an index that does not fit will not be had."""
_SYNC_ATTEMPTS = 4
_SYNC_WAIT_SECONDS = 5.0
_SYNC_PATIENCE_SECONDS = 180.0
_DECOMPRESS: Mapping[str, Callable[[io.BytesIO], Any]] = {
    ".gz": igzip.open,
    ".xz": xz.opened,
    ".bz2": bz2.open,
    "": lambda stream: stream,
}
"""By the ending of an index, in order of preference: gzip's is a quarter larger than xz's, but read at ten times the
speed.
"""


def open_all(answers: Sequence[Answer], arch: str, inquiry: Inquiry, step: Step) -> Repositories:
    """Fetch the indices that the Release of each repository names. Raises FetchError and ReleaseError."""
    for answer in answers:
        if answer.unreachable is not None:
            raise answer.unreachable
    opened = [_opened(one, place, arch, inquiry, step) for place, one in enumerate(answers)]
    return Repositories(opened, arch)


def _opened(answer: Answer, place: int, arch: str, inquiry: Inquiry, step: Step) -> OpenRepository:
    """Open one repository; start over when its index does not fit its Release, which a sync under way explains."""
    requested, release = answer.repository, answer.release
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(FetchError),
        stop=tenacity.stop_after_attempt(_SYNC_ATTEMPTS) | tenacity.stop_after_delay(_SYNC_PATIENCE_SECONDS),
        wait=tenacity.wait_fixed(_SYNC_WAIT_SECONDS),
        reraise=True,
        before_sleep=lambda _: LOG.warning("%s: starting over with its Release", requested.name),
    )
    for attempt in retrying:
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                release = trust.ask(requested, inquiry)
            indices = _indices(requested, place, arch, release, inquiry.fetcher, step)
    return OpenRepository(requested, place, release, indices)


def _indices(
    requested: Repository, place: int, arch: str, release: Release | None, fetcher: Fetcher, step: Step
) -> tuple[Index, ...]:
    if release is None:
        return (_unlisted_index(requested, place, fetcher),)
    chosen: list[tuple[str, str, Wanted]] = []
    for directory in _index_directories(requested, arch, release):
        ending = next((one for one in _DECOMPRESS if f"{directory}Packages{one}" in release.files), None)
        if ending is None:
            raise ReleaseError(
                f"opening {requested.name}: its Release names no {directory}Packages",
                advice=f"check the section ({' '.join(requested.components) or 'none'}) and the architecture ({arch})",
            )
        chosen.append((directory, ending, _wanted_index(requested, release, f"{directory}Packages{ending}")))
    fetcher.fetch((wanted for _, _, wanted in chosen), step, attempts=_INDEX_ATTEMPTS)
    return tuple(
        Index(
            functools.partial(_read, fetcher.pool.path(wanted.sha256), ending, wanted.name),
            wanted.sha256,
            place,
            directory,
        )
        for directory, ending, wanted in chosen
    )


def _read(path: Path, ending: str, name: str) -> bytes:
    return _content(path.read_bytes(), ending, name)


def _index_directories(requested: Repository, arch: str, release: Release) -> list[str]:
    """Return the directories below the suite whose Packages we need; packages for all may have one of their own."""
    if not requested.components:
        return [""]
    architectures = [arch]
    if "all" in release.architectures and not release.all_in_each_architecture:
        architectures.append("all")
    directories = [f"{component}/binary-{one}/" for component in requested.components for one in architectures]
    listed = {name.rpartition("/")[0] + "/" for name in release.files}
    return [one for one in directories if not one.endswith("-all/") or one in listed]


def _wanted_index(requested: Repository, release: Release, path: str) -> Wanted:
    file = release.files[path]
    if file.size_bytes > _INDEX_LIMIT_BYTES:
        raise ReleaseError(
            f"opening {requested.name}: its {path} has {file.size_bytes:,} bytes, more than any package index"
        )
    suite = suite_path(requested)
    urls = urls_of(requested, f"{suite}/{path}")
    if release.by_hash:  # names that stay valid while the mirror syncs; the plain name is for mirrors without them
        urls = (*urls_of(requested, f"{suite}/{PurePosixPath(path).parent}/by-hash/SHA256/{file.sha256}"), *urls)
    return Wanted(urls, file.size_bytes, file.sha256, f"{path} of {requested.name}")


def _unlisted_index(requested: Repository, place: int, fetcher: Fetcher) -> Index:
    """Fetch the index of a flat repository that has no Release to tell its digest."""
    for ending in (".gz", ".xz", ""):
        path = f"{suite_path(requested)}/Packages{ending}"
        try:
            content = fetcher.small(urls_of(requested, path), f"{path} of {requested.name}", _INDEX_LIMIT_BYTES)
        except FetchError as error:
            if error.missing:
                continue
            raise
        unpacked = _content(content, ending, path)
        return Index(lambda: unpacked, hashlib.sha256(content).hexdigest(), place, "")  # noqa: B023  (returned at once)
    raise ReleaseError(f"opening {requested.name}: neither a Release nor a Packages file at {requested.uris[0]}")


def _content(compressed: bytes, ending: str, name: str) -> bytes:
    """Decompress an index, up to a limit."""
    started = time.monotonic()
    try:
        unpacked = io.BytesIO()  # to read more at once would take the memory twice
        with _DECOMPRESS[ending](io.BytesIO(compressed)) as stream:
            while unpacked.tell() <= _INDEX_LIMIT_BYTES and (chunk := stream.read(_CHUNK_BYTES)):
                unpacked.write(chunk)
    except (OSError, EOFError, igzip_lib.IsalError, lzma.LZMAError) as error:  # type: ignore[misc]  # its stub is wrong
        raise ReleaseError(f"reading the package index {name}: {error}") from error
    if unpacked.tell() > _INDEX_LIMIT_BYTES:
        raise ReleaseError(f"reading the package index {name}: larger than {_INDEX_LIMIT_BYTES >> 20} MiB unpacked")
    content = unpacked.getvalue().replace(b"\r\n", b"\n")
    LOG.debug("unpacked %s: %d bytes in %.2f s", name, len(content), time.monotonic() - started)
    return content
