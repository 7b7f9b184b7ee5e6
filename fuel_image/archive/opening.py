"""Opening the repositories of a request.

Owns bringing their Release files and indices here, verified, as one consistent state: an index that does not fit its
Release (a mirror in the middle of its sync) makes both be fetched again. Owns the decision which repository is accepted
without a signature. It must not choose packages.
"""

from __future__ import annotations

import bz2
import functools
import gzip
import hashlib
import io
import logging
import lzma
import time
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Callable
from urllib.parse import urlsplit

import tenacity

from fuel_image.archive import release as releases
from fuel_image.archive import signature
from fuel_image.archive.fetch import Fetcher, Wanted
from fuel_image.archive.packages import Index
from fuel_image.archive.release import Release
from fuel_image.archive.repositories import OpenRepository, Repositories, urls_of
from fuel_image.errors import FetchError, ReleaseError
from fuel_image.progress import Step
from fuel_image.request import Repository

LOG = logging.getLogger(__name__)

_RELEASE_LIMIT_BYTES = 32 << 20
_INDEX_LIMIT_BYTES = 1 << 30
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_INDEX_ATTEMPTS = 3
"""Then a newer Release is looked for: by insisting an index that does not fit will not be had."""
_SYNC_ATTEMPTS = 4
_SYNC_WAIT_SECONDS = 5.0
_DECOMPRESS: Mapping[str, Callable[[io.BytesIO], Any]] = {
    ".xz": lzma.open,
    ".gz": gzip.open,
    ".bz2": bz2.open,
    "": lambda stream: stream,
}
"""By the ending of an index, in order of preference."""


def open_all(requested: Sequence[Repository], arch: str, fetcher: Fetcher, workspace: Path, step: Step) -> Repositories:
    """Fetch and verify the Release and the indices of every repository. Raises FetchError and ReleaseError."""
    opened = [_opened(one, place, arch, fetcher, workspace, step) for place, one in enumerate(requested)]
    return Repositories(opened, arch)


def _opened(
    requested: Repository, place: int, arch: str, fetcher: Fetcher, workspace: Path, step: Step
) -> OpenRepository:
    """Open one repository; start over when its index does not fit its Release, which a sync under way explains."""
    retrying = tenacity.Retrying(
        retry=tenacity.retry_if_exception_type(FetchError),
        stop=tenacity.stop_after_attempt(_SYNC_ATTEMPTS),
        wait=tenacity.wait_fixed(_SYNC_WAIT_SECONDS),
        reraise=True,
        before_sleep=lambda _: LOG.warning("%s: starting over with its Release", requested.name),
    )
    release = _release(requested, fetcher, workspace)
    for attempt in retrying:
        with attempt:
            if attempt.retry_state.attempt_number > 1:
                release = _release(requested, fetcher, workspace)
            indices = _indices(requested, place, arch, release, fetcher, step)
    return OpenRepository(requested, place, release, indices)


def is_local(requested: Repository) -> bool:
    """Tell whether every mirror of a repository is on this machine: how a deployment serves its own packages."""
    splits = [urlsplit(uri) for uri in requested.uris]
    return all(split.scheme == "file" or split.hostname in _LOCAL_HOSTS for split in splits)


def _suite_path(requested: Repository) -> str:
    flat = requested.suite.strip("/")
    return f"dists/{requested.suite}" if requested.components else flat or "."


def _release(requested: Repository, fetcher: Fetcher, workspace: Path) -> Release | None:
    """Fetch and verify the Release; None for a repository that has none and needs none."""
    suite = _suite_path(requested)
    lenient = requested.trusted or is_local(requested)

    def small(name: str) -> bytes | None:
        try:
            return fetcher.small(
                urls_of(requested, f"{suite}/{name}"), f"{name} of {requested.name}", _RELEASE_LIMIT_BYTES
            )
        except FetchError as error:
            if error.missing:
                return None
            raise

    content, detached = small("InRelease"), None
    if content is None:
        content, detached = small("Release"), small("Release.gpg")
    if content is None:
        if lenient and not requested.components:
            LOG.warning("%s has no Release: accepted unverified, it is flat and local or trusted", requested.name)
            return None
        raise ReleaseError(
            f"opening {requested.name}: {requested.uris[0]} has no suite {requested.suite} (no InRelease, no Release)",
            advice='check the repository\'s uri and suite; a flat one without a Release needs "trusted": true',
        )
    try:
        if detached is None and not content.startswith(b"-----BEGIN PGP SIGNED"):
            raise signature.unsigned(requested, "its Release is not signed")
        text = signature.verified(content, detached, signature.keyring(requested, fetcher), requested, workspace)
    except signature.Unsigned as error:
        if not requested.trusted and (error.forged or requested.key is not None or not is_local(requested)):
            raise
        LOG.warning(
            "%s; accepted because it is %s", error.message, "trusted" if requested.trusted else "on this machine"
        )
        text = _without_armor(content)
    parsed = releases.parse(text, requested.name)
    if not requested.trusted:
        releases.check_validity(parsed, requested.name)
    return parsed


def _without_armor(content: bytes) -> str:
    """Return the text of a cleartext-signed message (RFC 4880, section 7) whose signature does not matter."""
    text = content.decode("utf-8", "replace")
    if not text.startswith("-----BEGIN PGP SIGNED"):
        return text
    return text.replace("\r", "").partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE")[0]


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
    suite = _suite_path(requested)
    urls = urls_of(requested, f"{suite}/{path}")
    if release.by_hash:  # names that stay valid while the mirror syncs; the plain name is for mirrors without them
        urls = (*urls_of(requested, f"{suite}/{PurePosixPath(path).parent}/by-hash/SHA256/{file.sha256}"), *urls)
    return Wanted(urls, file.size_bytes, file.sha256, f"{path} of {requested.name}")


def _unlisted_index(requested: Repository, place: int, fetcher: Fetcher) -> Index:
    """Fetch the index of a flat repository that has no Release to tell its digest."""
    for ending in (".gz", ".xz", ""):
        path = f"{_suite_path(requested)}/Packages{ending}"
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
        with _DECOMPRESS[ending](io.BytesIO(compressed)) as stream:
            content: bytes = stream.read(_INDEX_LIMIT_BYTES + 1).replace(b"\r\n", b"\n")
    except (OSError, EOFError, lzma.LZMAError) as error:
        raise ReleaseError(f"reading the package index {name}: {error}") from error
    if len(content) > _INDEX_LIMIT_BYTES:
        raise ReleaseError(f"reading the package index {name}: larger than {_INDEX_LIMIT_BYTES >> 20} MiB unpacked")
    LOG.debug("unpacked %s: %d bytes in %.2f s", name, len(content), time.monotonic() - started)
    return content
