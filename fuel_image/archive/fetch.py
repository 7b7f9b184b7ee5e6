"""Fetching over HTTP and from files.

Owns which mirror is tried, how often, what is worth another try, and the check of size and digest before anybody sees
the file. Fetches run concurrently and resume where they broke off. It must not know what the files are.

A cause decides what follows: a mirror that is down, slow, busy or serves wrong bytes is asked again later (apt retries
neither a hash mismatch nor a mirror in the middle of its sync), one that refuses is not; other mirrors are tried first.
"""

from __future__ import annotations

import collections
import hashlib
import logging
import threading
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, Callable
from urllib.parse import urlsplit

import tenacity

from fuel_image.archive.pool import Pool, sha256_of
from fuel_image.archive.throttle import Throttle
from fuel_image.archive.transport import Failure, Transport
from fuel_image.errors import FetchError, redact
from fuel_image.host.tasks import together
from fuel_image.progress import Step
from fuel_image.request import Proxies

LOG = logging.getLogger(__name__)

ATTEMPTS = 10
_DENIALS = 2
_DENIALS_OF_NAMED = 5
"""How often a mirror may say that it has no such file before it is believed: hosts behind one name differ. A file that
a verified index names is there, or will be.
"""
_DENIED_ROUNDS = 5
_LONGEST_WAIT_SECONDS = 10.0
_PATIENCE_SECONDS = 180.0
"""When so much time has passed since a file was asked for first, it is not asked for again."""


@dataclass(frozen=True)
class Limits:
    """How much at once: files, and for all of them together bytes a second, None for no limit."""

    connections: int = 8
    bytes_per_second: int | None = None


@dataclass(frozen=True)
class Wanted:
    """A file to fetch: where it may be had, what it must be, and its name in messages."""

    urls: tuple[str, ...]
    size_bytes: int
    sha256: str
    name: str


class _RoundFailed(Exception):
    """No mirror gave the file in this round."""


@dataclass
class _Mirror:
    """One URL of a file and how it has failed so far."""

    url: str
    denials: int
    failures: list[Failure] = field(default_factory=list)

    @property
    def denied(self) -> bool:
        """Whether the mirror has said often enough that it has no such file."""
        return sum(failure.missing for failure in self.failures) >= self.denials

    @property
    def worth_asking(self) -> bool:
        """Whether asking again may help."""
        return not self.denied and not any(failure.final for failure in self.failures)


