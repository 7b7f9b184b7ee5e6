"""Whose word on a repository is believed.

Owns asking the repositories for their Release files, all at once, and the verdict on each: which is accepted without a
signature, and which need not have a Release. It must not fetch an index.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fuel_image.archive import armor, signature
from fuel_image.archive import release as releases
from fuel_image.archive.fetch import Fetcher
from fuel_image.archive.release import Release
from fuel_image.archive.repositories import suite_path, urls_of
from fuel_image.errors import FetchError, ReleaseError
from fuel_image.host.tasks import together
from fuel_image.request import Repository

LOG = logging.getLogger(__name__)

_RELEASE_LIMIT_BYTES = 32 << 20
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True)
class Answer:
    """What a repository says of itself: its verified Release, None for a flat one that has none and needs none.

    *warning* is what a person should know of it. When no mirror could be asked, *unreachable* says why.
    """

    repository: Repository
    release: Release | None
    warning: str = ""
    unreachable: FetchError | None = None


def ask_all(requested: Sequence[Repository], fetcher: Fetcher, workspace: Path) -> tuple[Answer, ...]:
    """Fetch and verify the Release of every repository. Raises ReleaseError for one that cannot be trusted."""
    stopped = threading.Event()
    with together(fetcher.limits.connections, stopped.set) as tasks:
        futures = [tasks.start(_asked, one, fetcher, workspace, stopped) for one in requested]
    answers = tuple(future.result() for future in futures)
    for answer in answers:  # in the order of the request, whichever came first
        if answer.warning:
            LOG.warning("%s", answer.warning)
    return answers


def ask(requested: Repository, fetcher: Fetcher, workspace: Path) -> Release | None:
    """Fetch and verify the Release of one repository again. Raises FetchError and ReleaseError."""
    return _believed(requested, fetcher, workspace, threading.Event()).release


def is_local(requested: Repository, is_direct: Callable[[str], bool]) -> bool:
    """Tell whether every mirror of a repository is on this machine: how a deployment serves its own packages.

    To a proxy a name for loopback means another machine; *is_direct* tells whether a URL is asked for without any.
    """
    splits = [(uri, urlsplit(uri)) for uri in requested.uris]
    return all(split.scheme == "file" or (split.hostname in _LOCAL_HOSTS and is_direct(uri)) for uri, split in splits)


def _asked(requested: Repository, fetcher: Fetcher, workspace: Path, stopped: threading.Event) -> Answer:
    try:
        return _believed(requested, fetcher, workspace, stopped)
    except FetchError as error:
        return Answer(requested, None, unreachable=error)


def _believed(requested: Repository, fetcher: Fetcher, workspace: Path, stopped: threading.Event) -> Answer:
    asked_for = requested.key is not None or requested.fingerprint is not None
    may_be_unsigned = not asked_for and is_local(requested, fetcher.is_direct)
    content, detached = _fetched(requested, "InRelease", fetcher, stopped), None
    if content is None:
        content = _fetched(requested, "Release", fetcher, stopped)
        detached = _fetched(requested, "Release.gpg", fetcher, stopped)
    if content is None:
        return _without_release(requested, may_be_unsigned=may_be_unsigned)
    keys = functools.partial(signature.keyring, requested, fetcher, stopped)
    text, warning = _text(requested, content, detached, keys, workspace, may_be_unsigned=may_be_unsigned)
    parsed = releases.parse(text, requested.name)
    if not requested.trusted:
        releases.check_validity(parsed, requested.name)
    return Answer(requested, parsed, warning)


def _fetched(requested: Repository, name: str, fetcher: Fetcher, stopped: threading.Event) -> bytes | None:
    """Fetch a file of the suite; None if there is none."""
    urls = urls_of(requested, f"{suite_path(requested)}/{name}")
    try:
        return fetcher.small(urls, f"{name} of {requested.name}", _RELEASE_LIMIT_BYTES, stopped)
    except FetchError as error:
        if error.missing:
            return None
        raise


def _without_release(requested: Repository, *, may_be_unsigned: bool) -> Answer:
    if (requested.trusted or may_be_unsigned) and not requested.components:
        warning = f"{requested.name} has no Release: accepted unverified, it is flat and local or trusted"
        return Answer(requested, None, warning)
    raise ReleaseError(
        f"opening {requested.name}: {requested.uris[0]} has no suite {requested.suite} (no InRelease, no Release)",
        advice='check the repository\'s uri and suite; a flat one without a Release needs "trusted": true',
    )


def _text(
    requested: Repository,
    content: bytes,
    detached: bytes | None,
    keys: Callable[[], bytes],
    workspace: Path,
    *,
    may_be_unsigned: bool,
) -> tuple[str, str]:
    """Return the text of a Release whose signature counts, or need not count, and a warning in the second case."""
    try:
        if detached is None and not armor.is_clear_signed(content):
            raise signature.unsigned(requested, signature.NO_SIGNATURE)
        return signature.verified(content, detached, keys(), requested, workspace), ""
    except signature.Unsigned as error:
        if not requested.trusted and (error.forged or not may_be_unsigned):
            raise
        reason = "trusted" if requested.trusted else "on this machine"
        return _without_armor(content), f"{error.message}; accepted because it is {reason}"


def _without_armor(content: bytes) -> str:
    """Return the text of a cleartext-signed message (RFC 4880, section 7) whose signature does not matter."""
    text = content.decode("utf-8", "replace")
    if not text.startswith("-----BEGIN PGP SIGNED"):
        return text
    return text.replace("\r", "").partition("\n\n")[2].partition("-----BEGIN PGP SIGNATURE")[0]
