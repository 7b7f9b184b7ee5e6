"""A repository's Release file.

Owns its meaning: what the repository says of itself, how long it is valid, and the sizes and digests of its indices.
Only SHA-256 counts; a repository that offers weaker digests alone is refused. The format is Debian's
(wiki.debian.org/DebianRepository/Format). It must not fetch and must not verify signatures.
"""

from __future__ import annotations

import email.utils
import hashlib
import re
import time
from collections.abc import Mapping
from dataclasses import dataclass

from fuel_image.archive import stanza
from fuel_image.errors import ReleaseError

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_LAST_SECOND = 253_402_300_799  # of the year 9999
_SIZE = re.compile(r"[0-9]{1,15}")


class OutdatedError(ReleaseError):
    """A Release was right once."""


@dataclass(frozen=True)
class IndexFile:
    """One file that a Release names: its size and SHA-256."""

    size_bytes: int
    sha256: str


@dataclass(frozen=True)
class Release:
    """What a Release file says; times are seconds since the epoch, None where it does not say.

    *text* is exactly what was signed; *files* are the indices by their path below the suite.
    """

    text: str
    origin: str | None
    label: str | None
    suite: str | None
    codename: str | None
    version: str | None
    date: int | None
    valid_until: int | None
    architectures: tuple[str, ...]
    by_hash: bool
    all_in_each_architecture: bool
    default_priority: int
    files: Mapping[str, IndexFile]

    @property
    def sha256(self) -> str:
        """The SHA-256 of its text: the state that the repository is in."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def parse(text: str, name: str) -> Release:
    """Read a Release file's text; *name* is the repository's, for messages. Raises ReleaseError."""
    fields = stanza.parse(text)
    if "sha256" not in fields:
        advice = "have the repository made anew by a tool that writes SHA256 (apt-ftparchive, reprepro, aptly)"
        raise ReleaseError(f"reading the Release of {name}: it has no SHA256 section", advice=advice)
    automatic = fields.get("notautomatic", "no").lower() != "yes"
    upgrades = fields.get("butautomaticupgrades", "no").lower() == "yes"
    return Release(
        text=text,
        origin=fields.get("origin"),
        label=fields.get("label"),
        suite=fields.get("suite"),
        codename=fields.get("codename"),
        version=fields.get("version"),
        date=_time(fields.get("date"), name),
        valid_until=_time(fields.get("valid-until"), name),
        architectures=tuple(fields.get("architectures", "").split()),
        by_hash=fields.get("acquire-by-hash", "no").lower() == "yes",
        all_in_each_architecture="packages" in fields.get("no-support-for-architecture-all", "").lower(),
        default_priority=500 if automatic else 100 if upgrades else 1,
        files=_files(fields["sha256"], name),
    )


def _files(section: str, name: str) -> dict[str, IndexFile]:
    files = {}
    for line in section.split("\n"):
        words = line.split()
        if not words:
            continue
        if len(words) != 3 or not _SHA256.fullmatch(words[0]) or not _SIZE.fullmatch(words[1]):
            raise ReleaseError(f"reading the Release of {name}: {line.strip()[:80]!r} is no line of a SHA256 section")
        files[words[2]] = IndexFile(int(words[1]), words[0].lower())
    return files


def _time(text: str | None, name: str) -> int | None:
    if text is None:
        return None
    try:
        parsed = email.utils.parsedate_tz(text)
        seconds = -1 if parsed is None else email.utils.mktime_tz(parsed)
    except (ValueError, OverflowError):
        seconds = -1
    if 0 <= seconds <= _LAST_SECOND:
        return seconds
    raise ReleaseError(f"reading the Release of {name}: {text[:60]!r} is no date")


def check_validity(release: Release, name: str, now: float | None = None) -> None:
    """Raise OutdatedError if the Release has expired: a stale mirror, or somebody who holds back updates."""
    if release.valid_until is not None and release.valid_until < (time.time() if now is None else now):
        raise OutdatedError(
            f"reading the Release of {name}: it was valid until {when(release.valid_until)}",
            advice='check this host\'s clock and the mirror; to build from an old snapshot, say "trusted": true',
        )


def when(seconds: int) -> str:
    """Return a time since the epoch in words."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