class Fetcher:
    """Fetches files into a pool. One instance serves a build; it is safe for threads."""

    def __init__(
        self,
        pool: Pool,
        proxies: Proxies | None = None,
        limits: Limits | None = None,
        *,
        redirects: Collection[str] = (),
        attempts: int = ATTEMPTS,
    ) -> None:
        self.pool = pool
        self._attempts = attempts
        self._down: collections.Counter[str] = collections.Counter()
        self.limits = limits or Limits()
        throttle = Throttle(self.limits.bytes_per_second)
        self._transport = Transport(proxies or Proxies(), self.limits.connections, throttle, redirects)

    def fetch(
        self,
        wanted: Iterable[Wanted],
        step: Step,
        *,
        attempts: int | None = None,
        stopped: threading.Event | None = None,
    ) -> None:
        """Bring every wanted file into the pool, the largest first; raise FetchError if one cannot be had.

        *attempts* bounds the rounds through the mirrors of each file, where the caller has something better to do
        than to insist. Soon after *stopped* is set all is given up.
        """
        stopped = stopped or threading.Event()
        absent = {one for one in wanted if not self.pool.holds(one.sha256, one.size_bytes)}
        step.total_bytes += sum(one.size_bytes for one in absent)
        with together(self.limits.connections, stopped.set) as tasks:
            for one in sorted(absent, key=lambda one: (-one.size_bytes, one.name)):
                tasks.start(self._fetch_one, one, step, attempts or self._attempts, stopped)

    def small(
        self,
        urls: tuple[str, ...],
        name: str,
        limit_bytes: int,
        stopped: threading.Event | None = None,
        *,
        attempts: int | None = None,
    ) -> bytes:
        """Return the content of a small file whose digest nobody knows beforehand, such as an InRelease.

        Raises FetchError, soon after *stopped* is set; its ``missing`` is true when a mirror insists that there is no
        such file. *attempts* is as for ``fetch``.
        """

        def once(url: str) -> bytes:
            with self._transport.opened(url, 0) as body:
                return b"".join(body.chunks(limit_bytes))

        mirrors = [_Mirror(url, _DENIALS) for url in urls]
        return self._from_any(mirrors, name, once, attempts or self._attempts, stopped or threading.Event())

    def is_direct(self, url: str) -> bool:
        """Tell whether nobody passes on what is fetched from a URL."""
        return self._transport.is_direct(url)

    def _fetch_one(self, wanted: Wanted, step: Step, attempts: int, stopped: threading.Event) -> None:
        with self.pool.incoming(wanted.sha256, stopped) as part:
            if self.pool.holds(wanted.sha256, wanted.size_bytes):  # another build brought it while we waited
                step.advance(wanted.size_bytes)
                part.unlink(missing_ok=True)  # it may just have become the member
                return

            def once(url: str) -> bytes:
                self._append(part, url, wanted, step, stopped)
                return b""

            mirrors = [_Mirror(url, _DENIALS_OF_NAMED) for url in wanted.urls]
            self._from_any(mirrors, wanted.name, once, attempts, stopped)
            self.pool.admit(part, wanted.sha256)

    def _from_any(
        self, mirrors: list[_Mirror], name: str, once: Callable[[str], bytes], attempts: int, stopped: threading.Event
    ) -> bytes:
        """Try the mirrors in rounds, with a growing wait between them, until one try succeeds.

        Those that have failed least, for whatever file, are asked first.
        """

        def one_round() -> bytes:
            for mirror in sorted(mirrors, key=lambda mirror: self._down[urlsplit(mirror.url).netloc]):
                if stopped.is_set() or not mirror.worth_asking:
                    continue
                try:
                    return once(mirror.url)
                except Failure as failure:
                    mirror.failures.append(failure)
                    self._down[urlsplit(mirror.url).netloc] += not failure.missing
                    LOG.debug("try %d of %s: %s", len(mirror.failures), redact(mirror.url), failure)
            raise _RoundFailed

        def no_more_rounds(retry_state: tenacity.RetryCallState) -> bool:
            # Where one mirror denies the file, the others get fewer chances to come back to life.
            believed = any(mirror.denied for mirror in mirrors) and retry_state.attempt_number >= _DENIED_ROUNDS
            open_ones = any(mirror.worth_asking for mirror in mirrors)
            over = retry_state.attempt_number >= attempts or (retry_state.seconds_since_start or 0) >= _PATIENCE_SECONDS
            return stopped.is_set() or believed or not open_ones or over

        def wait_seconds(retry_state: tenacity.RetryCallState) -> float:
            asked = max(mirror.failures[-1].wait_seconds for mirror in mirrors if mirror.failures)
            return max(asked, tenacity.wait_random_exponential(multiplier=0.5, max=_LONGEST_WAIT_SECONDS)(retry_state))

        def pause(seconds: float) -> None:
            stopped.wait(seconds)  # no longer than until another fetch has failed for good

        rounds = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_RoundFailed),
            stop=no_more_rounds,
            wait=wait_seconds,
            sleep=pause,
            reraise=True,
        )
        try:
            return rounds(one_round)
        except _RoundFailed:
            raise _explained(name, mirrors) from None

    def _append(self, part: Path, url: str, wanted: Wanted, step: Step, stopped: threading.Event) -> None:
        """Fetch what *part* lacks of the file and check the whole."""
        counted = 0
        with part.open("r+b") as file:
            digest = sha256_of(file)
            if file.tell() >= wanted.size_bytes:  # no beginning of our file
                digest = _cut(file, 0)
            try:
                with self._transport.opened(url, file.tell()) as body:
                    if body.offset != file.tell():
                        digest = _cut(file, body.offset)
                    step.advance(body.offset)
                    counted = body.offset
                    for chunk in body.chunks(wanted.size_bytes - body.offset):
                        if stopped.is_set():
                            raise Failure("given up because of another error", final=True)
                        file.write(chunk)
                        digest.update(chunk)
                        step.advance(len(chunk))
                        counted += len(chunk)
                if counted != wanted.size_bytes:
                    file.truncate(0)  # a whole answer, but not our file: nothing to resume
                    raise Failure(f"it has {counted} bytes, not {wanted.size_bytes}")
                if digest.hexdigest() != wanted.sha256:
                    file.truncate(0)
                    raise Failure(f"its SHA-256 is {digest.hexdigest()}, not {wanted.sha256}")
            except Failure:
                step.advance(-counted)
                raise


def _cut(file: BinaryIO, size_bytes: int) -> hashlib._Hash:
    """Keep the first *size_bytes* of a file and return their running SHA-256."""
    file.truncate(size_bytes)
    file.seek(0)
    return sha256_of(file)


def _explained(name: str, mirrors: list[_Mirror]) -> FetchError:
    tried = [mirror for mirror in mirrors if mirror.failures]
    if not tried:
        return FetchError(f"fetching {name}: given up because of another error")
    reports = [f"{mirror.url}: {mirror.failures[-1]} (attempts: {len(mirror.failures)})" for mirror in tried]
    missing = any(mirror.denied for mirror in tried)
    advice = "; ".join(
        dict.fromkeys(found.advice for mirror in tried for found in mirror.failures[-1:] if found.advice)
    )
    advice = (
        advice
        or "check the repository's address, the proxy, and that the mirror is not in the middle of its own update"
    )
    return FetchError(f"fetching {name}: {'; '.join(reports)}", missing=missing, advice=advice)
