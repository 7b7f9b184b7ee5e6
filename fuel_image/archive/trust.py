"""Whose word on a repository is believed.

Owns asking the repositories for their Release files, all at once, and the verdict on each: which is accepted without a
signature, and which need not have a Release. It must not fetch an index.
"""

from __future__ import annotations

import dataclasses
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
from fuel_image.archive.seen import Seen
from fuel_image.errors import FetchError, ReleaseError
from fuel_image.host.tasks import together
from fuel_image.request import Repository

LOG = logging.getLogger(__name__)

_RELEASE_LIMIT_BYTES = 32 << 20
_LOCAL_HOSTS = ("localhost", "127.0.0.1", "::1")
_AGAIN_SECONDS = (0.2, 1.0)
"""The waits before each mirror is asked once more for a Release that can be believed: hosts behind one name differ, one
may lag behind the others, and what came may have been damaged on its way.
"""
_AGAIN_ATTEMPTS = 2
"""Enough to be told that there is no such file, and not so many that the dead ones among the mirrors matter."""


@dataclass(frozen=True)
class Answer:
    """What a repository says of itself: its verified Release, None for a flat one that has none and needs none.

    *warning* is what a person should know of it. When no mirror could be asked, *unreachable* says why.
    """

    repository: Repository
    release: Release | None
    warning: str = ""
    unreachable: FetchError | None = None


@dataclass(frozen=True)
class Inquiry:
    """What it takes to ask: a way to fetch, a directory to work in, and what was seen before."""

    fetcher: Fetcher
    workspace: Path
    seen: Seen


def ask_all(requested: Sequence[Repository], inquiry: Inquiry) -> tuple[Answer, ...]:
    """Fetch and verify the Release of every repository. Raises ReleaseError for one that cannot be trusted."""
    stopped = threading.Event()
    with together(inquiry.fetcher.limits.connections, stopped.set) as tasks:
        futures = [tasks.start(_asked, one, inquiry, stopped) for one in requested]
    answers = tuple(future.result() for future in futures)
    for answer in answers:  # in the order of the request, whichever came first
        if answer.warning:
            LOG.warning("%s", answer.warning)
    return answers


def ask(requested: Repository, inquiry: Inquiry) -> Release | None:
    """Fetch and verify the Release of one repository again. Raises FetchError and ReleaseError."""
    return _believed(requested, inquiry, threading.Event()).release


def is_local(requested: Repository, is_direct: Callable[[str], bool]) -> bool:
    """Tell whether every mirror of a repository is on this machine: how a deployment serves its own packages.

    To a proxy a name for loopback means another machine; *is_direct* tells whether a URL is asked for without any.
    """
    splits = [(uri, urlsplit(uri)) for uri in requested.uris]
    return all(split.scheme == "file" or (split.hostname in _LOCAL_HOSTS and is_direct(uri)) for uri, split in splits)


def _asked(requested: Repository, inquiry: Inquiry, stopped: threading.Event) -> Answer:
    try:
        return _believed(requested, inquiry, stopped)
    except FetchError as error:
        return Answer(requested, None, unreachable=error)


def _believed(requested: Repository, inquiry: Inquiry, stopped: threading.Event) -> Answer:
    """Return what is believed, of whichever mirror; raise what was wrong first if there is nothing."""
    asked_for = requested.key is not None or requested.fingerprint is not None
    may_be_unsigned = not asked_for and is_local(requested, inquiry.fetcher.is_direct)
    judged = functools.partial(
        _judged, whole=requested, inquiry=inquiry, stopped=stopped, may_be_unsigned=may_be_unsigned
    )
    try:
        answer = judged(requested)
    except ReleaseError as error:
        answer = _believed_of_another(requested, judged, stopped)
        if answer is None:
            raise
        LOG.warning("%s; another try gave a better one", error.message)
    return _without_release(requested, may_be_unsigned=may_be_unsigned) if answer is None else answer


def _believed_of_another(
    requested: Repository, judged: Callable[..., Answer | None], stopped: threading.Event
) -> Answer | None:
    """Ask the mirrors one by one: which of them gave what is not believed, nobody knows."""
    for wait_seconds in _AGAIN_SECONDS:
        stopped.wait(wait_seconds)
        for uri in requested.uris:
            try:
                one = dataclasses.replace(requested, uris=(uri,))
                answer = None if stopped.is_set() else judged(one, attempts=_AGAIN_ATTEMPTS)
            except (ReleaseError, FetchError) as error:
                LOG.debug("asking once more: %s", error.message)
                continue
            if answer is not None:
                return dataclasses.replace(answer, repository=requested)
    return None


def _judged(
    requested: Repository,
    whole: Repository,
    inquiry: Inquiry,
    stopped: threading.Event,
    *,
    may_be_unsigned: bool,
    attempts: int | None = None,
) -> Answer | None:
    """Return what the mirrors say if it is to be believed, None if they have no Release. Raises ReleaseError.

    *requested* may have but one of the mirrors of the *whole*.
    """
    fetcher = inquiry.fetcher
    fetched = functools.partial(_fetched, requested, fetcher=fetcher, stopped=stopped, attempts=attempts)
    content, detached = fetched("InRelease"), None
    if content is None:
        content, detached = fetched("Release"), fetched("Release.gpg")
    if content is None:
        return None
    keys = functools.partial(signature.keyring, requested, fetcher, stopped)
    text, warning = _text(requested, content, detached, keys, inquiry.workspace, may_be_unsigned=may_be_unsigned)
    parsed = releases.parse(text, requested.name)
    if not requested.trusted:
        releases.check_validity(parsed, requested.name)
        if not warning and parsed.date is not None:
            inquiry.seen.judge(whole, parsed.date)
    return Answer(requested, parsed, warning)


def _fetched(
    requested: Repository, name: str, fetcher: Fetcher, stopped: threading.Event, attempts: int | None
) -> bytes | None:
    """Fetch a file of the suite; None if there is none."""
    urls = urls_of(requested, f"{suite_path(requested)}/{name}")
    try:
        return fetcher.small(urls, f"{name} of {requested.name}", _RELEASE_LIMIT_BYTES, stopped, attempts=attempts)
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
